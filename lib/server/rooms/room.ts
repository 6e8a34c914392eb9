/**
 * ServerRoom: an ordinary or direct room as the server sees it: beside the log, a roster that it can read (protocol
 * §7.1, §11).
 *
 * What is checked here is checked to protect the server and its users, by the same rules that clients go by (protocol/
 * group); clients never rely on it.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { roomFlags } from "../../protocol/channel/link_messages.ts";
import { type Commit, commitHow, parseCommit } from "../../protocol/group/commit.ts";
import { headAfter, isLeaveCurrent, type RoomHead } from "../../protocol/group/commit_rules.ts";
import { entryKinds } from "../../protocol/group/history.ts";
import { checkMessageView, checkPlace } from "../../protocol/group/message_rules.ts";
import { basePolicy, findMember, includesId, isAdmin, policies } from "../../protocol/group/roster.ts";
import type { Message } from "../../protocol/group/sealed_message.ts";
import { encodeName } from "../../protocol/identity/name.ts";
import { parsePrekey } from "../../protocol/identity/prekey.ts";
import type { ErrorCode, Outcome } from "../store/journal.ts";
import type { Stay, StoredLeave, StoredRoom } from "../store/store.ts";
import { type ActiveMember, Admissions } from "./admissions.ts";
import { type CommitClaim, CommitTurns } from "./commit_turns.ts";
import { messageBefore } from "./message_before.ts";
import type { Peer } from "./peer.ts";
import type { RoomInfo } from "./room_info.ts";
import { type Own, type RoomHost, RoomLog } from "./room_log.ts";
import type { Stretch, Subscription } from "./subscription.ts";

const zeros: Bytes = new Uint8Array(32);
/** How long nobody must have been in a room, after the last prekey has ended, until it is given up. */
const restSeconds = 30 * 86_400;

/** One room with a roster. */
export class ServerRoom extends RoomLog {
  #head: RoomHead | null = null;
  #turns: CommitTurns | null = null;
  /** Who waits to be let in, and who is asked to do it. */
  readonly admissions: Admissions;
  #numbers = new Map<string, number>();
  /** Somebody waits, or wants to go: members are asked once it is on disk. */
  #isDoorNews = false;
  /** Wishes to go that are on their way to the disk. */
  #leavesToTell: StoredLeave[] = [];
  /** Ids in hex of those who waited when it ended. */
  #doorToTell: string[] = [];

  /** @param host the server */
  constructor(stored: StoredRoom, host: RoomHost) {
    super(stored, host);
    this.admissions = new Admissions(this, host);
    this.reload(stored);
  }

  override reload(row: StoredRoom): void {
    super.reload(row);
    this.#head = null;
    this.#numbers.clear();
    this.#leavesToTell = [];
    this.#isDoorNews = false;
    this.#turns = null; // turns that came to nothing are not used up
    if (!this.isRetired) this.#doorToTell = []; // its end was undone
  }

  /** As its last valid commit left it, which is read when it is needed: thousands of rooms may lie still. */
  get head(): RoomHead {
    if (!this.#head) {
      const { bytes, pos } = this.host.store.lastCommit(this.id)!;
      this.#head = headAfter(parseCommit(bytes), pos);
    }
    return this.#head;
  }

  /** Whose commit it takes next. */
  get turns(): CommitTurns {
    return this.#turns ??= new CommitTurns(this.host.limits, this.host.store.note(this.#turnsNote));
  }
  /** They have changed. Called by the journal's follower only. */
  keepTurns(): void {
    this.host.store.putNote(this.#turnsNote, this.turns.encode());
  }
  get #turnsNote(): string {
    return `turns ${this.key}`;
  }

  /** The number that a sender's next message must have. */
  #next(senderKey: string, sender: Bytes): number {
    let next = this.#numbers.get(senderKey);
    if (next === undefined) {
      next = this.host.store.nextNumber(this.id, sender, this.head.epoch);
      this.#numbers.set(senderKey, next);
    }
    return next;
  }

  override get epochBegan(): number {
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

  /** Whether somebody is not to know of it: the id of a room of two follows from those of the two. */
  isHiddenFrom(id: Uint8Array): boolean {
    return this.isDirect && !this.hasMember(id);
  }

  /** Whether an admin has put somebody out, so that only an admin lets her in. */
  isBanned(id: Uint8Array): boolean {
    return includesId(this.head.bans, id);
  }

  /** Who of the newcomers a member may add. */
  addableBy(id: Uint8Array, newcomers: Bytes[]): Bytes[] {
    if (isAdmin(findMember(this.head.roster, id))) return newcomers;
    return this.isOpen ? newcomers.filter((newcomer) => !this.isBanned(newcomer)) : [];
  }

  /** Whether nobody more fits in. */
  get isFull(): boolean {
    return this.head.roster.length >= this.host.limits.members;
  }

  /** Whether an id is in the roster. */
  hasMember(id: Uint8Array): boolean {
    return findMember(this.head.roster, id) !== undefined;
  }

  /**
   * What stands against a message of a member, by what anybody who sees the log can tell.
   *
   * @param senderKey the sender's id in hex
   * @returns null when it may be added at the end; else its outcome
   */
  judge(message: Message, senderKey: string = encodeHex(message.sender)): Outcome | null {
    const place = checkPlace(message, this.head);
    const next = this.#next(senderKey, message.sender);
    const isNext = message.n === next;
    const isViewPossible = checkMessageView(message.view, this.head, this.last + 1) === null;
    // The common case: `n` is the sender's next number, so nothing can be stored under it yet.
    if (place === null && isNext && isViewPossible && !this.isRetired) return null;
    const refused = (code: ErrorCode): Outcome => ({ type: "refused", code });
    if (!this.hasMember(message.sender)) return refused("NO_ROOM");
    if (this.isRetired) return refused("DENIED");
    // What is beyond her next number in this epoch cannot be stored yet.
    const before = place === null && message.n > next ? null : messageBefore(this.host.store, message);
    if (before) return before;
    if (place === "past epoch") return refused("STALE");
    return refused(place === null && isViewPossible ? "ORDER" : "DENIED");
  }

  /** Adds a message that has been judged. Called by the journal's follower only. */
  applyMessage({ bytes, sender, epoch, n }: Message, timeMs: number, own: Own | null): Outcome {
    const pos = this.append({ kind: entryKinds.message, bytes, sender, epoch, n, timeMs }, own, null);
    this.#numbers.set(own?.peer.key ?? encodeHex(sender), n + 1);
    return { type: "stored", pos, isRepeated: false };
  }

  /**
   * Whether nobody of it has been here for two months: prekeys last thirty days, and are made anew at each return.
   * What is read first is what most rooms answer with no. A room of two could not begin again, and stays.
   */
  override isAtRest(timeMs: number): boolean {
    const { store } = this.host;
    const before = timeMs / 1000 - restSeconds;
    const said = store.entries(this.id, this.last, 1)[0]?.time ?? 0;
    if (said > before || this.isDirect) return false;
    return this.head.roster.every(({ id }) => {
      const prekey = store.prekey(id);
      return prekey === null || parsePrekey(prekey.bytes).notAfter < before;
    });
  }

  /** What a commit claims when it asks for its turn: by the room before it. */
  claimOf(commit: Commit): CommitClaim {
    const { author } = commit;
    const { roster, policy } = this.head;
    const added = commit.roster.filter((member) => !findMember(roster, member.id));
    const waiting = this.#waiting();
    // Who comes and goes again and again must not own the room's turns: that her author pays.
    const isFirst = ({ id }: { id: Bytes }, stays: number) =>
      this.host.store.stays(this.id, id).length <= stays;
    // Whoever else is out was removed by an admin, who needs no such excuse.
    const isEntry = commit.how !== commitHow.member;
    const answersAdmit = isEntry ||
      added.length + commit.leaves.length > 0 && commit.policy === policy &&
        added.every((member) => waiting.has(encodeHex(member.id)) && isFirst(member, 0)) &&
        commit.leaves.every((leave) => isFirst(leave, 1));
    const unasked = added.map(({ id }) => id)
      .filter((id) => !waiting.has(encodeHex(id)) && !equals(id, author));
    const removes = roster.length + added.length > commit.roster.length;
    return {
      author,
      isAdmin: isAdmin(findMember(roster, author)),
      answersAdmit,
      unasked,
      adds: added.length > 0,
      removes,
    };
  }

  /** Ids in hex of those who wait at the door. */
  #waiting(): Set<string> {
    return new Set(this.host.store.joins(this.id).map(({ id }) => encodeHex(id)));
  }

  /** Whether all who are in it have asked to go: nobody could carry it out. */
  get isDeserted(): boolean {
    const leaving = new Set(this.host.store.leaves(this.id).map(({ id }) => encodeHex(id)));
    return this.head.roster.every(({ id }) => leaving.has(encodeHex(id)));
  }

  /** Adds a commit that has passed all checks. Called by the journal's follower only. */
  applyCommit(commit: Commit, timeMs: number, own: Own | null): Outcome {
    const { store } = this.host;
    const before = commit.epoch === 0 ? [] : this.head.roster;
    const { bytes, author: sender, epoch } = commit;
    const pos = this.append({ kind: entryKinds.commit, bytes, sender, epoch, n: -1, timeMs }, own, commit);
    const waiting = this.#waiting();
    for (const { id } of commit.roster) {
      if (findMember(before, id)) continue;
      const isWanted = waiting.has(encodeHex(id)) || equals(id, sender);
      store.beginStay(this.id, id, pos, isWanted ? null : sender);
      store.dropJoin(this.id, id);
    }
    for (const member of before) {
      if (findMember(commit.roster, member.id)) continue;
      store.endStay(this.id, member.id, pos);
      store.dropLeave(this.id, member.id);
    }
    this.weighBoxes();
    this.#numbers.clear();
    this.#head = headAfter(commit, pos);
    return { type: "stored", pos, isRepeated: false };
  }

  override applyRetire(timeMs: number): void {
    this.#closeDoor();
    super.applyRetire(timeMs);
  }
  override applyReap(): void {
    this.#closeDoor();
    this.host.store.dropNote(this.#turnsNote);
    super.applyReap();
  }
  #closeDoor(): void {
    for (const { id } of this.host.store.joins(this.id)) {
      this.#doorToTell.push(encodeHex(id));
      this.host.store.dropJoin(this.id, id);
    }
  }

  /** What has ended is told to who waits at its door, too. */
  override announce(): void {
    super.announce();
    for (const key of this.#doorToTell.splice(0)) {
      const peer = this.host.peers.get(key);
      peer?.send({ type: "ROOM_INFO", ref: 0, ...this.infoFor(peer, 0) });
    }
  }

  /** Keeps a member's wish to go. Called by the journal's follower only. */
  applyLeave(leave: StoredLeave): Outcome {
    if (!this.mayLeave(leave)) return { type: "refused", code: "DENIED" };
    this.host.store.putLeave(this.id, leave);
    this.#leavesToTell.push(leave);
    this.#isDoorNews = true;
    this.host.showsWithFlush(this);
    return { type: "done" };
  }

  /** Keeps a wish to be let in. Called by the journal's follower only. */
  applyJoin(id: Bytes, timeMs: number): void {
    this.admissions.applyJoin(id, timeMs);
    this.#isDoorNews = true;
    this.host.showsWithFlush(this);
  }

  override showFlushed(): void {
    super.showFlushed();
    if (!this.#isDoorNews || this.isGone) return;
    this.#isDoorNews = false;
    const leaves = this.#leavesToTell.splice(0);
    for (const leave of leaves) {
      const peer = this.host.peers.get(encodeHex(leave.id));
      this.broadcast({ type: "LEAVING", room: this.id, ...leave }, peer, peer);
    }
    if (leaves.length > 0) this.admissions.newRound();
    else this.admissions.goOn();
  }

  /** Whether a request to go is in its time. */
  mayLeave(leave: StoredLeave): boolean {
    const member = findMember(this.head.roster, leave.id);
    return member !== undefined && !this.isRetired && !this.isDirect &&
      isLeaveCurrent(leave, member, this.head.epoch + 1);
  }

  protected override followCommit(commit: Commit, pos: number, own: Own | null): void {
    for (const subscription of [...this.subscriptions]) {
      if (findMember(commit.roster, subscription.peer.card.id)) continue;
      if (subscription.live) this.unsubscribe(subscription);
      else subscription.endAt(pos);
    }
    for (const member of commit.roster) {
      if (member.since !== commit.epoch) continue;
      const peer = this.host.peers.get(encodeHex(member.id));
      if (!this.#isLinked(member)) continue;
      this.broadcast({ type: "PRESENCE", room: this.id, what: 1, ids: [member.id] }, peer);
      if (!peer) continue;
      const stretch = { first: pos, until: null };
      const known = peer.subscriptions.get(this.key);
      const subscription = known ?? this.open(peer, []);
      subscription.goOnWith(stretch);
      // The creator of a room gets its stream only now.
      if (own && peer === own.peer) subscription.expectOwn(pos, own.ref);
      subscription.pump();
    }
    this.#tellWhoJoined(commit);
    this.admissions.newRound();
  }

  /** Rooms of two are nobody's news. */
  #tellWhoJoined({ roomName, roster, epoch }: Commit): void {
    if (roomName === "") return;
    for (const { name, id, since } of roster) {
      if (since === epoch) {
        this.host.events.tell({ type: "joined room", name, id, room: roomName, roomId: this.id });
      }
    }
  }

  /**
   * Starts the stream of a peer who has just linked.
   *
   * @param pos its last position, or null when it named none
   */
  resume(peer: Peer, pos: number | null): void {
    // It has been shown more than there is: these data are an old copy.
    if (pos !== null && pos > this.flushed) {
      this.host.events.tell({ type: "ahead", id: peer.card.id, roomId: this.id });
    }
    const stays = this.host.store.stays(this.id, peer.card.id);
    const at = pos === null ? -1 : stays.findIndex((s) => s.from <= pos && pos <= (s.until ?? Infinity));
    const fresh = (s: Stay) => ({ first: s.from, until: s.until });
    const stretches = at < 0
      ? stays.slice(-1).map(fresh)
      : [{ first: pos! + 1, until: stays[at].until }, ...stays.slice(at + 1).map(fresh)];
    if (stretches.length > 0) this.open(peer, stretches).pump();
    else peer.send({ type: "ROOM_INFO", ref: 0, ...this.infoFor(peer, 0) });
  }

  caughtUp(subscription: Subscription): void {
    const { peer } = subscription;
    const linked = this.head.roster.filter((member) => this.#isLinked(member)).map(({ id }) => id);
    for (let i = 0; i < linked.length; i += 255) {
      peer.send({ type: "PRESENCE", room: this.id, what: 1, ids: linked.slice(i, i + 255) });
    }
    for (const leave of this.host.store.leaves(this.id)) {
      peer.send({ type: "LEAVING", room: this.id, ...leave });
    }
    this.admissions.newRound();
  }

  /** Members with live streams, in order of the roster: who can be asked to commit. */
  activeMembers(): ActiveMember[] {
    const { peers, others } = this.host;
    return this.head.roster.flatMap(({ id }): ActiveMember[] => {
      const peer = peers.get(encodeHex(id));
      if (peer) return peer.subscriptions.get(this.key)?.live ? [{ id, peer }] : [];
      return others.linkOf(encodeHex(id)) ? [{ id, peer: null }] : [];
    });
  }

  #isLinked({ id }: { readonly id: Bytes }): boolean {
    const { peers, others } = this.host;
    return peers.has(encodeHex(id)) || others.linkOf(encodeHex(id)) !== undefined;
  }

  /** Whether a member other than this one is linked to another server. */
  #isHeardElsewhere(peer: Subscription["peer"]): boolean {
    const { others } = this.host;
    return !others.isAlone &&
      this.head.roster.some(({ id }) =>
        !equals(id, peer.card.id) && others.linkOf(encodeHex(id)) !== undefined
      );
  }

  infoOf(peer: Subscription["peer"], { first, until }: Stretch): RoomInfo {
    const start = first - 1;
    return {
      ...this.infoFor(peer, until),
      start,
      startHash: this.host.store.historyAt(this.id, start) ?? zeros,
    };
  }

  /** The body of ROOM_INFO for one peer. @param last overrides: the end of a stay that is over */
  infoFor(peer: Subscription["peer"], last: number | null): RoomInfo {
    const member = !this.isGone && this.hasMember(peer.card.id);
    const stays = this.host.store.stays(this.id, peer.card.id);
    const end = last ?? (member ? this.flushed : stays.at(-1)?.until ?? 0);
    // Who is linked and in the roster has a stream.
    const others = this.subscriptions.values().some((each) => each.peer !== peer && each.isForGood) ||
      this.#isHeardElsewhere(peer);
    return {
      room: this.id,
      kind: this.kind,
      policy: this.head.policy,
      flags: (member ? roomFlags.member : 0) | (others ? roomFlags.othersLinked : 0) |
        (this.isRetired ? roomFlags.retired : 0),
      last: this.isGone ? 0 : end,
      start: 0,
      startHash: zeros,
      name: encodeName(this.name),
    };
  }
}
