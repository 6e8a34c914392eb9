/**
 * SharedLog: an order of entries that several servers share. Nothing here elects or replicates: whoever keeps the log
 * (nats_log.ts) does. What an entry says is shared_journal.ts.
 */

import type { Bytes } from "../../crypto/bytes.ts";

/** One entry, the same for all servers. */
export interface LogEntry {
  /** Counted from 1, without gaps. */
  readonly seq: number;
  /** When the log took it, milliseconds since 1970. */
  readonly timeMs: number;
  /** As it was appended. */
  readonly data: Bytes;
}

/** Whoever is handed entries. */
export interface LogReader {
  /** The next one. */
  take(entry: LogEntry): void;
  /** Nothing more can be handed over: the next one was purged, or the way to the log has ended for good. */
  lost(error: Error): void;
}

/** See above. */
export interface SharedLog {
  /**
   * Appends an entry; it is there once, however often it is tried.
   *
   * @param id tells entries apart
   * @throws LogAway when nobody can say whether it is there
   */
  append(id: string, data: Bytes): Promise<void>;
  /** Hands over all entries after `seq`, in order, from now on; a later call takes the place of an earlier one. */
  follow(seq: number, reader: LogReader): void;
  /** One entry; null when it is not there: never was, or was purged. @throws LogAway */
  read(seq: number): Promise<LogEntry | null>;
  /** The first and the last entry that are there, and what all weigh; an empty log ends before it begins. @throws LogAway */
  range(): Promise<{ readonly first: number; readonly last: number; readonly bytes: number }>;
  /** Takes entries away, up to and with this one: a snapshot has them. @throws LogAway */
  purge(upTo: number): Promise<void>;
  /** Nothing that was appended comes back: the way to it is made anew. */
  redial(): void;
  /** Whether it can be reached. */
  readonly isAway: boolean;
  /** The last entry that it is known to have. */
  readonly last: number;
  /** Lets go of it. */
  close(): Promise<void>;
}

/** The log cannot be reached, or did not say in time whether it has taken an entry. */
export class LogAway extends Error {}
