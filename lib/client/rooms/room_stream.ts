/**
 * RoomStream: how a room's stream is handled, whatever the kind of room (protocol §7, §9, §10): what comes, what is
 * stored, what is shown and sent. The order of it all is job_queue.ts.
 */

import { equals } from "@std/bytes/equals";
import { seconds } from "../../clock.ts";
import { ChatError, inWords } from "../../errors.ts";
import {
  digestHash,
  entryHash,
  entryKinds,
  type History,
  nextHistory,
  type SignedView,
} from "../../protocol/group/history.ts";
import { isHeadSigned } from "../../protocol/group/signed_head.ts";
import { type LinkMessage, type MessageOf, roomFlags } from "../../protocol/channel/link_messages.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import { JobQueue } from "./job_queue.ts";
import { Outbox, type Sealed } from "./outbox.ts";
import { type RoomContext, ServerFault } from "./room_context.ts";
import type { RoomKind } from "./room_files.ts";
import type { RoomEvent } from "../room_events.ts";
import type { OutboxItem, StreamState } from "./room_state.ts";
import { Alarm } from "./alarm.ts";
import { RoomTrust } from "./room_trust.ts";
import { RoomNews } from "./room_news.ts";
import { Lines } from "./lines.ts";
import type { Entry } from "../../protocol/group/group_state.ts";

const storageRetryMs = 5_000;
/** After so long without a change the files are written whole. */
const quietMs = 30_000;
/** How long a server may leave us without its signature. */
const headDeadlineMs = 10_000;

/** One room's stream. */
export abstract class RoomStream<State extends StreamState = StreamState> {
  /** The connection, while there is one. */
  connection: Connection | null = null;
  /** Called after each job: the chat's chance to notice that it is in, or gone. */
  onJobDone: () => void = () => {};
  /** The last position that was there when the stream began; null before. */
  target: number | null = null;
  /** The state must be stored before the job ends. */
  protected dirty = false;
  /** What was said here and is not stored yet. */
  readonly lines: Lines;
  /** What is told of the room. */
  readonly news: RoomNews;
  /** What it rests on. */
  readonly trust: RoomTrust;
  /** Whether histories have parted. */
  readonly alarm: Alarm;
  protected readonly outbox: Outbox;
  readonly #jobs: JobQueue;
  #announced = false;
  #ackPos = 0;
  #refused = false;
  /** More came than could wait while a job waited. */
  #overflowed = false;
  /** A fault of ours has happened here: nothing more of it is handled in this run. */
  #broken = false;
  #storageFails = false;

  /** @param state its persistent part */
  constructor(readonly context: RoomContext, readonly state: State) {
    this.outbox = new Outbox(this);
    this.#jobs = new JobQueue(
      {
        handle: (message) => this.handle(message),
        settle: () => this.#settle(),
        failed: (error, isSameLink) => this.#failed(error, isSameLink),
        flush: () => this.flush(),
        done: () => this.onJobDone(),
      },
      context.clock,
      context.backlog,
    );
    this.news = new RoomNews(this);
    this.lines = new Lines(this);
    this.trust = new RoomTrust(this);
    this.alarm = new Alarm(this);
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
  /** Handles the entry that follows the last one, and feeds it to the history. @param address of its author; maybe empty */
  protected abstract take(entry: Entry, address: string): Promise<void>;
  /** Everything that there was is here. */
  protected caughtUp(): void {}
  /** Not in it: does what is due to come in. @throws ServerFault, LinkLost */
  protected comeIn(): Promise<void> {
    return Promise.resolve();
  }
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
  /** Which files it is kept in. */
  protected readonly fileKind: RoomKind = "room";
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

  /** The connection, for what cannot be done without one. @throws LinkLost when it has ended meanwhile */
  get linked(): Connection {
    if (!this.connection) throw new LinkLost();
    return this.connection;
  }

  /** The connection is over; what was not handled comes again. */
  disconnect(): void {
    this.connection = null;
    this.outbox.reset();
    this.target = null;
    this.#refused = this.#overflowed = false;
    this.news.marksNext(false);
    this.#cancelHead();
    this.#jobs.unlinked();
  }

  /** Whether all that the server had has been handled. */
  get isCaughtUp(): boolean {
    return this.target !== null && this.state.status === "in" && this.history!.view.pos >= this.target;
  }

  /** Whether the server has signed where we stand: without, nothing is sealed or committed. */
  get isProved(): boolean {
    const pos = this.history?.view.pos ?? 0;
    return pos === 0 || this.state.proved?.pos === pos;
  }

  /** Whether it was ever entered: not a room that was streamed to us and refused. */
  get isEntered(): boolean {
    return this.state.status === "in" || !this.#refused;
  }

  /** Whether no job is running, or the one that is waits for a card or for the person. */
  get isIdle(): boolean {
    return this.#jobs.isIdle;
  }

  /** Whether a requested change is still pending. */
  get hasWish(): boolean {
    return false;
  }

  /** Whether a line or a change of the person's is still to be stored. */
  get hasWork(): boolean {
    return this.lines.unsent.length > 0 || this.hasWish;
  }

  /** Takes one message of the stream. */
  receive(message: LinkMessage): void {
    if (this.#refused || this.#broken) return;
    if (this.#jobs.add(message)) return;
    this.#overflowed = true;
    this.news.warnNow(
      `More has come than can wait in ${this.label}: it comes again with the next connection.`,
    );
    this.refuse(null);
  }

  /** Whether something can be said here at all. @throws ChatError */
  checkSayable(_item: OutboxItem): void {
    this.#isAskedFor();
    if (!this.state.retired) return;
    throw new ChatError(
      "This room has ended: nothing more can be said in it",
      "/leave takes it from your list, and /join with its name makes it anew",
    );
  }

  /** Tries again what failed, and goes on after an alarm: the person's word. */
  retry(): void {
    this.alarm.acknowledge();
    this.lines.retryFailed();
    this.schedule();
  }

  /** A pin was changed by the person: what waits for it may go on. */
  pinsChanged(): void {
    this.trust.conflict = null;
    if (this.#overflowed) this.connection?.renew(); // what it had no room for comes now
    this.#jobs.resume();
    this.schedule();
  }

  /** Does not enter a room that the server streams to us; the rest of its stream is skipped. */
  refuse(why: string | null): void {
    this.#refused = true;
    this.#jobs.clear();
    if (why !== null) this.news.warn(why);
  }

  /** The room is on the screen: shows what waited for it. */
  looked(): void {
    this.#isAskedFor();
    if (this.news.unread === 0) return;
    this.news.release();
    this.schedule();
  }

  /** The person has been here, or has spoken: the server may know that we want to be in it. */
  #isAskedFor(): void {
    if (!this.state.unasked) return;
    this.state.unasked = false;
    this.dirty = true;
    this.schedule();
  }

  /** The room is gone with its server's memory: shows what waited, and stores nothing. */
  showLast(): void {
    this.lines.withdraw();
    this.news.release();
    this.news.show();
  }

  // ---- what the parts of a room need

  /** Whether the person is to hear of it. */
  tells(_event: RoomEvent): boolean {
    return true;
  }

  /** The state must be stored before the job ends. */
  changed(): void {
    this.dirty = true;
  }

  /** A request that ends with the connection. @throws RequestRefused, LinkLost */
  request: Connection["request"] = (build, expected) => {
    if (!this.connection) return Promise.reject(new LinkLost());
    return this.connection.request(build, expected);
  };

  /** The job that runs waits for so long, or until the person has decided. @throws LinkLost */
  pause(ms: number | null): Promise<void> {
    return this.#jobs.pause(ms);
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
    if (!this.connection) return;
    await this.comeIn();
    if (!this.isCaughtUp) return;
    this.news.marksNext(false);
    this.caughtUp();
    if (!this.#announced) {
      this.#announced = true;
      this.news.event(this.enteredEvent);
    }
    if (!this.isProved) return this.#awaitHead();
    if (!this.alarm.isRaised && !this.state.retired) await this.settle();
  }

  /** A head follows each entry at once: a server that gives none keeps forks unseen. */
  #awaitHead(): void {
    const { connection } = this;
    this.#cancelHead();
    this.#cancelHead = this.context.clock.after(headDeadlineMs, () => {
      if (this.connection !== connection || this.isProved || !this.isCaughtUp) return;
      this.context.serverFault("it does not sign where the room stands");
    });
  }
  #cancelHead: () => void = () => {};

  /** HEAD: the server signs where we stand. @throws ServerFault for one that is not of our history */
  protected headFollows({ pos, signature }: MessageOf<"HEAD">): void {
    const { state, context } = this;
    if (state.status !== "in" && pos !== this.history?.view.pos) return;
    if (state.alarm === "hides") return; // nothing is sealed here any more: other rooms need the link
    const hash = this.history?.at(pos);
    const place = { site: context.site, room: state.id };
    if (!hash || !isHeadSigned(place, { pos, hash }, signature, context.serverKey)) {
      state.badHeads = (state.badHeads ?? 0) + 1;
      this.dirty = true;
      if (state.badHeads > 1) this.alarm.hidden();
      throw new ServerFault("it has signed another history than it has shown");
    }
    if (pos < (state.proved?.pos ?? 0)) return;
    state.proved = { pos, signature };
    this.dirty = true;
    this.#convict();
  }

  /** The server has signed another history for the author of an entry. @param view what it has signed */
  splitBy(view: SignedView): void {
    this.alarm.twoHistories();
    if (this.state.isConvicted) return;
    this.state.split ??= view;
    this.dirty = true;
    this.#convict();
  }

  /** Once a head of ours is of that position or a later one, there is what convicts the server. */
  #convict(): void {
    const { history, state: { id, split, proved }, context: { site } } = this;
    if (!split || !proved || !history || proved.pos < split.pos) return;
    const ours = history.at(split.pos);
    if (!ours) return;
    const head = { pos: proved.pos, hash: history.at(proved.pos)!, headSig: proved.signature };
    const entries = history.entries(split.pos, proved.pos);
    const evidence = { place: { site, room: id }, theirs: split, ours, head, entries };
    try {
      const path = this.context.keepConviction(evidence);
      this.state.split = null;
      this.state.isConvicted = true;
      this.news.warn(`What shows this to anybody, without this program, is in "${path}".`);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.news.warnOnce(inWords(error)); // the next head brings it again
    }
  }

  /** Shows at once what happened here, whatever is stored. */
  show(event: RoomEvent): void {
    this.context.show(event, this);
  }

  /** We are in, as it is told to whoever looks. */
  get enteredEvent(): RoomEvent {
    const event: RoomEvent = { type: "entered", room: this.label, members: this.memberNames };
    return this.hasRoster ? event : { ...event, speakers: true };
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
      // The rest of this stream must not be handled without the part that was given up.
      if (isSameLink) this.refuse(null);
      return;
    }
    this.#jobs.clear();
    if (!(error instanceof ServerFault) && !(error instanceof ChatError)) {
      // A bug of ours must not let the sender of some bytes end the program, nor cut the other rooms for ever.
      this.news.warn(`A fault of this program in ${this.label}: ${(error as Error).name}. Please report it.`);
      this.#broken = true;
      this.context.bug(error as Error);
      return;
    }
    if (error instanceof ServerFault) return this.context.serverFault(error.message);
    if (this.context.gaveUp(error)) return;
    this.news.warn(inWords(error));
    this.connection?.drop();
  }

  /** Stores, and only then shows, acknowledges and sends. */
  flush(send: () => void = () => {}): void {
    try {
      this.news.record();
      this.store();
      this.#storageFails = false;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      // What cannot be stored is not shown, acknowledged or sent; it is tried again.
      if (!this.#storageFails) this.news.warnNow(inWords(error));
      this.#storageFails = true;
      this.context.storageFailed(error);
      this.context.clock.after(storageRetryMs, () => this.schedule());
      return;
    }
    this.news.show();
    const pos = this.history?.view.pos ?? 0;
    if (this.connection && pos > this.#ackPos && this.state.status === "in" && !this.state.unasked) {
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
    this.#settleSoon();
  }

  /** Once it is quiet: keys and lines that are over leave the disk. */
  #settleSoon(): void {
    this.#cancelSettling();
    this.#cancelSettling = this.context.clock.after(quietMs, () => this.settleFiles());
  }
  #cancelSettling: () => void = () => {};

  /** The same at once: nothing more is stored now. */
  settleFiles(): void {
    this.#cancelSettling();
    try {
      this.context.files.settle(this.state.id, this.fileKind);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error; // nothing is lost: it is done with the next change
    }
  }

  // ---- what every stream has

  /** ROOM_INFO: where the stream stands, held against where we stand. */
  protected streamBegins(info: MessageOf<"ROOM_INFO">): void {
    const { state } = this;
    this.target = info.last;
    const pos = this.history?.view.pos ?? 0;
    // Only at the start: a person who sat through a cut has seen what came before it.
    this.news.marksNext(state.status === "in" && info.last > pos && pos > 0 && !this.#announced);
    if (!this.context.holds(this)) this.news.release();
    if ((info.flags & roomFlags.retired) !== 0 && !state.retired) {
      state.retired = true;
      if (state.status === "in") this.lines.failAll("the room has ended");
      else this.context.endedAtTheDoor(this); // what was typed for it goes into the next one of that name
      this.news.warn(
        state.status === "in"
          ? "This room has ended: nothing more can be said in it; /leave takes it from your list."
          : `${this.label} has ended before you were let in: "/join ${this.label}" makes it anew.`,
      );
    }
    if (state.status === "in" && info.last < pos) {
      this.alarm.raise(
        "history lost",
        "The server lost or hides history: it knows less of this room than you. Nothing more is sent; " +
          '"/retry" goes on all the same.',
      );
    }
  }

  /** HASHES that follow where we stand: entries that have expired. @returns how many there were; 0: not ours */
  protected hashesFollow({ first, digests }: MessageOf<"HASHES">): number {
    if (this.state.status !== "in" || first !== this.history!.view.pos + 1) return 0;
    // New entries cannot have expired yet: bare hashes would hide them without an alarm.
    if (this.isCaughtUp) throw new ServerFault("entries are hidden behind their hashes");
    for (const digest of digests) {
      this.state.history = this.history!.after(digestHash(entryKinds.message, digest));
    }
    this.dirty = true;
    this.news.notice(expiredText(digests.length));
    return digests.length;
  }

  /** An entry of the log that follows, or one that is known. */
  protected async entryFollows(entry: Entry, address: string): Promise<void> {
    const { pos } = entry;
    if (!this.history || this.state.status !== "in") throw new ServerFault("an entry before the room begins");
    const last = this.history.view.pos;
    if (pos <= last) return;
    if (pos !== last + 1) throw new ServerFault(`positions ${last + 1} to ${pos - 1} are missing`);
    await this.take(entry, address);
    this.dirty = true;
  }

  /** STORED for a message of ours: it stands in the stream in the entry's place. */
  protected async messageStored(stored: MessageOf<"STORED">): Promise<void> {
    this.outbox.accepted();
    const flying = this.outbox.take(stored.ref);
    if (!flying || this.state.status !== "in") return;
    if (stored.pos > this.history!.view.pos) {
      flying.item.sealed = flying.sealed;
      const time = seconds(this.context.clock);
      const { bytes } = flying.sealed;
      return await this.entryFollows({ pos: stored.pos, time, kind: entryKinds.message, bytes }, "");
    }
    // The log has brought it already: check that the message at this position is ours.
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
