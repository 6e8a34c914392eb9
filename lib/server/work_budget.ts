/**
 * WorkBudget: how much of the server's time somebody may take (protocol §12). Every message costs what it makes the
 * server do, whether it is granted or refused; who is overdrawn is read from again when time has paid the debt.
 */

import type { Clock } from "../clock.ts";

/** Nobody owes for longer: what is to be paid by others' waiting must have an end. */
const mostWaitMs = 2_000;
const mostDebtUs = 20_000;
const mostReserveDebtUs = 2_000;

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
    this.#levelUs = Math.max(-mostWaitMs * this.msPerSecond, this.#levelUs - us);
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

/** What all from one address share, and what each of them has beside it. */
export interface SharedWork {
  /** The address's. */
  readonly address: WorkBudget;
  /** The user's own little, which others at the address cannot use up. */
  readonly reserve: WorkBudget;
}

/** The budgets that one link draws on. Who uses little is served even where others at the address owe. */
export class Work {
  /** @param shared null where many people share an address by right */
  constructor(private readonly user: WorkBudget, private readonly shared: SharedWork | null) {}

  /** Takes microseconds of work. */
  spend(us: number): void {
    this.user.spend(us);
    this.shared?.address.spend(us);
    this.shared?.reserve.spend(us);
  }

  /** Milliseconds until nothing is owed. */
  get waitMs(): number {
    const { user, shared } = this;
    return Math.max(user.waitMs, shared ? Math.min(shared.address.waitMs, shared.reserve.waitMs) : 0);
  }

  /** Whether so much is owed that what is asked is not done any more: it is refused, which costs little. */
  get isOverdrawn(): boolean {
    const { user, shared } = this;
    if (user.debtUs > mostDebtUs) return true;
    return shared !== null && shared.address.debtUs > 0 && shared.reserve.debtUs > mostReserveDebtUs;
  }
}
