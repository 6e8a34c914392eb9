/**
 * TransferWindow: how many chunks may be on their way: as many as were answered in the last quarter of a second, one to
 * sixteen. So a line of chat waits behind a file for a quarter of a second, or for one chunk.
 */

import type { Clock } from "../../clock.ts";

const windowMs = 250;
/** What a server takes, or keeps waiting for a link. */
const maxOnTheirWay = 16;

/** The window of all transfers of one link, in one direction. */
export class TransferWindow {
  #answered: number[] = [];
  #onTheirWay = 0;
  #waiting = new Set<() => void>();

  constructor(private readonly clock: Pick<Clock, "now">) {}

  /** How many may be on their way now. */
  get size(): number {
    const now = this.clock.now();
    // A clock that was set back must not count answers for ever.
    if (this.#answered.length > 0 && this.#answered.at(-1)! > now) this.#answered = [];
    while (this.#answered.length > 0 && this.#answered[0] <= now - windowMs) this.#answered.shift();
    return Math.min(maxOnTheirWay, Math.max(1, this.#answered.length));
  }

  /** Waits until one more may go, and counts it. */
  async take(): Promise<void> {
    while (this.#onTheirWay >= this.size) await this.next();
    this.#onTheirWay++;
  }

  /** Waits for the next answer. */
  next(): Promise<void> {
    return new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** One that was counted is not sent. */
  giveBack(): void {
    this.#onTheirWay--;
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** One was answered. */
  answered(): void {
    this.#answered.push(this.clock.now());
    this.#onTheirWay--;
    this.#wake();
  }
}
