/** The store of `--ephemeral` servers: sealed messages in memory, gone with the process. */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import type {
  NewEntry,
  NewRoom,
  Stay,
  Store,
  StoredBan,
  StoredEntry,
  StoredLeave,
  StoredRoom,
} from "./store.ts";

type Kept = Omit<NewEntry, "bytes"> & StoredEntry;

interface MemoryRoom extends StoredRoom {
  retired: boolean;
  log: Kept[];
  numbers: Map<string, number>;
  stays: Map<string, { id: Bytes; stays: Stay[] }>;
  joins: Map<string, { id: Bytes; time: number }>;
  leaves: Map<string, StoredLeave>;
}

/** Keeps everything in maps; flush has nothing to do. */
export class MemoryStore implements Store {
  readonly memoryOnly = true;
  readonly runId: Bytes;
  #cards = new Map<string, Bytes>();
  #names = new Map<string, Bytes>();
  #prekeys = new Map<string, { prekeyId: number; bytes: Bytes }>();
  #rooms = new Map<string, MemoryRoom>();
  #roomNames = new Map<string, string>();
  #boxes = new Map<string, { room: string; pos: number; box: Bytes }>();
  #bans = new Map<string, StoredBan>();
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
    return [...this.#rooms.values()];
  }
  roomByName(skeleton: string) {
    return this.#rooms.get(this.#roomNames.get(skeleton) ?? "") ?? null;
  }
  createRoom(room: NewRoom, skeleton: string | null) {
    const key = encodeHex(room.id);
    this.#rooms.set(key, {
      ...room,
      retired: false,
      log: [],
      numbers: new Map(),
      stays: new Map(),
      joins: new Map(),
      leaves: new Map(),
    });
    if (skeleton !== null) this.#roomNames.set(skeleton, key);
  }
  retireRoom(id: Bytes) {
    const key = encodeHex(id);
    this.#rooms.get(key)!.retired = true;
    for (const [skeleton, room] of this.#roomNames) if (room === key) this.#roomNames.delete(skeleton);
  }

  #room(id: Bytes): MemoryRoom | undefined {
    return this.#rooms.get(encodeHex(id));
  }

  dropRoom(id: Bytes) {
    this.#rooms.delete(encodeHex(id));
  }

  append(room: Bytes, entry: NewEntry) {
    const r = this.#room(room)!;
    r.log.push(entry);
    if (entry.n >= 0) r.numbers.set(numberKey(entry.sender, entry.epoch, entry.n), entry.pos);
  }
  entries(room: Bytes, from: number, most: number) {
    return this.#room(room)?.log.slice(Math.max(0, from - 1), Math.max(0, from - 1) + most) ?? [];
  }
  last(room: Bytes) {
    const entry = this.#room(room)?.log.at(-1);
    return entry ? { pos: entry.pos, history: entry.history } : { pos: 0, history: room };
  }
  historyAt(room: Bytes, pos: number) {
    return pos === 0 ? room : this.#room(room)?.log[pos - 1]?.history ?? null;
  }
  /** What weighs, by position: messages after `from`, and boxes. */
  #weights(room: Bytes, from: number): { pos: number; bytes: number }[] {
    const log = this.#room(room)?.log.slice(from) ?? [];
    const key = encodeHex(room);
    const messages = log.flatMap((e) =>
      e.kind === 2 && e.bytes ? [{ pos: e.pos, bytes: e.bytes.length }] : []
    );
    const boxes = [...this.#boxes.values()].filter((box) => box.room === key)
      .map(({ pos, box }) => ({ pos, bytes: box.length }));
    return [...messages, ...boxes].sort((a, b) => a.pos - b.pos);
  }
  bytesAfter(room: Bytes, from: number) {
    return this.#weights(room, from).reduce((sum, { bytes }) => sum + bytes, 0);
  }
  expiredUpTo(room: Bytes) {
    return this.#room(room)?.log.findLast((e) => e.bytes === null)?.pos ?? 0;
  }
  lastBefore(room: Bytes, time: number, from: number) {
    const log = this.#room(room)?.log ?? [];
    const young = log.slice(from).find((e) => e.time >= time);
    return young ? young.pos - 1 : log.length;
  }
  lastBeyond(room: Bytes, keep: number, from: number) {
    let sum = 0;
    return this.#weights(room, from).findLast(({ bytes }) => (sum += bytes) > keep)?.pos ?? 0;
  }
  expire(room: Bytes, from: number, pos: number, boxesUpTo: number) {
    const r = this.#room(room)!;
    for (let i = from; i < Math.min(pos, r.log.length); i++) {
      if (r.log[i].kind === 2) r.log[i] = { ...r.log[i], bytes: null };
    }
    const key = encodeHex(room);
    for (const [hash, box] of this.#boxes) {
      if (box.room === key && box.pos <= boxesUpTo) this.#boxes.delete(hash);
    }
  }
  lastCommit(room: Bytes) {
    const entry = this.#room(room)?.log.findLast((e) => e.kind === 1);
    return entry ? { pos: entry.pos, bytes: entry.bytes! } : null;
  }
  message(room: Bytes, sender: Bytes, epoch: number, n: number) {
    const r = this.#room(room);
    const pos = r?.numbers.get(numberKey(sender, epoch, n));
    return pos === undefined ? null : { pos, hash: r!.log[pos - 1].hash };
  }
  nextNumbers(room: Bytes, epoch: number) {
    const next = new Map<string, { sender: Bytes; n: number }>();
    for (const e of this.#room(room)?.log ?? []) {
      if (e.n >= 0 && e.epoch === epoch) next.set(encodeHex(e.sender), { sender: e.sender, n: e.n + 1 });
    }
    return [...next.values()];
  }

  box(hash: Bytes) {
    return this.#boxes.get(encodeHex(hash))?.box ?? null;
  }
  putBox(hash: Bytes, room: Bytes, pos: number, box: Bytes) {
    this.#boxes.set(encodeHex(hash), { room: encodeHex(room), pos, box });
  }

  beginStay(room: Bytes, id: Bytes, from: number, viewPos: number) {
    const stays = this.#room(room)!.stays;
    const key = encodeHex(id);
    if (!stays.has(key)) stays.set(key, { id, stays: [] });
    stays.get(key)!.stays.push({ from, viewPos, until: null });
  }
  endStay(room: Bytes, id: Bytes, until: number) {
    const own = this.#room(room)?.stays.get(encodeHex(id))?.stays;
    if (own?.length) own[own.length - 1] = { ...own[own.length - 1], until };
  }
  stays(room: Bytes, id: Bytes) {
    return [...this.#room(room)?.stays.get(encodeHex(id))?.stays ?? []];
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

  note(key: string) {
    return this.#notes.get(key) ?? null;
  }
  putNote(key: string, value: Bytes) {
    this.#notes.set(key, value);
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
  close() {}
}

function numberKey(sender: Bytes, epoch: number, n: number): string {
  return `${encodeHex(sender)} ${epoch} ${n}`;
}
