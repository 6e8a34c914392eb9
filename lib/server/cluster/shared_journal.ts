/**
 * SharedJournal: the journal of one of several servers that share a log. Nothing changes until a record comes back from
 * the log; then every server applies the same records in the same order and at the same times, and so comes to the same
 * state. A pause, a cut or a crash needs no fence: a late record is refused by what came before it, everywhere alike.
 *
 * The local store is a view that can be made anew: how far it has applied the log stands in it, in the same transaction.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { Reader, Writer } from "../../protocol/codec/wire.ts";
import type { ServerEvents } from "../events.ts";
import type { Follower, Journal, LogRecord, Outcome } from "../store/journal.ts";
import { decodeRecord, encodeRecord } from "../store/record_codec.ts";
import { type Store, StoreFailed } from "../store/store.ts";
import { decodeGathered, encodeGathered } from "./log_entry.ts";
import { LogAway, type LogEntry, type LogReader, type SharedLog } from "./shared_log.ts";

/** Most records of one entry, and their bytes. */
const maxRecords = 64;
const maxBytes = 512 * 1024;
/** Entries of ours on their way. */
const maxFlying = 4;
const againMs = 500;
const rereadMs = 1_000;
const appliedNote = "log";

interface Proposal {
  /** Null: nothing but to see it come back. */
  readonly record: LogRecord | null;
  readonly bytes: Bytes;
  resolve(outcome: Outcome): void;
}

/** An entry that was applied, and is not on disk. */
interface Applied {
  readonly outcomes: readonly Outcome[];
  /** Of ours, under this number; none of another's. */
  readonly n: number;
  readonly proposals: readonly Proposal[];
}

/** What a shared journal is made of. */
export interface SharedJournalParts {
  /** The order that all share. */
  readonly log: SharedLog;
  /** This server's view. */
  readonly store: Pick<Store, "flush" | "undo" | "note" | "putNote">;
  /** Time. */
  readonly clock: Clock;
  /** 16 bytes of this run. */
  readonly proposer: Bytes;
  /** What the operator sees. */
  readonly events: ServerEvents;
  /** Runs something in a later turn of the event loop. */
  readonly defer: (act: () => void) => void;
  /** The log says what this version does not understand: the server must not go on. */
  stop(error: Error): void;
}

/** Orders by the log. */
export class SharedJournal implements Journal, LogReader {
  #follower: Follower | null = null;
  /** Records that were applied, in all. */
  #records = 0;
  #gathering: Proposal[] = [];
  /** Entries of ours that have not come back, by their number. */
  #flying = new Map<number, readonly Proposal[]>();
  #n = 0;
  /** Applied, and not on disk. */
  #waiting: Applied[] = [];
  #barriers: ((isKept: boolean) => void)[] = [];
  #isSendDue = false;
  #isFlushDue = false;
  #isFailing = false;
  #isClosed = false;

  /** @param parts of it */
  constructor(private readonly parts: SharedJournalParts) {}

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }
  get isFailing(): boolean {
    return this.#isFailing || this.parts.log.isAway;
  }

  /** How far this server's view has come: in entries, and in records. */
  get applied(): { readonly entries: number; readonly records: number } {
    const note = this.parts.store.note(appliedNote);
    if (!note) return { entries: 0, records: 0 };
    const r = new Reader(note);
    return { entries: r.u64(), records: r.u64() };
  }

  follow(_from: number, follower: Follower): void {
    this.#follower = follower;
    this.#followOn();
  }

  #followOn(): void {
    const { entries, records } = this.applied;
    this.#records = records;
    this.parts.log.follow(entries, this);
  }

  // ---- proposing

  propose(record: LogRecord): Promise<Outcome> {
    if (this.#isClosed) return Promise.resolve({ type: "undone" });
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#gathering.push({ record, bytes: encodeRecord(record), resolve });
    this.#sendSoon();
    return promise;
  }

  /** Waits until this server has applied all that the log had when this was called. */
  async caughtUp(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#fly([], [{ record: null, bytes: new Uint8Array(0), resolve }]);
    await promise;
  }

  #sendSoon(): void {
    if (this.#isSendDue) return;
    this.#isSendDue = true;
    this.parts.defer(() => {
      this.#isSendDue = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#gathering.length > 0 && this.#flying.size < maxFlying) {
      let bytes = 0, count = 0;
      for (const proposal of this.#gathering) {
        if (count >= maxRecords || (count > 0 && bytes + proposal.bytes.length > maxBytes)) break;
        bytes += proposal.bytes.length;
        count++;
      }
      const proposals = this.#gathering.splice(0, count);
      this.#fly(proposals.map((each) => each.bytes), proposals);
    }
  }

  #fly(records: readonly Bytes[], proposals: readonly Proposal[]): void {
    const n = ++this.#n;
    this.#flying.set(n, proposals);
    const { proposer } = this.parts;
    void this.#append(`${encodeHex(proposer)} ${n}`, encodeGathered({ proposer, n, records }));
  }

  /** Until the log has taken it: it is there once, however often it is tried. */
  async #append(id: string, data: Bytes): Promise<void> {
    while (!this.#isClosed) {
      try {
        return await this.parts.log.append(id, data);
      } catch (error) {
        if (!(error instanceof LogAway)) return this.parts.stop(error as Error);
        await new Promise<void>((resolve) => void this.parts.clock.after(againMs, resolve));
      }
    }
  }

  // ---- applying

  take({ seq, timeMs, data }: LogEntry): void {
    const { store, proposer, stop } = this.parts;
    let outcomes: Outcome[];
    let own: readonly Proposal[] | undefined;
    let number = 0;
    try {
      const { proposer: by, n, records } = decodeGathered(data);
      number = n;
      own = equals(by, proposer) ? this.#flying.get(n) : undefined;
      // Those proposed here are the very objects that were proposed: more is known of them.
      const all = own ? own.flatMap(({ record }) => record ?? []) : records.map(decodeRecord);
      outcomes = all.length === 0 ? [] : this.#follower!.apply(this.#records + 1, timeMs, all);
      store.putNote(appliedNote, new Writer(16).u64(seq).u64(this.#records + all.length).done());
      this.#records += all.length;
    } catch (error) {
      if (error instanceof StoreFailed) return this.#undo(error);
      return stop(error as Error);
    }
    if (own) this.#flying.delete(number);
    this.#waiting.push({ outcomes, n: number, proposals: own ?? [] });
    this.#flushSoon();
    this.#send();
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.parts.defer(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.isIdle) return;
    const began = performance.now();
    try {
      this.parts.store.flush();
    } catch (error) {
      if (!(error instanceof StoreFailed)) return this.parts.stop(error as Error);
      return this.#undo(error);
    }
    this.#isFailing = false;
    const waiting = this.#waiting.splice(0);
    const writes = waiting.reduce((sum, { outcomes }) => sum + outcomes.length, 0);
    this.parts.events.tell({ type: "flushed", ms: performance.now() - began, writes });
    this.#follower!.flushed();
    for (const { outcomes, proposals } of waiting) {
      for (const [i, { resolve }] of proposals.entries()) resolve(outcomes[i] ?? { type: "done" });
    }
    for (const resolve of this.#barriers.splice(0)) resolve(true);
  }

  /** This server's disk refuses: the log stands, and is applied again from where the disk is. */
  #undo(error: StoreFailed): void {
    this.parts.events.tell({ type: "store failed", error });
    this.#isFailing = true;
    this.parts.store.undo();
    // What was applied comes again: whoever waits for it goes on waiting.
    for (const { n, proposals } of this.#waiting.splice(0)) {
      if (proposals.length > 0) this.#flying.set(n, proposals);
    }
    for (const resolve of this.#barriers.splice(0)) resolve(false);
    this.#reread();
  }

  #reread(): void {
    if (this.#isClosed) return;
    try {
      this.#follower!.undone();
      this.#followOn();
    } catch (error) {
      if (!(error instanceof StoreFailed)) return this.parts.stop(error as Error);
      this.parts.clock.after(rereadMs, () => this.#reread());
    }
  }

  barrier(): Promise<boolean> {
    if (this.isIdle) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#barriers.push(resolve);
    return promise;
  }

  async close(): Promise<void> {
    this.#flush();
    this.#isClosed = true;
    await this.parts.log.close();
    const open = [...this.#flying.values()].flat();
    this.#flying.clear();
    for (const { resolve } of [...open, ...this.#gathering.splice(0)]) resolve({ type: "undone" });
  }
}
