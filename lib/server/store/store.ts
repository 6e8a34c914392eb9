/**
 * Store: what a server keeps of rooms it cannot read (protocol §7, §9–§11).
 *
 * Promises, each with a test in the contract suite that runs against every implementation:
 *  1. Reads see all writes before them, flushed or not.
 *  2. flush() returns only when everything written so far will survive a kill of the process.
 *  3. A flush() that throws has undone everything since the flush before it.
 *  4. Entries of a room come back in order of position, byte for byte.
 *  5. What is put twice under one key is there once: first card, highest prekey, newest join, leave and ban.
 *  6. What expires loses its bytes and nothing else: position, hash and L stay.
 *  7. A retired room keeps its log and gives its name back; of a reaped one only id, last position and L stay.
 *  8. A name that passes to another id is that id's alone; the card of the one before can still be had.
 *  9. What a room weighs and where it stands is on its row, written with the entries themselves: no read goes over all
 *     entries.
 */

import { ChatError } from "../../errors.ts";
import type { Bytes } from "../../crypto/bytes.ts";

/** A room's row. */
export interface StoredRoom {
  /** Room id. */
  readonly id: Bytes;
  /** 1 ordinary, 2 key-file room. */
  readonly kind: number;
  /** As its creator typed it; empty for direct and key-file rooms. */
  readonly name: string;
  /** When the operator ended it, seconds since 1970; null while it lives. */
  readonly retiredAt: number | null;
  /** Who made it. */
  readonly maker: Bytes;
  /** Last position; 0 for none. */
  readonly last: number;
  /** L there. */
  readonly history: Bytes;
  /** Bytes of messages and boxes that are kept. */
  readonly bytes: number;
  /** Bytes of what never expires: commits, and what each entry takes beside its own. */
  readonly fixedBytes: number;
  /** All messages up to here have expired. */
  readonly expiredUpTo: number;
  /** Its log is gone, for good. */
  readonly isReaped: boolean;
}

/** A room that is about to be made. */
export type NewRoom = Pick<StoredRoom, "id" | "kind" | "name" | "maker">;

/** About what an entry takes on disk beside its bytes: hash, L, sender, and its place in the indexes. */
export const entryOverheadBytes = 350;

/** What weighs at one position of a log: a message, or the boxes of a commit. */
export interface Weight {
  /** Where. */
  readonly pos: number;
  /** Whose. */
  readonly sender: Bytes;
  /** How much. */
  readonly bytes: number;
}

/** Positions of a log, both included. */
export interface Range {
  /** From. */
  readonly first: number;
  /** To. */
  readonly last: number;
}

/** A ban by the operator. */
export interface StoredBan {
  /** By what: a name's skeleton, an address without its port, or a range of addresses. */
  readonly kind: "name" | "address" | "network";
  /** The skeleton, the address, or the range in its one spelling. */
  readonly value: string;
  /** As the operator typed it. */
  readonly shown: string;
  /** Seconds since 1970 when it ends; null for never. */
  readonly until: number | null;
  /** Why, in the operator's words; may be empty. */
  readonly reason: string;
}

/** One entry of a room's log. */
export interface StoredEntry {
  /** Counts from 1 without holes. */
  readonly pos: number;
  /** Seconds since 1970, the server's clock. */
  readonly time: number;
  /** 1 commit, 2 message. */
  readonly kind: number;
  /** The entry, or null once it has expired. */
  readonly bytes: Bytes | null;
  /** H(bytes), which stays when the bytes expire. */
  readonly digest: Bytes;
  /** Author of a commit, sender of a message. */
  readonly sender: Bytes;
}

/** What {@link Store.append} needs beside the entry: how to find a message again, and L. */
export interface NewEntry extends StoredEntry {
  /** Present at once. */
  readonly bytes: Bytes;
  /** Epoch of a message or commit. */
  readonly epoch: number;
  /** A message's counter; −1 for a commit. */
  readonly n: number;
  /** L after this entry. */
  readonly history: Bytes;
}

/** A member's time in a room, from the commit that adds to the one that removes. */
export interface Stay {
  /** Position of the commit that added. */
  readonly from: number;
  /** Position of the commit that removed, or null while in. */
  readonly until: number | null;
}

/** A file that somebody has brought, or is bringing (protocol §8.3). */
export interface StoredBlob {
  /** 16 bytes, its owner's choice. */
  readonly id: Bytes;
  /** For whose members it is. */
  readonly room: Bytes;
  /** Who brings it. */
  readonly owner: Bytes;
  /** How many chunks it has. */
  readonly chunks: number;
  /** Plaintext bytes of the last one, padding included. */
  readonly lastBytes: number;
  /** So many are on the disk. */
  readonly next: number;
  /** When it is given up, seconds since 1970. */
  readonly until: number;
}

/** A file that somebody begins. */
export type NewBlob = Pick<StoredBlob, "id" | "room" | "owner" | "chunks" | "lastBytes">;

/** A pending leave request. */
export interface StoredLeave {
  /** Who. */
  readonly id: Bytes;
  /** The epoch it names. */
  readonly epoch: number;
  /** 64 bytes. */
  readonly signature: Bytes;
}

/** Notes of a log that several servers share: they stay when rooms are dropped. */
export const sharedNotes = {
  /** How far it is applied. */
  log: "log",
  /** With what it was begun: the id of the servers' key, and the run id. */
  begin: "begin",
  /** By which settings it is applied. */
  settings: "settings",
} as const;

/** A server's memory; all calls are synchronous, as SQLite's are. */
export interface Store {
  /** 16 bytes that change when the logs are lost (protocol §8.6). */
  readonly runId: Bytes;
  /** Whether logs end with the process. */
  readonly memoryOnly: boolean;

  /** The card of an id. */
  card(id: Bytes): Bytes | null;
  /** Whose name has this skeleton. */
  idByName(skeleton: string): Bytes | null;
  /** Keeps a card; the first for an id and for a skeleton stays. */
  putCard(id: Bytes, skeleton: string, card: Bytes): void;
  /** A name passes to another id, as its account has; the card that had it stays. */
  giveName(skeleton: string, id: Bytes): void;

  /** The newest prekey of an id. */
  prekey(id: Bytes): { prekeyId: number; bytes: Bytes } | null;
  /** Replaces one with a lower id. */
  putPrekey(id: Bytes, prekeyId: number, bytes: Bytes): void;

  /** All rooms but those that are reaped. */
  rooms(): StoredRoom[];
  /** A room, also a reaped one. */
  room(id: Bytes): StoredRoom | null;
  /** The room that holds this name. */
  roomByName(skeleton: string): StoredRoom | null;
  /** Makes a room. @param skeleton null when it has no name of its own */
  createRoom(room: NewRoom, skeleton: string | null): void;
  /** Ends a room; its name is free again. @param time seconds since 1970 */
  retireRoom(id: Bytes, time: number): void;
  /** Gives up a room's log, which {@link Store.sweep} takes from the disk. Its name is free again. */
  reapRoom(id: Bytes): void;
  /** Makes a reaped room without a name anew, where it stood. */
  reviveRoom(id: Bytes, maker: Bytes): void;
  /** Takes some of what was reaped from the disk. @param most rows @returns false when there was nothing to take */
  sweep(most: number): boolean;

  /** Forgets a room at once, with its log. */
  dropRoom(id: Bytes): void;

  /** Adds an entry at the end of its room. */
  append(room: Bytes, entry: NewEntry): void;
  /** Entries from position `from` on, at most `most`. */
  entries(room: Bytes, from: number, most: number): StoredEntry[];
  /** The last entry's position and L there; position 0 for none. */
  last(room: Bytes): { pos: number; history: Bytes };
  /** L at a position; null where there is no entry. Position 0 is before the first. */
  historyAt(room: Bytes, pos: number): Bytes | null;
  /** The last of at most `most` positions after `from` that are all older than `time` (seconds); else `from`. */
  lastBefore(room: Bytes, time: number, from: number, most: number): number;
  /** What is kept at the `most` positions after `from`, oldest first. */
  weights(room: Bytes, from: number, most: number): Weight[];
  /** Forgets messages and boxes; hashes stay. @param expiredUpTo up to where all have expired */
  expire(room: Bytes, ranges: readonly Range[], expiredUpTo: number): void;
  /** The newest commit. */
  lastCommit(room: Bytes): { pos: number; bytes: Bytes } | null;
  /** The commit of an epoch. */
  commitOf(room: Bytes, epoch: number): { pos: number; bytes: Bytes } | null;
  /**
   * A message by its place in its sender's chain.
   *
   * @param after where its sender stood: it is not before, and at most `maxViewLag` positions behind
   */
  message(
    room: Bytes,
    after: number,
    sender: Bytes,
    epoch: number,
    n: number,
  ): { pos: number; digest: Bytes } | null;
  /** The next `n` of a sender in an epoch; 0 in one that is not the last in which she has spoken. */
  nextNumber(room: Bytes, sender: Bytes, epoch: number): number;

  /** A box by its hash. */
  box(hash: Bytes): Bytes | null;
  /** Keeps a box of the commit at `pos`. */
  putBox(hash: Bytes, room: Bytes, pos: number, box: Bytes): void;

  /** Begins a stay. @param putBy who has put her there unasked; null when she has asked for it */
  beginStay(room: Bytes, id: Bytes, from: number, putBy: Bytes | null): void;
  /** The one who stays has taken what came from the room. */
  wantStay(room: Bytes, id: Bytes): void;
  /** Whether an open stay is wanted by the one who stays. */
  isStayWanted(room: Bytes, id: Bytes): boolean;
  /** How many open stays of an identity are not: in all, and those into which `by` has put her. */
  unwantedStays(id: Bytes, by: Bytes): { all: number; own: number };
  /** Ends the stay that is open. */
  endStay(room: Bytes, id: Bytes, until: number): void;
  /** An identity's stays in a room, oldest first. */
  stays(room: Bytes, id: Bytes): Stay[];
  /** Rooms in which an identity has an open stay. */
  roomsOf(id: Bytes): Bytes[];
  /** Those of them that she has made or asked for. */
  roomsAskedFor(id: Bytes): Bytes[];

  /** Who waits to be let in, oldest first. */
  joins(room: Bytes): { id: Bytes; time: number }[];
  /** Begins to wait, or waits anew. */
  putJoin(room: Bytes, id: Bytes, time: number): void;
  /** Ends a wait. */
  dropJoin(room: Bytes, id: Bytes): void;

  /** Pending leave requests. */
  leaves(room: Bytes): StoredLeave[];
  /** Keeps a request. */
  putLeave(room: Bytes, leave: StoredLeave): void;
  /** Forgets it. */
  dropLeave(room: Bytes, id: Bytes): void;

  /** All files. */
  blobs(): StoredBlob[];
  /** Keeps one, in place of what was known of it. */
  putBlob(blob: StoredBlob): void;
  /** Forgets it. */
  dropBlob(id: Bytes): void;

  /** Something that the server has noted for itself. */
  note(key: string): Bytes | null;
  /** Notes it, in place of what stood there. */
  putNote(key: string, value: Bytes): void;
  /** Takes it away. */
  dropNote(key: string): void;

  /**
   * The logs are an old copy: what was signed since would be a second history. Rooms go, with files and what was noted of
   * them, and another run begins; cards, names, prekeys and bans stay, and what is noted of a shared log.
   */
  beginAnew(runId: Bytes): void;

  /** Everybody who is banned. */
  bans(): StoredBan[];
  /** Bans, or bans anew. */
  putBan(ban: StoredBan): void;
  /** Lets in again. */
  dropBan(kind: StoredBan["kind"], value: string): void;

  /** Makes everything written so far durable. @throws StoreFailed, after undoing it */
  flush(): void;
  /** Undoes everything since the last flush. @throws StateTorn when it cannot */
  undo(): void;
  /** Flushes and lets go of the files. */
  close(): void;
}

/** A change was applied in part, and cannot be undone: the process must end, and begin from what is on disk. */
export class StateTorn extends Error {}

/** The disk would not take it. */
export class StoreFailed extends ChatError {
  /** Makes one. @param path of the store @param why the system's words */
  constructor(path: string, why: string) {
    super(`Cannot write "${path}": ${why}`, hintFor(why));
  }
}

function hintFor(why: string): string {
  if (/full|space/i.test(why)) return "free some space on that disk; nothing confirmed is lost";
  if (/readonly|read-only/i.test(why)) return "make the data directory writable, or give another with --data";
  if (/newer version/.test(why)) return "use that version, or give another directory with --data";
  if (/locked|busy/i.test(why)) {
    return "another server uses this data directory: end it, or give another with --data";
  }
  return "check the data directory, or give another with --data";
}
