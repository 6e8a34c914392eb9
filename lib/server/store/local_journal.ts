/**
 * LocalJournal: the journal of one process. A record is applied at once, and flushed to disk a turn of the event loop
 * later together with all that came meanwhile (group commit). When the disk refuses, all of it is undone, and its
 * proposers are told.
 */

import type { Clock } from "../../clock.ts";
import type { ServerEvents } from "../events.ts";
import type { Follower, Journal, LogRecord, Outcome } from "./journal.ts";
import { StateTorn, type Store, StoreFailed } from "./store.ts";

const rereadMs = 1_000;

interface Waiting {
  readonly outcome: Outcome;
  resolve(outcome: Outcome): void;
}

/** Orders by arrival. */
export class LocalJournal implements Journal {
  #follower: Follower | null = null;
  #seq = 0;
  #waiting: Waiting[] = [];
  #isScheduled = false;
  #isFailing = false;
  /** What is in memory is not what is on disk, and could not be read again yet. */
  #isApart = false;
  #isClosed = false;
  #cancelReread: () => void = () => {};

  /** @param defer runs something in a later turn of the event loop */
  constructor(
    private readonly store: Pick<Store, "flush" | "undo">,
    private readonly clock: Clock,
    private readonly events: ServerEvents,
    private readonly defer: (act: () => void) => void,
  ) {}

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }
  get isFailing(): boolean {
    return this.#isFailing;
  }
  readonly isShared = false;
  now(): number {
    return this.clock.now();
  }
  readonly log = null;
  readonly isAway = false;
  caughtUp(): Promise<boolean> {
    return Promise.resolve(true);
  }

  follow(from: number, follower: Follower): void {
    this.#seq = from;
    this.#follower = follower;
  }

  propose(record: LogRecord): Promise<Outcome> {
    if (this.#isClosed || (this.#isApart && !this.#reread())) return Promise.resolve({ type: "undone" });
    let outcome: Outcome;
    try {
      [outcome] = this.#follower!.apply(this.#seq + 1, this.clock.now(), [record]);
    } catch (error) {
      this.#undo(error as Error);
      return Promise.resolve({ type: "undone" });
    }
    this.#seq++;
    const changesNothing = outcome.type === "refused" || (outcome.type === "stored" && outcome.isRepeated);
    if (changesNothing && this.isIdle) return Promise.resolve(outcome);
    return this.#wait(outcome);
  }

  barrier(): Promise<boolean> {
    if (this.isIdle) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#add({ outcome: { type: "done" }, resolve: ({ type }) => resolve(type === "done") });
    return promise;
  }

  #wait(outcome: Outcome): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#add({ outcome, resolve });
    return promise;
  }

  #add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.defer(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  /** @returns why it did not work; null when all is on disk */
  #flush(): StoreFailed | null {
    if (this.isIdle) return null;
    const began = performance.now();
    try {
      this.store.flush();
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error;
      this.#undo(error);
      return error;
    }
    this.#isFailing = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.events.tell({ type: "flushed", ms: performance.now() - began, writes: waiting.length });
    this.#follower!.flushed();
    for (const { outcome, resolve } of waiting) resolve(outcome);
    return null;
  }

  /** A disk that refuses to write has undone it all; one that cannot be read, or a fault of ours, has not. */
  #undo(error: Error): void {
    if (error instanceof StoreFailed) {
      this.events.tell({ type: "store failed", error });
      this.#isFailing = true;
    } else this.events.tell({ type: "bug", error });
    this.#revert();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#reread();
    for (const { resolve } of waiting) resolve({ type: "undone" });
  }

  #revert(): void {
    try {
      this.store.undo();
    } catch (error) {
      this.#isClosed = true; // nothing more is taken or flushed
      Promise.reject(error instanceof StateTorn ? error : new StateTorn("", { cause: error })); // ends the process
    }
  }

  /** What is in memory is read again. @returns whether the disk gave it; until it does, nothing more is taken */
  #reread(): boolean {
    this.#isApart = true;
    try {
      this.#follower!.undone();
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error;
      this.events.tell({ type: "store failed", error });
      this.#cancelReread();
      this.#cancelReread = this.clock.after(rereadMs, () => this.#reread());
      return false;
    }
    this.#cancelReread();
    this.#isApart = false;
    return true;
  }

  close(): Promise<void> {
    const failed = this.#isClosed ? null : this.#flush();
    this.#isClosed = true;
    this.#cancelReread();
    return failed ? Promise.reject(failed) : Promise.resolve();
  }
}
