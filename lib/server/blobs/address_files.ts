/** AddressFiles: what those who come from one address have brought since the server began: many keys are not many allowances. */

import { encodeHex } from "../../hex.ts";
import type { LimitReached } from "../limit_reached.ts";
import type { Peer } from "../rooms/peer.ts";

/** The files of each address. */
export class AddressFiles {
  #files = new Map<string, Set<string>>();

  /** @param most bytes of files from one address @param weights what a file counts as now; null when it is gone */
  constructor(
    private readonly most: number,
    private readonly weight: (key: string) => number | null,
  ) {}

  /** What stands against so much more; null for nothing. */
  judge({ from, addressRates }: Peer, weight: number): LimitReached | null {
    if (!addressRates) return null; // many people share it by right
    return this.#sum(from) + weight > this.most ? "files-per-address" : null;
  }

  /** One was begun. */
  add({ from }: Peer, file: Uint8Array): void {
    const files = this.#files.get(from) ?? new Set();
    files.add(encodeHex(file));
    this.#files.set(from, files);
  }

  #sum(from: string): number {
    const files = this.#files.get(from);
    if (!files) return 0;
    let sum = 0;
    for (const key of files) {
      const weight = this.weight(key);
      if (weight === null) files.delete(key);
      else sum += weight;
    }
    if (files.size === 0) this.#files.delete(from);
    return sum;
  }
}
