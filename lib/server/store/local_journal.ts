/**
 * LocalJournal: the journal of one process. A record is applied at once, and flushed to disk a turn of the event loop
 * later together with all that came meanwhile (group commit). When the disk refuses, all of it is undone, and its
 * proposers are told.
 */

import type { Clock } from "../../clock.ts";
import type { ServerEvents } from "../events.ts";
import type { Follower, Journal, LogRecord, Outcome } from "./journal.ts";
import { type Store, StoreFailed } from "./store.ts";

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

  /** @param defer runs something in a later turn of the event loop */
  constructor(
    private readonly store: Pick<Store, "flush">,
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

  follow(from: number, follower: Follower): void {
    this.#seq = from;
    this.#follower = follower;
  }

  propose(record: LogRecord): Promise<Outcome> {
    let outcome: Outcome;
    try {
      [outcome] = this.#follower!.apply(this.#seq + 1, this.clock.now(), [record]);
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error;
      this.#undo(error);
      return Promise.resolve({ type: "undone" });
    }
    this.#seq++;
    const changesNothing = outcome.type === "refused" || (outcome.type === "stored" && outcome.isRepeated);
    if (changesNothing && this.isIdle) return Promise.resolve(outcome);
    return this.#wait(outcome);
  }

  async barrier(): Promise<boolean> {
    return this.isIdle || (await this.#wait({ type: "done" })).type === "done";
  }

  #wait(outcome: Outcome): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#waiting.push({ outcome, resolve });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      this.defer(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    });
  }

  #flush(): void {
    if (this.isIdle) return;
    const began = performance.now();
    try {
      this.store.flush();
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error;
      return this.#undo(error);
    }
    this.#isFailing = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.events.tell({ type: "flushed", ms: performance.now() - began, writes: waiting.length });
    this.#follower!.flushed();
    for (const { outcome, resolve } of waiting) resolve(outcome);
  }

  #undo(error: StoreFailed): void {
    this.events.tell({ type: "store failed", error });
    this.#isFailing = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#follower!.undone();
    for (const { resolve } of waiting) resolve({ type: "undone" });
  }

  close(): Promise<void> {
    this.#flush();
    return Promise.resolve();
  }
}
