/**
 * ClientRoom: one room as a member sees it (protocol §7, §9, §10).
 *
 * Everything of the room's stream is handled strictly in order, one thing at a time, while the connection
 * goes on reading answers. A turn ends by storing the state; only then is anything acknowledged, shown or
 * sent, so a crash at any point loses nothing confirmed and repeats no key.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import { seconds } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import { fingerprint } from "../crypto/identity.ts";
import { ChatError } from "../errors.ts";
import { type Commit, isLeaveSigned, type Leave, makeLeave } from "../protocol/commit.ts";
import { contentTypes } from "../protocol/content.ts";
import { entryHash, History, nextHistory } from "../protocol/history.ts";
import { entryKinds, type LinkMessage, type MessageOf } from "../protocol/messages.ts";
import { findMember, type Member } from "../protocol/roster.ts";
import { type Connection, LinkLost } from "./connection.ts";
import { Committer } from "./committer.ts";
import { Outbox } from "./outbox.ts";
import { receiveAdmission, receiveCommit } from "./receive_commit.ts";
import { receiveMessage } from "./receive_message.ts";
import { type RoomContext, ServerFault } from "./room_context.ts";
import type { RoomEvent } from "./room_events.ts";
import type { RoomState } from "./room_state.ts";

const retryCardsMs = 5_000;
const storageRetryMs = 5_000;
const hashesMost = 65_536;

/** One room. */
export class ClientRoom {
  /** The connection, while there is one. */
  connection: Connection | null = null;
  /** Next `n` of senders whose messages of this epoch we cannot open. */
  readonly unreadableNext = new Map<string, number>();
  /** Ids in hex of members whom the server claims to be linked. */
  readonly present = new Set<string>();
  /** A pin that keeps a commit waiting, until the person says which key to trust. */
  conflict: { name: string; id: Bytes } | null = null;
  /** Called after each turn: the chat's chance to notice that it is in, or gone. */
  onTurn: () => void = () => {};
  readonly #outbox = new Outbox(this);
  readonly #committer = new Committer(this);
  #queue: LinkMessage[] = [];
  #busy = false;
  #pausing = false;
  #again = false;
  #dirty = false;
  #events: RoomEvent[] = [];
  #announced = false;
  #target: number | null = null;
  #ackPos = 0;
  #hashes: { first: number; hashes: Bytes[] } | null = null;
  #refused = false;
  #storageFails = false;
  #presenceKnown = false;
  #warned = new Set<string>();
  #wake: () => void = () => {};
  #goneLink = new AbortController();

  /**
   * @param state its persistent part
   * @param history null until the room is entered
   */
  constructor(readonly context: RoomContext, readonly state: RoomState, public history: History | null) {}

  // ---- what the chat does with it

  /** Begins a connection; the stream follows. */
  connect(connection: Connection): void {
    this.disconnect();
    this.connection = connection;
    this.#goneLink = new AbortController();
  }

  /** The connection is over; what was not handled comes again. */
  disconnect(): void {
    this.connection = null;
    this.#queue = [];
    this.#outbox.reset();
    this.#committer.reset();
    this.#target = this.#hashes = null;
    this.#refused = false;
    this.#goneLink.abort();
    this.#wake();
    this.present.clear();
    this.#presenceKnown = false;
  }

  /** Whether all that the server had has been handled. */
  get isCaughtUp(): boolean {
    return this.#target !== null && this.state.status === "in" && this.history!.view.pos >= this.#target;
  }

  /** Whether no turn is running, or the one that is waits for a card or for the person. */
  get isIdle(): boolean {
    return this.#pausing || (!this.#busy && this.#queue.length === 0);
  }

  /** Whether nothing waits to be stored by the server. */
  get isQuiet(): boolean {
    return !this.state.outbox.some((item) => !item.failed);
  }

  /** Takes one message of the stream. */
  receive(message: LinkMessage): void {
    if (this.#refused) return;
    this.#committer.arrived(message);
    this.#queue.push(message);
    this.turn();
  }

  /** Says something; it is stored before this returns, and sent when it can be. */
  say(text: string, action = false): void {
    const { random, clock, card } = this.context;
    const item = {
      msgId: random(16),
      type: action ? contentTypes.action : contentTypes.text,
      timeMs: clock.now(),
      body: new TextEncoder().encode(text) as Bytes,
      sealed: null,
      failed: false,
    };
    this.state.outbox.push(item);
    const msgId = encodeHex(item.msgId);
    this.event({
      type: "pending",
      room: this.state.name,
      from: card.name,
      msgId,
      timeMs: item.timeMs,
      text,
      action,
    });
    this.#dirty = true;
    this.turn();
  }

  /** Tries again what failed, and goes on after an alarm: the person's word. */
  retry(): void {
    this.state.alarm = null;
    for (const item of this.state.outbox) item.failed = false;
    this.#dirty = true;
    this.turn();
  }

  /** Ignores the views of a member from now on. */
  ignoreViews(id: Uint8Array): void {
    this.state.ignoredViews.push(encodeHex(id));
    this.state.alarm = null;
    this.#dirty = true;
    this.turn();
  }

  /** A pin was changed by the person: a commit that waits for it may go on. */
  pinsChanged(): void {
    this.conflict = null;
    this.#wake();
  }

  /** Asks to be let go, or gives up waiting to be let in. @throws ChatError when nobody else stays; LinkLost */
  async leave(): Promise<void> {
    const { card, identity } = this.context;
    const room = this.state.id;
    if (!this.state.head || this.state.status !== "in") {
      const signature = new Uint8Array(64);
      await this.request((ref) => ({ type: "LEAVE", ref, room, epoch: 0, signature }), "DONE");
      return;
    }
    const { epoch, roster } = this.state.head;
    const stays = (m: Member) => !equals(m.id, card.id) && !this.state.leaves.some((l) => equals(l.id, m.id));
    if (!roster.some(stays)) {
      throw new ChatError(
        "Nobody else stays in this room, so nobody could let you go, or anyone in after you",
        "EXIT goes and keeps the membership",
      );
    }
    const { signature } = makeLeave(card.id, room, epoch, identity.signing);
    await this.request((ref) => ({ type: "LEAVE", ref, room, epoch, signature }), "DONE");
    this.state.leaving = true;
    this.state.outbox = [];
    this.#dirty = true;
    this.turn();
  }

  /** Makes new keys at the next chance. */
  rekey(): void {
    this.state.suspect = true;
    this.#dirty = true;
    this.turn();
  }

  /**
   * Makes the room, by the commit that its state holds.
   *
   * @returns false when somebody else was faster; never, when the connection is cut before the answer
   * @throws LinkLost, FileTrouble
   */
  async create(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#dirty = true;
    await this.#committer.sendGenesis(resolve);
    return await promise;
  }

  /** Does not enter the room that the server has shown us into; what follows of its stream is passed over. */
  refuse(why: string): void {
    this.#refused = true;
    this.#queue = [];
    this.warn(why);
  }

  // ---- what the receiving parts need

  /** The name of a member, now or by card. */
  nameOf(id: Uint8Array): string {
    return findMember(this.state.head?.roster ?? [], id)?.name ?? this.context.directory.card(id)?.name ??
      "somebody";
  }
  /** The name of a member of a commit that is not applied yet. */
  rosterName(commit: Commit, id: Uint8Array): string {
    return findMember(commit.roster, id)?.name ?? this.nameOf(id);
  }
  /** Shows, once the turn is stored. */
  event(event: RoomEvent): void {
    if (!this.state.leaving || event.type === "removed") this.#events.push(event);
  }
  /** News in words. */
  notice(text: string): void {
    this.event({ type: "notice", room: this.state.name, text });
  }
  /** What the person must know. */
  warn(text: string): void {
    this.event(this.#warning(text));
  }
  #warning(text: string): RoomEvent {
    return { type: "warning", room: this.state.name, text };
  }
  /** The same, once a run. */
  warnOnce(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.warn(text);
  }
  /** A request that ends with the connection. @throws RequestRefused, LinkLost */
  request: Connection["request"] = (build, expected) => {
    if (!this.connection) return Promise.reject(new LinkLost());
    return this.connection.request(build, expected);
  };

  /** Waits until all these cards are here: a valid commit may not be judged without. @throws LinkLost */
  async needCards(ids: readonly Bytes[]): Promise<void> {
    const { directory } = this.context;
    while (directory.missing(ids).length > 0) {
      if (!this.connection) throw new LinkLost();
      await directory.fetchCards(this.connection, ids);
      if (directory.missing(ids).length === 0) break;
      this.warnOnce("The server withholds the card of a member; the room waits for it.");
      this.finishTurn(() => {}); // stored before it is shown, as ever
      await this.#pause(retryCardsMs);
    }
    directory.save(); // what is about to rely on them must find them after a crash
  }

  /** Waits until no name conflicts with a pin. @throws LinkLost */
  async needPins(roster: readonly Member[]): Promise<void> {
    const { known, serverId } = this.context;
    for (;;) {
      const member = roster.find((m) => known.conflicts(serverId, m.name, m.id));
      if (!member) return;
      this.conflict = { name: member.name, id: member.id };
      this.warnOnce(
        `The key of ${member.name} has changed from ${
          fingerprint(known.user(serverId, member.name)!.id)
        } to ${fingerprint(member.id)}. The room waits: "/verify ${member.name}" shows the digits to ` +
          `compare, "/trust ${member.name}" accepts the new key.`,
      );
      this.finishTurn(() => {}); // stored before it is shown, as ever
      this.onTurn();
      if (this.conflict) await this.#pause(null);
    }
  }

  async #pause(ms: number | null): Promise<void> {
    const link = this.#goneLink.signal;
    this.#pausing = true;
    await new Promise<void>((resolve) => {
      const cancel = ms === null ? () => {} : this.context.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
    this.#pausing = false;
    if (link.aborted) throw new LinkLost();
  }

  // ---- turns

  /** Handles what is there, then settles; one turn at a time. */
  turn(): void {
    this.#again = true;
    if (this.#busy) {
      // A turn that waits, maybe for the person, must not keep what is typed from being stored.
      if (this.#pausing) this.finishTurn(() => {});
      return;
    }
    this.#busy = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) await this.#turnOnce();
    } finally {
      this.#busy = false; // at once: a turn asked for between would be lost
    }
  }

  async #turnOnce(): Promise<void> {
    this.#again = false;
    try {
      for (let i = 0; i < 64 && this.#queue.length > 0; i++) await this.#handle(this.#queue.shift()!);
      if (this.#queue.length > 0) this.#again = true;
      else await this.#settle();
    } catch (error) {
      this.#failed(error);
    }
    this.finishTurn(() => {});
    try {
      this.onTurn();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Something did not go: nothing more of this stream is handled; it comes again with the next connection. */
  #failed(error: unknown): void {
    if (!(error instanceof ServerFault) && !(error instanceof ChatError)) throw error;
    if (error instanceof LinkLost) return;
    this.#queue = [];
    if (error instanceof ServerFault) return this.context.serverFault(error.message);
    this.warn(`${error.message}. ${error.hint}`);
    this.connection?.drop();
  }

  /** Stores, and only then shows, acknowledges and sends. */
  finishTurn(send: () => void): void {
    try {
      this.store();
      this.#storageFails = false;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      // What cannot be stored is not shown, acknowledged or sent; it is tried again.
      if (!this.#storageFails) this.context.show(this.#warning(`${error.message}. ${error.hint}`));
      this.#storageFails = true;
      this.context.storageFailed(error);
      this.context.clock.after(storageRetryMs, () => this.turn());
      return;
    }
    this.#flushEvents();
    const pos = this.history?.view.pos ?? 0;
    if (this.connection && pos > this.#ackPos && this.state.status === "in") {
      this.connection.send({ type: "ACK", room: this.state.id, pos });
      this.#ackPos = pos;
    }
    send();
  }

  /** Writes the state, if anything changed. @throws FileTrouble */
  store(): void {
    if (!this.#dirty || !this.history && !this.state.pendingCommit) return;
    this.context.files.save(this.state, this.history ?? new History({ pos: 0, hash: this.state.id }));
    this.#dirty = false;
  }

  #flushEvents(): void {
    for (const event of this.#events.splice(0)) this.context.show(event);
  }

  async #handle(message: LinkMessage): Promise<void> {
    switch (message.type) {
      case "ROOM_INFO":
        return await this.#onStream(message);
      case "HASHES":
        return this.#onHashes(message);
      case "ENTRY":
        return await this.#onEntry(message.pos, message.time, message.kind, message.bytes, message.address);
      case "STORED":
        return await this.#onStored(message);
      case "ERROR":
        return this.#onError(message);
      case "LEAVING":
        return await this.#onLeaving(message);
      case "PRESENCE":
        return this.#onPresence(message);
      case "ADMIT":
        return this.#committer.admit(message.ids);
    }
  }

  async #onStream(info: MessageOf<"ROOM_INFO">): Promise<void> {
    // The room's file and the cards' are two: after a crash one may be ahead of the other.
    if (this.state.head) await this.needCards(this.state.head.roster.map((member) => member.id));
    this.#target = info.last;
    this.#hashes = null;
    const pos = this.history?.view.pos ?? 0;
    if (this.state.status === "in" && info.last < pos) {
      this.state.alarm = "the server";
      this.#dirty = true;
      this.warn(
        "The server lost or hides history: it knows less of this room than you. Nothing more is sent; " +
          '"/retry" goes on all the same.',
      );
    }
  }

  #onHashes({ first, hashes }: MessageOf<"HASHES">): void {
    if (this.state.status === "in" && first === this.history!.view.pos + 1) {
      // What has never come whole cannot have expired: hashes alone would hide it, and raise no alarm.
      if (this.isCaughtUp) throw new ServerFault("entries are hidden behind their hashes");
      for (const e of hashes) this.history!.feed(e);
      this.#dirty = true;
      this.notice(`${hashes.length} entries have expired while you were away, or are withheld.`);
      return;
    }
    const before = this.#hashes;
    if (before && first !== before.first + before.hashes.length) throw new ServerFault("hashes with a hole");
    this.#hashes = before ?? { first, hashes: [] };
    this.#hashes.hashes.push(...hashes);
    if (this.#hashes.hashes.length > hashesMost) {
      throw new ServerFault("more hashes than any epoch has entries");
    }
  }

  async #onEntry(pos: number, time: number, kind: number, bytes: Bytes, address: string): Promise<void> {
    if (this.state.status !== "in") {
      await receiveAdmission(this, pos, time, bytes, this.#hashes);
      this.#hashes = null;
      this.#ackPos = 0;
    } else {
      const last = this.history!.view.pos;
      if (pos <= last) return;
      if (pos !== last + 1) throw new ServerFault(`positions ${last + 1} to ${pos - 1} are missing`);
      if (kind === entryKinds.commit) await receiveCommit(this, pos, time, bytes);
      else {
        receiveMessage(this, pos, bytes, address);
        this.history!.feed(entryHash(kind, bytes));
      }
    }
    this.#dirty = true;
  }

  async #onStored(stored: MessageOf<"STORED">): Promise<void> {
    const now = seconds(this.context.clock);
    this.#outbox.accepted(stored);
    if (this.#committer.isAnswer(stored)) {
      await this.#onEntry(stored.pos, now, entryKinds.commit, this.#committer.stored(), "");
      this.#target ??= stored.pos;
      return this.#committer.done();
    }
    const flying = this.#outbox.take(stored.ref);
    if (!flying || this.state.status !== "in") return;
    if (stored.pos > this.history!.view.pos) {
      flying.item.sealed = flying.sealed;
      return await this.#onEntry(stored.pos, now, entryKinds.message, flying.sealed.bytes, "");
    }
    // Handled already, from the log: the answer only confirms, if it is our message that stands there.
    if (this.state.outbox.includes(flying.item)) {
      const [before, there] = [this.history!.at(stored.pos - 1), this.history!.at(stored.pos)];
      const e = entryHash(entryKinds.message, flying.sealed.bytes);
      if (!before || !there || !equals(nextHistory(before, e), there)) {
        throw new ServerFault("a message is said to be stored where another one stands");
      }
      this.state.outbox = this.state.outbox.filter((other) => other !== flying.item);
    }
    this.#dirty = true;
  }

  #onError(error: MessageOf<"ERROR">): void {
    const flying = this.#outbox.take(error.ref);
    this.#dirty = true;
    if (flying) this.#outbox.refused(flying, error.code);
    else if (this.#committer.isAnswer(error)) this.#committer.refused(error.code);
  }

  async #onLeaving({ id, epoch, signature }: MessageOf<"LEAVING">): Promise<void> {
    const member = findMember(this.state.head?.roster ?? [], id);
    const known = this.state.leaves.find((leave) => equals(leave.id, id));
    if (!member || (known && known.epoch >= epoch)) return;
    await this.needCards([id]);
    const leave: Leave = { id, epoch, signature };
    if (!isLeaveSigned(leave, this.state.id, this.context.directory.card(id)!.verifying)) return;
    // One that has run out of its time must not stand in the way of a newer one.
    this.state.leaves = [...this.state.leaves.filter((other) => other !== known), leave];
    this.#dirty = true;
    if (!equals(id, this.context.card.id)) this.notice(`${member.name} wants to leave the room.`);
  }

  #onPresence({ what, ids }: MessageOf<"PRESENCE">): void {
    for (const id of ids) {
      const key = encodeHex(id);
      const member = findMember(this.state.head?.roster ?? [], id);
      const here = what === 1;
      if (here === this.present.has(key)) continue;
      if (here) this.present.add(key);
      else this.present.delete(key);
      if (!member || equals(id, this.context.card.id) || !this.#presenceKnown) continue;
      if (here && member.since === this.state.head!.epoch) continue; // "joined the room" says it
      this.event({ type: "presence", room: this.state.name, who: member.name, here });
    }
    this.#presenceKnown = true; // the first list is no news
  }

  // ---- settling: commits that are due, then what waits to be sent

  async #settle(): Promise<void> {
    const { state } = this;
    if (!this.connection || !this.isCaughtUp) return;
    if (!this.#announced && !state.leaving) {
      this.#announced = true;
      this.event({ type: "entered", room: state.name, members: state.head!.roster.map((m) => m.name) });
    }
    if (this.#committer.isWaiting || state.alarm !== null) return;
    const connection = this.connection;
    const change = await this.#committer.due(this.#outbox.hasWork);
    if (this.connection !== connection) return; // cut meanwhile: the next connection settles anew
    if (change && this.#committer.mayCommit) {
      this.#dirty = true;
      return await this.#committer.commit(change);
    }
    if (change || !state.readable || state.suspect || state.leaving || this.#committer.lacksKeyFile) return;
    const send = this.#outbox.prepare();
    this.#dirty ||= this.#outbox.hasWork;
    this.finishTurn(send);
  }
}
