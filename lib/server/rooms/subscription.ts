/**
 * Subscription: one room's stream to one peer (protocol §10, §11).
 *
 * A stream is first read from the log as the link drains, so that a long catch-up is never queued; once it
 * has reached the end it is live, and the room hands it each new entry.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import type { TransitSealer } from "../../protocol/channel/transit.ts";
import { closeReasons, encodeMessage, type LinkMessage } from "../../protocol/channel/link_messages.ts";
import type { Batch } from "./batch.ts";
import type { Link } from "../../protocol/channel/link.ts";
import type { RoomInfo } from "./room_info.ts";
import { costOfRereading } from "./request_costs.ts";
import type { StoredEntry } from "../store/store.ts";
import type { Work } from "../work_budget.ts";

const readAhead = 32;
const backlogBytes = 256 * 1024;
// Answers held back until the stream reaches their position; a peer with more than this is not reading.
const maxAnswers = 1000;
const maxHashes = 1000;

/** A stretch of the log that one peer is to get. */
export interface Stretch {
  /** First position sent. */
  readonly first: number;
  /** Last position, or null when the stretch goes on live. */
  readonly until: number | null;
}

/** Whom a stream goes to. */
export interface StreamPeer {
  /** Whose link it is. */
  readonly card: { readonly id: Bytes };
  /** Where it is written to. */
  readonly link: Pick<Link, "waitingBytes" | "isOver" | "sendTransit" | "sendEncoded" | "close" | "drop">;
  /** Its streams, by room id in hex. */
  readonly subscriptions: Map<string, Subscription>;
  /** Those that still read from the log. */
  readonly behind: Set<Subscription>;
  /** What it may ask for. */
  readonly work: Pick<Work, "spend">;
  /** Sends one message. */
  send(message: LinkMessage): void;
}

/** What is streamed. */
export interface StreamedRoom {
  /** Room id. */
  readonly id: Bytes;
  /** Last position that is on disk. */
  readonly flushed: number;
  /** Bytes that may wait for a peer before its stream goes back to the log. */
  readonly maxAheadBytes: number;
  /** Entries that are on disk. */
  read(from: number, most: number): StoredEntry[];
  /** The ENTRY message of an entry. */
  encodeEntry(entry: StoredEntry): Bytes;
  /** HEAD of a position that is on disk. */
  headAt(pos: number): Bytes;
  /** The body of ROOM_INFO with which a stretch begins. */
  infoOf(peer: StreamPeer, stretch: Stretch): RoomInfo;
  /** A stream has reached the end of the log. */
  caughtUp(subscription: Subscription): void;
  /** Ends a stream. */
  unsubscribe(subscription: Subscription): void;
}

/** Streams a room to a peer. */
export class Subscription {
  #live = false;
  /** It was live, and is read from the log until it has caught up again. */
  #isBehind = false;
  /** ROOM_INFO is to be said again once it is live. */
  #isStale = false;
  /** The next position to send. */
  next = 0;
  #stretches: Stretch[];
  #current: Stretch | null = null;
  #ownRefs = new Map<number, number>();
  #answers: { after: number; message: LinkMessage }[] = [];
  #pumping = false;
  /** The last position that ROOM_INFO has named. */
  #announced = 0;
  /** Its peer has said so by taking what came. */
  isWanted = false;
  /** The newest transit key that the peer has for this room; 0 for none. */
  transitKey = 0;

  /**
   * @param stretches at least one, in order; only the last may be live
   * @param isAgain the peer has begun it before on the same link, and pays for what is read anew
   */
  constructor(
    readonly peer: StreamPeer,
    readonly room: StreamedRoom,
    stretches: Stretch[],
    private readonly isAgain = false,
  ) {
    this.#stretches = [...stretches];
    peer.behind.add(this);
  }

  /** Whether the room hands over new entries itself. */
  get live(): boolean {
    return this.#live;
  }

  /** The peer gets no more of it. */
  end(): void {
    this.peer.behind.delete(this);
  }

  /** The sender's own message at `pos` is to come back as STORED with this ref. */
  expectOwn(pos: number, ref: number): void {
    this.#ownRefs.set(pos, ref);
  }

  /** The peer was removed at `pos` while still behind: its stream ends there. */
  endAt(pos: number): void {
    this.#isBehind = false; // no news any more
    if (this.#current?.until === null) this.#current = { ...this.#current, until: pos };
    this.#stretches = this.#stretches.map((s) => s.until === null ? { ...s, until: pos } : s);
  }

  /** The peer was added (again): a stretch follows those before. */
  goOnWith(stretch: Stretch): void {
    this.#stretches.push(stretch);
  }

  /** Sends ROOM_INFO again, with the stream going on where it stands. */
  announce(): void {
    if (!this.#live) {
      this.#isStale = this.#current !== null; // what is still to begin says it by itself
      return;
    }
    this.#live = false;
    this.#isBehind = false;
    this.peer.behind.add(this);
    this.#current = null;
    this.#stretches.push({ first: this.next, until: null });
    this.pump();
  }

  /** Sends `message` once everything up to position `after` has been sent. */
  answer(after: number, message: LinkMessage): void {
    if (this.#live || this.next > after) this.peer.send(message);
    else if (this.#answers.push({ after, message }) > maxAnswers) {
      this.peer.link.close(closeReasons.tooSlow);
    }
  }

  /** Sends more of the log, while the link is not busy with what it has. */
  pump(): void {
    if (this.#live || this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#live && this.peer.link.waitingBytes < backlogBytes && !this.peer.link.isOver) {
        if (!this.#pumpOnce()) break;
      }
    } finally {
      this.#pumping = false;
    }
  }

  #pumpOnce(): boolean {
    if (this.#current === null) {
      const stretch = this.#stretches.shift();
      if (!stretch) {
        for (const { message } of this.#answers.splice(0)) this.peer.send(message);
        this.room.unsubscribe(this);
        return false;
      }
      this.#current = stretch;
      this.next = stretch.first;
      this.#announce(stretch);
    }
    const { until } = this.#current;
    const end = Math.min(this.room.flushed, until ?? Infinity);
    if (this.next > end) {
      if (until === null) this.#goLive();
      else if (this.next > until) {
        this.#sendHead();
        this.#current = null;
      } else return false; // its end is not on disk yet
      return !this.#live;
    }
    const entries = this.room.read(this.next, Math.min(readAhead, end - this.next + 1));
    if (entries.length === 0) return false;
    if (this.isAgain) {
      const bytes = entries.reduce((sum, entry) => sum + (entry.bytes?.length ?? 0), 0);
      this.peer.work.spend(costOfRereading(entries.length, bytes));
    }
    this.#sendAll(entries);
    return true;
  }

  #announce(stretch: Stretch): void {
    const info = this.room.infoOf(this.peer, stretch);
    this.#announced = info.last;
    this.peer.send({ type: "ROOM_INFO", ref: 0, ...info });
  }

  #sendAll(entries: StoredEntry[]): void {
    let digests: Bytes[] = [];
    const sendHashes = (next: number) => {
      if (digests.length === 0) return;
      this.peer.send({ type: "HASHES", room: this.room.id, first: next - digests.length, digests });
      digests = [];
    };
    for (const entry of entries) {
      const isOwn = this.#ownRefs.has(entry.pos);
      if (entry.bytes === null && !isOwn) {
        // Clients take no expired entry after the last position that ROOM_INFO named: name the new one first.
        if (entry.pos > this.#announced) {
          sendHashes(entry.pos);
          this.#announce({ first: entry.pos, until: null });
        }
        digests.push(entry.digest);
        if (digests.length === maxHashes) sendHashes(entry.pos + 1);
      } else {
        sendHashes(entry.pos);
        this.#sendEntry(entry, null);
      }
      this.next = entry.pos + 1;
      this.#releaseAnswers(() => sendHashes(this.next));
    }
    sendHashes(this.next);
  }

  #releaseAnswers(before: () => void): void {
    while (this.#answers.length > 0 && this.#answers[0].after < this.next) {
      before();
      this.peer.send(this.#answers.shift()!.message);
    }
  }

  #goLive(): void {
    this.#isBehind = false;
    if (this.#isStale) {
      this.#isStale = false;
      this.#current = null;
      this.#stretches.push({ first: this.next, until: null });
      return;
    }
    this.#live = true;
    this.peer.behind.delete(this);
    this.#sendHead();
    for (const { message } of this.#answers.splice(0)) this.peer.send(message);
    this.room.caughtUp(this);
  }

  /** No stream rests on an entry without its head. A peer may know of more than there is: of what was lost. */
  #sendHead(): void {
    const pos = Math.min(this.next - 1, this.room.flushed);
    if (pos > 0) this.peer.link.sendEncoded(this.room.headAt(pos));
  }

  /** Whether it goes on with the room: its peer has not been removed. */
  get isForGood(): boolean {
    const last = this.#stretches.at(-1) ?? this.#current;
    return this.#live || last?.until === null;
  }

  /** Whether news that is not in the log is for it: what comes before the first catching up is told at its end. */
  get hearsNews(): boolean {
    return this.#live || this.#isBehind;
  }

  #fallBehind(): void {
    this.#live = false;
    this.#isBehind = true;
    this.peer.behind.add(this);
    this.#current = { first: this.next, until: null };
    this.pump();
  }

  /**
   * Hands over new entries that are on disk.
   *
   * @param transit the room's key, or null where each link has its own records; who does not have it yet gets it now
   * and with it the entries as records
   */
  deliver(batch: Batch, transit: TransitSealer | null): void {
    if (!this.#live) return this.pump();
    const { link } = this.peer;
    // Too much is queued, or entries are missing: go on from the log, as fast as the peer reads.
    const isGap = this.next !== batch.entries[0].pos;
    if (isGap || link.waitingBytes + batch.bytes > this.room.maxAheadBytes) return this.#fallBehind();
    const hasKey = transit !== null && this.transitKey === transit.key;
    if (hasKey && (this.#ownRefs.size === 0 || !batch.entries.some(({ pos }) => this.#ownRefs.has(pos)))) {
      for (const frame of batch.frames(transit)) link.sendTransit(frame);
    } else {
      if (transit !== null && !hasKey) {
        this.peer.send(transit.handover);
        this.transitKey = transit.key;
      }
      for (const [i, entry] of batch.entries.entries()) this.#sendEntry(entry, batch.encoded[i]);
      link.sendEncoded(batch.head);
    }
    this.next = batch.end;
  }

  #sendEntry(entry: StoredEntry, encoded: Bytes | null): void {
    const ref = this.#ownRefs.get(entry.pos);
    if (ref !== undefined) {
      this.#ownRefs.delete(entry.pos);
      this.peer.send({ type: "STORED", ref, room: this.room.id, pos: entry.pos });
    } else {
      this.peer.link.sendEncoded(encoded ?? this.room.encodeEntry(entry));
    }
  }
}

/** The ENTRY message of an entry that still has its bytes. */
export function encodeEntry(room: Bytes, entry: StoredEntry, address: string): Bytes {
  const { pos, time, kind, bytes } = entry;
  return encodeMessage({ type: "ENTRY", room, pos, time, kind, address, bytes: bytes! });
}
