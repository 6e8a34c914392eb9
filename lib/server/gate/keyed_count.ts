/** KeyedCount: how many of each key there are, and of all keys. */

/** Counts by key; a key without any takes no memory. */
export class KeyedCount {
  #counts = new Map<string, number>();
  #total = 0;

  /** Of this key. */
  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
  /** Of all keys. */
  get total(): number {
    return this.#total;
  }
  /** One more. */
  add(key: string): void {
    this.#total++;
    this.#counts.set(key, this.of(key) + 1);
  }
  /** One less. */
  remove(key: string): void {
    this.#total--;
    const left = this.of(key) - 1;
    if (left <= 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }
}
