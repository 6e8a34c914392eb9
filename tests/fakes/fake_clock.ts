/** A clock that moves only when told to. */

import type { Clock } from "../../lib/clock.ts";

export class FakeClock implements Clock {
  #now: number;
  #timers: { at: number; act: () => void }[] = [];

  constructor(startMs = 1_700_000_100_000) {
    this.#now = startMs;
  }
  now(): number {
    return this.#now;
  }
  after(ms: number, act: () => void): () => void {
    const timer = { at: this.#now + ms, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }
  /** Moves on, running what is due in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [due] = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at);
      if (!due) break;
      this.#timers = this.#timers.filter((t) => t !== due);
      this.#now = Math.max(this.#now, due.at);
      due.act();
    }
    this.#now = end;
  }
  /** Sets the time without running anything: a clock that jumps. */
  set(ms: number): void {
    this.#now = ms;
  }
}

/** Lets promises and microtasks run until nothing more happens by itself. */
export async function settle(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}
