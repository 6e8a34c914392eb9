/**
 * History (protocol §9): the running hash over every entry of a room, which all members must share.
 *
 *   e = Hash("chat2 entry", kind, H(bytes))      L(0) = room;   L(p) = H(L(p−1) ‖ e_p)
 *
 * Two members who were shown different histories have different L from the first difference on, and each
 * message carries its author's L: a fork cannot be mended unnoticed.
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { labelledHash, sha256 } from "../../crypto/hash.ts";

/** How many positions a client can still check (protocol §9). */
export const historyKept = 16_384;

/** kind of a log entry. */
export const entryKinds = { commit: 1, message: 2 } as const;

/** `e` of one entry. @param kind 1 commit, 2 message */
export function entryHash(kind: number, bytes: Uint8Array): Bytes {
  return digestHash(kind, sha256(bytes));
}

/** The same, of an entry of which only its digest is left. @param digest `H(bytes)` */
export function digestHash(kind: number, digest: Uint8Array): Bytes {
  return labelledHash("chat2 entry", Uint8Array.of(kind), digest);
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

/** A view as its author states it: `u64 view_pos ‖ view_hash[32] ‖ head_sig[64]`. */
export interface SignedView extends HistoryView {
  /** 64 bytes by which the server had signed it; zeros at position 0. */
  readonly headSig: Bytes;
}

/** How far behind its own entry a view may be. */
export const maxViewLag = 8192;

/**
 * The last 16 384 values of L, and of `e`, from which they follow. It never changes: {@link History.after} makes the
 * next one, which shares the values with those before it, so that a long catch-up copies nothing.
 */
export class History {
  /** Of this history and those that follow it: only the first `#length` are this one's. */
  #hashes: Bytes[];
  /** `e` of the positions after the first. */
  #entries: Bytes[];
  #length: number;
  #first: number;

  /**
   * Begins one.
   *
   * @param start a position and L there: (0, room), or where a newcomer begins
   * @param following `e` of the positions after it
   */
  constructor(start: HistoryView, following: readonly Bytes[] = []) {
    this.#first = start.pos;
    this.#entries = [...following];
    this.#hashes = [start.hash];
    for (const e of following) this.#hashes.push(nextHistory(this.#hashes[this.#hashes.length - 1], e));
    this.#length = this.#hashes.length;
  }

  /** The last position and L there. */
  get view(): HistoryView {
    return { pos: this.#first + this.#length - 1, hash: this.#hashes[this.#length - 1] };
  }

  /** The first position it can tell of. */
  get first(): number {
    return this.#first;
  }

  /** The history with one entry more. @param e its hash */
  after(e: Bytes): History {
    const { hash } = this.view;
    const next = nextHistory(hash, e);
    const there = this.#hashes.at(this.#length);
    const isShared = there === undefined || equals(there, next);
    const after = new History(this.view);
    after.#length = this.#length + 1;
    // Trimmed in large steps: trimming per entry would copy the lists each time.
    const gone = this.#length > historyKept + 4096 ? after.#length - historyKept : 0;
    if (isShared && gone === 0) {
      if (there === undefined) {
        this.#hashes.push(next);
        this.#entries.push(e);
      }
      [after.#hashes, after.#entries, after.#first] = [this.#hashes, this.#entries, this.#first];
      return after;
    }
    after.#hashes = [...this.#hashes.slice(gone, this.#length), next];
    after.#entries = [...this.#entries.slice(gone, this.#length - 1), e];
    after.#length = after.#hashes.length;
    after.#first = this.#first + gone;
    return after;
  }

  /** L at `pos`, or null where it is not known (any more). */
  at(pos: number): Bytes | null {
    const i = pos - this.#first;
    return i >= 0 && i < this.#length ? this.#hashes[i] : null;
  }

  /** `e` of the positions after `from`, up to `to`, which are all known. */
  entries(from: number, to: number): Bytes[] {
    return this.#entries.slice(from - this.#first, to - this.#first);
  }
}
