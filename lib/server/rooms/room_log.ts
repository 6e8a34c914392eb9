/**
 * RoomLog: what every room is to the server, whatever its kind: a log of sealed entries, and the streams to
 * those who may see it (protocol §9–§11).
 */

import { encodeHex } from "@std/encoding/hex";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { entryHash, entryKinds, nextHistory } from "../../protocol/group/history.ts";
import { encodeMessage, type LinkMessage, type MessageOf } from "../../protocol/channel/link_messages.ts";
import type { TransitSealer } from "../../protocol/channel/transit.ts";
import type { Peer } from "./peer.ts";
import type { Rooms } from "./rooms.ts";
import { Batch } from "./batch.ts";
import { encodeEntry, type Stretch, Subscription } from "./subscription.ts";
import type { StoredEntry, StoredRoom } from "../store/store.ts";

/** The body of ROOM_INFO. */
export type RoomInfo = Omit<MessageOf<"ROOM_INFO">, "type" | "ref">;

/** A log and its streams. */
export abstract class RoomLog {
  /** Room id. */
  readonly id: Bytes;
  /** In hex, for maps. */
  readonly key: string;
  /** 1 ordinary, 2 key-file room. */
  readonly kind: number;
  /** As its creator typed it. */
  readonly name: string;
  /** Ended by the operator: nothing more is taken. */
  isRetired: boolean;
  /** Last position, flushed or not. */
  last = 0;
  /** Last position that is on disk: nothing after it is shown to anyone. */
  flushed = 0;
  protected readonly subscriptions = new Set<Subscription>();
  /** Written and not shown yet, without holes. */
  #fresh: StoredEntry[] = [];
  #transit: TransitSealer | null = null;
  #history!: Bytes;
  #expiredUpTo = 0;
  /** Of messages and boxes that are kept. */
  #bytes = 0;

  /** @param rooms the server's rooms, for its store, clock and peers */
  constructor(stored: StoredRoom, protected readonly rooms: Rooms) {
    this.id = stored.id;
    this.key = encodeHex(stored.id);
    this.kind = stored.kind;
    this.name = stored.name;
    this.isRetired = stored.retired;
  }

  /** Takes everything from the store: at the start, and after a batch was undone. */
  reload(): void {
    const { store } = this.rooms;
    const last = store.last(this.id);
    this.last = last.pos;
    this.flushed = Math.min(this.flushed || last.pos, last.pos);
    // What is on disk is shown yet, whatever was undone after it.
    this.#fresh = this.#fresh.filter((entry) => entry.pos <= last.pos);
    this.#history = last.history;
    this.#expiredUpTo = store.expiredUpTo(this.id);
    this.#bytes = store.bytesAfter(this.id, this.#expiredUpTo);
  }

  /** The body of ROOM_INFO with which a stretch of the stream begins. */
  abstract infoOf(peer: Peer, stretch: Stretch): RoomInfo;
  /** A stream has reached the end of the log. */
  abstract caughtUp(subscription: Subscription): void;

  /** The first position that may still have its bytes. */
  get firstKept(): number {
    return this.#expiredUpTo + 1;
  }

  /** Adds an entry at the end of the log; it is shown once it is on disk. @returns its position */
  protected append(kind: number, bytes: Bytes, sender: Bytes, epoch: number, n: number): number {
    const { store, clock } = this.rooms;
    const pos = this.last + 1;
    const hash = entryHash(kind, bytes);
    const history = nextHistory(this.#history, hash);
    const time = seconds(clock);
    store.append(this.id, { pos, time, kind, bytes, hash, history, sender, epoch, n });
    this.#fresh.push({ pos, time, kind, bytes, hash, sender });
    this.last = pos;
    this.#history = history;
    if (kind === entryKinds.message) this.#bytes += bytes.length;
    return pos;
  }

  /** Entries from the log that are on disk. */
  read(from: number, most: number): StoredEntry[] {
    return this.rooms.store.entries(this.id, from, Math.min(most, this.flushed - from + 1));
  }

  /** The ENTRY message of an entry, with its sender's address if the operator shows addresses. */
  encodeEntry(entry: StoredEntry): Bytes {
    return encodeEntry(this.id, entry, this.rooms.addressOf(entry.sender));
  }

  /** Shows everything up to `pos`, which is on disk, to everybody whose stream has come so far. */
  show(pos: number): void {
    const count = this.#fresh.findLastIndex((entry) => entry.pos <= pos) + 1;
    if (count === 0) return;
    const batch = new Batch(this.#fresh.splice(0, count), (entry) => this.encodeEntry(entry));
    this.flushed = batch.end - 1;
    const transit = batch.entries.some(({ kind }) => kind === entryKinds.commit) ? null : this.#keyFor(batch);
    for (const subscription of [...this.subscriptions]) {
      // A stream that has ended just now has taken the key with it.
      const key = this.#transit === transit ? transit : null;
      this.rooms.forOne(subscription.peer, () => subscription.deliver(batch, key));
    }
    if (this.#bytes > this.rooms.retention.bytes) this.rooms.expireSoon(this);
  }

  /** The transit key for a batch, when there are enough to share it. */
  #keyFor(batch: Batch): TransitSealer | null {
    let live = 0;
    for (const subscription of this.subscriptions) if (subscription.live) live++;
    if (live < this.rooms.limits.transitFrom) return this.#transit = null;
    if (this.#transit && this.#transit.framesLeft < batch.maxFrames) this.#transit = null;
    return this.#transit ??= this.rooms.newTransitKey(this.id);
  }

  /** Somebody may not know what comes next, or will not be here for it: the key so far is not used again. */
  protected renewTransitKey(): void {
    this.#transit = null;
  }

  /** Begins a stream. */
  protected open(peer: Peer, stretches: Stretch[]): Subscription {
    const subscription = new Subscription(peer, this, stretches);
    this.subscriptions.add(subscription);
    peer.subscriptions.set(this.key, subscription);
    return subscription;
  }

  /** Ends a stream. */
  unsubscribe(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    subscription.end();
    if (subscription.transitKey !== 0) this.renewTransitKey();
    if (subscription.peer.subscriptions.get(this.key) === subscription) {
      subscription.peer.subscriptions.delete(this.key);
    }
  }

  /** Ends all streams. */
  close(): void {
    for (const subscription of [...this.subscriptions]) this.unsubscribe(subscription);
  }

  /** Sends to all whose streams are live. */
  broadcast(message: LinkMessage, except?: Peer): void {
    const encoded = encodeMessage(message);
    for (const { hearsNews, peer } of this.subscriptions) {
      if (hearsNews && peer !== except) peer.link.sendEncoded(encoded);
    }
  }

  /** So much may wait for a peer before its stream goes back to the log. */
  get maxAheadBytes(): number {
    return this.rooms.limits.queueBytes / 4;
  }

  /** Begins every live stream anew where it stands: what ROOM_INFO says has changed. */
  announce(): void {
    for (const subscription of [...this.subscriptions]) subscription.announce();
  }

  /**
   * Forgets what has waited long enough, or is more than is kept (protocol §10): messages lose their bytes,
   * never their hashes. By size only down to seven eighths, so that not every message makes another one go.
   */
  expire(): void {
    const { store, clock, retention } = this.rooms;
    const from = this.#expiredUpTo;
    const byTime = store.lastBefore(this.id, seconds(clock) - retention.seconds, from);
    const tooMuch = this.#bytes > retention.bytes;
    const bySize = tooMuch ? store.lastBeyond(this.id, Math.floor(retention.bytes * 7 / 8), from) : 0;
    // What is on disk but not shown yet must not lose its bytes before it is.
    const upTo = Math.min(Math.max(byTime, bySize), this.flushed);
    if (upTo <= from) return;
    // The boxes of the epoch that is current let members return, whatever the messages weigh.
    const boxesUpTo = Math.max(byTime, Math.min(bySize, this.epochBegan - 1));
    this.rooms.stage(
      () => {
        store.expire(this.id, from, upTo, boxesUpTo);
        this.#expiredUpTo = upTo;
        this.#bytes = store.bytesAfter(this.id, upTo);
      },
      () => {},
      () => {}, // reload() has taken everything back
    );
  }

  /** Boxes were stored with a commit. */
  protected countBoxes(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Position of the commit that began the current epoch; 0 where there are no epochs. */
  protected get epochBegan(): number {
    return 0;
  }
}
