/**
 * Confirmations (protocol §9): how far others have seen the same history as we.
 *
 * Every message and commit carries its author's view. What has gone a minute or two without the view of anybody
 * but its own author is covered by an `attest` of the first client whose timer fires; the others then stay quiet. An attest
 * needs no covering itself, or they would never end.
 */

import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import type { HistoryView } from "../../protocol/group/history.ts";
import type { RoomState } from "./room_state.ts";

const quietMs = 60_000;
const kept = 512;

/** What confirmations need of their room. */
export interface ConfirmedRoom {
  /** Clock, randomness, and who we are. */
  readonly context: {
    readonly clock: Clock;
    readonly random: RandomSource;
    readonly card: { readonly id: Bytes };
  };
  /** Where what is confirmed is kept. */
  readonly state: Pick<RoomState, "confirmed">;
  /** Whether a message could be sealed and sent now. */
  readonly canSpeak: boolean;
  /** Sends an attest. */
  attest(): void;
}

/** Whose views cover what, in one room. */
export class Confirmations {
  /** Positions that wait, oldest first, by their authors' ids in hex. */
  readonly #uncovered = new Map<string, number[]>();
  #count = 0;
  #times: { pos: number; timeMs: number }[] = [];
  #cancel: () => void = () => {};
  #scheduled = false;
  readonly #own: string;

  /** @param room whose they are */
  constructor(private readonly room: ConfirmedRoom) {
    this.#own = encodeHex(room.context.card.id);
  }

  /** The connection is over: nobody attests until it is back. */
  reset(): void {
    this.#cancel();
    this.#scheduled = false;
  }

  /** A view that fits our history: its author has seen what we have, up to there. */
  seen(author: Bytes, { pos }: HistoryView): void {
    const id = encodeHex(author);
    for (const [other, positions] of this.#uncovered) {
      if (other !== id) this.#cover(other, positions, pos);
    }
    if (id === this.#own) return;
    const { state } = this.room;
    if (pos <= (state.confirmed?.pos ?? 0)) return;
    const last = this.#timeAt(pos);
    if (last) state.confirmed = { pos, timeMs: last.timeMs, by: author.slice() };
  }

  /** Nothing up to `pos` waits any more. */
  #cover(author: string, positions: number[], pos: number): void {
    let covered = 0;
    while (covered < positions.length && positions[covered] <= pos) covered++;
    if (covered === 0) return;
    this.#count -= covered;
    if (covered === positions.length) this.#uncovered.delete(author);
    else positions.splice(0, covered);
  }

  /** The last position up to `pos` of which the time is known. */
  #timeAt(pos: number): { timeMs: number } | undefined {
    let [from, to] = [0, this.#times.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#times[middle].pos <= pos) from = middle + 1;
      else to = middle;
    }
    return this.#times[from - 1];
  }

  /** A commit, text, file or action at `pos` waits for somebody else's view. @param timeMs when it was stored */
  needs(pos: number, author: Bytes, timeMs: number): void {
    const id = encodeHex(author);
    const positions = this.#uncovered.get(id);
    if (positions) positions.push(pos);
    else this.#uncovered.set(id, [pos]);
    this.#times.push({ pos, timeMs });
    if (++this.#count > kept) this.#dropOldest();
    if (this.#times.length >= 2 * kept) this.#times = this.#times.slice(-kept);
    this.schedule();
  }

  #dropOldest(): void {
    let oldest: [string, number[]] | null = null;
    for (const each of this.#uncovered) if (!oldest || each[1][0] < oldest[1][0]) oldest = each;
    this.#cover(...oldest!, oldest![1][0]);
  }

  /** Whether something of others waits. @param upTo positions after it do not count */
  #waits(upTo = Infinity): boolean {
    for (const [author, [first]] of this.#uncovered) if (author !== this.#own && first <= upTo) return true;
    return false;
  }

  /** Looks after one to two minutes whether something is still uncovered. */
  schedule(): void {
    if (this.#scheduled || !this.#waits()) return;
    this.#scheduled = true;
    const { clock, random } = this.room.context;
    const [a, b] = random(2);
    const waitMs = quietMs + (a * 256 + b) * quietMs / 65_536;
    const due = Math.max(...[...this.#uncovered.values()].map((positions) => positions.at(-1)!));
    this.#cancel = clock.after(waitMs, () => {
      this.#scheduled = false;
      if (this.#waits(due) && this.room.canSpeak) {
        this.room.attest();
        // Our own view covers them once it is stored; until then it must not be sent twice.
        for (const [author, positions] of this.#uncovered) {
          if (author !== this.#own) this.#cover(author, positions, Infinity);
        }
      }
      this.schedule();
    });
  }
}
