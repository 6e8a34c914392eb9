/** Digits: how two people compare keys aloud (protocol §4.3). Twelve groups of five. */

import { compareBytes } from "./bytes.ts";
import { labelledHash } from "./hash.ts";
import { kdf } from "./kdf.ts";

/** Twelve groups of five digits of a 32-byte value, separated by single spaces. */
export function digits(x: Uint8Array): string {
  const d = kdf(x, "digits", new Uint8Array(0), 60);
  const groups = [];
  for (let i = 0; i < 60; i += 5) {
    // 40 bits stay below 2^53, so the arithmetic is exact.
    const value = d.subarray(i, i + 5).reduce((sum, byte) => sum * 256 + byte, 0);
    groups.push(String(value % 100_000).padStart(5, "0"));
  }
  return groups.join(" ");
}

/** The digits two people compare; for one identity pass its id twice. */
export function safetyDigits(a: Uint8Array, b: Uint8Array): string {
  const [lo, hi] = compareBytes(a, b) <= 0 ? [a, b] : [b, a];
  return digits(labelledHash("chat2 safety", lo, hi));
}

/** The digits of a room's state, from the hash of its latest commit. */
export function roomDigits(commitHash: Uint8Array): string {
  return digits(labelledHash("chat2 room digits", commitHash));
}
