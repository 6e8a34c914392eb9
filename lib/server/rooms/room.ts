/**
 * ServerRoom: an ordinary or direct room as the server sees it: beside the log, a roster that it can read
 * (protocol §7.1, §11).
 *
 * Everything here is checked to protect the server and its users; clients never rely on it.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../crypto/bytes.ts";
import { type Commit, parseCommit } from "../../protocol/group/commit.ts";
import { headAfter, type RoomHead } from "../../protocol/group/commit_rules.ts";
import { encodeName } from "../../protocol/identity/name.ts";
import { basePolicy, findMember, isAdmin, policies } from "../../protocol/group/roster.ts";
import { boxBytes } from "../../protocol/group/box.ts";
import { entryKinds } from "../../protocol/group/history.ts";
import { roomFlags } from "../../protocol/channel/link_messages.ts";
import { Admissions } from "./admissions.ts";
import { TokenBucket } from "../../token_bucket.ts";
import type { Peer } from "./peer.ts";
import { type RoomInfo, RoomLog } from "./room_log.ts";
import type { Rooms } from "./rooms.ts";
import type { Stretch, Subscription } from "./subscription.ts";
import type { Stay, StoredRoom } from "../store/store.ts";

/** One room with a roster. */
export class ServerRoom extends RoomLog {
  /** As its last valid commit left it; set once epoch 0 is in. */
  head!: RoomHead;
  /** How often it may get a new commit. */
  readonly commits: TokenBucket;
  /** Who waits to be let in, and who is asked to do it. */
  readonly admissions: Admissions;
  #numbers = new Map<string, number>();

  /** @param rooms the server's rooms, for its store, clock and peers */
  constructor(stored: StoredRoom, rooms: Rooms) {
    super(stored, rooms);
    this.commits = new TokenBucket(1, rooms.limits.commitEveryMs, rooms.clock);
    this.admissions = new Admissions(this, rooms);
    this.reload();
  }

  override reload(): void {
    super.reload();
    const { store } = this.rooms;
    const stored = store.lastCommit(this.id);
    if (!stored) return;
    this.#setHead(parseCommit(stored.bytes), stored.pos);
    for (const { sender, n } of store.nextNumbers(this.id, this.head.epoch)) {
      this.#numbers.set(encodeHex(sender), n);
    }
  }

  #setHead(commit: Commit, pos: number): void {
    this.#numbers.clear();
    this.head = headAfter(commit, pos);
  }

  protected override get epochBegan(): number {
    return this.head.commitPos;
  }

  /** Whether newcomers are let in without asking. */
  get isOpen(): boolean {
    return basePolicy(this.head.policy) === policies.open;
  }

  /** Whether it is a room of two. */
  get isDirect(): boolean {
    return this.head.policy === policies.direct;
  }

  /** Whether a member may add others. */
  mayAdd(id: Uint8Array): boolean {
    return this.isOpen || isAdmin(findMember(this.head.roster, id));
  }

  /** Whether nobody more fits in. */
  get isFull(): boolean {
    return this.head.roster.length >= this.rooms.limits.members;
  }

  /** Whether an id is in the roster. */
  hasMember(id: Uint8Array): boolean {
    return findMember(this.head.roster, id) !== undefined;
  }

  /** The next `n` of a sender in this epoch. */
  nextNumber(peer: Peer): number {
    return this.#numbers.get(peer.key) ?? 0;
  }

  /** Writes a commit that has passed all checks, at the end of the log. */
  appendCommit(commit: Commit): void {
    const { store } = this.rooms;
    const before = commit.epoch === 0 ? [] : this.head.roster;
    const pos = this.append(entryKinds.commit, commit.bytes, commit.author, commit.epoch, -1);
    for (const member of commit.roster) {
      if (findMember(before, member.id)) continue;
      store.beginStay(this.id, member.id, pos, commit.epoch === 0 ? 0 : commit.view.pos);
      store.dropJoin(this.id, member.id);
    }
    for (const member of before) {
      if (findMember(commit.roster, member.id)) continue;
      store.endStay(this.id, member.id, pos);
      store.dropLeave(this.id, member.id);
    }
    this.countBoxes(boxBytes * commit.roster.filter((m) => m.boxHash.some((byte) => byte !== 0)).length);
    this.#setHead(commit, pos);
    for (const leave of store.leaves(this.id)) {
      if (leave.epoch < commit.epoch - 15) store.dropLeave(this.id, leave.id);
    }
  }

  /** Writes a message that has passed all checks. @returns its position */
  appendMessage(peer: Peer, bytes: Bytes, n: number): number {
    const pos = this.append(entryKinds.message, bytes, peer.card.id, this.head.epoch, n);
    this.#numbers.set(peer.key, n + 1);
    return pos;
  }

  /**
   * The message at `pos` is on disk: shows it to everybody who may see it, with what else was flushed with it.
   *
   * @param own the author's link and the ref of its request: STORED stands there for the entry
   */
  publish(pos: number, own: { peer: Peer; ref: number }): void {
    const stream = own.peer.subscriptions.get(this.key);
    stream?.expectOwn(pos, own.ref);
    this.rooms.queueBroadcast(this, pos);
  }

  /** The same for a commit, with what follows from it. */
  publishCommit(commit: Commit, pos: number, own: { peer: Peer; ref: number }): void {
    const stream = own.peer.subscriptions.get(this.key);
    stream?.expectOwn(pos, own.ref);
    this.show(pos);
    this.renewTransitKey();
    this.#followCommit(commit, pos, stream ? null : own);
  }

  /** @param own the author of a room that begins: its stream does so too */
  #followCommit(commit: Commit, pos: number, own: { peer: Peer; ref: number } | null): void {
    for (const subscription of [...this.subscriptions]) {
      if (findMember(commit.roster, subscription.peer.card.id)) continue;
      if (subscription.live) this.unsubscribe(subscription);
      else subscription.endAt(pos);
    }
    for (const member of commit.roster) {
      if (member.since !== commit.epoch) continue;
      const peer = this.rooms.peers.get(encodeHex(member.id));
      if (!peer) continue;
      this.broadcast({ type: "PRESENCE", room: this.id, what: 1, ids: [member.id] }, peer);
      const stretch = { first: commit.epoch === 0 ? 1 : commit.view.pos + 1, whole: pos, until: null };
      const known = peer.subscriptions.get(this.key);
      const subscription = known ?? this.open(peer, []);
      subscription.goOnWith(stretch);
      if (peer === own?.peer) subscription.expectOwn(pos, own.ref);
      subscription.pump();
    }
    this.admissions.newRound();
  }

  /**
   * Starts the stream of a peer who has just linked.
   *
   * @param pos its last position, or null when it named none
   */
  resume(peer: Peer, pos: number | null): void {
    const stays = this.rooms.store.stays(this.id, peer.card.id);
    const at = pos === null ? -1 : stays.findIndex((s) => s.from <= pos && pos <= (s.until ?? Infinity));
    const fresh = (s: Stay) => ({ first: s.viewPos + 1, whole: s.from, until: s.until });
    const stretches = at < 0
      ? stays.slice(-1).map(fresh)
      : [{ first: pos! + 1, whole: pos! + 1, until: stays[at].until }, ...stays.slice(at + 1).map(fresh)];
    if (stretches.length > 0) this.open(peer, stretches).pump();
    else peer.send({ type: "ROOM_INFO", ref: 0, ...this.infoFor(peer, 0) });
  }

  caughtUp(subscription: Subscription): void {
    const { peer } = subscription;
    const linked = this.head.roster.filter((m) => this.rooms.peers.has(encodeHex(m.id))).map((m) => m.id);
    for (let i = 0; i < linked.length; i += 255) {
      peer.send({ type: "PRESENCE", room: this.id, what: 1, ids: linked.slice(i, i + 255) });
    }
    for (const leave of this.rooms.store.leaves(this.id)) {
      peer.send({ type: "LEAVING", room: this.id, ...leave });
    }
    this.admissions.newRound();
  }

  /** Members with live streams, in order of the roster: who can be asked to commit. */
  activePeers(): Peer[] {
    return this.head.roster.flatMap((member) => {
      const peer = this.rooms.peers.get(encodeHex(member.id));
      return peer?.subscriptions.get(this.key)?.live ? [peer] : [];
    });
  }

  infoOf(peer: Peer, { until }: Stretch): RoomInfo {
    return this.infoFor(peer, until);
  }

  /** The body of ROOM_INFO for one peer. @param last overrides: the end of a stay that is over */
  infoFor(peer: Peer, last: number | null): RoomInfo {
    const member = this.hasMember(peer.card.id);
    const stays = this.rooms.store.stays(this.id, peer.card.id);
    const end = last ?? (member ? this.flushed : stays.at(-1)?.until ?? 0);
    const others = this.head.roster.some((m) =>
      !equals(m.id, peer.card.id) && this.rooms.peers.has(encodeHex(m.id))
    );
    return {
      room: this.id,
      kind: this.kind,
      policy: this.head.policy,
      flags: (member ? roomFlags.member : 0) | (others ? roomFlags.othersLinked : 0) |
        (this.isRetired ? roomFlags.retired : 0),
      last: end,
      start: 0,
      startHash: new Uint8Array(32),
      name: encodeName(this.name),
    };
  }
}
