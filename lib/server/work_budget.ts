/**
 * WorkBudget: how much of the server's time somebody may take (protocol §12). Every message costs what it makes the
 * server do, whether it is granted or refused; who is overdrawn is read from again when time has paid the debt.
 */

import type { Clock } from "../clock.ts";

/** So much at once, then so much a second; it may be overdrawn by what was under way. */
export class WorkBudget {
  #levelUs: number;
  #at: number;

  /** Starts full. @param burstMs work at once @param msPerSecond work each second after that */
  constructor(
    private readonly burstMs: number,
    private readonly msPerSecond: number,
    private readonly clock: Clock,
  ) {
    this.#levelUs = burstMs * 1000;
    this.#at = clock.now();
  }

  #refill(): void {
    const now = this.clock.now();
    const gained = Math.max(0, now - this.#at) * this.msPerSecond; // a clock that was set back gives nothing
    this.#levelUs = Math.min(this.burstMs * 1000, this.#levelUs + gained);
    this.#at = now;
  }

  /** Takes microseconds of work, also when there are none left. */
  spend(us: number): void {
    this.#refill();
    this.#levelUs -= us;
  }

  /** How much it is overdrawn by, in microseconds of work. */
  get debtUs(): number {
    this.#refill();
    return Math.max(0, -this.#levelUs);
  }

  /** Milliseconds until nothing is owed. */
  get waitMs(): number {
    return Math.ceil(this.debtUs / this.msPerSecond);
  }

  /** Whether it is full, and so remembers nothing. */
  get isFull(): boolean {
    this.#refill();
    return this.#levelUs >= this.burstMs * 1000;
  }
}

/** The budgets that one link draws on: its user's and its address's. */
export class Work {
  /** @param budgets each pays all */
  constructor(private readonly budgets: readonly WorkBudget[]) {}

  /** Takes microseconds of work. */
  spend(us: number): void {
    for (const budget of this.budgets) budget.spend(us);
  }

  /** How much the most overdrawn is overdrawn by, in microseconds. */
  get debtUs(): number {
    return Math.max(0, ...this.budgets.map((budget) => budget.debtUs));
  }

  /** Milliseconds until nothing is owed. */
  get waitMs(): number {
    return Math.max(0, ...this.budgets.map((budget) => budget.waitMs));
  }
}
