/** Pace: how fast we may send by what WELCOME says, so that the server need not refuse (protocol §11, §12). */

import type { Clock } from "../../clock.ts";

/** A token bucket that tells how long to wait. */
export class Pace {
  #level = 0;
  #atMs = 0;
  #burst = 20;
  #rate = 5;

  /** @param clock refills it */
  constructor(private readonly clock: Clock) {}

  /** A connection begins. @param burst messages at once @param rate messages per second */
  begin(burst: number, rate: number): void {
    this.#burst = Math.max(1, burst - 1); // one less than is allowed: clocks differ
    this.#rate = Math.max(1, rate);
    this.#level = burst - 1;
    this.#atMs = this.clock.now();
  }

  /** Takes one message's place. @returns 0, or in how many milliseconds there is one */
  take(): number {
    const now = this.clock.now();
    this.#level = Math.min(this.#burst, this.#level + Math.max(0, now - this.#atMs) * this.#rate / 1000);
    this.#atMs = now;
    if (this.#level < 1) return Math.ceil((1 - this.#level) * 1000 / this.#rate);
    this.#level -= 1;
    return 0;
  }
}
