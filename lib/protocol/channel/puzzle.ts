/**
 * The puzzle (protocol §5 check 4, §12): work that a client does for a place in a full RSA queue.
 *
 * It is bound to both randoms by the transcript hash, so it can be neither computed before nor reused.
 */

import { ascii, concat } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";

/** More bits than this a client refuses to solve. */
export const maxPuzzleBits = 22;

const label = ascii("chat2 puzzle");

/** Whether H("chat2 puzzle" ‖ h ‖ u64 nonce) begins with `bits` zero bits. */
export function isPuzzleSolved(h: Uint8Array, bits: number, nonce: number): boolean {
  return bits === 0 || leadingZeroBits(digest(h, nonce)) >= bits;
}

/**
 * Searches the first nonce that solves it; 2^bits tries on average, 0.3 s at 18 bits.
 *
 * Gives the event loop a turn every 4096 tries, so that a terminal stays alive.
 */
export async function solvePuzzle(h: Uint8Array, bits: number): Promise<number> {
  for (let nonce = 0;; nonce++) {
    if (isPuzzleSolved(h, bits, nonce)) return nonce;
    if ((nonce & 4095) === 4095) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function digest(h: Uint8Array, nonce: number): Uint8Array {
  const bytes = concat(label, h, new Uint8Array(8));
  new DataView(bytes.buffer).setBigUint64(bytes.length - 8, BigInt(nonce));
  return sha256(bytes);
}

function leadingZeroBits(hash: Uint8Array): number {
  const first = hash.findIndex((byte) => byte !== 0);
  return first < 0 ? 256 : first * 8 + Math.clz32(hash[first]) - 24;
}
