/** Randomness that is the same in each run: SHA-256 of a seed and a counter. */

import { createHash } from "node:crypto";
import type { RandomSource } from "../../lib/crypto/random.ts";

/** @param seed any text; one seed, one stream */
export function seededRandom(seed: string): RandomSource {
  let count = 0;
  let rest: Uint8Array = new Uint8Array(0);
  return (length) => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length;) {
      if (rest.length === 0) rest = createHash("sha256").update(`${seed} ${count++}`).digest();
      const part = rest.subarray(0, length - at);
      out.set(part, at);
      at += part.length;
      rest = rest.subarray(part.length);
    }
    return out;
  };
}
