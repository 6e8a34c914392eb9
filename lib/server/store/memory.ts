/** The store of `--ephemeral` servers: sealed messages in memory, gone with the process. */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { maxViewLag } from "../../protocol/group/history.ts";
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
  type Weight,
} from "./store.ts";

type Kept = Omit<NewEntry, "bytes"> & StoredEntry;

type Row = { -readonly [K in keyof StoredRoom]: StoredRoom[K] };

interface MemoryRoom extends Row {
  log: Kept[];
  /** Positions of messages. */
  numbers: Map<string, number>;
  /** The last message of each sender, by id in hex. */
  spoken: Map<string, { epoch: number; n: number }>;
  stays: Map<string, { id: Bytes; stays: Stay[]; putBy: Bytes | null; isWanted: boolean }>;
  joins: Map<string, { id: Bytes; time: number }>;
  leaves: Map<string, StoredLeave>;
}

/** Keeps everything in maps; flush has nothing to do. */
export class MemoryStore implements Store {
  readonly memoryOnly = true;
  runId: Bytes;
  #cards = new Map<string, Bytes>();
  #names = new Map<string, Bytes>();
  #prekeys = new Map<string, { prekeyId: number; bytes: Bytes }>();
  #rooms = new Map<string, MemoryRoom>();
  #roomNames = new Map<string, string>();
  #boxes = new Map<string, { room: string; pos: number; box: Bytes }>();
  #bans = new Map<string, StoredBan>();
  #blobs = new Map<string, StoredBlob>();
  #notes = new Map<string, Bytes>();

  /** Makes one. @param random for the run id, fresh at each start */
  constructor(random: RandomSource) {
    this.runId = random(16);
  }

  card(id: Bytes) {
    return this.#cards.get(encodeHex(id)) ?? null;
  }
  idByName(skeleton: string) {
    return this.#names.get(skeleton) ?? null;
  }
  putCard(id: Bytes, skeleton: string, card: Bytes) {
    const key = encodeHex(id);
    if (this.#cards.has(key)) return;
    if (!this.#names.has(skeleton)) this.#names.set(skeleton, id);
    if (equals(this.#names.get(skeleton)!, id)) this.#cards.set(key, card);
  }
  giveName(skeleton: string, id: Bytes) {
    this.#names.set(skeleton, id);
  }

  prekey(id: Bytes) {
    return this.#prekeys.get(encodeHex(id)) ?? null;
  }
  putPrekey(id: Bytes, prekeyId: number, bytes: Bytes) {
    const key = encodeHex(id);
    if ((this.#prekeys.get(key)?.prekeyId ?? -1) < prekeyId) this.#prekeys.set(key, { prekeyId, bytes });
  }

  rooms() {
    return [...this.#rooms.values()].filter(({ isReaped }) => !isReaped);
  }
  room(id: Bytes) {
    return this.#room(id) ?? null;
  }
  roomByName(skeleton: string) {
    return this.#rooms.get(this.#roomNames.get(skeleton) ?? "") ?? null;
  }
  createRoom(room: NewRoom, skeleton: string | null) {
    const key = encodeHex(room.id);
    this.#rooms.set(key, {
      ...room,
      retiredAt: null,
      last: 0,
      history: room.id,
      bytes: 0,
      fixedBytes: 0,
      expiredUpTo: 0,
      isReaped: false,
      log: [],
      numbers: new Map(),
      spoken: new Map(),
      stays: new Map(),
      joins: new Map(),
      leaves: new Map(),
    });
    if (skeleton !== null) this.#roomNames.set(skeleton, key);
  }
  retireRoom(id: Bytes, time: number) {
    this.#room(id)!.retiredAt = time;
    this.#freeName(id);
  }
  #freeName(id: Bytes): void {
    const key = encodeHex(id);
    for (const [skeleton, room] of this.#roomNames) if (room === key) this.#roomNames.delete(skeleton);
  }
  reapRoom(id: Bytes) {
    this.#freeName(id);
    const r = this.#room(id)!;
    this.#dropBoxes(id);
    const log = r.name === "" ? r.log.slice(-1).map((e) => ({ ...e, bytes: null })) : [];
    Object.assign(r, { isReaped: true, bytes: 0, fixedBytes: 0, log, name: "" });
    for (const map of [r.numbers, r.spoken, r.stays, r.joins, r.leaves]) map.clear();
  }
  reviveRoom(id: Bytes, maker: Bytes) {
    const r = this.#room(id)!;
    Object.assign(r, { isReaped: false, retiredAt: null, maker, expiredUpTo: r.last });
  }
  sweep() {
    return false; // what is reaped is gone at once
  }
  #dropBoxes(id: Bytes): void {
    const key = encodeHex(id);
    for (const [hash, box] of this.#boxes) if (box.room === key) this.#boxes.delete(hash);
  }

  #room(id: Bytes): MemoryRoom | undefined {
    return this.#rooms.get(encodeHex(id));
  }

  dropRoom(id: Bytes) {
    this.#freeName(id);
    this.#dropBoxes(id);
    this.#rooms.delete(encodeHex(id));
  }

  append(room: Bytes, entry: NewEntry) {
    const r = this.#room(room)!;
    // What came over a link stands in a record that may be much longer.
    const [bytes, sender] = [entry.bytes.slice(), entry.sender.slice()];
    r.log.push({ ...entry, bytes, sender });
    r.last = entry.pos;
    r.history = entry.history;
    r.fixedBytes += entryOverheadBytes + (entry.kind === 1 ? entry.bytes.length : 0);
    if (entry.kind !== 1) r.bytes += entry.bytes.length;
    if (entry.n < 0) return;
    r.numbers.set(numberKey(entry.sender, entry.epoch, entry.n), entry.pos);
    r.spoken.set(encodeHex(entry.sender), { epoch: entry.epoch, n: entry.n });
  }
  /** The log begins at position 1, or after what a reaped room had. */
  #at(r: MemoryRoom, pos: number): number {
    return pos - (r.log[0]?.pos ?? 1);
  }
  entries(room: Bytes, from: number, most: number) {
    const r = this.#room(room);
    if (!r) return [];
    const at = this.#at(r, from);
    return r.log.slice(Math.max(0, at), Math.max(0, at + most));
  }
  last(room: Bytes) {
    const r = this.#room(room);
    return { pos: r?.last ?? 0, history: r?.history ?? room };
  }
  historyAt(room: Bytes, pos: number) {
    const r = this.#room(room);
    if (pos === 0) return room;
    return r?.last === pos ? r.history : r?.log[this.#at(r, pos)]?.history ?? null;
  }
  lastBefore(room: Bytes, time: number, from: number, most: number) {
    const some = this.entries(room, from + 1, most);
    const young = some.find((e) => e.time >= time);
    return young ? young.pos - 1 : some.at(-1)?.pos ?? from;
  }
  weights(room: Bytes, from: number, most: number): Weight[] {
    const key = encodeHex(room);
    const boxes = new Map<number, number>();
    for (const { room, pos, box } of this.#boxes.values()) {
      if (room === key) boxes.set(pos, (boxes.get(pos) ?? 0) + box.length);
    }
    return this.entries(room, from + 1, most).map(({ pos, sender, kind, bytes }) => ({
      pos,
      sender,
      bytes: kind === 1 ? boxes.get(pos) ?? 0 : bytes?.length ?? 0,
    })).filter(({ bytes }) => bytes > 0);
  }
  expire(room: Bytes, ranges: readonly Range[], expiredUpTo: number) {
    const r = this.#room(room)!;
    const key = encodeHex(room);
    for (const { first, last } of ranges) {
      for (let i = Math.max(0, this.#at(r, first)); i < r.log.length && r.log[i].pos <= last; i++) {
        if (r.log[i].kind !== 2) continue;
        r.bytes -= r.log[i].bytes?.length ?? 0;
        r.log[i] = { ...r.log[i], bytes: null };
      }
      for (const [hash, { room, pos, box }] of this.#boxes) {
        if (room !== key || pos < first || pos > last) continue;
        r.bytes -= box.length;
        this.#boxes.delete(hash);
      }
    }
    r.expiredUpTo = Math.max(r.expiredUpTo, expiredUpTo);
  }
  lastCommit(room: Bytes) {
    const entry = this.#room(room)?.log.findLast((e) => e.kind === 1);
    return entry ? { pos: entry.pos, bytes: entry.bytes! } : null;
  }
  commitOf(room: Bytes, epoch: number) {
    const entry = this.#room(room)?.log.find((e) => e.kind === 1 && e.epoch === epoch);
    return entry ? { pos: entry.pos, bytes: entry.bytes! } : null;
  }
  message(room: Bytes, after: number, sender: Bytes, epoch: number, n: number) {
    const r = this.#room(room);
    const pos = r?.numbers.get(numberKey(sender, epoch, n));
    if (pos === undefined || pos <= after || pos > after + maxViewLag) return null;
    return { pos, digest: r!.log[this.#at(r!, pos)].digest };
  }
  nextNumber(room: Bytes, sender: Bytes, epoch: number) {
    const spoken = this.#room(room)?.spoken.get(encodeHex(sender));
    return spoken?.epoch === epoch ? spoken.n + 1 : 0;
  }

  box(hash: Bytes) {
    return this.#boxes.get(encodeHex(hash))?.box ?? null;
  }
  putBox(hash: Bytes, room: Bytes, pos: number, box: Bytes) {
    if (this.box(hash)) return;
    this.#boxes.set(encodeHex(hash), { room: encodeHex(room), pos, box });
    this.#room(room)!.bytes += box.length;
  }

  beginStay(room: Bytes, id: Bytes, from: number, putBy: Bytes | null) {
    const stays = this.#room(room)!.stays;
    const key = encodeHex(id);
    const before = stays.get(key)?.stays ?? [];
    stays.set(key, {
      id,
      stays: [...before, { from, until: null }],
      putBy,
      isWanted: putBy === null,
    });
  }
  wantStay(room: Bytes, id: Bytes) {
    const own = this.#room(room)?.stays.get(encodeHex(id));
    if (own) own.isWanted = true;
  }
  isStayWanted(room: Bytes, id: Bytes) {
    const own = this.#room(room)?.stays.get(encodeHex(id));
    return own === undefined || own.isWanted || own.stays.at(-1)?.until !== null;
  }
  unwantedStays(id: Bytes, by: Bytes) {
    const unwanted = this.roomsOf(id).filter((room) => !this.isStayWanted(room, id));
    const isOwn = (room: Bytes) => equals(this.#room(room)!.stays.get(encodeHex(id))!.putBy!, by);
    return { all: unwanted.length, own: unwanted.filter(isOwn).length };
  }
  endStay(room: Bytes, id: Bytes, until: number) {
    const own = this.#room(room)?.stays.get(encodeHex(id))?.stays;
    if (own?.length) own[own.length - 1] = { ...own[own.length - 1], until };
  }
  stays(room: Bytes, id: Bytes) {
    return [...this.#room(room)?.stays.get(encodeHex(id))?.stays ?? []];
  }
  roomsAskedFor(id: Bytes) {
    return this.roomsOf(id).filter((room) => this.#room(room)!.stays.get(encodeHex(id))!.putBy === null);
  }
  roomsOf(id: Bytes) {
    const key = encodeHex(id);
    return [...this.#rooms.values()].filter((r) => r.stays.get(key)?.stays.at(-1)?.until === null)
      .map((r) => r.id);
  }

  joins(room: Bytes) {
    return [...this.#room(room)?.joins.values() ?? []];
  }
  putJoin(room: Bytes, id: Bytes, time: number) {
    const joins = this.#room(room)!.joins;
    joins.delete(encodeHex(id)); // back to the end of the line
    joins.set(encodeHex(id), { id, time });
  }
  dropJoin(room: Bytes, id: Bytes) {
    this.#room(room)?.joins.delete(encodeHex(id));
  }

  leaves(room: Bytes) {
    return [...this.#room(room)?.leaves.values() ?? []];
  }
  putLeave(room: Bytes, leave: StoredLeave) {
    this.#room(room)!.leaves.set(encodeHex(leave.id), leave);
  }
  dropLeave(room: Bytes, id: Bytes) {
    this.#room(room)?.leaves.delete(encodeHex(id));
  }

  blobs() {
    return [...this.#blobs.values()];
  }
  putBlob(blob: StoredBlob) {
    this.#blobs.set(encodeHex(blob.id), blob);
  }
  dropBlob(id: Bytes) {
    this.#blobs.delete(encodeHex(id));
  }

  note(key: string) {
    return this.#notes.get(key) ?? null;
  }
  putNote(key: string, value: Bytes) {
    this.#notes.set(key, value);
  }
  dropNote(key: string) {
    this.#notes.delete(key);
  }

  beginAnew(runId: Bytes) {
    this.runId = runId;
    for (const kept of [this.#rooms, this.#roomNames, this.#boxes, this.#blobs]) kept.clear();
    const shared: readonly string[] = Object.values(sharedNotes);
    for (const key of [...this.#notes.keys()]) if (!shared.includes(key)) this.#notes.delete(key);
  }

  bans() {
    return [...this.#bans.values()];
  }
  putBan(ban: StoredBan) {
    this.#bans.set(`${ban.kind} ${ban.value}`, ban);
  }
  dropBan(kind: StoredBan["kind"], value: string) {
    this.#bans.delete(`${kind} ${value}`);
  }

  flush() {}
  undo() {
    throw new StateTorn("what is kept in memory cannot be undone");
  }
  close() {}
}

function numberKey(sender: Bytes, epoch: number, n: number): string {
  return `${encodeHex(sender)} ${epoch} ${n}`;
}
