/** The system's clock with jumps: time that passes in a test without being waited for. */

import type { Clock } from "../../lib/clock.ts";

interface Timer {
  readonly due: number;
  readonly act: () => void;
  handle: number;
}

export class JumpingClock implements Clock {
  #shiftMs = 0;
  #timers = new Set<Timer>();

  now(): number {
    return Date.now() + this.#shiftMs;
  }
  after(ms: number, act: () => void): () => void {
    const timer: Timer = { due: this.now() + ms, act: () => {}, handle: 0 };
    const run = () => {
      this.#timers.delete(timer);
      act();
    };
    Object.assign(timer, { act: run, handle: setTimeout(run, Math.min(ms, 2 ** 31 - 1)) });
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer.handle);
      this.#timers.delete(timer);
    };
  }
  /** Jumps ahead; what has become due runs now, in order. */
  jump(ms: number): void {
    this.#shiftMs += ms;
    const due = [...this.#timers].filter((t) => t.due <= this.now()).sort((a, b) => a.due - b.due);
    for (const timer of due) {
      if (!this.#timers.has(timer)) continue;
      clearTimeout(timer.handle);
      timer.act();
    }
  }
  /** Is set to another time, as an administrator does: no time passes, and no timer runs. */
  set(byMs: number): void {
    this.#shiftMs += byMs;
  }
  /** Lets time pass in steps, with pauses in which links can say that they live. */
  async pass(ms: number, stepMs = 15_000): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.jump(Math.min(stepMs, ms - passed));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
