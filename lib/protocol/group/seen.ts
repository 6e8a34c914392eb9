/**
 * Seen: which messages were taken already, so that one that its author sends again under another number is shown once
 * (protocol §7.3). It never changes: {@link Seen.with} makes the next one, which shares what it holds with those before
 * it, so that neither asking nor adding costs more the more there is.
 */

/** Keys in the order in which they came. */
export class Seen {
  /** Of this one and those that follow it: only the first `#length` are this one's. */
  #keys: string[];
  #places: Map<string, number>;
  #length: number;

  /** Makes one. @param keys no two alike */
  constructor(keys: readonly string[] = []) {
    this.#keys = [...keys];
    this.#places = new Map(keys.map((key, i) => [key, i]));
    this.#length = keys.length;
  }

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /** Whether it holds a key. */
  has(key: string): boolean {
    const place = this.#places.get(key);
    return place !== undefined && place < this.#length;
  }

  /** The same with one key more. @param key that it does not hold */
  with(key: string): Seen {
    const isLast = this.#keys.length === this.#length;
    const isShared = isLast || this.#keys[this.#length] === key;
    const next = new Seen(isShared ? [] : this.keys());
    if (isShared) [next.#keys, next.#places] = [this.#keys, this.#places];
    if (isLast || !isShared) {
      next.#keys.push(key);
      next.#places.set(key, this.#length);
    }
    next.#length = this.#length + 1;
    return next;
  }

  /** The keys from a place on. */
  keys(from = 0): string[] {
    return this.#keys.slice(from, this.#length);
  }

  /** Whether it is `before`, or follows from it. */
  follows(before: Seen): boolean {
    return this.#keys === before.#keys && this.#length >= before.#length;
  }
}
