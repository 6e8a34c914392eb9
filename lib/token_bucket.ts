/** TokenBucket: so many at once, then one every so often. The server refuses by it, and the client waits by it. */

import type { Clock } from "./clock.ts";

/** Holds up to `burst` tokens and gains one per `everyMs`. */
export class TokenBucket {
  #level: number;
  #at: number;

  /** Starts full. @param clock refills it */
  constructor(
    private readonly burst: number,
    private readonly everyMs: number,
    private readonly clock: Pick<Clock, "now">,
  ) {
    this.#level = burst;
    this.#at = clock.now();
  }

  #refill(): void {
    const now = this.clock.now();
    // If the clock was set back, no tokens are added or taken.
    this.#level = Math.min(this.burst, this.#level + Math.max(0, now - this.#at) / this.everyMs);
    this.#at = now;
  }

  /** Whether there are as many. */
  has(count: number): boolean {
    this.#refill();
    return this.#level >= count;
  }

  /** Takes tokens, if there are as many. */
  take(count = 1): boolean {
    if (!this.has(count)) return false;
    this.#level -= count;
    return true;
  }

  /** Takes a token. @returns 0, or how many milliseconds there is none for: then nothing was taken */
  takeOrWaitMs(): number {
    this.#refill();
    if (this.#level < 1) return Math.ceil((1 - this.#level) * this.everyMs);
    this.#level -= 1;
    return 0;
  }

  /** Returns a token: it was not spent on anything hostile. */
  giveBack(): void {
    this.#level = Math.min(this.burst, this.#level + 1);
  }

  /** Whether it is full, and so remembers nothing. */
  get isFull(): boolean {
    this.#refill();
    return this.#level >= this.burst;
  }
}

/** Drops the full buckets of a map: memory stays bounded by who did something lately. */
export function dropFullBuckets(buckets: Map<string, TokenBucket>): void {
  for (const [key, bucket] of buckets) if (bucket.isFull) buckets.delete(key);
}
