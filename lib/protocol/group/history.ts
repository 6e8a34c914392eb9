/**
 * History (protocol §9): the running hash over every entry of a room, which all members must share.
 *
 *   e = Hash("chat1 entry", kind, bytes)      L(0) = room;   L(p) = H(L(p−1) ‖ e_p)
 *
 * Two members who were shown different histories have different L from the first difference on, and each
 * message carries its author's L: a fork cannot be mended unnoticed.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { labelledHash, sha256 } from "../../crypto/hash.ts";

/** How many positions a client can still check (protocol §9). */
export const historyKept = 16_384;

/** `e` of one entry. @param kind 1 commit, 2 message */
export function entryHash(kind: number, bytes: Uint8Array): Bytes {
  return labelledHash("chat1 entry", Uint8Array.of(kind), bytes);
}

/** `L(p)` from `L(p − 1)` and `e_p`. */
export function nextHistory(previous: Uint8Array, e: Uint8Array): Bytes {
  return sha256(previous, e);
}

/** Where somebody stood in a room's log. */
export interface HistoryView {
  /** Last position processed; 0 before the first. */
  readonly pos: number;
  /** L there. */
  readonly hash: Bytes;
}

/** The last 16 384 values of L. */
export class History {
  #hashes: Bytes[];
  #first: number;

  /**
   * Begins one.
   *
   * @param start a position and L there: (0, room), or where a newcomer begins
   * @param following L of the positions after it
   */
  constructor(start: HistoryView, following: Bytes[] = []) {
    this.#first = start.pos;
    this.#hashes = [start.hash, ...following];
  }

  /** The last position and L there. */
  get view(): HistoryView {
    return { pos: this.#first + this.#hashes.length - 1, hash: this.#hashes[this.#hashes.length - 1] };
  }

  /** The first position it can tell of. */
  get first(): number {
    return this.#first;
  }

  /** Feeds one entry hash. */
  feed(e: Uint8Array): void {
    this.#hashes.push(nextHistory(this.view.hash, e));
    // Cut in large steps: a shift for every entry would move the whole list each time.
    if (this.#hashes.length > historyKept + 4096) {
      const excess = this.#hashes.length - historyKept;
      this.#hashes.splice(0, excess);
      this.#first += excess;
    }
  }

  /** L at `pos`, or null where it is not known (any more). */
  at(pos: number): Bytes | null {
    return this.#hashes[pos - this.#first] ?? null;
  }

  /** Values of L for positions `from` to the last. */
  since(from: number): Bytes[] {
    return this.#hashes.slice(Math.max(0, from - this.#first));
  }
}
