/**
 * CommitTurns: whose commit a room takes next (protocol §12), so that nobody's crowd out another's. One a second in all;
 * an author who is no admin has three, then one in twenty seconds, unless the commit answers ADMIT; and an admin who
 * came too late has the room to herself for three seconds.
 *
 * It rests on the commits that were proposed and on the journal's time, and on nothing else.
 */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { TokenBucket } from "../../token_bucket.ts";
import type { Limits } from "../limits.ts";

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

/** The turns of one room. */
export class CommitTurns {
  #timeMs = 0;
  readonly #clock = { now: () => this.#timeMs };
  #room: TokenBucket;
  #authors = new Map<string, TokenBucket>();
  #reserved: { readonly by: string; readonly untilMs: number } | null = null;

  /** Admins who came late in the current epoch. */
  #late = { epoch: -1, admins: new Set<string>() };

  /** @param limits of the server */
  constructor(private readonly limits: Limits) {
    this.#room = new TokenBucket(1, limits.commitEveryMs, this.#clock);
  }

  /**
   * A valid commit asks for its turn, and has then used it up.
   *
   * @param timeMs the journal's; a clock that was set back begins anew where it stands
   * @returns what stands against it; null for nothing
   */
  take(claim: TurnClaim, timeMs: number): "commit-ms" | "member-commits" | null {
    this.#timeMs = timeMs;
    const author = encodeHex(claim.author);
    const reserved = this.#reservedFor(timeMs);
    if (reserved !== null) {
      if (reserved !== author) return "commit-ms";
      this.#reserved = null;
      this.#room.take(); // hers counts as the room's, if there is one
      return null;
    }
    const own = claim.isAdmin || claim.answersAdmit ? null : this.#bucketOf(author);
    if (own && !own.take()) return "member-commits";
    if (this.#room.take()) return null;
    own?.giveBack();
    return "commit-ms";
  }

  /**
   * An admin's commit has come after another of the current epoch: the room waits for her next one, once for each
   * admin and epoch.
   */
  cameLate({ author, isAdmin }: TurnClaim, epoch: number, timeMs: number): void {
    if (!isAdmin || this.#reservedFor(timeMs) !== null) return;
    if (this.#late.epoch !== epoch) this.#late = { epoch, admins: new Set() };
    if (this.#late.admins.has(encodeHex(author))) return;
    this.#late.admins.add(encodeHex(author));
    this.#reserved = { by: encodeHex(author), untilMs: timeMs + reservedMs };
  }

  #reservedFor(timeMs: number): string | null {
    // A clock that was set back must not reserve it for longer.
    const { by, untilMs } = this.#reserved ?? { by: "", untilMs: -Infinity };
    return timeMs < untilMs && untilMs - timeMs <= reservedMs ? by : null;
  }

  #bucketOf(author: string): TokenBucket {
    let bucket = this.#authors.get(author);
    if (!bucket) {
      if (this.#authors.size >= maxAuthors) {
        for (const [key, each] of this.#authors) if (each.isFull) this.#authors.delete(key);
      }
      const { memberCommits, memberCommitSeconds } = this.limits;
      bucket = new TokenBucket(memberCommits, memberCommitSeconds * 1000, this.#clock);
      this.#authors.set(author, bucket);
    }
    return bucket;
  }
}
