/**
 * RoomQuota: how many rooms each user has made, how many people each has put into rooms unasked, and how full the disk
 * is (protocol §12). It rests on what was applied and on the journal's time, and on nothing else.
 */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { dropFullBuckets, TokenBucket } from "../../token_bucket.ts";
import type { LimitReached } from "../limit_reached.ts";
import type { Limits } from "../limits.ts";

const maxAuthors = 10_000;
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
  #timeMs = 0;
  #puts = new Map<string, TokenBucket>();

  /** @param limits of the server */
  constructor(private readonly limits: Limits) {}

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
    this.#puts.clear();
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
    return count === 0 || this.#putsOf(author, timeMs).has(count);
  }
  /** Somebody has. */
  put(author: Uint8Array, count: number, timeMs: number): void {
    if (count > 0) this.#putsOf(author, timeMs).take(count);
  }
  #putsOf(author: Uint8Array, timeMs: number): TokenBucket {
    this.#timeMs = timeMs;
    const key = encodeHex(author);
    let bucket = this.#puts.get(key);
    if (!bucket) {
      if (this.#puts.size >= maxAuthors) dropFullBuckets(this.#puts);
      const { putsAtOnce, putEverySeconds } = this.limits;
      bucket = new TokenBucket(putsAtOnce, putEverySeconds * 1000, { now: () => this.#timeMs });
      this.#puts.set(key, bucket);
    }
    return bucket;
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
