/** Reconnect (protocol §12): when to dial again after a connection was lost. */

import type { Clock } from "../../clock.ts";
import type { RandomSource } from "../../crypto/random.ts";

const firstMs = 1_000;
const maxMs = 300_000;
const failuresAnHour = 12;

/** Remembers how the last attempts went. */
export class Backoff {
  #attempt = 0;
  #failures: number[] = [];

  /** @param random for the jitter, so that a thousand clients do not return at once */
  constructor(private readonly clock: Clock, private readonly random: RandomSource) {}

  /** A connection has come about. */
  succeeded(): void {
    this.#attempt = 0;
  }

  /** A handshake failed: a hostile server gets twelve tries an hour. */
  handshakeFailed(): void {
    this.#failures.push(this.clock.now());
  }

  /** Milliseconds until the next attempt: 1 s doubling to 5 min or to `most`, the upper half of it jittered. */
  nextMs(most: number = maxMs): number {
    const full = Math.min(most, firstMs * 2 ** Math.min(this.#attempt++, 20));
    const [a, b] = this.random(2);
    const jittered = full / 2 + (full / 2) * ((a * 256 + b) / 65_536);
    const hourAgo = this.clock.now() - 3_600_000;
    this.#failures = this.#failures.filter((at) => at > hourAgo);
    if (this.#failures.length < failuresAnHour) return jittered;
    return Math.max(jittered, this.#failures[this.#failures.length - failuresAnHour] - hourAgo);
  }
}
