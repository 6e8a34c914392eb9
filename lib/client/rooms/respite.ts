/**
 * Respite: a while in which something is not tried again. Its end is a timer's and not a time of day: a clock that is set
 * back meanwhile must not make it last.
 */

import type { Clock } from "../../clock.ts";

/** One thing's. */
export class Respite {
  #cancel: (() => void) | null = null;

  /** @param over told when it has passed */
  constructor(private readonly clock: Pick<Clock, "after">, private readonly over: () => void) {}

  /** Whether it has begun and not passed. */
  get isOn(): boolean {
    return this.#cancel !== null;
  }

  /** Begins it, anew if it is on. */
  begin(ms: number): void {
    this.end();
    this.#cancel = this.clock.after(ms, () => {
      this.#cancel = null;
      this.over();
    });
  }

  /** Ends it early, and tells nobody. */
  end(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
