/** AddressFiles: what those who come from one address have brought since the server began: many keys are not many allowances. */

import { encodeHex } from "../../hex.ts";
import type { LimitReached } from "../limit_reached.ts";
import type { Peer } from "../rooms/peer.ts";

/** The files of each address. */
export class AddressFiles {
  #sums = new Map<string, number>();
  /** Where each file came from, and what it counts as. */
  #files = new Map<string, { from: string; weight: number }>();

  /** @param most bytes of files from one address */
  constructor(private readonly most: number) {}

  /**
   * Counts a file before it is begun, so that a hundred asked for at once do not all fit where one does.
   *
   * @returns what stands against it; null for nothing
   */
  reserve(
    { from, addressRates }: Pick<Peer, "from" | "addressRates">,
    file: Uint8Array,
    weight: number,
  ): LimitReached | null {
    const key = encodeHex(file);
    // Many people share an address by right; who asks twice before the answer is counted once.
    if (!addressRates || this.#files.has(key)) return null;
    const sum = (this.#sums.get(from) ?? 0) + weight;
    if (sum > this.most) return "files-per-address";
    this.#sums.set(from, sum);
    this.#files.set(key, { from, weight });
    return null;
  }

  /** One was not begun, or is no more. */
  release(file: Uint8Array): void {
    const key = encodeHex(file);
    const counted = this.#files.get(key);
    if (!counted) return;
    this.#files.delete(key);
    const { from, weight } = counted;
    const sum = this.#sums.get(from)! - weight;
    if (sum > 0) this.#sums.set(from, sum);
    else this.#sums.delete(from);
  }
}
