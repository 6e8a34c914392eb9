/**
 * RoomStream: how a room's stream is handled, whatever the kind of room (protocol §7, §9, §10): what comes, what is
 * stored, what is shown and sent. The order of it all is job_queue.ts.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { ChatError, inWords } from "../../errors.ts";
import { contentTypes } from "../../protocol/group/content.ts";
import { checkView } from "../../protocol/group/fork_check.ts";
import {
  entryHash,
  entryKinds,
  type History,
  type HistoryView,
  nextHistory,
} from "../../protocol/group/history.ts";
import { type LinkMessage, type MessageOf, roomFlags } from "../../protocol/channel/link_messages.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import { newItem, newLine, pendingEvent } from "./unsent.ts";
import { JobQueue } from "./job_queue.ts";
import { Unread } from "./unread.ts";
import { Outbox, type Sealed } from "./outbox.ts";
import { type RoomContext, ServerFault } from "./room_context.ts";
import type { RoomEvent } from "../room_events.ts";
import type { OutboxItem, StreamState } from "./room_state.ts";
import type { Named } from "../../protocol/identity/name.ts";

const retryCardsMs = 5_000;
const storageRetryMs = 5_000;

/** One room's stream. */
export abstract class RoomStream<State extends StreamState = StreamState> {
  /** The connection, while there is one. */
  connection: Connection | null = null;
  /** A pin that keeps the stream waiting, until the person says which key to trust. */
  conflict: Named | null = null;
  /** Called after each job: the chat's chance to notice that it is in, or gone. */
  onJobDone: () => void = () => {};
  /** The last position that was there when the stream began; null before. */
  protected target: number | null = null;
  /** The state must be stored before the job ends. */
  protected dirty = false;
  /** Lines lost since the last {@link takeLost}. */
  protected lost = 0;
  protected readonly outbox: Outbox;
  readonly #jobs: JobQueue;
  readonly #unread: Unread;
  #events: RoomEvent[] = [];
  #announced = false;
  #ackPos = 0;
  #refused = false;
  /** A fault of ours has happened here: nothing more of it is handled in this run. */
  #broken = false;
  #storageFails = false;
  #warned = new Set<string>();

  /** @param state its persistent part */
  constructor(readonly context: RoomContext, readonly state: State) {
    this.outbox = new Outbox(this);
    this.#jobs = new JobQueue({
      handle: (message) => this.handle(message),
      settle: () => this.#settle(),
      failed: (error, isSameLink) => this.#failed(error, isSameLink),
      flush: () => this.flush(),
      done: () => this.onJobDone(),
    }, context.clock);
    this.#unread = new Unread({
      state,
      label: () => this.label,
      ignores: (id) => context.ignores(id),
      holds: () => context.holds(this),
      changed: () => this.dirty = true,
    });
  }

  /** The running hash; null until the room is entered. */
  get history(): History | null {
    return this.state.history;
  }

  // ---- what each kind of room does in its own way

  /** What people call it: its name, or `@NAME` for a direct room. */
  abstract get label(): string;
  /** Handles one message of the stream. @throws ServerFault, LinkLost */
  protected abstract handle(message: LinkMessage): Promise<void>;
  /** Handles the entry at `pos`, which follows the last one, and feeds it to the history. */
  protected abstract take(
    pos: number,
    time: number,
    kind: number,
    bytes: Bytes,
    address: string,
  ): Promise<void>;
  /** Everything that there was is here. */
  protected caughtUp(): void {}
  /** Caught up: does what is due, then sends what waits. */
  protected abstract settle(): Promise<void>;
  /** Writes the state. @throws FileTrouble */
  protected abstract save(): void;
  /** Seals one message for sending. */
  abstract seal(item: OutboxItem): Sealed;
  /** Whether a sealed message still fits; if not, it is sealed anew. */
  abstract isCurrent(sealed: Sealed): boolean;
  /** The server refused a message for good. */
  abstract messageDenied(item: OutboxItem): void;
  /** The server refused a number. */
  abstract numberRefused(item: OutboxItem): void;
  /** The name of somebody by id. */
  abstract nameOf(id: Uint8Array): string;
  /** Whether it is known who is in it. */
  protected readonly hasRoster: boolean = true;
  /** Who is in it, as far as it is known. */
  abstract get memberNames(): readonly string[];
  /** What the prompt says beside the name; empty when all is well. */
  abstract get worry(): string;

  // ---- what the chat does with it

  /** Begins a connection; the stream follows. */
  connect(connection: Connection): void {
    this.disconnect();
    this.connection = connection;
    this.#jobs.linked();
  }

  /** The connection is over; what was not handled comes again. */
  disconnect(): void {
    this.connection = null;
    this.outbox.reset();
    this.target = null;
    this.#refused = false;
    this.#unread.marksNext(false);
    this.#jobs.unlinked();
  }

  /** Whether all that the server had has been handled. */
  get isCaughtUp(): boolean {
    return this.target !== null && this.state.status === "in" && this.history!.view.pos >= this.target;
  }

  /** Whether it was ever entered: not a room that was streamed to us and refused. */
  get isEntered(): boolean {
    return this.state.status === "in" || !this.#refused;
  }

  /** Whether no job is running, or the one that is waits for a card or for the person. */
  get isIdle(): boolean {
    return this.#jobs.isIdle;
  }

  /** Drops the waiting lines. @throws FileTrouble */
  forgetLines(): void {
    this.withdraw();
    this.state.outbox = [];
    this.dirty = true;
    this.store();
  }

  /** Lines that were lost since the last call. */
  takeLost(): number {
    const { lost } = this;
    this.lost = 0;
    return lost;
  }

  /** Whether a requested change is still pending. */
  get hasWish(): boolean {
    return false;
  }

  /** Lines that the server has not stored yet. */
  get unsent(): readonly OutboxItem[] {
    return this.state.outbox.filter((item) => !item.failed && item.type !== contentTypes.attest);
  }

  /** Takes one message of the stream. */
  receive(message: LinkMessage): void {
    if (this.#refused || this.#broken) return;
    this.#jobs.add(message);
  }

  /**
   * Says something; it is stored before this returns, and sent when it can be.
   *
   * @returns its message id in hex
   * @throws ChatError when it cannot be said
   */
  say(text: string, action = false): string {
    const item = newLine(text, action, this.context);
    this.checkSayable(item);
    this.#queue(item);
    this.schedule();
    return encodeHex(item.msgId);
  }

  /** Takes lines over that were typed before the room was entered; what cannot be said here is lost, and told. */
  adopt(items: readonly OutboxItem[]): void {
    for (const item of items) {
      try {
        this.checkSayable(item);
        this.#queue({ ...item, sealed: null });
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        this.event({ type: "withdrawn", room: this.label, msgId: encodeHex(item.msgId) });
        this.warn(inWords(error));
        this.lost++;
      }
    }
    this.schedule();
  }

  /** Removes the waiting lines and hands them to the caller. */
  takeUnsent(): OutboxItem[] {
    const lines = [...this.unsent];
    this.state.outbox = this.state.outbox.filter((item) => !lines.includes(item));
    return lines;
  }

  /** Whether something can be said here at all. @throws ChatError */
  protected checkSayable(_item: OutboxItem): void {
    if (!this.state.retired) return;
    throw new ChatError(
      "The operator has ended this room: nothing more can be said in it",
      "join another room, or leave with EXIT",
    );
  }

  #queue(item: OutboxItem): void {
    this.state.outbox.push(item);
    this.dirty = true;
    this.event(this.#pending(item));
  }

  /** Shows again what was said before and is not stored yet. */
  showUnsent(): void {
    for (const item of this.unsent) this.context.show(this.#pending(item));
  }

  /** Tells views that the waiting lines will not be sent from here. */
  withdraw(): void {
    for (const { msgId } of this.state.outbox) {
      this.context.show({ type: "withdrawn", room: this.label, msgId: encodeHex(msgId) });
    }
  }

  #pending(item: OutboxItem): RoomEvent {
    return pendingEvent(item, this.label, this.context.card.name);
  }

  /** Puts a message into the outbox; the job that must follow sends it. @param type of content */
  protected enqueue(type: number, body: Uint8Array<ArrayBuffer>): OutboxItem {
    const item = newItem(type, body, this.context);
    this.state.outbox.push(item);
    this.dirty = true;
    return item;
  }

  /** Tries again what failed, and goes on after an alarm: the person's word. */
  retry(): void {
    const { state } = this;
    // Histories that have parted stay apart: told once, and gone on from, it is not told again (protocol §9).
    if (state.alarm !== null && state.alarmBy) {
      state.acknowledged = [...state.acknowledged ?? [], state.alarmBy];
    }
    this.#endAlarm();
    for (const item of this.state.outbox) {
      if (item.failed) this.event(this.#pending(item));
      item.failed = false;
    }
    this.dirty = true;
    this.schedule();
  }

  /** Ignores the views of a member from now on. */
  ignoreViews(id: Uint8Array): void {
    this.state.ignoredViews.push(encodeHex(id));
    this.#endAlarm();
    this.dirty = true;
    this.schedule();
  }

  #endAlarm(): void {
    this.state.alarm = null;
    this.state.alarmBy = null;
  }

  /** A pin was changed by the person: what waits for it may go on. */
  pinsChanged(): void {
    this.conflict = null;
    this.#jobs.resume();
    this.schedule();
  }

  /** Does not enter a room that the server streams to us; the rest of its stream is skipped. */
  refuse(why: string | null): void {
    this.#refused = true;
    this.#jobs.clear();
    if (why !== null) this.warn(why);
  }

  // ---- what the receiving parts need

  /** Shows, once the job is flushed. */
  event(event: RoomEvent): void {
    if (event.type !== "message" || event.own) this.#events.push(event);
    else this.#events.push(...this.#unread.take(event));
  }

  /** What was said while another room was on the screen. */
  get unread(): number {
    return this.#unread.count;
  }

  /** The room is on the screen: shows what waited for it. */
  looked(): void {
    if (this.unread === 0) return;
    this.release();
    this.schedule();
  }

  /** Shows what waited, with the end of this job: the room will not be on the screen any more, or is there now. */
  release(): void {
    this.#events.push(...this.#unread.release());
  }

  /** The room is gone with its server's memory: shows what waited, and stores nothing. */
  showLast(): void {
    this.withdraw();
    this.release();
    for (const event of this.#events.splice(0)) this.context.show(event);
  }

  /** News in words. */
  notice(text: string): void {
    this.event({ type: "notice", room: this.label, text });
  }
  /** What the person must know. */
  warn(text: string): void {
    this.event(this.#warning(text));
  }
  #warning(text: string): RoomEvent {
    return { type: "warning", room: this.label, text };
  }
  /** The same, once a run. */
  warnOnce(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.warn(text);
  }
  /** News, once a run. */
  noticeOnce(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.notice(text);
  }
  /**
   * Holds an author's view, once the signature over it holds, against our own history (protocol §9).
   *
   * @returns whether it fits, and so confirms what we have seen up to there
   */
  noteView(author: Uint8Array, view: HistoryView): boolean {
    const verdict = checkView(this.history!, view);
    if (verdict === "forked") this.noteFork(author);
    return verdict === "same";
  }

  /** An author's history is not ours: raises the alarm, and stops sending until the person says so. */
  noteFork(author: Uint8Array): void {
    const key = encodeHex(author);
    const { state } = this;
    if (state.ignoredViews.includes(key) || state.acknowledged?.includes(key)) return;
    const name = this.nameOf(author);
    state.alarm = name;
    state.alarmBy = key;
    this.warn(
      `The server has shown you and ${name} different histories of this room. Nothing more is sent. ` +
        `Compare by another way with ${name}; then "/retry" goes on with what you have seen, ` +
        `and "/trust ${name}" ignores what ${name} claims from now on.`,
    );
  }

  /** A request that ends with the connection. @throws RequestRefused, LinkLost */
  request: Connection["request"] = (build, expected) => {
    if (!this.connection) return Promise.reject(new LinkLost());
    return this.connection.request(build, expected);
  };

  /** Waits until all these cards are here: what rests on them may not be judged without. @throws LinkLost */
  async needCards(ids: readonly Bytes[]): Promise<void> {
    const { directory } = this.context;
    while (directory.missing(ids).length > 0) {
      if (!this.connection) throw new LinkLost();
      await directory.fetchCards(this.connection, ids);
      if (directory.missing(ids).length === 0) break;
      this.warnOnce("The server withholds the card of a member; the room waits for it.");
      this.flush(); // stored before it is shown, as ever
      await this.#jobs.pause(retryCardsMs);
    }
    directory.save(); // what is about to rely on them must find them after a crash
  }

  /** Waits until no name conflicts with a pin. @throws LinkLost */
  async needPins(people: readonly Named[]): Promise<void> {
    const { known, serverId } = this.context;
    for (;;) {
      const person = people.find((p) => known.conflicts(serverId, p.name, p.id));
      if (!person) return;
      this.conflict = { name: person.name, id: person.id };
      this.warnOnce(
        `The key of ${person.name} has changed from ${
          fingerprint(known.user(serverId, person.name)!.id)
        } to ${fingerprint(person.id)}. The room waits: "/verify ${person.name}" shows the digits to ` +
          `compare, "/trust ${person.name}" accepts the new key.`,
      );
      this.flush(); // stored before it is shown, as ever
      this.onJobDone();
      if (this.conflict) await this.#jobs.pause(null);
    }
  }

  /** Pins the people who are new to us. @throws FileTrouble: nothing has moved yet, and it is done again */
  keepPins(people: readonly Named[]): void {
    const { known, serverId } = this.context;
    for (const { name, id } of people) if (!known.user(serverId, name)) known.pinUser(serverId, name, id);
  }

  // ---- jobs

  /** Runs a job: handles what is there, then settles. */
  schedule(): void {
    this.#jobs.schedule();
  }

  /** When the job that runs is over, and what it has to store is stored. */
  get settled(): Promise<void> {
    return this.#jobs.settled;
  }

  async #settle(): Promise<void> {
    if (!this.connection || !this.isCaughtUp) return;
    this.#unread.marksNext(false);
    this.caughtUp();
    if (!this.#announced) {
      this.#announced = true;
      const event: RoomEvent = { type: "entered", room: this.label, members: this.memberNames };
      this.event(this.hasRoster ? event : { ...event, speakers: true });
    }
    if (this.state.alarm === null && !this.state.retired) await this.settle();
  }

  /** Seals, stores, sends: the end of settling. */
  protected sendWaiting(): void {
    const send = this.outbox.prepare();
    this.dirty ||= this.outbox.hasWork;
    this.flush(send);
  }

  /** Something did not go: nothing more of this stream is handled; it comes again with the next connection. */
  #failed(error: unknown, isSameLink: boolean): void {
    if (error instanceof LinkLost) {
      // What follows in a stream that is over must not be handled without what was given up.
      if (isSameLink) this.refuse(null);
      return;
    }
    this.#jobs.clear();
    if (!(error instanceof ServerFault) && !(error instanceof ChatError)) {
      // A bug of ours must not let the sender of some bytes end the program, nor cut the other rooms for ever.
      this.warn(`A fault of this program in ${this.label}: ${(error as Error).name}. Please report it.`);
      this.#broken = true;
      this.context.bug(error as Error);
      return;
    }
    if (error instanceof ServerFault) return this.context.serverFault(error.message);
    if (this.context.gaveUp(error)) return;
    this.warn(inWords(error));
    this.connection?.drop();
  }

  /** Stores, and only then shows, acknowledges and sends. */
  flush(send: () => void = () => {}): void {
    try {
      this.context.record(this.state.id, this.#events);
      this.store();
      this.#storageFails = false;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      // What cannot be stored is not shown, acknowledged or sent; it is tried again.
      if (!this.#storageFails) this.context.show(this.#warning(inWords(error)));
      this.#storageFails = true;
      this.context.storageFailed(error);
      this.context.clock.after(storageRetryMs, () => this.schedule());
      return;
    }
    for (const event of this.#events.splice(0)) this.context.show(event);
    const pos = this.history?.view.pos ?? 0;
    if (this.connection && pos > this.#ackPos && this.state.status === "in") {
      this.connection.send({ type: "ACK", room: this.state.id, pos });
      this.#ackPos = pos;
    }
    send();
  }

  /** Writes the state, if anything changed. @throws FileTrouble */
  store(): void {
    if (!this.dirty) return;
    this.save();
    this.dirty = false;
  }

  // ---- what every stream has

  /** ROOM_INFO: where the stream stands, held against where we stand. */
  protected streamBegins(info: MessageOf<"ROOM_INFO">): void {
    const { state } = this;
    this.target = info.last;
    const pos = this.history?.view.pos ?? 0;
    // Only at the start: who sat there through a cut has read on.
    this.#unread.marksNext(state.status === "in" && info.last > pos && pos > 0 && !this.#announced);
    if (!this.context.holds(this)) this.release();
    if ((info.flags & roomFlags.retired) !== 0 && !state.retired) {
      state.retired = true;
      const why = "the room was ended";
      for (const { msgId } of this.unsent) {
        this.event({ type: "failed", room: this.label, msgId: encodeHex(msgId), why });
      }
      for (const item of state.outbox) item.failed = true;
      this.dirty = true;
      this.warn("The operator has ended this room: nothing more can be said in it.");
    }
    if (state.status === "in" && info.last < pos) {
      this.alarmAboutServer(
        "The server lost or hides history: it knows less of this room than you. Nothing more is sent; " +
          '"/retry" goes on all the same.',
      );
    }
  }

  /** Stops sending for what the server did. */
  protected alarmAboutServer(text: string): void {
    this.state.alarm = "the server";
    this.dirty = true;
    this.warn(text);
  }

  /** HASHES that follow where we stand: entries that have expired. @returns how many there were; 0: not ours */
  protected hashesFollow({ first, hashes }: MessageOf<"HASHES">): number {
    if (this.state.status !== "in" || first !== this.history!.view.pos + 1) return 0;
    // What has never come whole cannot have expired: hashes alone would hide it, and raise no alarm.
    if (this.isCaughtUp) throw new ServerFault("entries are hidden behind their hashes");
    for (const e of hashes) this.state.history = this.history!.after(e);
    this.dirty = true;
    this.notice(expiredText(hashes.length));
    return hashes.length;
  }

  /** An entry of the log that follows, or one that is known. */
  protected async entryFollows(pos: number, time: number, kind: number, bytes: Bytes, address: string) {
    if (!this.history || this.state.status !== "in") throw new ServerFault("an entry before the room begins");
    const last = this.history.view.pos;
    if (pos <= last) return;
    if (pos !== last + 1) throw new ServerFault(`positions ${last + 1} to ${pos - 1} are missing`);
    await this.take(pos, time, kind, bytes, address);
    this.dirty = true;
  }

  /** STORED for a message of ours: it stands in the stream in the entry's place. */
  protected async messageStored(stored: MessageOf<"STORED">): Promise<void> {
    this.outbox.accepted();
    const flying = this.outbox.take(stored.ref);
    if (!flying || this.state.status !== "in") return;
    if (stored.pos > this.history!.view.pos) {
      flying.item.sealed = flying.sealed;
      const now = seconds(this.context.clock);
      return await this.entryFollows(stored.pos, now, entryKinds.message, flying.sealed.bytes, "");
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
    this.dirty = true;
  }

  /** ERROR for a message of ours. @returns whether it was for one */
  protected messageRefused(error: MessageOf<"ERROR">): boolean {
    const flying = this.outbox.take(error.ref);
    if (!flying) return false;
    this.dirty = true;
    this.outbox.refused(flying, error.code);
    return true;
  }
}

/** The gap that expired entries leave. */
export function expiredText(entries: number): string {
  return entries === 1
    ? "1 entry has expired, or is withheld."
    : `${entries} entries have expired, or are withheld.`;
}
