/**
 * The durable store: one SQLite file with a write-ahead log.
 *
 * Group commit: writes gather in one transaction that flush() commits with a sync to disk, so a burst of
 * messages costs one sync. The server confirms and shows an entry only after that.
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError } from "../../errors.ts";
import { createPrivateFile } from "../../storage/private_file.ts";
import {
  type NewEntry,
  type NewRoom,
  type Stay,
  type Store,
  type StoredBan,
  type StoredEntry,
  type StoredLeave,
  type StoredRoom,
  StoreFailed,
} from "./store.ts";

const schemaOne = `
  CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS cards (
    id BLOB PRIMARY KEY, skeleton TEXT NOT NULL UNIQUE, card BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS prekeys (
    id BLOB PRIMARY KEY, prekey_id INTEGER NOT NULL, prekey BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS rooms (
    id BLOB PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL, skeleton TEXT UNIQUE) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS entries (
    room BLOB NOT NULL, pos INTEGER NOT NULL, time INTEGER NOT NULL, kind INTEGER NOT NULL, bytes BLOB,
    hash BLOB NOT NULL, history BLOB NOT NULL, sender BLOB NOT NULL, epoch INTEGER NOT NULL,
    n INTEGER NOT NULL, UNIQUE (room, pos)) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS entry_number ON entries (room, epoch, sender, n) WHERE n >= 0;
  CREATE INDEX IF NOT EXISTS entry_commit ON entries (room, pos) WHERE kind = 1;
  CREATE TABLE IF NOT EXISTS boxes (
    hash BLOB PRIMARY KEY, room BLOB NOT NULL, pos INTEGER NOT NULL, box BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS stays (
    room BLOB NOT NULL, id BLOB NOT NULL, began INTEGER NOT NULL, view_pos INTEGER NOT NULL, until INTEGER,
    PRIMARY KEY (id, room, began)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS joins (
    room BLOB NOT NULL, id BLOB NOT NULL, time INTEGER NOT NULL, line INTEGER NOT NULL,
    PRIMARY KEY (room, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS leaves (
    room BLOB NOT NULL, id BLOB NOT NULL, epoch INTEGER NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (room, id)) STRICT, WITHOUT ROWID;
`;

/** What each version of the schema added; a file of an older version is brought up to date when opened. */
export const migrations: readonly string[] = [
  schemaOne,
  `
  ALTER TABLE rooms ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE bans (
    kind TEXT NOT NULL, value TEXT NOT NULL, shown TEXT NOT NULL, PRIMARY KEY (kind, value)) STRICT, WITHOUT ROWID;
  CREATE INDEX box_place ON boxes (room, pos);
  `,
  // With accounts a name can move to another key; the old card is kept, as old rooms ask for it.
  `
  CREATE TABLE names (skeleton TEXT PRIMARY KEY, id BLOB NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO names SELECT skeleton, id FROM cards;
  CREATE TABLE cards_now (id BLOB PRIMARY KEY, card BLOB NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO cards_now SELECT id, card FROM cards;
  DROP TABLE cards;
  ALTER TABLE cards_now RENAME TO cards;
  `,
  `
  ALTER TABLE bans ADD COLUMN until INTEGER;
  ALTER TABLE bans ADD COLUMN reason TEXT NOT NULL DEFAULT '';
  `,
];

type Row = Record<string, unknown>;

/** One file, opened by one process. */
export class SqliteStore implements Store {
  readonly memoryOnly = false;
  readonly runId: Bytes;
  #db: DatabaseSync;
  #statements = new Map<string, StatementSync>();
  #open = false;
  #line = 0;

  /**
   * Opens or makes the file, readable by its owner only.
   *
   * @throws StoreFailed when it cannot be opened, or another process has it
   */
  constructor(private readonly path: string, random: RandomSource) {
    try {
      createPrivateFile(path);
      this.#db = new DatabaseSync(path);
      // EXCLUSIVE: one server per directory, and no shared-memory file.
      this.#db.exec(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 0; PRAGMA wal_autocheckpoint = 8000;",
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

  #migrate(): void {
    const version = Number(this.#get("PRAGMA user_version")!.user_version);
    if (version > migrations.length) {
      throw new StoreFailed(this.path, "it was written by a newer version of this program");
    }
    migrations.slice(version).forEach((steps, i) => {
      this.#db.exec(`BEGIN IMMEDIATE; ${steps} PRAGMA user_version = ${version + i + 1}; COMMIT;`);
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
      if (!this.#open) this.#db.exec("BEGIN IMMEDIATE");
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
      } catch {
        // SQLite has rolled back by itself.
      }
    }
    this.#open = false;
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
    return this.#all("SELECT id, kind, name, retired FROM rooms").map(asRoom);
  }
  roomByName(skeleton: string) {
    const row = this.#get("SELECT id, kind, name, retired FROM rooms WHERE skeleton = ?", skeleton);
    return row ? asRoom(row) : null;
  }
  createRoom(room: NewRoom, skeleton: string | null) {
    const sql = "INSERT INTO rooms (id, kind, name, skeleton) VALUES (?, ?, ?, ?)";
    this.#run(sql, room.id, room.kind, room.name, skeleton);
  }
  retireRoom(id: Bytes) {
    this.#run("UPDATE rooms SET retired = 1, skeleton = NULL WHERE id = ?", id);
  }

  dropRoom(id: Bytes) {
    this.#run("DELETE FROM entries WHERE room = ?", id);
    this.#run("DELETE FROM rooms WHERE id = ?", id);
  }

  append(room: Bytes, e: NewEntry) {
    this.#run(
      "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      room,
      e.pos,
      e.time,
      e.kind,
      e.bytes,
      e.hash,
      e.history,
      e.sender,
      e.epoch,
      e.n,
    );
  }
  entries(room: Bytes, from: number, most: number): StoredEntry[] {
    return this.#all(
      "SELECT pos, time, kind, bytes, hash, sender FROM entries WHERE room = ? AND pos >= ? ORDER BY pos LIMIT ?",
      room,
      from,
      most,
    ).map((row) => ({
      pos: Number(row.pos),
      time: Number(row.time),
      kind: Number(row.kind),
      bytes: row.bytes as Bytes | null,
      hash: row.hash as Bytes,
      sender: row.sender as Bytes,
    }));
  }
  last(room: Bytes) {
    const row = this.#get("SELECT pos, history FROM entries WHERE room = ? ORDER BY pos DESC LIMIT 1", room);
    return row ? { pos: Number(row.pos), history: row.history as Bytes } : { pos: 0, history: room };
  }
  historyAt(room: Bytes, pos: number) {
    if (pos === 0) return room;
    return this.#get("SELECT history FROM entries WHERE room = ? AND pos = ?", room, pos)?.history as Bytes ??
      null;
  }
  bytesAfter(room: Bytes, from: number) {
    const messages =
      "SELECT coalesce(sum(length(bytes)), 0) AS sum FROM entries WHERE room = ? AND pos > ? AND kind = 2";
    const boxes = "SELECT coalesce(sum(length(box)), 0) AS sum FROM boxes WHERE room = ?";
    return Number(this.#get(messages, room, from)!.sum) + Number(this.#get(boxes, room)!.sum);
  }
  expiredUpTo(room: Bytes) {
    const sql =
      "SELECT pos FROM entries WHERE room = ? AND kind = 2 AND bytes IS NULL ORDER BY pos DESC LIMIT 1";
    return Number(this.#get(sql, room)?.pos ?? 0);
  }
  lastBefore(room: Bytes, time: number, from: number) {
    const sql = "SELECT pos FROM entries WHERE room = ? AND pos > ? AND time >= ? ORDER BY pos LIMIT 1";
    const young = this.#get(sql, room, from, time);
    return young ? Number(young.pos) - 1 : this.last(room).pos;
  }
  lastBeyond(room: Bytes, keep: number, from: number) {
    const sql = "SELECT coalesce(max(pos), 0) AS pos FROM (" +
      "SELECT pos, sum(size) OVER (ORDER BY pos DESC) AS sum FROM (" +
      "SELECT pos, length(bytes) AS size FROM entries WHERE room = ? AND pos > ? AND kind = 2 AND bytes IS NOT NULL " +
      "UNION ALL SELECT pos, length(box) AS size FROM boxes WHERE room = ?)) WHERE sum > ?";
    return Number(this.#get(sql, room, from, room, keep)!.pos);
  }
  expire(room: Bytes, from: number, pos: number, boxesUpTo: number) {
    const sql =
      "UPDATE entries SET bytes = NULL WHERE room = ? AND pos > ? AND pos <= ? AND kind = 2 AND bytes IS NOT NULL";
    this.#run(sql, room, from, pos);
    this.#run("DELETE FROM boxes WHERE room = ? AND pos <= ?", room, boxesUpTo);
  }
  lastCommit(room: Bytes) {
    const row = this.#get(
      "SELECT pos, bytes FROM entries WHERE room = ? AND kind = 1 ORDER BY pos DESC LIMIT 1",
      room,
    );
    return row ? { pos: Number(row.pos), bytes: row.bytes as Bytes } : null;
  }
  message(room: Bytes, sender: Bytes, epoch: number, n: number) {
    const row = this.#get(
      "SELECT pos, hash FROM entries WHERE room = ? AND epoch = ? AND sender = ? AND n = ? AND n >= 0",
      room,
      epoch,
      sender,
      n,
    );
    return row ? { pos: Number(row.pos), hash: row.hash as Bytes } : null;
  }
  nextNumbers(room: Bytes, epoch: number) {
    return this.#all(
      "SELECT sender, max(n) + 1 AS n FROM entries WHERE room = ? AND epoch = ? AND n >= 0 GROUP BY sender",
      room,
      epoch,
    ).map((row) => ({ sender: row.sender as Bytes, n: Number(row.n) }));
  }

  box(hash: Bytes) {
    return this.#get("SELECT box FROM boxes WHERE hash = ?", hash)?.box as Bytes ?? null;
  }
  putBox(hash: Bytes, room: Bytes, pos: number, box: Bytes) {
    this.#run("INSERT OR IGNORE INTO boxes VALUES (?, ?, ?, ?)", hash, room, pos, box);
  }

  beginStay(room: Bytes, id: Bytes, from: number, viewPos: number) {
    this.#run("INSERT INTO stays VALUES (?, ?, ?, ?, NULL)", room, id, from, viewPos);
  }
  endStay(room: Bytes, id: Bytes, until: number) {
    this.#run("UPDATE stays SET until = ? WHERE room = ? AND id = ? AND until IS NULL", until, room, id);
  }
  stays(room: Bytes, id: Bytes): Stay[] {
    return this.#all(
      "SELECT began, view_pos, until FROM stays WHERE id = ? AND room = ? ORDER BY began",
      id,
      room,
    ).map((row) => ({
      from: Number(row.began),
      viewPos: Number(row.view_pos),
      until: row.until === null ? null : Number(row.until),
    }));
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
    if (!this.#open) return;
    try {
      this.#db.exec("COMMIT");
      this.#open = false;
    } catch (error) {
      throw this.#undo(error);
    }
  }
  close() {
    this.flush();
    this.#db.close();
  }
}

function asRoom(row: Row): StoredRoom {
  return {
    id: row.id as Bytes,
    kind: Number(row.kind),
    name: String(row.name),
    retired: Number(row.retired) === 1,
  };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
