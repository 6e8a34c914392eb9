/**
 * The durable store: one SQLite file with a write-ahead log.
 *
 * Group commit: writes gather in one transaction that flush() commits with a sync to disk, so a burst of
 * messages costs one sync. The server confirms and shows an entry only after that.
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError } from "../../errors.ts";
import { maxViewLag } from "../../protocol/group/history.ts";
import { createPrivateFile } from "../../storage/private_file.ts";
import {
  entryOverheadBytes,
  type NewEntry,
  type NewRoom,
  type Range,
  sharedNotes,
  StateTorn,
  type Stay,
  type Store,
  type StoredBan,
  type StoredBlob,
  type StoredEntry,
  type StoredLeave,
  type StoredRoom,
  StoreFailed,
  type Weight,
} from "./store.ts";

/** Added to the version of the schema: files of protocol 1 have 1 to 5. */
const baseVersion = 200;

/** What each version of the schema added; a file of an older version is brought up to date when opened. */
const migrations: readonly string[] = [
  `
  CREATE TABLE about (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
  CREATE TABLE cards (id BLOB PRIMARY KEY, card BLOB NOT NULL) STRICT, WITHOUT ROWID;
  -- With accounts a name can move to another key; the old card is kept, as old rooms ask for it.
  CREATE TABLE names (skeleton TEXT PRIMARY KEY, id BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE prekeys (
    id BLOB PRIMARY KEY, prekey_id INTEGER NOT NULL, prekey BLOB NOT NULL) STRICT, WITHOUT ROWID;
  -- What a room weighs and where it stands, so that opening reads rooms and not entries.
  CREATE TABLE rooms (
    id BLOB PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL, skeleton TEXT UNIQUE,
    maker BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0, reaped INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0, history BLOB NOT NULL, bytes INTEGER NOT NULL DEFAULT 0,
    fixed INTEGER NOT NULL DEFAULT 0, expired_up_to INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
  CREATE TABLE entries (
    room BLOB NOT NULL, pos INTEGER NOT NULL, time INTEGER NOT NULL, kind INTEGER NOT NULL, bytes BLOB,
    digest BLOB NOT NULL, history BLOB NOT NULL, sender BLOB NOT NULL, epoch INTEGER NOT NULL,
    n INTEGER NOT NULL, UNIQUE (room, pos)) STRICT;
  CREATE UNIQUE INDEX entry_number ON entries (room, epoch, sender, n) WHERE n >= 0;
  CREATE INDEX entry_commit ON entries (room, pos) WHERE kind = 1;
  CREATE INDEX entry_kept ON entries (room, pos) WHERE kind = 2 AND bytes IS NOT NULL;
  CREATE TABLE boxes (
    hash BLOB PRIMARY KEY, room BLOB NOT NULL, pos INTEGER NOT NULL, box BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX box_place ON boxes (room, pos);
  CREATE TABLE stays (
    room BLOB NOT NULL, id BLOB NOT NULL, began INTEGER NOT NULL, until INTEGER, put_by BLOB,
    wanted INTEGER NOT NULL, PRIMARY KEY (id, room, began)) STRICT, WITHOUT ROWID;
  CREATE TABLE joins (
    room BLOB NOT NULL, id BLOB NOT NULL, time INTEGER NOT NULL, line INTEGER NOT NULL,
    PRIMARY KEY (room, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE leaves (
    room BLOB NOT NULL, id BLOB NOT NULL, epoch INTEGER NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (room, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE bans (
    kind TEXT NOT NULL, value TEXT NOT NULL, shown TEXT NOT NULL, until INTEGER, reason TEXT NOT NULL,
    PRIMARY KEY (kind, value)) STRICT, WITHOUT ROWID;
  `,
  "DROP INDEX entry_commit; CREATE UNIQUE INDEX entry_commit ON entries (room, epoch) WHERE kind = 1;",
  // Rooms and senders have numbers, and what is long stands last. A room's row, and how far each sender has counted, is
  // written now and then: what was said since is read with it. So a message changes two pages.
  `
  ALTER TABLE rooms RENAME TO old_rooms;
  CREATE TABLE rooms (
    no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL, name TEXT NOT NULL,
    skeleton TEXT UNIQUE, maker BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0,
    reaped INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0, history BLOB NOT NULL,
    bytes INTEGER NOT NULL DEFAULT 0, fixed INTEGER NOT NULL DEFAULT 0,
    expired_up_to INTEGER NOT NULL DEFAULT 0) STRICT;
  INSERT INTO rooms SELECT NULL, id, kind, name, skeleton, maker, retired, reaped, last, history, bytes, fixed,
    expired_up_to FROM old_rooms;
  CREATE TABLE senders (no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE) STRICT;
  INSERT INTO senders SELECT DISTINCT NULL, sender FROM entries;
  ALTER TABLE entries RENAME TO old_entries;
  CREATE TABLE entries (
    room INTEGER NOT NULL, pos INTEGER NOT NULL, time INTEGER NOT NULL, kind INTEGER NOT NULL,
    sender INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL, digest BLOB NOT NULL,
    history BLOB NOT NULL, bytes BLOB, UNIQUE (room, pos)) STRICT;
  INSERT INTO entries SELECT (SELECT no FROM rooms WHERE id = room), pos, time, kind,
    (SELECT no FROM senders WHERE id = sender), epoch, n, digest, history, bytes FROM old_entries;
  CREATE TABLE numbers (
    room INTEGER NOT NULL, sender INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (room, sender)) STRICT, WITHOUT ROWID;
  INSERT INTO numbers SELECT room, sender, epoch, n FROM entries WHERE n >= 0 ORDER BY epoch, n
    ON CONFLICT DO UPDATE SET epoch = excluded.epoch, n = excluded.n;
  DROP TABLE old_rooms;
  DROP TABLE old_entries;
  CREATE UNIQUE INDEX entry_commit ON entries (room, epoch) WHERE kind = 1;
  `,
  `
  CREATE TABLE blobs (
    id BLOB PRIMARY KEY, room BLOB NOT NULL, owner BLOB NOT NULL, chunks INTEGER NOT NULL,
    last_bytes INTEGER NOT NULL, next INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
];
/** Senders whose numbers are known. */
const maxSenders = 10_000;

/** Where a room stands and what it weighs, written to its row with the next flush. */
type Standing = {
  -readonly [K in "last" | "history" | "bytes" | "fixedBytes" | "expiredUpTo"]: StoredRoom[K];
};

/** Its row's number, and the same. */
interface Known {
  readonly no: number;
  readonly standing: Standing;
  /** The last number of each sender who has spoken since the row was written. */
  readonly spoken: Map<number, Spoken>;
  /** How many messages that were. */
  unwritten: number;
}

/** A sender's last message. */
interface Spoken {
  readonly epoch: number;
  readonly n: number;
}

/** Messages of a room until its row is written again. */
const maxUnwritten = 64;

type Row = Record<string, unknown>;

/** One file, opened by one process. */
export class SqliteStore implements Store {
  readonly memoryOnly = false;
  runId: Bytes;
  /** Nothing more is read or written. */
  isClosed = false;
  #db: DatabaseSync;
  #statements = new Map<string, StatementSync>();
  #open = false;
  #line = 0;
  /** By room id in hex. */
  #known = new Map<string, Known>();
  /** What their rows do not say yet. */
  #changed = new Set<Known>();
  /** Numbers by id in hex. */
  #senders = new Map<string, number>();

  /**
   * Opens or makes the file, readable by its owner only.
   *
   * @param isView it can be made anew from a log that several servers share: it is copied while it is open, and what a
   * power cut takes from its end comes again
   * @throws StoreFailed when it cannot be opened, or another process has it
   */
  constructor(private readonly path: string, random: RandomSource, isView = false) {
    try {
      createPrivateFile(path);
      this.#db = new DatabaseSync(path);
      // EXCLUSIVE: one server per directory, and no shared-memory file.
      this.#db.exec(
        (isView
          ? "PRAGMA synchronous = NORMAL; "
          : "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; ") +
          "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0; PRAGMA wal_autocheckpoint = 8000;",
      );
      this.#migrate();
      const known = this.#get("SELECT value FROM about WHERE key = 'run'");
      this.runId = known ? known.value as Bytes : random(16);
      if (!known) this.#run("INSERT INTO about VALUES ('run', ?)", this.runId);
      this.flush();
      this.#line = Number(this.#get("SELECT coalesce(max(line), 0) AS line FROM joins")!.line);
    } catch (error) {
      throw error instanceof ChatError ? error : new StoreFailed(path, reason(error));
    }
  }

  beginAnew(runId: Bytes): void {
    for (
      const table of ["rooms", "entries", "senders", "numbers", "boxes", "stays", "joins", "leaves", "blobs"]
    ) {
      this.#run(`DELETE FROM ${table}`);
    }
    this.#changed.clear(); // what was said in them is not written any more
    this.#known.clear();
    this.#senders.clear();
    this.runId = runId;
    this.#run("UPDATE about SET value = ? WHERE key = 'run'", runId);
    const kept = Object.values(sharedNotes).map((note) => `note ${note}`);
    const places = kept.map(() => "?").join(", ");
    this.#run(`DELETE FROM about WHERE key LIKE 'note %' AND key NOT IN (${places})`, ...kept);
  }

  /** Whether nobody and nothing was ever kept in it. */
  get isEmpty(): boolean {
    return ["cards", "names", "prekeys", "bans", "rooms", "blobs"]
      .every((table) => this.#get(`SELECT 1 FROM ${table} LIMIT 1`) === undefined);
  }

  /** It is a view of what several servers share, and has their run id. @throws StoreFailed */
  adoptRun(runId: Bytes): void {
    this.runId = runId;
    this.#run("UPDATE about SET value = ? WHERE key = 'run'", runId);
    this.flush();
  }

  #migrate(): void {
    const version = Number(this.#get("PRAGMA user_version")!.user_version);
    if (version > 0 && version <= baseVersion) {
      throw new StoreFailed(this.path, "it was written by a program that spoke version 1 of the protocol");
    }
    const done = Math.max(0, version - baseVersion);
    if (done > migrations.length) {
      throw new StoreFailed(this.path, "it was written by a newer version of this program");
    }
    migrations.slice(done).forEach((steps, i) => {
      const now = baseVersion + done + i + 1;
      this.#db.exec(`BEGIN IMMEDIATE; ${steps} PRAGMA user_version = ${now}; COMMIT;`);
    });
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, statement = this.#db.prepare(sql));
    return statement;
  }
  #get(sql: string, ...values: (Bytes | number | string | null)[]): Row | undefined {
    return this.#reading(() => this.#prepare(sql).get(...values)) as Row | undefined;
  }
  #all(sql: string, ...values: (Bytes | number | string | null)[]): Row[] {
    return this.#reading(() => this.#prepare(sql).all(...values)) as Row[];
  }
  #reading<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw new StoreFailed(this.path, reason(error));
    }
  }
  #run(sql: string, ...values: (Bytes | number | string | null)[]): void {
    try {
      if (!this.#open) this.#prepare("BEGIN IMMEDIATE").run();
      this.#open = true;
      this.#prepare(sql).run(...values);
    } catch (error) {
      throw this.#undo(error);
    }
  }
  #undo(error: unknown): StoreFailed {
    if (this.#open) {
      try {
        this.#db.exec("ROLLBACK");
      } catch (error) {
        if (!/no transaction is active/.test(reason(error))) throw new StateTorn(this.path, { cause: error });
        // SQLite has rolled back by itself.
      }
    }
    this.#open = false;
    this.#known.clear(); // read again from what was kept
    this.#senders.clear();
    this.#changed.clear();
    return new StoreFailed(this.path, reason(error));
  }

  card(id: Bytes) {
    return this.#get("SELECT card FROM cards WHERE id = ?", id)?.card as Bytes ?? null;
  }
  idByName(skeleton: string) {
    return this.#get("SELECT id FROM names WHERE skeleton = ?", skeleton)?.id as Bytes ?? null;
  }
  putCard(id: Bytes, skeleton: string, card: Bytes) {
    if (this.card(id)) return;
    this.#run("INSERT OR IGNORE INTO names VALUES (?, ?)", skeleton, id);
    const sql =
      "INSERT INTO cards SELECT ?, ? WHERE EXISTS (SELECT 1 FROM names WHERE skeleton = ? AND id = ?)";
    this.#run(sql, id, card, skeleton, id);
  }
  giveName(skeleton: string, id: Bytes) {
    this.#run("INSERT OR REPLACE INTO names VALUES (?, ?)", skeleton, id);
  }

  prekey(id: Bytes) {
    const row = this.#get("SELECT prekey_id, prekey FROM prekeys WHERE id = ?", id);
    return row ? { prekeyId: Number(row.prekey_id), bytes: row.prekey as Bytes } : null;
  }
  putPrekey(id: Bytes, prekeyId: number, bytes: Bytes) {
    this.#run(
      "INSERT INTO prekeys VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE " +
        "SET prekey_id = excluded.prekey_id, prekey = excluded.prekey WHERE excluded.prekey_id > prekey_id",
      id,
      prekeyId,
      bytes,
    );
  }

  rooms() {
    // One question for all: to ask each of thousands whether its row is behind would hold up the start.
    const said = this.#all(
      "SELECT DISTINCT rooms.no FROM rooms JOIN entries ON room = rooms.no AND pos > last WHERE reaped = 0",
    );
    const isBehind = new Set(said.map(({ no }) => Number(no)));
    return this.#all(`SELECT ${roomColumns} FROM rooms WHERE reaped = 0`)
      .map((row) => isBehind.has(Number(row.no)) ? this.#asRoom(row) : this.#withStanding(asRoom(row)));
  }
  room(id: Bytes) {
    const row = this.#get(`SELECT ${roomColumns} FROM rooms WHERE id = ?`, id);
    return row ? this.#asRoom(row) : null;
  }
  roomByName(skeleton: string) {
    const row = this.#get(`SELECT ${roomColumns} FROM rooms WHERE skeleton = ?`, skeleton);
    return row ? this.#asRoom(row) : null;
  }
  #asRoom(row: Row): StoredRoom {
    this.#know(row);
    return this.#withStanding(asRoom(row));
  }
  #withStanding(stored: StoredRoom): StoredRoom {
    return { ...stored, ...this.#known.get(encodeHex(stored.id))?.standing };
  }
  createRoom(room: NewRoom, skeleton: string | null) {
    const sql = "INSERT INTO rooms (id, kind, name, skeleton, maker, history) VALUES (?, ?, ?, ?, ?, ?)";
    this.#run(sql, room.id, room.kind, room.name, skeleton, room.maker, room.id);
  }
  retireRoom(id: Bytes, time: number) {
    this.#run("UPDATE rooms SET retired = ?, skeleton = NULL WHERE id = ?", time, id);
  }
  reapRoom(id: Bytes) {
    this.#run("UPDATE rooms SET reaped = 1, skeleton = NULL WHERE id = ?", id);
    this.#run("DELETE FROM numbers WHERE room = ?", this.#no(id));
    this.#room(id)!.spoken.clear();
    for (const table of ["stays", "joins", "leaves"]) this.#run(`DELETE FROM ${table} WHERE room = ?`, id);
    Object.assign(this.#change(id).standing, { bytes: 0, fixedBytes: 0 });
  }
  reviveRoom(id: Bytes, maker: Bytes) {
    // What is still to be swept would come back with it.
    this.#run("DELETE FROM boxes WHERE room = ?", id);
    const { no, standing } = this.#change(id);
    this.#run("DELETE FROM entries WHERE room = ? AND pos < ?", no, standing.last);
    this.#run("UPDATE entries SET bytes = NULL WHERE room = ?", no);
    this.#run("UPDATE rooms SET reaped = 0, retired = 0, maker = ? WHERE id = ?", maker, id);
    standing.expiredUpTo = standing.last;
  }
  sweep(most: number) {
    const room = this.#get("SELECT no, id, name FROM rooms WHERE reaped = 1 LIMIT 1");
    if (!room) return false;
    const [id, no] = [room.id as Bytes, Number(room.no)];
    const { pos } = this.last(id);
    // The last entry of one that may come back says where its history goes on.
    const kept = room.name === "" ? 1 : 0;
    for (const [table, key, upTo] of [["boxes", id, pos], ["entries", no, pos - kept]] as const) {
      const some = `SELECT pos FROM ${table} WHERE room = ? AND pos <= ? ORDER BY pos LIMIT ?`;
      const last = this.#get(`SELECT max(pos) AS pos FROM (${some})`, key, upTo, most)!.pos;
      if (last === null) continue;
      this.#run(`DELETE FROM ${table} WHERE room = ? AND pos <= ?`, key, last as number);
      return true;
    }
    this.#run("UPDATE rooms SET reaped = 2, name = '' WHERE id = ?", id);
    return true;
  }

  dropRoom(id: Bytes) {
    const no = this.#no(id);
    for (const table of ["entries", "numbers"]) this.#run(`DELETE FROM ${table} WHERE room = ?`, no);
    for (const table of ["boxes", "stays", "joins", "leaves"]) {
      this.#run(`DELETE FROM ${table} WHERE room = ?`, id);
    }
    this.#run("DELETE FROM rooms WHERE id = ?", id);
    this.#forget(id);
  }

  #forget(room: Bytes): void {
    const key = encodeHex(room);
    const known = this.#known.get(key);
    if (known) this.#changed.delete(known);
    this.#known.delete(key);
  }
  /** A room's number, and where it stands; null for one that is not there. */
  #room(id: Bytes): Known | null {
    const key = encodeHex(id);
    const known = this.#known.get(key);
    if (known) return known;
    const row = this.#get(`SELECT ${roomColumns} FROM rooms WHERE id = ?`, id);
    return row ? this.#know(row) : null;
  }
  /** Takes a row over, with what was said since it was written. */
  #know(row: Row): Known {
    const { id, last, history, bytes, fixedBytes, expiredUpTo } = asRoom(row);
    const key = encodeHex(id);
    const before = this.#known.get(key);
    if (before) return before;
    const standing = { last, history, bytes, fixedBytes, expiredUpTo };
    const known: Known = { no: Number(row.no), standing, spoken: new Map(), unwritten: 0 };
    const sql = "SELECT pos, history, length(bytes) AS size, sender, epoch, n FROM entries " +
      "WHERE room = ? AND pos > ? ORDER BY pos";
    for (const entry of this.#all(sql, known.no, last)) {
      const [sender, epoch, n] = [Number(entry.sender), Number(entry.epoch), Number(entry.n)];
      const moved = { pos: Number(entry.pos), history: entry.history as Bytes, size: Number(entry.size) };
      moveBy(known, moved, sender, { epoch, n });
    }
    this.#known.set(key, known);
    return known;
  }
  #no(room: Bytes): number | null {
    return this.#room(room)?.no ?? null;
  }
  /** The same, to be changed: it goes to the row with the next flush. */
  #change(room: Bytes): Known {
    const known = this.#room(room)!;
    this.#changed.add(known);
    return known;
  }

  /** The number of a sender; null for one who has none. */
  #senderNo(id: Bytes): number | null {
    const key = encodeHex(id);
    const known = this.#senders.get(key);
    if (known !== undefined) return known;
    const row = this.#get("SELECT no FROM senders WHERE id = ?", id);
    if (!row) return null;
    if (this.#senders.size >= maxSenders) this.#senders.clear();
    this.#senders.set(key, Number(row.no));
    return Number(row.no);
  }

  append(room: Bytes, e: NewEntry) {
    const known = this.#room(room)!;
    let sender = this.#senderNo(e.sender);
    if (sender === null) {
      this.#run("INSERT INTO senders (id) VALUES (?)", e.sender);
      sender = this.#senderNo(e.sender);
    }
    this.#run(
      "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      known.no,
      e.pos,
      e.time,
      e.kind,
      sender,
      e.epoch,
      e.n,
      e.digest,
      e.history,
      e.bytes,
    );
    const moved = { pos: e.pos, history: e.history, size: e.bytes.length };
    if (e.kind !== 1) return this.#said(known, moved, sender!, e);
    const { standing } = this.#change(room);
    standing.last = e.pos;
    standing.history = e.history;
    standing.fixedBytes += entryOverheadBytes + e.bytes.length;
  }
  #said(known: Known, moved: Moved, sender: number, spoken: Spoken): void {
    moveBy(known, moved, sender, spoken);
    if (known.unwritten >= maxUnwritten) this.#changed.add(known);
  }
  entries(room: Bytes, from: number, most: number): StoredEntry[] {
    return this.#all(
      "SELECT pos, time, kind, bytes, digest, (SELECT id FROM senders WHERE no = sender) AS sender " +
        "FROM entries WHERE room = ? AND pos >= ? ORDER BY pos LIMIT ?",
      this.#no(room),
      from,
      most,
    ).map((row) => ({
      pos: Number(row.pos),
      time: Number(row.time),
      kind: Number(row.kind),
      bytes: row.bytes as Bytes | null,
      digest: row.digest as Bytes,
      sender: row.sender as Bytes,
    }));
  }
  last(room: Bytes) {
    const { last, history } = this.#room(room)?.standing ?? { last: 0, history: room };
    return { pos: last, history };
  }
  historyAt(room: Bytes, pos: number) {
    if (pos === 0) return room;
    const known = this.#room(room);
    if (known?.standing.last === pos) return known.standing.history;
    const sql = "SELECT history FROM entries WHERE room = ? AND pos = ?";
    return this.#get(sql, known?.no ?? null, pos)?.history as Bytes ?? null;
  }
  lastBefore(room: Bytes, time: number, from: number, most: number) {
    const last = Math.min(from + most, this.last(room).pos);
    const sql =
      "SELECT pos FROM entries WHERE room = ? AND pos > ? AND pos <= ? AND time >= ? ORDER BY pos LIMIT 1";
    const young = this.#get(sql, this.#no(room), from, last, time);
    return young ? Number(young.pos) - 1 : Math.max(from, last);
  }
  weights(room: Bytes, from: number, most: number): Weight[] {
    const no = this.#no(room);
    const messages =
      "SELECT pos, (SELECT id FROM senders WHERE no = sender) AS sender, length(bytes) AS size " +
      "FROM entries WHERE room = ? AND pos > ? AND pos <= ? AND kind = 2 AND bytes IS NOT NULL";
    const boxes = "SELECT pos, sum(length(box)) AS size, (SELECT id FROM senders WHERE no = " +
      "(SELECT sender FROM entries WHERE entries.room = ? AND entries.pos = boxes.pos)) AS sender " +
      "FROM boxes WHERE room = ? AND pos > ? AND pos <= ? GROUP BY pos";
    return [
      ...this.#all(messages, no, from, from + most),
      ...this.#all(boxes, no, room, from, from + most),
    ].map((row) => ({ pos: Number(row.pos), sender: row.sender as Bytes, bytes: Number(row.size) }))
      .filter(({ bytes }) => bytes > 0).sort((a, b) => a.pos - b.pos);
  }
  expire(room: Bytes, ranges: readonly Range[], expiredUpTo: number) {
    const { no, standing } = this.#change(room);
    const within = "room = ? AND pos >= ? AND pos <= ?";
    const messages =
      `SELECT coalesce(sum(length(bytes)), 0) AS sum FROM entries WHERE ${within} AND kind = 2`;
    const boxes = `SELECT coalesce(sum(length(box)), 0) AS sum FROM boxes WHERE ${within}`;
    for (const { first, last } of ranges) {
      const sums = [[messages, no], [boxes, room]] as const;
      const [ofMessages, ofBoxes] = sums.map(([sql, key]) => Number(this.#get(sql, key, first, last)!.sum));
      standing.bytes -= ofMessages + ofBoxes;
      if (ofMessages > 0) {
        this.#run(`UPDATE entries SET bytes = NULL WHERE ${within} AND kind = 2`, no, first, last);
      }
      if (ofBoxes > 0) this.#run(`DELETE FROM boxes WHERE ${within}`, room, first, last);
    }
    standing.expiredUpTo = Math.max(standing.expiredUpTo, expiredUpTo);
  }
  lastCommit(room: Bytes) {
    const row = this.#get(
      "SELECT pos, bytes FROM entries WHERE room = ? AND kind = 1 ORDER BY epoch DESC LIMIT 1",
      this.#no(room),
    );
    return row ? { pos: Number(row.pos), bytes: row.bytes as Bytes } : null;
  }
  commitOf(room: Bytes, epoch: number) {
    const row = this.#get(
      "SELECT pos, bytes FROM entries WHERE room = ? AND epoch = ? AND kind = 1",
      this.#no(room),
      epoch,
    );
    return row ? { pos: Number(row.pos), bytes: row.bytes as Bytes } : null;
  }
  message(room: Bytes, after: number, sender: Bytes, epoch: number, n: number) {
    const sql = "SELECT pos, digest FROM entries WHERE room = ? AND pos > ? AND pos <= ? " +
      "AND epoch = ? AND sender = ? AND n = ? AND n >= 0 ORDER BY pos LIMIT 1";
    const row = this.#get(
      sql,
      this.#no(room),
      after,
      after + maxViewLag,
      epoch,
      this.#senderNo(sender),
      n,
    );
    return row ? { pos: Number(row.pos), digest: row.digest as Bytes } : null;
  }
  nextNumber(room: Bytes, sender: Bytes, epoch: number) {
    const no = this.#senderNo(sender);
    const known = this.#room(room);
    if (no === null || !known) return 0;
    const row = known.spoken.get(no) ??
      this.#get("SELECT epoch, n FROM numbers WHERE room = ? AND sender = ?", known.no, no);
    return row && Number(row.epoch) === epoch ? Number(row.n) + 1 : 0;
  }

  box(hash: Bytes) {
    return this.#get("SELECT box FROM boxes WHERE hash = ?", hash)?.box as Bytes ?? null;
  }
  putBox(hash: Bytes, room: Bytes, pos: number, box: Bytes) {
    if (this.box(hash)) return;
    this.#run("INSERT INTO boxes VALUES (?, ?, ?, ?)", hash, room, pos, box);
    this.#change(room).standing.bytes += box.length;
  }

  beginStay(room: Bytes, id: Bytes, from: number, putBy: Bytes | null) {
    const sql = "INSERT INTO stays (room, id, began, put_by, wanted) VALUES (?, ?, ?, ?, ?)";
    this.#run(sql, room, id, from, putBy, putBy === null ? 1 : 0);
  }
  wantStay(room: Bytes, id: Bytes) {
    this.#run("UPDATE stays SET wanted = 1 WHERE id = ? AND room = ? AND until IS NULL", id, room);
  }
  isStayWanted(room: Bytes, id: Bytes) {
    const sql = "SELECT 1 FROM stays WHERE id = ? AND room = ? AND until IS NULL AND wanted = 0";
    return this.#get(sql, id, room) === undefined;
  }
  unwantedStays(id: Bytes, by: Bytes) {
    const sql = "SELECT count(*) AS total, coalesce(sum(put_by = ?), 0) AS own FROM stays " +
      "WHERE id = ? AND until IS NULL AND wanted = 0";
    const row = this.#get(sql, by, id)!;
    return { all: Number(row.total), own: Number(row.own) };
  }
  endStay(room: Bytes, id: Bytes, until: number) {
    this.#run("UPDATE stays SET until = ? WHERE room = ? AND id = ? AND until IS NULL", until, room, id);
  }
  stays(room: Bytes, id: Bytes): Stay[] {
    return this.#all(
      "SELECT began, until FROM stays WHERE id = ? AND room = ? ORDER BY began",
      id,
      room,
    ).map((row) => ({
      from: Number(row.began),
      until: row.until === null ? null : Number(row.until),
    }));
  }
  roomsAskedFor(id: Bytes) {
    return this.#all("SELECT room FROM stays WHERE id = ? AND until IS NULL AND put_by IS NULL", id)
      .map((row) => row.room as Bytes);
  }
  roomsOf(id: Bytes) {
    return this.#all("SELECT room FROM stays WHERE id = ? AND until IS NULL", id).map((r) => r.room as Bytes);
  }

  joins(room: Bytes) {
    return this.#all("SELECT id, time FROM joins WHERE room = ? ORDER BY line", room)
      .map((row) => ({ id: row.id as Bytes, time: Number(row.time) }));
  }
  putJoin(room: Bytes, id: Bytes, time: number) {
    this.#run("INSERT OR REPLACE INTO joins VALUES (?, ?, ?, ?)", room, id, time, ++this.#line);
  }
  dropJoin(room: Bytes, id: Bytes) {
    this.#run("DELETE FROM joins WHERE room = ? AND id = ?", room, id);
  }

  leaves(room: Bytes): StoredLeave[] {
    return this.#all("SELECT id, epoch, signature FROM leaves WHERE room = ?", room)
      .map((r) => ({ id: r.id as Bytes, epoch: Number(r.epoch), signature: r.signature as Bytes }));
  }
  putLeave(room: Bytes, leave: StoredLeave) {
    this.#run(
      "INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?)",
      room,
      leave.id,
      leave.epoch,
      leave.signature,
    );
  }
  dropLeave(room: Bytes, id: Bytes) {
    this.#run("DELETE FROM leaves WHERE room = ? AND id = ?", room, id);
  }

  note(key: string) {
    return this.#get("SELECT value FROM about WHERE key = ?", `note ${key}`)?.value as Bytes ?? null;
  }
  putNote(key: string, value: Bytes) {
    this.#run("INSERT OR REPLACE INTO about VALUES (?, ?)", `note ${key}`, value);
  }
  dropNote(key: string) {
    this.#run("DELETE FROM about WHERE key = ?", `note ${key}`);
  }

  blobs(): StoredBlob[] {
    return this.#all("SELECT id, room, owner, chunks, last_bytes, next, until FROM blobs").map((row) => ({
      id: row.id as Bytes,
      room: row.room as Bytes,
      owner: row.owner as Bytes,
      chunks: Number(row.chunks),
      lastBytes: Number(row.last_bytes),
      next: Number(row.next),
      until: Number(row.until),
    }));
  }
  putBlob({ id, room, owner, chunks, lastBytes, next, until }: StoredBlob) {
    const sql = "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?)";
    this.#run(sql, id, room, owner, chunks, lastBytes, next, until);
  }
  dropBlob(id: Bytes) {
    this.#run("DELETE FROM blobs WHERE id = ?", id);
  }

  bans(): StoredBan[] {
    const sql = "SELECT kind, value, shown, until, reason FROM bans ORDER BY kind, shown";
    return this.#all(sql).map((row) => ({
      kind: row.kind as StoredBan["kind"],
      value: String(row.value),
      shown: String(row.shown),
      until: row.until === null ? null : Number(row.until),
      reason: String(row.reason),
    }));
  }
  putBan({ kind, value, shown, until, reason }: StoredBan) {
    this.#run("INSERT OR REPLACE INTO bans VALUES (?, ?, ?, ?, ?)", kind, value, shown, until, reason);
  }
  dropBan(kind: StoredBan["kind"], value: string) {
    this.#run("DELETE FROM bans WHERE kind = ? AND value = ?", kind, value);
  }

  flush() {
    for (const known of this.#changed) {
      const { no, standing, spoken } = known;
      const { last, history, bytes, fixedBytes, expiredUpTo } = standing;
      const sql =
        "UPDATE rooms SET last = ?, history = ?, bytes = ?, fixed = ?, expired_up_to = ? WHERE no = ?";
      this.#run(sql, last, history, bytes, fixedBytes, expiredUpTo, no);
      for (const [sender, { epoch, n }] of spoken) {
        this.#run("INSERT OR REPLACE INTO numbers VALUES (?, ?, ?, ?)", no, sender, epoch, n);
      }
      spoken.clear();
      known.unwritten = 0;
    }
    this.#changed.clear();
    if (!this.#open) return;
    try {
      this.#prepare("COMMIT").run();
      this.#open = false;
    } catch (error) {
      throw this.#undo(error);
    }
  }
  undo() {
    if (this.#open || this.#changed.size > 0) this.#undo(null);
  }
  close() {
    for (const known of this.#known.values()) if (known.unwritten > 0) this.#changed.add(known);
    this.flush();
    this.isClosed = true;
    this.#db.close();
  }
}

/** An entry, as far as it moves its room. */
interface Moved {
  readonly pos: number;
  readonly history: Bytes;
  readonly size: number;
}

/** A message moves its room, and its sender's count. */
function moveBy(known: Known, { pos, history, size }: Moved, sender: number, { epoch, n }: Spoken): void {
  const { standing } = known;
  standing.last = pos;
  standing.history = history;
  standing.fixedBytes += entryOverheadBytes;
  standing.bytes += size;
  known.spoken.set(sender, { epoch, n });
  known.unwritten++;
}

const roomColumns = "no, id, kind, name, retired, maker, last, history, bytes, fixed, expired_up_to, reaped";

function asRoom(row: Row): StoredRoom {
  return {
    id: row.id as Bytes,
    kind: Number(row.kind),
    name: String(row.name),
    retiredAt: Number(row.retired) || null,
    maker: row.maker as Bytes,
    last: Number(row.last),
    history: row.history as Bytes,
    bytes: Number(row.bytes),
    fixedBytes: Number(row.fixed),
    expiredUpTo: Number(row.expired_up_to),
    isReaped: Number(row.reaped) > 0,
  };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
