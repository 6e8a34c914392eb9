/**
 * JobQueue: what comes for one room is handled strictly in order, one job at a time, while the connection goes on
 * reading answers (protocol §7, §9, §10).
 *
 * A job takes some of what waits, or settles when nothing does, and ends with a flush: only then is anything
 * acknowledged, shown or sent, so a crash at any point loses nothing confirmed and repeats no key.
 */

import type { Clock } from "../../clock.ts";
import type { LinkMessage } from "../../protocol/channel/link_messages.ts";
import { type Backlog, weightOf } from "./backlog.ts";
import { LinkLost } from "../connection/connection_errors.ts";

/** What one job takes at most: what it has come to is stored once. */
const perJob = 1024;
/** After so long everything else has its turn: keys that are typed, other rooms, the link. */
const turnMs = 20;

/** What jobs do to a room. */
export interface JobOwner {
  /** Handles one message of the stream. */
  handle(message: LinkMessage): Promise<void>;
  /** Everything that came is handled: does what is due. */
  settle(): Promise<void>;
  /** Something did not go. @param isSameLink whether the connection is the one that the job began with */
  failed(error: unknown, isSameLink: boolean): void;
  /** Stores, then shows. */
  flush(): void;
  /** The job is over. */
  done(): void;
}

/** Turns of the event loop, in which everything else is done. */
export interface Turns {
  /** Milliseconds from anywhere. */
  now(): number;
  /** A later one: what has come meanwhile is read, and what was typed. */
  next(): Promise<void>;
}

const realTurns: Turns = {
  now: () => performance.now(),
  next: () => new Promise((resolve) => setTimeout(resolve, 0)),
};

/** The jobs of one room. */
export class JobQueue {
  #waiting: LinkMessage[] = [];
  /** Bytes of what waits. */
  #held = 0;
  #again = false;
  /** Something else is to be stored: the job that runs ends with its turn. */
  #isHurried = false;
  #isBusy = false;
  #isPausing = false;
  #running = Promise.resolve();
  #resume: () => void = () => {};
  #link = new AbortController();

  /** @param owner the room @param clock for pauses @param backlog what waits in all rooms */
  constructor(
    private readonly owner: JobOwner,
    private readonly clock: Clock,
    private readonly backlog: Backlog,
    private readonly turns: Turns = realTurns,
  ) {}

  /** Takes one message of the stream. @returns false when more waits than may */
  add(message: LinkMessage): boolean {
    if (!this.backlog.take(message, this.#held)) return false;
    this.#held += weightOf(message);
    this.#waiting.push(message);
    if (!this.#isBusy) this.schedule();
    else this.#again = true;
    return true;
  }

  /** What waits is not handled: it comes again with the next connection, or is not wanted. */
  clear(): void {
    for (const message of this.#waiting.splice(0)) this.#release(message);
  }

  #release(message: LinkMessage): void {
    this.#held -= weightOf(message);
    this.backlog.release(message);
  }

  /** A connection begins. */
  linked(): void {
    this.#link = new AbortController();
  }

  /** The connection is over: a job that waits for something of it ends. */
  unlinked(): void {
    this.clear();
    this.#link.abort();
    this.#resume();
  }

  /** Runs a job, once the one that runs is over. */
  schedule(): void {
    this.#again = true;
    if (this.#isBusy) {
      this.#isHurried = true;
      // Typed lines must be stored even while a job waits, maybe for the person.
      if (this.#isPausing) this.owner.flush();
      return;
    }
    this.#isBusy = true;
    this.#running = this.#run();
  }

  /** When the job that runs is over, and what it has to store is stored. */
  get settled(): Promise<void> {
    return this.#running;
  }

  /** Whether no job is running, or the one that is waits for a card or for the person. */
  get isIdle(): boolean {
    return this.#isPausing || (!this.#isBusy && this.#waiting.length === 0);
  }

  /** Ends a pause. */
  resume(): void {
    this.#resume();
  }

  /** Waits within a job. @param ms null: until {@link resume} @throws LinkLost when the connection has ended */
  async pause(ms: number | null): Promise<void> {
    const { signal } = this.#link;
    this.#isPausing = true;
    await new Promise<void>((resolve) => {
      const cancel = ms === null ? () => {} : this.clock.after(ms, resolve);
      this.#resume = () => {
        cancel();
        resolve();
      };
    });
    this.#resume = () => {};
    this.#isPausing = false;
    if (signal.aborted) throw new LinkLost();
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) await this.#runOnce();
    } finally {
      this.#isBusy = false; // at once: a job asked for between would be lost
    }
  }

  async #runOnce(): Promise<void> {
    this.#again = this.#isHurried = false;
    const link = this.#link;
    let began = this.turns.now();
    try {
      for (let i = 0; i < perJob && this.#waiting.length > 0; i++) {
        const message = this.#waiting.shift()!;
        this.#release(message);
        await this.owner.handle(message);
        if (this.turns.now() - began < turnMs) continue;
        await this.turns.next();
        if (this.#isHurried || link !== this.#link) break;
        began = this.turns.now();
      }
      if (this.#waiting.length > 0) this.#again = true;
      else await this.owner.settle();
    } catch (error) {
      this.owner.failed(error, link === this.#link);
    }
    this.owner.flush();
    try {
      this.owner.done();
    } catch (error) {
      this.owner.failed(error, link === this.#link);
    }
  }
}
