/** ReachHolder: finds whoever holds a profile, at the socket that it names. */

import { type Clock, sleep } from "../../clock.ts";
import { ChatError } from "../../errors.ts";
import { AttachLink, attachProtocol, type FromGuest, type FromHolder } from "./attach_messages.ts";
import { type Holder, readHolder } from "./holder_file.ts";

const answerMs = 2_000;
const againMs = 50;

/** The holder does not do for us. */
export class HolderTrouble extends ChatError {}

/** A holder that answers. */
export interface Attached {
  /** The name on the card. */
  readonly name: string;
  /** Lines that were typed before. */
  readonly typed: readonly string[];
  /** The socket. */
  readonly link: AttachLink<FromHolder, FromGuest>;
  /** What comes over it. */
  readonly messages: AsyncIterator<FromHolder>;
}

/** Somebody who was attached before, and would lose what is on its way. */
export interface Patience {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** It takes long: whoever takes over may be asking for a passphrase. */
  waits(): void;
}

/**
 * Reaches whoever holds a profile.
 *
 * @param patience of somebody who waits for as long as it takes
 * @param dir the profile's folder @param version of this program @param isFree whether nobody holds it any more
 * @returns null when nobody does @throws HolderTrouble when it does not answer in 2 s, or is of another version
 */
export async function attach(
  dir: string,
  version: string,
  clock: Clock,
  isFree: () => boolean,
  patience: Patience | null = null,
): Promise<Attached | null> {
  const until = clock.now() + answerMs;
  let last: Holder | null = null;
  let isTold = false;
  for (;;) {
    if (isFree() || patience?.signal.aborted) return null;
    last = readHolder(dir) ?? last;
    if (last && last.version !== version) throw otherVersion(last, version);
    const attached = last && await hello(last, clock, Math.max(answerMs / 4, until - clock.now()));
    if (attached && typeof attached === "object") return attached;
    if (clock.now() >= until) {
      if (!patience) break;
      if (!isTold) patience.waits();
      isTold = true;
    }
    await sleep(clock, againMs, patience?.signal);
  }
  const who = last ? ` (process ${last.pid})` : "";
  throw new HolderTrouble(
    `The profile is in use by another chat${who}, which does not answer`,
    "it may have been stopped with Ctrl+Z, or ask for its passphrase: go on there (fg), or end it",
  );
}

async function hello(holder: Holder, clock: Clock, ms: number): Promise<Attached | "gone" | "silent"> {
  let conn: Deno.Conn;
  try {
    conn = await Deno.connect({ transport: "unix", path: holder.socket });
  } catch {
    return "gone";
  }
  const link = new AttachLink<FromHolder, FromGuest>(conn);
  const messages = link.messages();
  const late = new AbortController();
  const first = await Promise.race([
    messages.next(),
    sleep(clock, Math.max(1, ms), late.signal).then(() => "silent" as const),
  ]);
  late.abort();
  if (first === "silent" || first.done) {
    link.close();
    return first === "silent" ? "silent" : "gone";
  }
  const { value } = first;
  if (value.t !== "hello" || value.protocol !== attachProtocol) {
    link.close();
    throw otherVersion(holder, "");
  }
  return { name: value.name, typed: value.typed, link, messages };
}

function otherVersion({ version, pid }: Holder, own: string): HolderTrouble {
  return new HolderTrouble(
    `The profile is held by chat ${version} (process ${pid}), and this is chat ${own}`,
    "end the other one, or use the same version in both",
  );
}
