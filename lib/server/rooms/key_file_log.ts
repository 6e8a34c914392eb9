/**
 * KeyFileLog: a key-file room as the server sees it (protocol §8.1): a log without a roster. Anyone who asks gets the
 * stream; the server does not know who holds the key.
 */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { roomFlags } from "../../protocol/channel/link_messages.ts";
import { entryKinds, maxViewLag } from "../../protocol/group/history.ts";
import type { Message } from "../../protocol/group/sealed_message.ts";
import type { Outcome } from "../store/journal.ts";
import type { StoredRoom } from "../store/store.ts";
import { messageBefore } from "./message_before.ts";
import type { Peer } from "./peer.ts";
import type { RoomInfo } from "./room_info.ts";
import { type Own, type RoomHost, RoomLog } from "./room_log.ts";
import type { Stretch, Subscription } from "./subscription.ts";

const zeros = new Uint8Array(32);
const maxListed = 255;

/** One room without a roster. */
export class KeyFileLog extends RoomLog {
  /** The operator holds its key (protocol §8.5). */
  isReadByServer = false;
  /** Another room has taken its place. */
  isDropped = false;
  #numbers = new Map<string, number>();

  /** @param host the server */
  constructor(stored: StoredRoom, host: RoomHost) {
    super(stored, host);
    this.reload(stored);
  }

  override reload(row: StoredRoom): void {
    super.reload(row);
    this.#numbers.clear();
  }

  #next(senderKey: string, sender: Bytes): number {
    let next = this.#numbers.get(senderKey);
    if (next === undefined) {
      next = this.host.store.nextNumber(this.id, sender, 0);
      this.#numbers.set(senderKey, next);
    }
    return next;
  }

  /** Whether all that was said has expired, and that as long ago again. @param timeMs the journal's */
  override isAtRest(timeMs: number): boolean {
    if (this.last === 0 || this.keptBytes > 0) return false;
    const time = this.host.store.entries(this.id, this.last, 1)[0]?.time ?? 0;
    return timeMs / 1000 - time > 2 * this.host.retention.seconds;
  }

  /**
   * What stands against a message: it must be new, and its author may only have seen what is here.
   *
   * @param senderKey the sender's id in hex
   * @returns null when it may be added at the end; else its outcome
   */
  judge(message: Message, senderKey: string = encodeHex(message.sender)): Outcome | null {
    if (this.isRetired) return { type: "refused", code: "DENIED" };
    const next = this.#next(senderKey, message.sender);
    const before = message.n < next ? messageBefore(this.host.store, message) : null;
    if (before) return before;
    const isViewPossible = message.view.pos <= this.last && message.view.pos > this.last - maxViewLag;
    if (!isViewPossible) return { type: "refused", code: "DENIED" };
    return message.n < next ? { type: "refused", code: "ORDER" } : null;
  }

  /** Adds a message that has been judged. Called by the journal's follower only. */
  applyMessage({ bytes, sender, n }: Message, timeMs: number, own: Own | null): Outcome {
    const pos = this.append({ kind: entryKinds.message, bytes, sender, epoch: 0, n, timeMs }, own, null);
    this.#numbers.set(own?.peer.key ?? encodeHex(sender), n + 1);
    return { type: "stored", pos, isRepeated: false };
  }

  /** Whether the peer has fewer streams of such rooms than it may. */
  mayJoin(peer: Peer): boolean {
    if (peer.subscriptions.has(this.key)) return true;
    const joined = [...peer.subscriptions.values()].filter((s) => s.room instanceof KeyFileLog).length;
    return joined < this.host.limits.roomsPerUser;
  }

  /**
   * Gives a peer the stream, for as long as its link lasts.
   *
   * @param pos its last position; 0 for everything that is kept
   */
  join(peer: Peer, pos: number): void {
    if (peer.subscriptions.has(this.key) || !this.mayJoin(peer)) return;
    const next = pos === 0 ? this.firstKept : Math.min(pos, this.flushed) + 1;
    // What was said before a room was given up is not there, not even as hashes; but for the last of it, which says L.
    const there = this.host.store.entries(this.id, next, 1)[0]?.pos ?? this.flushed + 1;
    const first = there === next ? next : Math.min(there, this.flushed) + 1;
    this.open(peer, [{ first, until: null }]).pump();
    this.host.others.changed(peer.key);
    this.broadcast({ type: "PRESENCE", room: this.id, what: 1, ids: [peer.card.id] }, peer, peer);
  }

  override unsubscribe(subscription: Subscription): void {
    super.unsubscribe(subscription);
    const { peer } = subscription;
    this.host.others.changed(encodeHex(peer.card.id));
    this.broadcast({ type: "PRESENCE", room: this.id, what: 0, ids: [peer.card.id] }, peer, peer);
  }

  infoOf(_peer: unknown, { first }: Stretch): RoomInfo {
    const start = first - 1;
    const flags = (this.isReadByServer ? roomFlags.serverReads : 0) |
      (this.isRetired ? roomFlags.retired : 0);
    return {
      room: this.id,
      kind: this.kind,
      policy: 0,
      flags,
      last: this.flushed,
      start,
      startHash: this.host.store.historyAt(this.id, start) ?? zeros,
      name: new Uint8Array(0),
    };
  }

  /** Who else has joined by now; who holds the key, nobody can say. */
  caughtUp({ peer }: Subscription): void {
    const elsewhere = [...this.host.others.links()].filter(({ rooms }) => rooms.includes(this.key));
    const joined = [
      ...[...this.subscriptions].map((subscription) => subscription.peer.card.id),
      ...elsewhere.map(({ id }) => id),
    ];
    for (let i = 0; i < joined.length; i += maxListed) {
      peer.send({ type: "PRESENCE", room: this.id, what: 1, ids: joined.slice(i, i + maxListed) });
    }
  }
}
