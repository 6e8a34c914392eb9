/**
 * Rooms: all rooms of a server, who is linked, and the group commit that stands between a write and
 * everybody's sight of it.
 *
 * What a request writes is staged; a turn of the event loop later everything staged is flushed to disk
 * at once, and only then answered and shown. When the disk refuses, all of it is undone and its authors are
 * told to try again.
 */

import { encodeHex } from "@std/encoding/hex";
import type { Clock } from "../../clock.ts";
import { roomKinds } from "../../protocol/channel/link_messages.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { TransitSealer } from "../../protocol/channel/transit.ts";
import { type Card, parseCard } from "../../protocol/identity/card.ts";
import type { Limits } from "../limits.ts";
import { UserRates } from "../user_rates.ts";
import type { Peer } from "./peer.ts";
import { Bans } from "./bans.ts";
import type { ServerEvents } from "../events.ts";
import { KeyFileLog } from "./key_file_log.ts";
import { ServerRoom } from "./room.ts";
import type { RoomLog } from "./room_log.ts";
import { type Store, type StoredRoom, StoreFailed } from "../store/store.ts";

const cardsCached = 4096;
const expireEveryMs = 3_600_000;

/** How long sealed messages wait for members who are away (protocol §10). */
export interface Retention {
  /** Seconds; also how long boxes wait. */
  readonly seconds: number;
  /** Bytes of messages per room. */
  readonly bytes: number;
}

/** 30 days, 64 MiB. */
export const defaultRetention: Retention = { seconds: 30 * 86_400, bytes: 64 * 1024 * 1024 };

/** What happens to a staged write. */
interface Staged {
  /** It is on disk. */
  done(): void;
  /** It was undone. */
  failed(): void;
  /** `done` only says what is to be shown: it may be shown together with what follows. */
  readonly coalesces: boolean;
}

/** The shared state of a running server. */
export class Rooms {
  /** Everybody who is linked, by id in hex. */
  readonly peers = new Map<string, Peer>();
  /** How fast each user may talk, by id in hex: reconnecting does not fill a bucket. */
  readonly rates: UserRates;
  /** Whom the operator does not let in. */
  readonly bans: Bans;
  /** Told of each key-file room that is made. */
  onKeyFileRoom: (room: KeyFileLog) => void = () => {};
  /** Told when somebody's link is over. */
  onLeft: (peer: Peer) => void = () => {};
  /** Told of each message of a key-file room, once it is on disk and shown. */
  onKeyFileMessage: ((room: KeyFileLog, pos: number, peer: Peer) => void) | null = null;
  /** Whose last link was ended because they did not read: they are told when they are back. */
  readonly putOffAsSlow = new Set<string>();
  #rooms = new Map<string, ServerRoom>();
  #keyFileRooms = new Map<string, KeyFileLog>();
  #cancelExpire: () => void;
  #expiring = new Set<RoomLog>();
  #cards = new Map<string, Card>();
  /** Whether the last flush failed. */
  isStoreFailing = false;
  #staged: Staged[] = [];
  /** Rooms with something to show, and up to where. */
  #showing = new Map<RoomLog, number>();
  #transitKeys = 0;
  #scheduled = false;

  /**
   * @param defer runs something in a later turn of the event loop
   * @param showAddresses whether members see each sender's address
   */
  constructor(
    readonly store: Store,
    readonly clock: Clock,
    readonly limits: Limits,
    readonly serverId: Bytes,
    readonly events: ServerEvents,
    private readonly defer: (act: () => void) => void,
    private readonly random: RandomSource,
    readonly showAddresses = false,
    readonly retention = defaultRetention,
  ) {
    this.rates = new UserRates(limits, clock);
    this.bans = new Bans(store, (write) => this.writeNow(write));
    for (const stored of store.rooms()) {
      if (stored.kind === roomKinds.keyFile) this.addKeyFileRoom(stored);
      else this.add(stored);
    }
    const expire = () => {
      for (const room of this.#everything()) room.expire();
      this.#cancelExpire = clock.after(expireEveryMs, expire);
    };
    this.#cancelExpire = clock.after(0, expire);
  }

  /** All rooms that have members. */
  all(): ServerRoom[] {
    return [...this.#rooms.values()];
  }

  /** All rooms that have none. */
  keyFileRooms(): KeyFileLog[] {
    return [...this.#keyFileRooms.values()];
  }

  /** Whether there may be no more rooms. */
  get isFull(): boolean {
    return this.#rooms.size + this.#keyFileRooms.size >= this.limits.roomsInAll;
  }

  #everything(): RoomLog[] {
    return [...this.#rooms.values(), ...this.#keyFileRooms.values()];
  }

  /** Somebody who is linked, by name. */
  peerNamed(name: string): Peer | undefined {
    return [...this.peers.values()].find((peer) => skeleton(peer.card.name) === skeleton(name));
  }

  /** A room with members, by id. */
  get(id: Bytes): ServerRoom | undefined {
    return this.#rooms.get(encodeHex(id));
  }

  /** A key-file room by id. */
  keyFileRoom(id: Bytes): KeyFileLog | undefined {
    return this.#keyFileRooms.get(encodeHex(id));
  }

  /**
   * A room of two takes the place of a key-file room under its id: both are hashes, so only somebody who wanted to
   * keep the two apart can have made that.
   */
  dropKeyFileRoom(id: Bytes): void {
    const room = this.#keyFileRooms.get(encodeHex(id));
    if (!room) return;
    room.isDropped = true;
    room.close();
    this.#keyFileRooms.delete(room.key);
    this.store.dropRoom(id);
  }

  /** Lets a room forget what is too much, once what is being shown now has been. */
  expireSoon(room: RoomLog): void {
    if (this.#expiring.size === 0) {
      this.defer(() => {
        const rooms = [...this.#expiring];
        this.#expiring.clear();
        for (const each of rooms) this.#guard(() => each.expire());
      });
    }
    this.#expiring.add(room);
  }

  /** Ends a room for good; its name is free again. @returns whether it is on disk */
  retire(room: RoomLog): boolean {
    if (!this.writeNow(() => this.store.retireRoom(room.id))) return false;
    room.isRetired = true;
    room.announce();
    return true;
  }

  /** Makes a room object for a row that was just staged. */
  add(stored: StoredRoom): ServerRoom {
    const room = new ServerRoom(stored, this);
    this.#rooms.set(room.key, room);
    return room;
  }
  /** The same for a key-file room. */
  addKeyFileRoom(stored: StoredRoom): KeyFileLog {
    const room = new KeyFileLog(stored, this);
    this.#keyFileRooms.set(room.key, room);
    this.onKeyFileRoom(room);
    return room;
  }

  /** A checked card from the store. */
  card = (id: Uint8Array): Card | undefined => {
    const key = encodeHex(id);
    let card = this.#cards.get(key);
    if (!card) {
      const bytes = this.store.card(id as Bytes);
      if (!bytes) return undefined;
      card = parseCard(bytes);
      if (this.#cards.size >= cardsCached) this.#cards.clear();
      this.#cards.set(key, card);
    }
    return card;
  };

  /** The sender's address as members see it; empty unless the operator shows addresses. */
  addressOf(id: Bytes): string {
    return this.showAddresses ? this.peers.get(encodeHex(id))?.address ?? "" : "";
  }

  /**
   * Stages writes.
   *
   * @param write does the writing; all or nothing of a batch stays
   * @param done once it is on disk
   * @param failed when it was undone, together with everything else of its batch
   * @param coalesces `done` calls {@link queueBroadcast} and sends nothing that must come after what is shown
   */
  stage(write: () => void, done: () => void, failed: () => void, coalesces = false): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error;
      this.#staged.push({ done, failed, coalesces });
      return this.#undone(error);
    }
    this.#staged.push({ done, failed, coalesces });
    this.#schedule();
  }

  /**
   * Runs `act` behind everything that is staged now, so that answers keep their order.
   *
   * @param failed instead, when that was undone: what the answer rests on may be gone
   */
  afterStaged(act: () => void, failed: () => void): void {
    if (this.#staged.length === 0) act();
    else this.#staged.push({ done: act, failed, coalesces: false });
  }

  /** Writes and flushes at once, for what must be on disk before its author hears more. @returns success */
  writeNow(write: () => void): boolean {
    // Whatever fails below must not take others' writes with it.
    while (this.#staged.length > 0) this.flush();
    try {
      write();
      this.store.flush();
      this.isStoreFailing = false;
      return true;
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error;
      this.#undone(error);
      return false;
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.defer(() => {
      this.#scheduled = false;
      this.#guard(() => this.flush());
    });
  }

  /** Makes everything staged durable, then shows it. */
  flush(): void {
    if (this.#staged.length === 0) return;
    const began = performance.now();
    try {
      this.store.flush();
      this.isStoreFailing = false;
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error;
      return this.#undone(error);
    }
    const staged = this.#staged.splice(0);
    this.events.tell({ type: "flushed", ms: performance.now() - began, writes: staged.length });
    for (const { done, coalesces } of staged) {
      if (!coalesces) this.flushBroadcasts();
      this.#guard(done);
    }
    this.flushBroadcasts();
  }

  /** Shows a room's log up to `pos` with the end of this flush, or before anything that must come after it. */
  queueBroadcast(room: RoomLog, pos: number): void {
    this.#showing.set(room, pos);
  }

  /** Shows what was gathered: what reached the disk together reaches each member in one write. */
  flushBroadcasts(): void {
    if (this.#showing.size === 0) return;
    const showing = [...this.#showing];
    this.#showing.clear();
    for (const [room, pos] of showing) this.#guard(() => room.show(pos));
  }

  /** Does something for one peer: what fails ends that peer's link, and nobody else's stream. */
  forOne(peer: Peer, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.events.tell(
        error instanceof StoreFailed
          ? { type: "store failed", error }
          : { type: "bug", error: error as Error },
      );
      peer.link.drop();
    }
  }

  /** A fresh key for the frames of a room. */
  newTransitKey(room: Bytes): TransitSealer {
    return new TransitSealer(room, ++this.#transitKeys, this.random(32));
  }

  /** A fault of ours in one peer's answer must not take the others' with it. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.events.tell({ type: "bug", error: error as Error });
    }
  }

  #undone(error: StoreFailed): void {
    this.events.tell({ type: "store failed", error });
    this.isStoreFailing = true;
    const staged = this.#staged.splice(0);
    const kept = new Map(this.store.rooms().map((room) => [`${room.kind} ${encodeHex(room.id)}`, room]));
    for (const rooms of [this.#rooms, this.#keyFileRooms]) {
      for (const [key, room] of rooms) {
        if (kept.delete(`${room.kind} ${key}`)) room.reload();
        else rooms.delete(key);
      }
    }
    for (const room of kept.values()) {
      if (room.kind === roomKinds.keyFile) this.addKeyFileRoom(room);
      else this.add(room);
    }
    for (const { failed } of staged) this.#guard(failed);
  }

  /** Ends all timers. */
  stop(): void {
    this.#cancelExpire();
    for (const room of this.#rooms.values()) room.admissions.stop();
  }
}
