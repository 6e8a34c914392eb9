/**
 * Journal: the order in which a server's state changes, and when a change lasts.
 *
 *   propose(record) → the journal orders it → apply(record) decides and writes → flushed → shown and answered
 *
 * Nothing changes until the journal hands a record back; then one synchronous apply decides (accepted at a position, or
 * STALE, CONFLICT, ORDER, …). Reads stay synchronous, from the local store. Here the journal is this process's own
 * ({@link LocalJournal}); records are plain data, so that a log shared by several servers can carry them.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import type { errorCodes } from "../../protocol/channel/link_messages.ts";
import type { LimitReached } from "../limit_reached.ts";
import type { Settings } from "../settings.ts";
import type { NewBlob, Range, StoredBan, StoredLeave } from "./store.ts";

/** A change that somebody asks for. Ids are 32 bytes, `bytes` are as signed. */
export type LogRecord =
  /** An identity is let in: its card is kept. @param takesName its account says that the name is its own */
  | { readonly kind: "card"; readonly card: Bytes; readonly takesName: boolean }
  /** A prekey is published. */
  | { readonly kind: "prekey"; readonly bytes: Bytes }
  /** Somebody asks to be let in to a room. */
  | { readonly kind: "join"; readonly room: Bytes; readonly id: Bytes }
  /** Somebody asks no more. */
  | { readonly kind: "unjoin"; readonly room: Bytes; readonly id: Bytes }
  /** A member asks to go. */
  | { readonly kind: "leave"; readonly room: Bytes; readonly leave: StoredLeave }
  /** A commit, and the boxes that its roster names. */
  | { readonly kind: "commit"; readonly bytes: Bytes; readonly boxes: readonly Bytes[] }
  /** A message of a room with members. */
  | { readonly kind: "message"; readonly bytes: Bytes }
  /** A message of a key-file room. */
  | { readonly kind: "key-file message"; readonly bytes: Bytes }
  /** A key-file room begins. @param maker who asked for it first */
  | { readonly kind: "key-file room"; readonly room: Bytes; readonly maker: Bytes }
  /** The operator ends a room. */
  | { readonly kind: "retire"; readonly room: Bytes }
  /** A room of which nothing is left to be read, or that was ended long ago, is given up. */
  | { readonly kind: "reap"; readonly room: Bytes }
  /** Some of what was given up is taken from the disk. */
  | { readonly kind: "sweep" }
  /** Somebody has taken what came from a room into which another put her. */
  | { readonly kind: "want"; readonly room: Bytes; readonly id: Bytes }
  /** The operator bans. */
  | { readonly kind: "ban"; readonly ban: StoredBan }
  /** The operator lets in again. */
  | { readonly kind: "unban"; readonly ban: StoredBan }
  /** Messages, and boxes of commits, have waited long enough, or are too much; up to `expiredUpTo` none is left. */
  | {
    readonly kind: "expire";
    readonly room: Bytes;
    readonly ranges: readonly Range[];
    readonly expiredUpTo: number;
  }
  /** Somebody begins to bring a file. */
  | { readonly kind: "blob"; readonly blob: NewBlob }
  /** So many of its chunks are on the disk. */
  | { readonly kind: "blob at"; readonly id: Bytes; readonly next: number }
  /** It goes. */
  | { readonly kind: "blob drop"; readonly id: Bytes }
  /** The server notes something for itself. */
  | { readonly kind: "note"; readonly key: string; readonly value: Bytes }
  /** Servers begin to share a log: whose key they have, which run it is, and by what it is applied. */
  | {
    readonly kind: "begin";
    readonly server: Bytes;
    readonly runId: Bytes;
    readonly settings: Settings;
    /** Whether it goes on from what one of them had alone. */
    readonly hasBase: boolean;
  }
  /** An identity comes in, to one of several servers: whatever link she has had is over. @param link 16 bytes that tell it apart */
  | { readonly kind: "link"; readonly id: Bytes; readonly link: Bytes }
  /** The log is an old copy: all rooms are dropped, and another run begins, at every server that shares it. */
  | { readonly kind: "anew"; readonly runId: Bytes }
  /** From here on records are applied by these. */
  | { readonly kind: "settings"; readonly settings: Settings };

/** A code of ERROR. */
export type ErrorCode = keyof typeof errorCodes;

/** What a record has come to. */
export type Outcome =
  /** It is done. */
  | { readonly type: "done" }
  /** It stands in its room's log, now or since before. */
  | { readonly type: "stored"; readonly pos: number; readonly isRepeated: boolean }
  /** The state does not allow it (any more); nothing has changed. @param limit the one that was reached, with LIMIT */
  | { readonly type: "refused"; readonly code: ErrorCode; readonly limit?: LimitReached }
  /** It could not be kept, and was undone. */
  | { readonly type: "undone" };

/** The owner of the state that records change. */
export interface Follower {
  /**
   * Applies records in their order, each whole or not at all. Nothing else changes what is kept.
   *
   * @param seq of the first record, counted from 1
   * @param timeMs the journal's time, milliseconds since 1970
   * @param records those proposed here are the very objects that were proposed
   * @throws StoreFailed when the store does not take it
   */
  apply(seq: number, timeMs: number, records: readonly LogRecord[]): Outcome[];
  /** All that was applied is on disk: it may be shown. The proposals resolve after this. */
  flushed(): void;
  /** All that was applied since the last flush is undone: what is in memory must be read again. @throws StoreFailed */
  undone(): void;
  /** What the records since the last call have made of the histories, mixed into 32 bytes: the same for the same. */
  mixed(): Bytes;
}

/** How a log that several servers share stands, as this one sees it. */
export interface LogState {
  /** The last entry that is applied here. */
  readonly applied: number;
  /** Entries that the log is known to have after it. */
  readonly behind: number;
  /** Records of this server that have not come back. */
  readonly waiting: number;
}

/** See above. */
export interface Journal {
  /** The time by which things expire, milliseconds since 1970. */
  now(): number;
  /** The log that several servers share; null: it is this one's own. */
  readonly log: LogState | null;
  /** Proposes a record. @returns its outcome, once it has been applied and, if it changed anything, is on disk */
  propose(record: LogRecord): Promise<Outcome>;
  /** Hands all records after `from` to a follower, from now on; once. */
  follow(from: number, follower: Follower): void;
  /** Whether nothing that was applied waits to be on disk. */
  readonly isIdle: boolean;
  /** Waits until all that was acknowledged or applied before this call is on disk. @returns false: it was undone */
  barrier(): Promise<boolean>;
  /** Whether the last attempt to keep something failed. */
  readonly isFailing: boolean;
  /** Whether changes come about a while after they were proposed, among those of other servers. */
  readonly isShared: boolean;
  /** Whether changes wait because the log that orders them cannot be reached. */
  readonly isAway: boolean;
  /** Waits until all is applied that anybody has been shown before this call. @returns false: that cannot be known now */
  caughtUp(): Promise<boolean>;
  /** Flushes what waits, and takes nothing more. @throws StoreFailed when that fails */
  close(): Promise<void>;
}
