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
import { BegunAnew } from "./begun_anew.ts";
import type { Follower, Journal, LogRecord, LogState, Outcome } from "../store/journal.ts";
import { decodeRecord, encodeRecord } from "../store/record_codec.ts";
import { sharedNotes, type Store, StoreFailed } from "../store/store.ts";
import { decodeGathered, encodeGathered } from "./log_entry.ts";
import { LogAway, type LogEntry, type LogReader, type SharedLog } from "./shared_log.ts";
import { beginning, digestBytes, nextStanding, type Standing, Standings } from "./standing.ts";

/** Most records of one entry, and their bytes. */
const maxRecords = 64;
const maxBytes = 512 * 1024;
/** What waits until it is on its way. */
const maxGatheringBytes = 32 * 1024 * 1024;
/** Entries of ours on their way. */
const maxFlying = 4;
const againMs = 500;
const knownMs = 300_000;
const rereadMs = 1_000;
/** An entry that has not come back for so long: the log is away, and is dialled anew. */
const overdueMs = 6_000;

/** How far a view has come. */
export interface Applied extends Standing {
  /** Records, in all. */
  readonly records: number;
}

/** What a view's store says of it; null: it has applied nothing of any log. */
export function appliedOf(store: Pick<Store, "note">): Applied | null {
  const note = store.note(sharedNotes.log);
  if (!note) return null;
  const r = new Reader(note);
  return { seq: r.u64(), records: r.u64(), digest: r.take(digestBytes) };
}

interface Proposal {
  /** When it was proposed, by the machine's own count. */
  readonly sinceMs: number;
  /** Null: nothing but to see it come back. */
  readonly record: LogRecord | null;
  readonly bytes: Bytes;
  resolve(outcome: Outcome): void;
}

/** An entry that was applied, and is not on disk. */
interface Waiting {
  readonly outcomes: readonly Outcome[];
  /** Of ours, under this number; none of another's. */
  readonly n: number;
  readonly proposals: readonly Proposal[];
}

/** An entry on its way. */
interface Flying {
  readonly proposals: readonly Proposal[];
  readonly sinceMs: number;
  /** The log has it. */
  isThere: boolean;
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
  /** The log is about to be let go of. */
  closing?(): Promise<void>;
}

/** Orders by the log. */
export class SharedJournal implements Journal, LogReader {
  readonly isShared = true;
  #follower: Follower | null = null;
  /** Records that were applied, in all. */
  #records = 0;
  #gathering: Proposal[] = [];
  #gatheringBytes = 0;
  /** Entries of ours that have not come back, by their number. */
  #flying = new Map<number, Flying>();
  #standing: Standing = beginning;
  #standings = new Standings();
  #cancelWatch: () => void = () => {};
  #n = 0;
  /** Applied, and not on disk. */
  #waiting: Waiting[] = [];
  #barriers: ((isKept: boolean) => void)[] = [];
  #isSendDue = false;
  #isFlushDue = false;
  #isFailing = false;
  /** What is in memory is not what is on disk, and could not be read again yet: nothing is applied meanwhile. */
  #isApart = false;
  #wasOverdue = false;
  #wasAway = false;
  /** What the log has said last when it did not take an entry. */
  #trouble = "";
  /** The log's time of the last entry. */
  #timeMs = 0;
  /** When the last entry was taken. */
  #tookMs = 0;
  #isClosed = false;

  /** @param parts of it */
  constructor(private readonly parts: SharedJournalParts) {
    this.#watch();
  }

  /** Looks for entries of ours that do not come back. */
  #watch(): void {
    const { clock, log } = this.parts;
    this.#cancelWatch = clock.after(overdueMs / 4, () => {
      const isOverdue = this.#isOverdue;
      if (isOverdue && !this.#wasOverdue) log.redial();
      this.#wasOverdue = isOverdue;
      const { isAway } = this;
      const { events } = this.parts;
      if (isAway && !this.#wasAway) events.tell({ type: "log away", why: this.#trouble });
      if (!isAway && this.#wasAway) events.tell({ type: "log back" });
      this.#wasAway = isAway;
      this.#watch();
    });
  }
  get #isOverdue(): boolean {
    const [oldest] = this.#flying.values(); // in the order in which they were sent
    if (oldest === undefined) return false;
    const now = this.parts.clock.now();
    // Who has much to apply before it is not away.
    return now - (oldest.isThere ? Math.max(this.#tookMs, oldest.sinceMs) : oldest.sinceMs) > overdueMs;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }
  get isFailing(): boolean {
    return this.#isFailing;
  }
  get log(): LogState {
    const { seq: applied } = this.#standing;
    let waiting = this.#gathering.length;
    for (const { proposals } of this.#flying.values()) waiting += proposals.length;
    return { applied, behind: Math.max(0, this.parts.log.last - applied), waiting };
  }
  get isAway(): boolean {
    return this.parts.log.isAway || this.#isOverdue;
  }
  /** How far this server's view has come. */
  get standing(): Standing {
    return this.#standing;
  }

  /** Another server says where it stood. @param by a run of a server */
  hear(by: Bytes, standing: Standing): void {
    if (this.#isClosed || equals(by, this.parts.proposer)) return;
    try {
      this.#standings.hear(by, standing, this.parts.clock.now());
    } catch (error) {
      this.#halt(error as Error);
    }
  }

  follow(_from: number, follower: Follower): void {
    this.#follower = follower;
    this.#followOn();
  }

  #followOn(): void {
    const applied = appliedOf(this.parts.store) ?? { ...beginning, records: 0 };
    this.#records = applied.records;
    this.#standing = { seq: applied.seq, digest: applied.digest };
    this.#standings.forget();
    this.#standings.stand(this.#standing);
    this.parts.log.follow(applied.seq, this);
  }

  // ---- proposing

  propose(record: LogRecord): Promise<Outcome> {
    // While the log is away only so much waits for it here: whoever said more says it again.
    if (this.#isClosed || this.#gatheringBytes > maxGatheringBytes) {
      return Promise.resolve({ type: "undone" });
    }
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const bytes = encodeRecord(record);
    this.#gathering.push({ record, bytes, resolve, sinceMs: performance.now() });
    this.#gatheringBytes += bytes.length;
    this.#sendSoon();
    return promise;
  }

  /** Waits until this server has applied all that the log had when this was called. */
  async caughtUp(): Promise<boolean> {
    if (this.#isClosed) return false;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#fly([], [{ record: null, bytes: new Uint8Array(0), resolve, sinceMs: performance.now() }]);
    return (await promise).type === "done";
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
      this.#gatheringBytes -= bytes;
      this.#fly(proposals.map((each) => each.bytes), proposals);
    }
  }

  #fly(records: readonly Bytes[], proposals: readonly Proposal[]): void {
    const n = ++this.#n;
    const { proposer, clock } = this.parts;
    const flying: Flying = { proposals, sinceMs: clock.now(), isThere: false };
    this.#flying.set(n, flying);
    const entry = encodeGathered({ proposer, n, standing: this.#standing, records });
    void this.#append(n, entry).then(() => flying.isThere = true);
  }

  /** Until the log has taken it: it is there once, however often it is tried. */
  async #append(n: number, data: Bytes): Promise<void> {
    const { log, clock, proposer } = this.parts;
    const sinceMs = clock.now();
    while (!this.#isClosed) {
      try {
        // The log knows an entry that comes again for ten minutes: after that it is looked for before.
        if (clock.now() - sinceMs > knownMs && await this.#hasCome(n)) return;
        return await log.append(`${encodeHex(proposer)} ${n}`, data);
      } catch (error) {
        if (!(error instanceof LogAway)) return this.#halt(error as Error);
        this.#trouble = error.message;
        await new Promise<void>((resolve) => void clock.after(againMs, resolve));
      }
    }
  }

  /** Whether an entry of ours has come back, once all is applied that the log has. @throws LogAway */
  async #hasCome(n: number): Promise<boolean> {
    const { last } = await this.parts.log.range();
    while (this.#standing.seq < last && this.#flying.has(n) && !this.#isClosed) {
      await new Promise<void>((resolve) => void this.parts.clock.after(againMs, resolve));
    }
    return !this.#flying.has(n);
  }

  // ---- applying

  lost(error: Error): void {
    this.#halt(error);
  }

  take({ seq, timeMs, data }: LogEntry): void {
    if (this.#isClosed || this.#isApart) return; // it is handed over again
    this.#timeMs = timeMs;
    const { store, proposer, clock } = this.parts;
    this.#tookMs = clock.now();
    let outcomes: Outcome[];
    let own: Flying | undefined;
    let number = 0;
    let standing: Standing;
    let records: readonly LogRecord[];
    try {
      const { proposer: by, n, standing: theirs, records: encoded } = decodeGathered(data);
      number = n;
      this.hear(by, theirs);
      if (this.#isClosed) return;
      own = equals(by, proposer) ? this.#flying.get(n) : undefined;
      // Those proposed here are the very objects that were proposed: more is known of them.
      records = own ? own.proposals.flatMap(({ record }) => record ?? []) : encoded.map(decodeRecord);
      outcomes = records.length === 0 ? [] : this.#follower!.apply(this.#records + 1, timeMs, records);
      standing = nextStanding(this.#standing, seq, outcomes, this.#follower!.mixed());
      const count = this.#records + records.length;
      store.putNote(sharedNotes.log, new Writer(32).u64(seq).u64(count).raw(standing.digest).done());
      this.#records = count;
    } catch (error) {
      if (error instanceof StoreFailed) return this.#undo(error);
      return this.#halt(error as Error);
    }
    this.#standing = standing;
    this.#standings.stand(standing);
    if (own) this.#flying.delete(number);
    if (records.some(({ kind }) => kind === "anew")) return this.#beginAnew();
    this.#waiting.push({ outcomes, n: number, proposals: own?.proposals ?? [] });
    this.#flushSoon();
    this.#send();
  }

  /** All is dropped, and that is kept; who holds on to what was must begin again. */
  #beginAnew(): void {
    try {
      this.parts.store.flush();
    } catch (error) {
      return this.#halt(error as Error);
    }
    this.#halt(new BegunAnew());
  }

  /** It must not go on: nothing more is applied, flushed or answered. */
  #halt(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.parts.store.undo();
    } catch {
      // A store that cannot even undo ends with the process.
    }
    this.parts.stop(error);
    this.#letGo();
  }

  /** Nobody waits any more: what comes of it cannot be known here. */
  #letGo(): void {
    const open = [
      ...this.#waiting.splice(0).flatMap(({ proposals }) => proposals),
      ...[...this.#flying.values()].flatMap(({ proposals }) => proposals),
      ...this.#gathering.splice(0),
    ];
    this.#flying.clear();
    for (const { resolve } of open) resolve({ type: "undone" });
    for (const resolve of this.#barriers.splice(0)) resolve(false);
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
    if (this.isIdle || this.#isApart) return;
    const { events } = this.parts;
    const began = performance.now();
    try {
      this.parts.store.flush();
    } catch (error) {
      if (!(error instanceof StoreFailed)) return this.#halt(error as Error);
      return this.#undo(error);
    }
    this.#isFailing = false;
    const waiting = this.#waiting.splice(0);
    const writes = waiting.reduce((sum, { outcomes }) => sum + outcomes.length, 0);
    events.tell({ type: "flushed", ms: performance.now() - began, writes });
    this.#follower!.flushed();
    for (const { outcomes, proposals } of waiting) {
      const [oldest] = proposals;
      if (oldest) events.tell({ type: "confirmed", ms: performance.now() - oldest.sinceMs });
      for (const [i, { resolve }] of proposals.entries()) resolve(outcomes[i] ?? { type: "done" });
    }
    for (const resolve of this.#barriers.splice(0)) resolve(true);
  }

  /** This server's disk refuses: the log stands, and is applied again from where the disk is. */
  #undo(error: StoreFailed): void {
    this.parts.events.tell({ type: "store failed", error });
    const wasFailing = this.#isFailing;
    this.#isFailing = this.#isApart = true;
    try {
      this.parts.store.undo();
    } catch (torn) {
      return this.#halt(torn as Error);
    }
    // What was applied comes again: whoever waits for it goes on waiting.
    for (const { n, proposals } of this.#waiting.splice(0)) {
      if (proposals.length > 0) {
        this.#flying.set(n, { proposals, sinceMs: this.parts.clock.now(), isThere: true });
      }
    }
    for (const resolve of this.#barriers.splice(0)) resolve(false);
    // A disk that stays full is tried once a second.
    if (wasFailing) this.parts.clock.after(rereadMs, () => this.#reread());
    else this.#reread();
  }

  #reread(): void {
    if (this.#isClosed) return;
    try {
      this.#follower!.undone();
      this.#isApart = false;
      this.#followOn();
    } catch (error) {
      if (!(error instanceof StoreFailed)) return this.#halt(error as Error);
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
    if (!this.#isClosed) this.#flush();
    this.#isClosed = true;
    this.#cancelWatch();
    await this.parts.closing?.();
    await this.parts.log.close();
    this.#letGo();
  }

  /** Not before what the log's own time is: a clock that is ahead must not make everybody forget. */
  now(): number {
    return Math.min(this.parts.clock.now(), this.#timeMs);
  }
}
