/**
 * SnapshotKeeper: when a snapshot is taken, and what of the log goes then. Any of the servers does it, whoever comes first;
 * the log is purged behind a snapshot that has been read again, never by age, and up to the one before: who was away for
 * a while goes on with her own view.
 */

import type { Clock } from "../../clock.ts";
import type { RandomSource } from "../../crypto/random.ts";
import type { ServerEvents } from "../events.ts";
import { sharedNotes } from "../store/store.ts";
import { copyView } from "./copy_view.ts";
import type { SharedLog } from "./shared_log.ts";
import { appliedOf } from "./shared_journal.ts";
import type { Snapshots } from "./snapshots.ts";

const lookMs = 600_000;
/** Entries, or bytes, since the last one. */
const everyEntries = 50_000, everyBytes = 256 * 1024 * 1024;
const kept = 2;

/** What it works on. */
export interface SnapshotKeeperParts {
  /** The log. */
  readonly log: SharedLog;
  /** The bucket. */
  readonly snapshots: Snapshots;
  /** The file of this server's view. */
  readonly path: string;
  /** Time. */
  readonly clock: Clock;
  /** So that not all servers look at once. */
  readonly random: RandomSource;
  /** What the operator sees. */
  readonly events: ServerEvents;
}

/** See above. */
export class SnapshotKeeper {
  #cancel: () => void = () => {};
  #isTaking = false;
  #isClosed = false;

  /** @param parts of it */
  constructor(private readonly parts: SnapshotKeeperParts) {
    this.#later();
  }

  #later(): void {
    const [jitter] = this.parts.random(1);
    this.#cancel = this.parts.clock.after(lookMs * (0.5 + jitter / 255), () => {
      this.takeWhenDue().finally(() => this.#isClosed || this.#later());
    });
  }

  /** Takes one, if enough has come since the last. */
  async takeWhenDue(): Promise<void> {
    const { log, snapshots, events } = this.parts;
    try {
      const [newest] = await snapshots.all();
      const { first, last, bytes } = await log.range();
      const fresh = last - (newest?.seq ?? 0);
      const freshBytes = bytes * Math.min(1, fresh / Math.max(1, last - first + 1));
      if (fresh >= everyEntries || freshBytes >= everyBytes) await this.take();
    } catch (error) {
      if (!this.#isClosed) events.tell({ type: "snapshot failed", error: error as Error }); // else it was cut short
    }
  }

  /** Takes one now, and purges the log behind the one before. @throws StoreFailed, Error */
  async take(): Promise<void> {
    if (this.#isTaking || this.#isClosed) return;
    this.#isTaking = true;
    const { path, snapshots, log, events } = this.parts;
    const copy = `${path}.copy`;
    try {
      await Deno.remove(copy).catch(() => {});
      const note = await copyView(path, copy, sharedNotes.log);
      const { seq } = appliedOf({ note: () => note })!;
      const { size } = await snapshots.put(copy, seq);
      const [, before] = await snapshots.all();
      if (before) await log.purge(before.seq);
      await snapshots.drop(kept);
      events.tell({ type: "snapshot", seq, bytes: size });
    } finally {
      await Deno.remove(copy).catch(() => {});
      this.#isTaking = false;
    }
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }
}
