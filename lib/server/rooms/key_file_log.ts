/**
 * KeyFileLog: a key-file room as the server sees it (protocol §8.1): a log without a roster. Whoever asks gets
 * the stream; who holds the key is nobody's business, the server's included.
 */

import { encodeHex } from "@std/encoding/hex";
import { entryKinds } from "../../protocol/group/history.ts";
import { roomFlags } from "../../protocol/channel/link_messages.ts";
import type { Message } from "../../protocol/group/sealed_message.ts";
import type { Peer } from "./peer.ts";
import { type RoomInfo, RoomLog } from "./room_log.ts";
import type { Rooms } from "./rooms.ts";
import type { Stretch } from "./subscription.ts";
import type { StoredRoom } from "../store/store.ts";

const zeros = new Uint8Array(32);

/** One room without a roster. */
export class KeyFileLog extends RoomLog {
  /** The operator holds its key (protocol §8.5). */
  isReadByServer = false;
  /** Another room has taken its place. */
  isDropped = false;
  #numbers = new Map<string, number>();

  /** @param rooms the server's rooms, for its store, clock and peers */
  constructor(stored: StoredRoom, rooms: Rooms) {
    super(stored, rooms);
    this.reload();
  }

  override reload(): void {
    super.reload();
    this.#numbers.clear();
    for (const { sender, n } of this.rooms.store.nextNumbers(this.id, 0)) {
      this.#numbers.set(encodeHex(sender), n);
    }
  }

  /** The lowest `n` that a sender may use next. */
  nextNumber(peer: Peer): number {
    return this.#numbers.get(peer.key) ?? 0;
  }

  /** Writes a message that has passed all checks. @returns its position */
  appendMessage(peer: Peer, { bytes, n }: Message): number {
    const pos = this.append(entryKinds.message, bytes, peer.card.id, 0, n);
    this.#numbers.set(peer.key, n + 1);
    return pos;
  }

  /** The message at `pos` is on disk: shows it. @param ref of the sender's request */
  publish(pos: number, peer: Peer, ref: number): void {
    peer.subscriptions.get(this.key)?.expectOwn(pos, ref);
    this.rooms.queueBroadcast(this, pos);
  }

  /** Whether the peer has fewer streams of such rooms than it may. */
  mayJoin(peer: Peer): boolean {
    if (peer.subscriptions.has(this.key)) return true;
    const joined = [...peer.subscriptions.values()].filter((s) => s.room instanceof KeyFileLog).length;
    return joined < this.rooms.limits.roomsPerUser;
  }

  /**
   * Gives a peer the stream, for as long as its link lasts.
   *
   * @param pos its last position; 0 for everything that is kept
   */
  join(peer: Peer, pos: number): void {
    if (peer.subscriptions.has(this.key) || !this.mayJoin(peer)) return;
    const first = pos === 0 ? this.firstKept : Math.min(pos, this.flushed) + 1;
    this.open(peer, [{ first, whole: first, until: null }]).pump();
  }

  infoOf(_peer: Peer, { first }: Stretch): RoomInfo {
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
      startHash: this.rooms.store.historyAt(this.id, start) ?? zeros,
      name: new Uint8Array(0),
    };
  }

  caughtUp(): void {
    // Nothing is said of who else is here.
  }
}
