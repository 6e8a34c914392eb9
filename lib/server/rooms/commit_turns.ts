/**
 * CommitTurns: whose commit a room takes next (protocol §12), so that nobody's crowd out another's. One a second in all;
 * an author who is no admin has three, then one in twenty seconds, unless the commit answers ADMIT; and an admin who
 * came too late has the room to herself for three seconds.
 *
 * It rests on the commits that were proposed and on the journal's time, and on nothing else; what it knows is kept with
 * the room, so that a server that was started later goes on with the same.
 */

import { decodeHex } from "@std/encoding/hex";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { Reader, Writer } from "../../protocol/codec/wire.ts";
import type { Limits } from "../limits.ts";
import { type Pace, spend } from "./allowance.ts";

const reservedMs = 3_000;
const maxAuthors = 256;

/** What is asked about a commit. */
export interface CommitClaim {
  /** Its author. */
  readonly author: Bytes;
  /** Whether she was an admin before it. */
  readonly isAdmin: boolean;
  /**
   * Whether it is no more than what the door asks for: it adds only those who wait there for the first time, or carries
   * out their leaves, and nothing else; or its author enters by herself, which has limits of its own.
   */
  readonly answersAdmit: boolean;
  /** Ids of those whom it adds and who have not asked for it. */
  readonly unasked: readonly Bytes[];
  /** Whether it lets somebody in. */
  readonly adds: boolean;
  /** Whether it takes somebody out. */
  readonly removes: boolean;
}

type TurnClaim = Pick<CommitClaim, "author" | "isAdmin" | "answersAdmit">;

/** What limits say of it. */
type TurnLimits = Pick<Limits, "commitEveryMs" | "memberCommits" | "memberCommitSeconds">;

/** The turns of one room. */
export class CommitTurns {
  /** When the room is free for the next one. */
  #roomMs = 0;
  /** When each author has all of hers again, by id in hex. */
  #authors = new Map<string, number>();
  #reserved: { readonly by: string; readonly untilMs: number } | null = null;
  /** Admins who came late in the current epoch. */
  #late = { epoch: 0, admins: new Set<string>() };

  /** @param limits of the server @param kept what {@link encode} has said before */
  constructor(private readonly limits: TurnLimits, kept: Bytes | null = null) {
    if (kept) this.#decode(kept);
  }

  /**
   * A valid commit asks for its turn, and has then used it up.
   *
   * @param timeMs the journal's
   * @returns what stands against it; null for nothing
   */
  take(claim: TurnClaim, timeMs: number): "commit-ms" | "member-commits" | null {
    const author = encodeHex(claim.author);
    const reserved = this.#reservedFor(timeMs);
    const roomPace = { burst: 1, everyMs: this.limits.commitEveryMs };
    if (reserved !== null) {
      if (reserved !== author) return "commit-ms";
      this.#reserved = null;
      this.#roomMs = spend(this.#roomMs, roomPace, timeMs) ?? this.#roomMs; // hers counts as the room's, if there is one
      return null;
    }
    const isFree = claim.isAdmin || claim.answersAdmit;
    const own = isFree ? 0 : spend(this.#authors.get(author) ?? 0, this.#memberPace, timeMs);
    if (own === null) return "member-commits";
    const next = spend(this.#roomMs, roomPace, timeMs);
    if (next === null) return "commit-ms";
    this.#roomMs = next;
    if (!isFree) this.#keep(author, own, timeMs);
    return null;
  }

  get #memberPace(): Pace {
    const { memberCommits, memberCommitSeconds } = this.limits;
    return { burst: memberCommits, everyMs: memberCommitSeconds * 1000 };
  }

  #keep(author: string, fullAtMs: number, timeMs: number): void {
    this.#authors.set(author, fullAtMs);
    if (this.#authors.size <= maxAuthors) return;
    for (const [key, each] of this.#authors) if (each <= timeMs) this.#authors.delete(key);
  }

  /**
   * An admin's commit has come after another of the current epoch: the room waits for her next one, once for each
   * admin and epoch.
   *
   * @returns whether that changes anything
   */
  cameLate({ author, isAdmin }: TurnClaim, epoch: number, timeMs: number): boolean {
    if (!isAdmin || this.#reservedFor(timeMs) !== null) return false;
    if (this.#late.epoch !== epoch) this.#late = { epoch, admins: new Set() };
    if (this.#late.admins.has(encodeHex(author))) return false;
    this.#late.admins.add(encodeHex(author));
    this.#reserved = { by: encodeHex(author), untilMs: Math.floor(timeMs) + reservedMs };
    return true;
  }

  #reservedFor(timeMs: number): string | null {
    // A clock that was set back must not reserve it for longer.
    const { by, untilMs } = this.#reserved ?? { by: "", untilMs: -Infinity };
    return timeMs < untilMs && untilMs - timeMs <= reservedMs ? by : null;
  }

  /**
   * What must be kept:
   *
   *   turns = u64 room ‖ u8 isReserved [‖ id[32] ‖ u64 until] ‖ u64 epoch ‖ u16 count ‖ id[32] …
   *           ‖ u16 count ‖ (id[32] ‖ u64 full) …
   */
  encode(): Bytes {
    const w = new Writer(256).u64(this.#roomMs).u8(this.#reserved ? 1 : 0);
    if (this.#reserved) w.raw(decodeHex(this.#reserved.by)).u64(this.#reserved.untilMs);
    w.u64(this.#late.epoch).u16(this.#late.admins.size);
    for (const id of this.#late.admins) w.raw(decodeHex(id));
    w.u16(this.#authors.size);
    for (const [id, fullAtMs] of this.#authors) w.raw(decodeHex(id)).u64(fullAtMs);
    return w.done();
  }

  #decode(bytes: Bytes): void {
    const r = new Reader(bytes);
    this.#roomMs = r.u64();
    if (r.u8() === 1) this.#reserved = { by: encodeHex(r.take(32)), untilMs: r.u64() };
    const epoch = r.u64();
    const admins = new Set<string>();
    for (let left = r.u16(); left > 0; left--) admins.add(encodeHex(r.take(32)));
    this.#late = { epoch, admins };
    for (let left = r.u16(); left > 0; left--) this.#authors.set(encodeHex(r.take(32)), r.u64());
    r.end();
  }
}
