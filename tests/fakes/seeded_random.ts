/** Randomness that is the same in each run: SHA-256 of a seed and a counter. */

import { createHash } from "node:crypto";
import type { RandomSource } from "../../lib/crypto/random.ts";

/** @param seed any text; one seed, one stream */
export function seededRandom(seed: string): RandomSource {
  let count = 0;
  let rest: number[] = [];
  return (length) => {
    const out: number[] = [];
    while (out.length < length) {
      if (rest.length === 0) rest = [...createHash("sha256").update(`${seed} ${count++}`).digest()];
      out.push(...rest.splice(0, length - out.length));
    }
    return Uint8Array.from(out);
  };
}
