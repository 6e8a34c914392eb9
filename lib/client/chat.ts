/**
 * Chat: one server's chat. It goes in, stays in over cuts and restarts of the server, and comes out with an exit code.
 *
 * It puts the parts together: one connection after the other (connection/session.ts), the rooms (rooms/), what was
 * given on trust (trust/). It shows nothing itself, decides nothing about keys, and reads no input: lines come by
 * commands/line_entry.ts, through the interface that commands see. Profile and view are its caller's.
 */

import { sleep } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import { ChatError, exitCodes, inWords } from "../errors.ts";
import { closeReasons, type LinkMessage, type MessageOf } from "../protocol/channel/link_messages.ts";
import type { ChatOutput } from "./chat_view.ts";
import { Backoff } from "./connection/backoff.ts";
import type { Connection, Receiver } from "./connection/connection.ts";
import {
  AskedTooLong,
  HandshakeBroken,
  isTransient,
  LinkLost,
  Refused,
} from "./connection/connection_errors.ts";
import { Login } from "./connection/login.ts";
import { PrekeyPublishing } from "./connection/prekey_publishing.ts";
import { retryWhileLimited } from "./connection/retry_while_limited.ts";
import { ServerGate } from "./connection/server_gate.ts";
import { runSession, welcomed } from "./connection/session.ts";
import { notAdmitted, notMember, notSent, notStored } from "./exit_errors.ts";
import type { Profile } from "./profile/profile.ts";
import { ShownMessages } from "./profile/shown_messages.ts";
import { Questions } from "./questions.ts";
import { DirectRooms } from "./rooms/direct_rooms.ts";
import { Entrances } from "./rooms/entrances.ts";
import { RoomSet } from "./rooms/room_set.ts";
import type { RoomStream } from "./rooms/room_stream.ts";
import { ServerRooms } from "./rooms/server_rooms.ts";
import { Unsent } from "./rooms/unsent.ts";
import { WantedRooms } from "./rooms/wanted_rooms.ts";
import type { Status } from "./status.ts";
import { KeyClaims } from "./trust/key_claims.ts";
import { ServerUnknown } from "./trust/known_keys.ts";
import { Conversation } from "./conversation.ts";
import type { ChatOptions, ChatSeams } from "./chat_options.ts";

const lastWordsMs = 3_000;

/** One run of `chat join` at one server. */
export class Chat implements Receiver {
  /** What the person does: for commands and typed lines. */
  readonly conversation: Conversation;
  #login: Login;
  #hasAccount: boolean | null = null;
  #set: RoomSet;
  #rooms: ServerRooms;
  #wanted: WantedRooms;
  #unsent: Unsent;
  #entrances: Entrances;
  #connection: Connection | null = null;
  #claims: KeyClaims;
  #gate: ServerGate;
  #publishing: PrekeyPublishing;
  #backoff: Backoff;
  #stop = new AbortController();
  /** Ends the waiting for the next attempt to connect. */
  #hurry = new AbortController();
  #failure: ChatError | null = null;
  #lastTrouble: ChatError | null = null;
  #cancelGiveUp: () => void = () => {};
  #isInputOver = false;
  #isEntered = false;
  #whenEntered = Promise.withResolvers<void>();
  #offline: Status["offline"] = { retryMs: null };

  /** @param view shows, and is asked; it is not read from, nor closed */
  constructor(
    readonly profile: Profile,
    private readonly options: ChatOptions,
    readonly view: ChatOutput,
    private readonly seams: ChatSeams,
  ) {
    const { clock, random } = seams;
    const { room: main, fernetKey } = options;
    const { signal } = this.#stop;
    const shown = new ShownMessages();
    const questions = new Questions(view, signal);
    const connection = () => this.#connection;
    this.#backoff = new Backoff(clock, random);
    const claims = this.#claims = new KeyClaims(options.trust);
    this.#gate = new ServerGate(profile.known, options, claims, {
      notice: (text) => view.notice(text),
      ask: (question) => questions.ask(question),
    });
    const login = this.#login = new Login(profile.name, options.login, {
      interactive: view.interactive,
      secret: (question) => questions.secret(question),
      warning: (text) => view.warning(text),
    });
    const set = this.#set = new RoomSet(options);
    const wanted = this.#wanted = new WantedRooms(options);
    const unsent = this.#unsent = new Unsent(main, profile.name, (event) => view.event(event));
    const shared = { profile, clock, random, view, signal, claims, set, wanted, unsent, connection };
    const rooms: ServerRooms = this.#rooms = new ServerRooms({
      ...shared,
      shown,
      history: options.history,
      direct: (other) => direct.with(other),
      jobDone: (room) => this.#afterJob(room),
      fail: (error) => this.fail(error),
      bug: (error) => seams.onBug?.(error),
    });
    const direct = new DirectRooms({
      context: () => rooms.context,
      connection,
      room: (key) => set.all.get(key),
      addRoom: (room) => void rooms.add(room),
    });
    const entrances = this.#entrances = new Entrances({
      ...shared,
      main,
      fernetKey,
      rooms,
      direct,
      take: (room, isMain) => this.#take(room, isMain),
    });
    this.conversation = new Conversation({
      ...shared,
      seams,
      login,
      questions,
      shown,
      rooms,
      direct,
      entrances,
      target: options,
      connection,
      hasAccount: () => this.#hasAccount,
      whenEntered: this.#whenEntered.promise,
      isOver: () => this.isOver,
      show: (room) => this.#show(room),
      hurry: () => this.#hurry.abort(),
      quit: () => this.quit(),
      quitWhenQuiet: () => this.#quitWhenQuiet(),
    });
    this.#publishing = new PrekeyPublishing({
      clock,
      prekeys: () => rooms.server.prekeys,
      retryWhileLimited: (request) => retryWhileLimited({ clock, signal }, request),
      allCaughtUp: () => set.withMembers.every((room) => room.isCaughtUp || room.state.status !== "in"),
      warn: (text) => view.warning(text),
    });
  }

  // ---- running

  /**
   * Runs until the person goes.
   *
   * @returns 0
   * @throws ChatError with the exit code for everything that ends it otherwise
   */
  async run(): Promise<number> {
    const { clock } = this.seams;
    const giveUp = this.view.interactive ? () => {} : clock.after(this.options.joinTimeoutMs, () => {
      if (this.#isEntered) return;
      this.fail(this.#connection ? notAdmitted(this.options.room) : this.#lastTrouble ?? new LinkLost());
    });
    try {
      let isFirst = true;
      while (!this.isOver) {
        const again = await this.#connect(isFirst);
        if (this.isOver) break;
        isFirst = again === "as first";
        if (again === "later") await this.#waitForNext();
      }
      if (this.#failure) throw this.#failure;
      const refused = this.#all.flatMap((room) => room.state.outbox).filter((item) => item.failed).length;
      const lost = this.conversation.lost + refused;
      if (lost > 0 && !this.view.interactive) throw notSent(lost);
      return exitCodes.done;
    } finally {
      giveUp();
      this.#cancelGiveUp();
      this.#stop.abort();
      this.#whenEntered.resolve();
      await this.#rooms.settle();
    }
  }

  /** One connection. @returns when to come again @throws ChatError when coming again cannot help */
  async #connect(isFirst: boolean): Promise<"as first" | "at once" | "later"> {
    try {
      if (await this.#runSession()) this.#backoff.succeeded();
    } catch (error) {
      if (error instanceof ServerUnknown && this.view.interactive) {
        await this.#gate.meet(error);
        return "as first";
      }
      const next = isFirst ? "as first" : "at once";
      if (error instanceof AskedTooLong && !this.isOver) return next;
      const isLogin = error instanceof Refused && error.reason === closeReasons.loginRefused;
      if (isLogin && this.#login.refused()) {
        this.view.warning(inWords(error));
        return next;
      }
      const isNoWayIn = isFirst && !this.#isEntered;
      if (!(error instanceof ChatError) || isNoWayIn || !isTransient(error)) throw error;
      // The same trouble at each attempt is told once.
      if (error.message !== this.#lastTrouble?.message) this.view.warning(error.message);
      this.#lastTrouble = error;
      if (error instanceof HandshakeBroken) this.#backoff.handshakeFailed();
    }
    return "later";
  }

  async #runSession(): Promise<boolean> {
    const { options, profile, seams, view } = this;
    return await runSession({
      ...options,
      ...seams,
      profile,
      view,
      login: this.#login,
      gate: this.#gate,
      publishing: this.#publishing,
      signal: this.#stop.signal,
      receiver: this,
      isEntered: () => this.#isEntered,
      begins: (connection) => {
        // Pinned only now: the handshake has proved that the server holds the key of its card.
        this.#gate.keep(connection.server.id, connection.version);
        this.#connection = connection;
        this.#rooms.begin(connection.server.id);
        return this.#rooms.hello;
      },
      settleIn: (connection) => this.#settleIn(connection),
      ends: () => {
        this.#connection = null;
        this.#rooms.disconnect();
        this.#setOffline({ retryMs: null });
      },
    });
  }

  async #waitForNext(): Promise<void> {
    const { clock } = this.seams;
    const waitMs = this.#backoff.nextMs();
    this.#setOffline({ retryMs: clock.now() + waitMs });
    this.#hurry = new AbortController();
    await sleep(clock, waitMs, AbortSignal.any([this.#stop.signal, this.#hurry.signal]));
    this.#setOffline({ retryMs: null });
  }

  async #settleIn(connection: Connection): Promise<void> {
    await this.#publishing.begin(connection);
    if (this.#isEntered) this.view.notice("Connected again.");
    else this.view.progress("Initial set up had been completed!");
    const { pins, room } = this.options;
    // A memory-only server forgets its rooms, so the invite's room is not pinned there.
    if (pins && this.#rooms.context.pinsRooms()) {
      this.#gate.keepRoom(this.#rooms.serverId!, room, pins.roomId);
    }
    await this.#entrances.enterAll(connection);
  }

  // ---- what comes

  welcome(message: MessageOf<"WELCOME">): void {
    this.#lastTrouble = null;
    this.#setOffline(null);
    const { view, profile, seams: { clock } } = this;
    this.#hasAccount = welcomed({ view, login: this.#login, profile, clock }, message);
    this.#rooms.welcome(message, this.#connection!);
  }

  receive(message: LinkMessage, room: Bytes | null): void {
    if (message.type === "NOTICE") return this.view.notice(`The server says: ${message.text}`);
    this.#rooms.receive(message, room);
  }

  /** A room that was meant is there: lines go there. */
  #take(room: RoomStream, isMain: boolean): void {
    const isFirst = this.#set.shown === null;
    if (isMain) this.#set.main = room;
    // After a reconnect the person stays in the room that was on the screen.
    if (isFirst || !this.#isEntered) this.#show(room);
    room.lines.adopt(this.#unsent.take(room.state.name, isMain));
    this.#afterJob(room);
  }

  #afterJob(room: RoomStream): void {
    this.#entrances.jobDone(room);
    const { conflict } = room.trust;
    if (conflict) this.#claims.note(conflict);
    if (conflict && this.#claims.names(conflict.name)) this.conversation.acceptKey(conflict);
    this.#publishing.eraseWhenDue();
    if (room === this.#set.main && room.isCaughtUp && !this.#isEntered) this.#entered();
    this.conversation.lost += room.lines.takeLost();
    if (room.state.status === "gone" && this.#isEntered) {
      this.#wanted.drop(room.state.name);
      if (room === this.#set.shown) this.#outOf(room);
    }
    // A program cannot judge a warning: it ends, and a person looks.
    if (room.alarm.isRaised && !this.view.interactive) this.fail(notStored(true));
    this.#showStatus();
    if (this.#isInputOver && this.#isEntered && this.#isQuiet) this.#stop.abort();
  }

  #entered(): void {
    this.#isEntered = true;
    this.#whenEntered.resolve();
    this.view.progress("Now you can start to exchange messages");
    if (this.view.interactive) this.#rooms.tellOfHistory();
    const { trust } = this.options;
    if (trust !== null && !this.#claims.hasAccepted) {
      this.view.notice(`There was nothing to accept: no key of ${trust} has changed.`);
    }
  }

  /** We are no longer in the room on the screen: another one takes its place, or it is over. */
  #outOf(room: RoomStream): void {
    const next = this.#set.next();
    if (!next || (room === this.#set.main && !this.view.interactive)) return this.fail(notMember(room.label));
    this.view.notice(
      `You are no longer in ${room.label}; what you type is said in ${next.label} from now on.`,
    );
    this.#set.isDisplaced = true;
    this.#show(next);
  }

  #show(room: RoomStream): void {
    const isNew = this.#set.shown !== room;
    this.#set.shown = room;
    this.#showStatus();
    if (isNew) {
      this.#rooms.recall(room);
      room.lines.showUnsent();
    }
    room.looked();
  }

  #setOffline(offline: Status["offline"]): void {
    this.#offline = offline;
    this.#showStatus();
  }

  #showStatus(): void {
    if (this.isOver) return;
    const room = this.#set.shown;
    this.view.status({
      room: room?.label ?? "",
      worry: room?.worry ?? "",
      rooms: this.#rooms.numbered.map(({ label, news }) => ({ label, unread: news.unread })),
      offline: this.#offline,
    });
  }

  get #all(): RoomStream[] {
    return [...this.#set.all.values()];
  }
  /** Whether it is over. */
  get isOver(): boolean {
    return this.#stop.signal.aborted;
  }

  // ---- going

  /** Whether nothing that was said waits to be stored by the server. */
  get #isQuiet(): boolean {
    return this.#unsent.count === 0 && this.#all.every((room) => !room.hasWork);
  }

  /** For programs: goes once everything is stored, and says so when that does not come about. */
  #quitWhenQuiet(): void {
    this.#isInputOver = true;
    this.#cancelGiveUp = this.seams.clock.after(this.options.joinTimeoutMs, () => {
      if (this.#isEntered) this.fail(notStored(this.#all.some((room) => room.alarm.isRaised)));
    });
    if (this.#set.shown) this.#afterJob(this.#set.shown);
  }

  /** Goes; what is not stored yet has a moment, and is otherwise kept for the next time. */
  quit(): void {
    const mayStillGo = this.#all.some((room) =>
      room.hasWork && !room.alarm.isRaised && room.trust.conflict === null
    );
    if (!this.#set.shown || !this.#connection || !(mayStillGo || this.#unsent.count > 0)) {
      return this.#endNow();
    }
    this.#isInputOver = true;
    this.seams.clock.after(lastWordsMs, () => this.#endNow());
  }

  #endNow(): void {
    if (this.isOver) return;
    const waiting = this.#all.reduce((sum, room) => sum + room.lines.unsent.length, 0);
    const undone = this.#all.filter((room) => room.hasWish).map((room) => room.label);
    if (undone.length > 0) {
      this.view.warning(
        `The change that you asked for in ${undone.join(", ")} was not made; ask again next time.`,
      );
    }
    if (waiting > 0) {
      const lines = waiting === 1 ? "One line is" : `${waiting} lines are`;
      this.view.warning(`${lines} not sent yet, and will be when you join again.`);
    }
    this.#stop.abort();
  }

  /** Ends with an error. */
  fail(error: ChatError): void {
    this.#failure ??= error;
    this.#stop.abort();
    if (this.view.interactive) return;
    try {
      this.#rooms.forgetUnentered();
    } catch (second) {
      if (!(second instanceof ChatError)) throw second;
      this.view.warning(inWords(second));
    }
  }
}
