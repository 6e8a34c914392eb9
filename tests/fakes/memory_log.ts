/** MemoryLog: a shared log in memory: a reader is handed what stands in it when the test says so, as slowly as it likes. */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import {
  LogAway,
  type LogEntry,
  type LogReader,
  type SharedLog,
} from "../../lib/server/cluster/shared_log.ts";

/** What all servers share. */
export class MemoryLog {
  readonly entries: LogEntry[] = [];
  /** The first that was not purged. */
  first = 1;
  #ids = new Set<string>();
  timeMs = 1_800_000_000_000;
  /** It takes what comes, or does, and does not say so, or cannot be reached. */
  answers: "yes" | "silent" | "away" = "yes";

  /** It does not know any more what it has taken. */
  forget(): void {
    this.#ids.clear();
  }

  /** One server's end of it. */
  open(): MemoryLogEnd {
    return new MemoryLogEnd(this);
  }

  append(id: string, data: Bytes): void {
    if (this.answers === "away") throw new LogAway("away");
    if (!this.#ids.has(id)) {
      this.#ids.add(id);
      this.entries.push({ seq: this.entries.length + 1, timeMs: this.timeMs++, data });
    }
    if (this.answers === "silent") throw new LogAway("nobody can say");
  }
}

/** See above. */
export class MemoryLogEnd implements SharedLog {
  #at = 0;
  #reader: LogReader | null = null;
  isClosed = false;

  constructor(private readonly log: MemoryLog) {}

  get last(): number {
    return this.log.entries.length;
  }
  get isAway(): boolean {
    return this.log.answers === "away";
  }
  async append(id: string, data: Bytes): Promise<void> {
    await Promise.resolve();
    this.log.append(id, data);
  }
  async read(seq: number): Promise<LogEntry | null> {
    await Promise.resolve();
    if (this.isAway) throw new LogAway("away");
    return seq < this.log.first ? null : this.log.entries[seq - 1] ?? null;
  }
  async range() {
    await Promise.resolve();
    if (this.isAway) throw new LogAway("away");
    return { first: this.log.first, last: this.log.entries.length, bytes: 0 };
  }
  async purge(upTo: number) {
    await Promise.resolve();
    this.log.first = upTo + 1;
  }
  redials = 0;
  redial(): void {
    this.redials++;
  }
  follow(seq: number, reader: LogReader): void {
    this.#at = seq;
    this.#reader = reader;
  }
  /** Hands over so many entries that it has not had yet. */
  hand(most = Infinity): void {
    for (let i = 0; i < most && this.#at < this.log.entries.length && !this.isClosed; i++) {
      this.#reader!.take(this.log.entries[this.#at++]);
    }
  }
  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
