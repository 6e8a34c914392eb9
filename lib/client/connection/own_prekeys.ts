/**
 * Own prekeys at one server (protocol §4.4): made daily, stored before they are published, erased when
 * what was sealed to them must stay closed.
 */

import { type Clock, seconds } from "../../clock.ts";
import type { Identity } from "../../crypto/identity.ts";
import { makePrekey, type PrekeySecrets } from "../../protocol/identity/prekey.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const daySeconds = 86_400;
const graceSeconds = 48 * 3600;
const file = "prekeys.state";

interface Kept {
  lastId: number;
  keys: (PrekeySecrets & {
    notBefore: number;
    /** When the server confirmed the one after it. */
    supersededAt: number | null;
  })[];
}

/** The private parts that can still be needed. */
export class OwnPrekeys {
  #kept: Kept;

  /** Reads what is stored. */
  constructor(
    private readonly files: SealedFiles,
    private readonly identity: Identity,
    private readonly clock: Clock,
  ) {
    const bytes = files.read(file);
    this.#kept = bytes ? decodeState<Kept>(bytes) : { lastId: 0, keys: [] };
  }

  /** Written first, believed then: what is not on disk must not be published, erased or counted on. */
  #keep(kept: Kept): void {
    this.files.write(file, encodeState(kept));
    this.#kept = kept;
  }

  /** The newest, made anew (and stored) when it is a day old. */
  async newest(): Promise<PrekeySecrets> {
    const now = seconds(this.clock);
    const newest = this.#kept.keys.at(-1);
    // Made while the clock was ahead: others would refuse a prekey from the future.
    if (newest && now - newest.notBefore < daySeconds && newest.notBefore <= now + 300) return newest;
    const made = await makePrekey(this.identity.id, this.identity.signing, this.#kept.lastId, now);
    const keys = [...this.#kept.keys, { ...made, notBefore: now, supersededAt: null }];
    this.#keep({ lastId: made.prekeyId, keys });
    return made;
  }

  /** The server has confirmed the newest: the ones before it live 48 hours more. */
  confirmed(): void {
    const now = seconds(this.clock);
    const { keys, lastId } = this.#kept;
    if (keys.slice(0, -1).every((key) => key.supersededAt !== null)) return;
    const marked = keys.map((key, i) =>
      i < keys.length - 1 ? { ...key, supersededAt: key.supersededAt ?? now } : key
    );
    this.#keep({ lastId, keys: marked });
  }

  /** Erases what is past its time; to be called once all rooms have caught up. */
  erase(): void {
    const now = seconds(this.clock);
    const kept = this.#kept.keys.filter((key) =>
      now < key.notAfter && (key.supersededAt === null || now < key.supersededAt + graceSeconds)
    );
    if (kept.length === this.#kept.keys.length) return;
    this.#keep({ lastId: this.#kept.lastId, keys: kept });
  }

  /** Whether others could seal to us at a time. @param time seconds since 1970 */
  hadAt(time: number): boolean {
    return this.#kept.keys.some(({ notBefore, notAfter }) => notBefore <= time && time < notAfter);
  }

  /** All that can still be needed. */
  get all(): readonly PrekeySecrets[] {
    return this.#kept.keys;
  }

  /** The private part with this id. */
  find = (prekeyId: number): PrekeySecrets | undefined => {
    return this.#kept.keys.find((key) => key.prekeyId === prekeyId);
  };
}
