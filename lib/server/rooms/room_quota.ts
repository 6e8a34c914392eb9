/**
 * RoomQuota: how many rooms each user has made, how many people each has put into rooms unasked, and how full the disk
 * is (protocol §12). It rests on what was applied and on the journal's time, and on nothing else. What somebody has put
 * is noted in the store, so that a server that was started later counts the same.
 */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { Reader, Writer } from "../../protocol/codec/wire.ts";
import type { LimitReached } from "../limit_reached.ts";
import type { Limits } from "../limits.ts";
import type { Store } from "../store/store.ts";
import { spend } from "./allowance.ts";

/** How full the disk may be for each kind of change, of what the operator allows. */
const fillFor = { room: 0.9, message: 0.95, refresh: 1 } as const;

/** A room, as far as it counts. */
export interface CountedRoom {
  /** Who made it. */
  readonly maker: Bytes;
  /** Empty for rooms of two; those of a key file have no name either. */
  readonly name: string;
  /** 1 ordinary, 2 key-file room. */
  readonly kind: number;
}

/** What all users of a server have made of it. */
export class RoomQuota {
  /** Bytes on disk, of all rooms. */
  storedBytes = 0;
  #total = 0;
  #made = new Map<string, number>();

  /** @param limits of the server @param notes of its store */
  constructor(private readonly limits: Limits, private readonly notes: Pick<Store, "note" | "putNote">) {}

  /** A room has begun. */
  add(room: CountedRoom): void {
    this.#count(room, 1);
  }
  /** A room counts no more: it was ended or given up. */
  remove(room: CountedRoom): void {
    this.#count(room, -1);
  }
  /** All is read again. @param living the rooms that count */
  recount(living: readonly CountedRoom[]): void {
    this.#total = 0;
    this.#made.clear();
    for (const room of living) this.add(room);
  }
  #count(room: CountedRoom, by: number): void {
    this.#total += by;
    const key = keyOf(room);
    const made = (this.#made.get(key) ?? 0) + by;
    if (made > 0) this.#made.set(key, made);
    else this.#made.delete(key);
  }

  /** What stands against one more room; null for nothing. */
  judgeRoom(room: CountedRoom): LimitReached | null {
    const { roomsInAll, roomsPerUser, directRoomsPerUser } = this.limits;
    if (this.#total >= roomsInAll) return "max-rooms";
    if (!this.hasRoomFor("room")) return "store-bytes";
    const made = this.#made.get(keyOf(room)) ?? 0;
    if (isDirect(room)) return made < directRoomsPerUser ? null : "direct-rooms-per-user";
    return made < roomsPerUser ? null : "rooms-per-user";
  }

  /** Whether the disk takes such a change. An admin's removal it always takes. */
  hasRoomFor(what: keyof typeof fillFor): boolean {
    return this.storedBytes < this.limits.storeBytes * fillFor[what];
  }

  /** Whether somebody may put so many others into a room unasked. @param timeMs the journal's */
  mayPut(author: Uint8Array, count: number, timeMs: number): boolean {
    return count === 0 || this.#afterPut(author, count, timeMs) !== null;
  }
  /** Somebody has, who may. Called by the journal's follower only. */
  put(author: Uint8Array, count: number, timeMs: number): void {
    const after = count === 0 ? null : this.#afterPut(author, count, timeMs);
    if (after !== null) this.notes.putNote(putsNote(author), new Writer(8).u64(after).done());
  }
  #afterPut(author: Uint8Array, count: number, timeMs: number): number | null {
    const { putsAtOnce, putEverySeconds } = this.limits;
    const kept = this.notes.note(putsNote(author));
    const fullAtMs = kept ? new Reader(kept).u64() : 0;
    return spend(fullAtMs, { burst: putsAtOnce, everyMs: putEverySeconds * 1000 }, timeMs, count);
  }

  /** The highest of 90, 95 and 100 that the rooms fill, in percent of what they may; 0 below. */
  get filledPercent(): number {
    const part = this.storedBytes / this.limits.storeBytes;
    return Object.values(fillFor).findLast((each) => part >= each)! * 100 || 0;
  }

  /** How much more there is than what leaves room for everything; 0 or less: nothing must go. */
  get excessBytes(): number {
    return this.storedBytes - this.limits.storeBytes * fillFor.room;
  }
}

function isDirect({ kind, name }: CountedRoom): boolean {
  return kind === 1 && name === "";
}
function keyOf(room: CountedRoom): string {
  return `${isDirect(room) ? "direct" : "room"} ${encodeHex(room.maker)}`;
}
function putsNote(author: Uint8Array): string {
  return `puts ${encodeHex(author)}`;
}
