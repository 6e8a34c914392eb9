/**
 * IVs from a counter (NIST SP 800-38A, appendix C): AES-256 of the counter under a key of its own, since CFB needs them
 * unpredictable. Some are made at a time, few enough that what lies still does not pay for them.
 */

import type { Bytes } from "./bytes.ts";
import { encryptBlocks } from "./cfb.ts";

const ivBytes = 16;
const batch = 32;
const counters = new Uint8Array(batch * ivBytes);
const view = new DataView(counters.buffer);

/** The IVs of one key. */
export class CounterIvs {
  #ivs: Bytes | null = null;
  #from = -1;

  /** Makes one. @param key 32 bytes */
  constructor(private readonly key: Uint8Array) {}

  /** The IV of a number: E(u128 n). @param n below 2^32 */
  iv(n: number): Bytes {
    const at = n % batch;
    if (!this.#ivs || n - at !== this.#from) {
      this.#from = n - at;
      for (let i = 0; i < batch; i++) view.setUint32(i * ivBytes + 12, this.#from + i);
      this.#ivs = encryptBlocks(this.key, counters);
    }
    return this.#ivs.subarray(at * ivBytes, (at + 1) * ivBytes);
  }

  /** Lets go of what can be made again. */
  rest(): void {
    this.#ivs = null;
  }
}
