/**
 * RoomLog: what every room is to the server, whatever its kind: a log of sealed entries, and the streams to those who
 * may see it (protocol §9–§11).
 */

import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import { encodeMessage, type LinkMessage } from "../../protocol/channel/link_messages.ts";
import type { TransitSealer } from "../../protocol/channel/transit.ts";
import type { Commit } from "../../protocol/group/commit.ts";
import {
  digestHash,
  entryKinds,
  type HistoryView,
  nextHistory,
  type SignedView,
} from "../../protocol/group/history.ts";
import type { ServerEvents } from "../events.ts";
import type { Limits } from "../limits.ts";
import type { Others } from "../others.ts";
import type { LogRecord, Outcome } from "../store/journal.ts";
import {
  entryOverheadBytes,
  type Range,
  type Store,
  type StoredEntry,
  type StoredRoom,
} from "../store/store.ts";
import { Batch } from "./batch.ts";
import { expire } from "./expiry.ts";
import type { Peer } from "./peer.ts";
import { fanOutUs } from "./request_costs.ts";
import type { Retention } from "./retention.ts";
import type { RoomInfo } from "./room_info.ts";
import { encodeEntry, type StreamPeer, type Stretch, Subscription } from "./subscription.ts";

/** What rooms need of their server. */
export interface RoomHost {
  /** What it keeps. */
  readonly store: Store;
  /** Time. */
  readonly clock: Clock;
  /** Its limits. */
  readonly limits: Limits;
  /** The journal's time, by which things expire: milliseconds since 1970. */
  now(): number;
  /** How long sealed messages wait. */
  readonly retention: Retention;
  /** What happens. */
  readonly events: ServerEvents;
  /** Everybody who is linked, by id in hex. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** Servers that share its rooms. */
  readonly others: Others;
  /** The sender's address as members see it. */
  addressOf(id: Bytes): string;
  /** Signs where a room's history stands. @returns 64 bytes */
  signHead(room: Bytes, view: HistoryView): Bytes;
  /** A fresh key for the frames of a room. */
  newTransitKey(room: Bytes): TransitSealer;
  /** Does something for one peer: what fails ends that peer's link, and nobody else's stream. */
  forOne(peer: Subscription["peer"], act: () => void): void;
  /** The room has something to show with the next flush. */
  showsWithFlush(room: RoomLog): void;
  /** Expires what a room has too much of, after what is being shown now. */
  expireSoon(room: RoomLog): void;
  /** Proposes a change of the server's own. @returns its outcome, once what it has changed is on disk */
  propose(record: LogRecord): Promise<Outcome>;
  /** Waits for a later turn of the event loop: a long job is done in slices. */
  nextTurn(): Promise<void>;
  /** A history went on. @param history L there */
  appended(history: Bytes): void;
  /** A room weighs more, or less, than before. @param bytes on disk */
  weighed(bytes: number): void;
}

/** Whose entry it is: STORED stands for it in that peer's stream. */
export interface Own {
  /** The author's link. */
  readonly peer: Peer;
  /** Of its request. */
  readonly ref: number;
}

/** An entry that is applied and not shown yet. */
export interface Fresh {
  /** As stored. */
  readonly entry: StoredEntry;
  /** Whose it is, if its author is linked here. */
  readonly own: Own | null;
  /** What it says, if it is a commit. */
  readonly commit: Commit | null;
}

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
  /** Who made it. */
  readonly maker: Bytes;
  /** Ended by the operator: nothing more is taken. */
  isRetired = false;
  /** When, seconds since 1970; null while it lives. */
  retiredAt: number | null = null;
  /** Nobody is in it any more: it is forgotten once that is shown. */
  isGone = false;
  /** Last position, flushed or not. */
  last = 0;
  /** Last position that is on disk: nothing after it is shown to anyone. */
  flushed = 0;
  protected readonly subscriptions = new Set<Subscription>();
  /** Applied and not shown yet, without holes. */
  #fresh: Fresh[] = [];
  /** What ROOM_INFO says has changed. */
  #isAnnounceDue = false;
  #transit: TransitSealer | null = null;
  #history!: Bytes;
  /** The newest head that was asked for. */
  #head: { readonly view: SignedView; readonly encoded: Bytes } | null = null;
  #expiredUpTo = 0;
  /** Of messages and boxes that are kept. */
  #bytes = 0;
  #fixedBytes = 0;
  #isExpiring = false;
  #isExpiryDue = false;

  /** @param host the server, for its store, clock and peers */
  constructor(stored: StoredRoom, protected readonly host: RoomHost) {
    this.id = stored.id;
    this.key = encodeHex(stored.id);
    this.kind = stored.kind;
    this.name = stored.name;
    this.maker = stored.maker;
  }

  /** Takes over its row: at the start, and after a flush was undone. */
  reload(row: StoredRoom): void {
    this.retiredAt = row.retiredAt;
    this.isRetired = row.retiredAt !== null;
    this.#isAnnounceDue &&= this.isRetired;
    this.last = row.last;
    this.flushed = Math.min(this.flushed || row.last, row.last);
    // Entries that are on disk must still be shown, even if later ones were undone.
    this.#fresh = this.#fresh.filter(({ entry }) => entry.pos <= row.last);
    this.#history = row.history;
    this.#expiredUpTo = row.expiredUpTo;
    this.#weigh(row.bytes, row.fixedBytes);
  }

  /** Bytes on disk. */
  get weight(): number {
    return this.#bytes + this.#fixedBytes;
  }
  #weigh(bytes: number, fixedBytes: number): void {
    const before = this.weight;
    this.#bytes = bytes;
    this.#fixedBytes = fixedBytes;
    this.host.weighed(this.weight - before);
  }

  /** The body of ROOM_INFO with which a stretch of the stream begins. */
  abstract infoOf(peer: Subscription["peer"], stretch: Stretch): RoomInfo;
  /** A stream has reached the end of the log. */
  abstract caughtUp(subscription: Subscription): void;
  /** A commit is shown: what follows from it. */
  protected followCommit(_commit: Commit, _pos: number, _own: Own | null): void {}

  /** The first position that may still have its bytes. */
  get firstKept(): number {
    return this.#expiredUpTo + 1;
  }

  // ---- applying: called by the journal's follower only

  /** Adds an entry at the end of the log; it is shown once it is on disk. @returns its position */
  protected append(
    { kind, bytes, sender, epoch, n, timeMs }: {
      kind: number;
      bytes: Bytes;
      sender: Bytes;
      epoch: number;
      n: number;
      timeMs: number;
    },
    own: Own | null,
    commit: Commit | null,
  ): number {
    const { store } = this.host;
    const pos = this.last + 1;
    const digest = sha256(bytes);
    const history = nextHistory(this.#history, digestHash(kind, digest));
    const time = Math.floor(timeMs / 1000);
    store.append(this.id, { pos, time, kind, bytes, digest, history, sender, epoch, n });
    this.#fresh.push({ entry: { pos, time, kind, bytes, digest, sender }, own, commit });
    this.host.showsWithFlush(this);
    this.host.appended(history);
    this.last = pos;
    this.#history = history;
    const isMessage = kind === entryKinds.message;
    const fixed = entryOverheadBytes + (isMessage ? 0 : bytes.length);
    this.#weigh(this.#bytes + (isMessage ? bytes.length : 0), this.#fixedBytes + fixed);
    return pos;
  }

  /** Boxes were stored with a commit: the row says what they weigh, as one may have been there before. */
  protected weighBoxes(): void {
    this.#weigh(this.host.store.room(this.id)!.bytes, this.#fixedBytes);
  }

  /** Ends it for good. @param timeMs the journal's */
  applyRetire(timeMs: number): void {
    this.retiredAt = Math.floor(timeMs / 1000);
    this.host.store.retireRoom(this.id, this.retiredAt);
    this.isRetired = true;
    this.#isAnnounceDue = true;
    this.host.showsWithFlush(this);
  }

  /** Forgets messages, and boxes of commits. @param expiredUpTo up to where nothing is left */
  applyExpire(ranges: readonly Range[], expiredUpTo: number): void {
    const { store } = this.host;
    store.expire(this.id, ranges, expiredUpTo);
    this.#expiredUpTo = Math.max(this.#expiredUpTo, expiredUpTo);
    this.#weigh(store.room(this.id)!.bytes, this.#fixedBytes);
  }

  /** Nobody is left in it: it ends once that is shown. */
  applyReap(): void {
    this.isGone = this.isRetired = true;
    this.host.store.reapRoom(this.id);
    this.#weigh(0, 0);
    this.host.showsWithFlush(this);
  }

  // ---- showing

  /** Shows all that is on disk by now, and each commit before what comes after it. */
  showFlushed(): void {
    while (this.#fresh.length > 0) {
      const at = this.#fresh.findIndex(({ commit }) => commit !== null);
      const some = this.#fresh.splice(0, at < 0 ? this.#fresh.length : Math.max(1, at));
      this.#show(some);
      const { commit, entry, own } = some[some.length - 1];
      if (!commit) continue;
      this.renewTransitKey();
      this.followCommit(commit, entry.pos, own);
    }
    if (this.#isAnnounceDue || this.isGone) this.announce();
    this.#isAnnounceDue = false;
    if (this.isGone) this.close();
  }

  /** Shows entries to everybody whose stream has come so far. */
  #show(fresh: readonly Fresh[]): void {
    for (const { own, entry, commit } of fresh) {
      if (!own) continue;
      const subscription = own.peer.subscriptions.get(this.key);
      if (subscription) subscription.expectOwn(entry.pos, own.ref);
      // The creator of a room gets her stream after this, in followCommit.
      else if (!commit) own.peer.send({ type: "STORED", ref: own.ref, room: this.id, pos: entry.pos });
    }
    const batch = new Batch(
      fresh.map(({ entry }) => entry),
      (entry) => this.encodeEntry(entry),
      (pos) => this.headAt(pos),
    );
    this.flushed = batch.end - 1;
    const transit = fresh.some(({ commit }) => commit !== null) ? null : this.#keyFor(batch);
    for (const subscription of [...this.subscriptions]) {
      // If a stream ended during this loop, the key has been renewed.
      const key = this.#transit === transit ? transit : null;
      this.host.forOne(subscription.peer, () => subscription.deliver(batch, key));
    }
    for (const { own } of fresh) own?.peer.work.spend(fanOutUs * this.subscriptions.size);
    if (this.#bytes > this.host.retention.bytes) this.host.expireSoon(this);
  }

  /** HEAD of a position that is on disk: it is signed once for all who stand there. */
  headAt(pos: number): Bytes {
    return this.#signedAt(pos).encoded;
  }

  /** Where it stood at a position that is on disk, as the server has signed it. */
  viewAt(pos: number): SignedView {
    return this.#signedAt(pos).view;
  }

  #signedAt(pos: number): { readonly view: SignedView; readonly encoded: Bytes } {
    if (this.#head?.view.pos !== pos) {
      const hash = this.host.store.historyAt(this.id, pos)!;
      const signature = this.host.signHead(this.id, { pos, hash });
      const encoded = encodeMessage({ type: "HEAD", room: this.id, pos, signature });
      this.#head = { view: { pos, hash, headSig: signature }, encoded };
    }
    return this.#head!;
  }

  /** Entries from the log that are on disk. */
  read(from: number, most: number): StoredEntry[] {
    return this.host.store.entries(this.id, from, Math.min(most, this.flushed - from + 1));
  }

  /** The ENTRY message of an entry, with its sender's address if the operator shows addresses. */
  encodeEntry(entry: StoredEntry): Bytes {
    return encodeEntry(this.id, entry, this.host.addressOf(entry.sender));
  }

  /** The transit key for a batch, when there are enough to share it. */
  #keyFor(batch: Batch): TransitSealer | null {
    let live = 0;
    for (const subscription of this.subscriptions) if (subscription.live) live++;
    const isSpent = this.#transit !== null && this.#transit.framesLeft < batch.maxFrames;
    if (isSpent || live < this.host.limits.transitFrom) this.renewTransitKey();
    if (live < this.host.limits.transitFrom) return null;
    return this.#transit ??= this.host.newTransitKey(this.id);
  }

  /** Membership, or who listens, changed: rotate the broadcast key. */
  protected renewTransitKey(): void {
    this.#transit?.rest();
    this.#transit = null;
  }

  /** Begins a stream. */
  protected open(peer: Peer, stretches: Stretch[]): Subscription {
    const subscription = new Subscription(peer, this, stretches, peer.opened.has(this.key));
    peer.opened.add(this.key);
    this.subscriptions.add(subscription);
    peer.subscriptions.set(this.key, subscription);
    return subscription;
  }

  /** Ends a stream. */
  unsubscribe(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    subscription.end();
    if (subscription.transitKey !== 0) this.renewTransitKey();
    const { subscriptions } = subscription.peer;
    if (subscriptions.get(this.key) === subscription) subscriptions.delete(this.key);
  }

  /** Ends all streams. */
  close(): void {
    for (const subscription of [...this.subscriptions]) this.unsubscribe(subscription);
  }

  /** Ends the links of all who stream it. */
  cut(): void {
    for (const { peer } of [...this.subscriptions]) peer.link.drop();
  }

  /** Sends to all whose streams are live. @param payer whose doing it is */
  broadcast(message: LinkMessage, except?: StreamPeer, payer?: StreamPeer): void {
    const encoded = encodeMessage(message);
    payer?.work.spend(fanOutUs * this.subscriptions.size);
    for (const { hearsNews, peer } of this.subscriptions) {
      if (hearsNews && peer !== except) peer.link.sendEncoded(encoded);
    }
  }

  /** Bytes that may wait for a peer before its stream goes back to the log. */
  get maxAheadBytes(): number {
    return this.host.limits.queueBytes / 4;
  }

  /** Begins every live stream anew where it stands: what ROOM_INFO says has changed. */
  announce(): void {
    for (const subscription of [...this.subscriptions]) subscription.announce();
  }

  /** Forgets what has waited long enough, or is more than is kept (protocol §10), a slice in each turn. */
  async expire(): Promise<void> {
    this.#isExpiryDue = true; // also when it runs: more may have come since it has looked
    if (this.#isExpiring) return;
    this.#isExpiring = true;
    try {
      while (this.#isExpiryDue) {
        this.#isExpiryDue = false;
        await expire(this, this.host);
      }
    } finally {
      this.#isExpiring = false;
    }
  }

  /** Whether it is of no use to anybody any more. @param timeMs the journal's */
  abstract isAtRest(timeMs: number): boolean;

  /** Whether anybody hears it. */
  get isHeard(): boolean {
    return this.subscriptions.size > 0;
  }

  /** Bytes of what never expires. */
  get fixedBytes(): number {
    return this.#fixedBytes;
  }

  /** Bytes of messages and boxes that are kept. */
  get keptBytes(): number {
    return this.#bytes;
  }

  /** Position of the commit that began the current epoch; 0 where there are no epochs. */
  get epochBegan(): number {
    return 0;
  }
}
