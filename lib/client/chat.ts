/**
 * Chat: one server's chat. It goes in, stays in over cuts and restarts of the server, and is over when nobody looks any
 * more.
 *
 * It puts the parts together: one connection after the other (connection/session.ts), the rooms (rooms/), what was given
 * on trust (trust/), and the seats at which people and programs read and type (seat.ts). It shows nothing itself, decides
 * nothing about keys, and reads no input. Profile and views are its caller's.
 */

import { sleep } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import { ChatError, inWords, unlessRefused } from "../errors.ts";
import { type Address, hostPort, hostPorts } from "../host_port.ts";
import { closeReasons, type LinkMessage, type MessageOf } from "../protocol/channel/link_messages.ts";
import { skeleton } from "../protocol/identity/name.ts";
import { Arrivals, isSameKey } from "./arrivals.ts";
import type { ChatOptions, ChatSeams } from "./chat_options.ts";
import type { ChatOutput } from "./chat_view.ts";
import { Addresses } from "./connection/addresses.ts";
import { Backoff } from "./connection/backoff.ts";
import type { Connection, Receiver } from "./connection/connection.ts";
import {
  AskedTooLong,
  HandshakeBroken,
  isTransient,
  LinkLost,
  nowhere,
  Refused,
  TurnedAwayUnheard,
} from "./connection/connection_errors.ts";
import { Files } from "./files/files.ts";
import { Login } from "./connection/login.ts";
import { PrekeyPublishing } from "./connection/prekey_publishing.ts";
import { retryWhileLimited } from "./connection/retry_while_limited.ts";
import { ServerGate } from "./connection/server_gate.ts";
import { runSession, welcomed } from "./connection/session.ts";
import { endedAtTheDoor, notAdmitted } from "./exit_errors.ts";
import { LastAddress } from "./profile/last_address.ts";
import type { Profile } from "./profile/profile.ts";
import { DirectRooms } from "./rooms/direct_rooms.ts";
import { Entrances } from "./rooms/entrances.ts";
import { KeyFileRoom } from "./rooms/key_file_room.ts";
import { RoomSet } from "./rooms/room_set.ts";
import type { RoomStream } from "./rooms/room_stream.ts";
import { ServerRooms } from "./rooms/server_rooms.ts";
import { Unsent } from "./rooms/unsent.ts";
import { WantedRooms } from "./rooms/wanted_rooms.ts";
import { type Before, Seat } from "./seat.ts";
import { Seats } from "./seats.ts";
import type { Status } from "./status.ts";
import { KeyClaims } from "./trust/key_claims.ts";
import { ServerUnknown } from "./trust/known_keys.ts";

/** How often a server that we know is tried again at the start: about ten seconds. */
const unheardTries = 4;
/** Where there are several servers, one of them is back soon. */
const listMaxMs = 15_000;

/** One run at one server. */
export class Chat implements Receiver {
  readonly #seats = new Seats();
  #login: Login;
  #hasAccount: boolean | null = null;
  #set = new RoomSet();
  #rooms: ServerRooms;
  #wanted = new WantedRooms();
  #unsent: Unsent;
  #direct: DirectRooms;
  #arrivals: Arrivals;
  #entrances: Entrances;
  #files: Files;
  #connection: Connection | null = null;
  #claims: KeyClaims;
  #gate: ServerGate;
  #publishing: PrekeyPublishing;
  #backoff: Backoff;
  #stop = new AbortController();
  /** Ends the waiting for the next attempt to connect. */
  #hurry = new AbortController();
  #lastTrouble: ChatError | null = null;
  #wasEntered = false;
  /** What the server has said last. */
  #serverSaid = "";
  /** How often we were turned away unheard at the start. */
  #unheard = 0;
  #offline: Status["offline"] = { retryMs: null };
  #addresses: Addresses;
  #lastAddress: LastAddress;
  /** Where the last link was. */
  #wasAt: Address | null = null;

  /** @param options where to go, and what was said of it first */
  constructor(
    readonly profile: Profile,
    readonly options: ChatOptions,
    private readonly seams: ChatSeams,
  ) {
    const { clock, random } = seams;
    const { signal } = this.#stop;
    const seats = this.#seats;
    const connection = () => this.#connection;
    const { host, port, others } = options;
    this.#lastAddress = new LastAddress(profile.files);
    const all = [{ host, port }, ...others];
    this.#addresses = new Addresses(all, others.length > 0 ? this.#lastAddress.of(hostPorts(all)) : null);
    this.#backoff = new Backoff(clock, random);
    const claims = this.#claims = new KeyClaims(options.trust);
    this.#gate = new ServerGate(profile.known, options, claims, {
      notice: (text) => seats.notice(text),
      ask: (question) => seats.ask(question),
    });
    this.#login = new Login(profile.name, options.login, {
      get interactive() {
        return seats.interactive;
      },
      secret: (question) => seats.secret(question),
      warning: (text) => seats.warning(text),
    });
    const set = this.#set;
    const wanted = this.#wanted;
    const unsent = this.#unsent = new Unsent(profile.name, (event) => seats.event(event));
    const shared = { profile, clock, random, seats, signal, claims, set, wanted, unsent, connection };
    const rooms: ServerRooms = this.#rooms = new ServerRooms({
      ...shared,
      history: () => seats.history,
      coming: (room) => [...seats].filter((seat) => seat.rooms.shown === null && seat.rooms.isNamed(room)),
      begun: () => {
        for (const seat of seats) seat.rooms.clear();
      },
      direct: (other) => this.#direct.with(other),
      jobDone: (room) => this.#afterJob(room),
      fail: (error) => this.#failAll(error),
      bug: (error) => seams.onBug?.(error),
    });
    this.#direct = new DirectRooms({
      context: () => rooms.context,
      connection,
      room: (key) => set.all.get(key),
      addRoom: (room) => void rooms.add(room),
      sendsFiles: (room) => this.#files.moving(room).length > 0,
    });
    this.#entrances = new Entrances({
      ...shared,
      rooms,
      direct: this.#direct,
      take: (room) => this.#take(room),
      refused: (name, fernetKey, error) => this.#refused(name, fernetKey, error),
    });
    this.#files = new Files({
      clock,
      random,
      set,
      connection,
      uploadFile: () => rooms.serverId === null ? null : rooms.server.uploads,
      serverSaid: () => this.#serverSaid,
      show: (event, room) => seats.event(event, room),
      bug: (error) => seams.onBug?.(error as Error),
    });
    this.#arrivals = new Arrivals({
      ...shared,
      place: this.place,
      rooms,
      entrances: () => this.#entrances,
      fault: (error) => this.#fault(error),
    });
    this.#publishing = new PrekeyPublishing({
      clock,
      prekeys: () => rooms.server.prekeys,
      retryWhileLimited: (request) => retryWhileLimited({ clock, signal }, request),
      allCaughtUp: () =>
        set.withMembers.every(({ isCaughtUp, state }) =>
          state.status !== "in" || (isCaughtUp && !state.unopened)
        ),
      warn: (text) => seats.warning(text),
    });
  }

  // ---- seats

  /**
   * Somebody sits down.
   *
   * @param view shows, and is asked; it is not read from, nor closed
   * @param before where it was, with another program that held the profile: what has come since is shown to it
   */
  seat(
    view: ChatOutput,
    options: ChatOptions = this.options,
    before?: Before,
  ): Seat {
    const { profile, seams } = this;
    const seat: Seat = new Seat(view, options, {
      profile,
      seams,
      clock: seams.clock,
      login: this.#login,
      set: this.#set,
      rooms: this.#rooms,
      wanted: this.#wanted,
      unsent: this.#unsent,
      direct: this.#direct,
      entrances: this.#entrances,
      claims: this.#claims,
      files: this.#files,
      connection: () => this.#connection,
      hasAccount: () => this.#hasAccount,
      servers: () => seams.servers?.(this) ?? [this.place],
      hurry: () => this.#hurry.abort(),
      isQuiet: () => this.#isQuiet,
      isAlone: () => this.#seats.count <= 1,
      offline: () => this.#offline,
      serverSaid: () => this.#serverSaid,
      whyNotIn: () => this.#connection ? notAdmitted(options.room) : this.#lastTrouble ?? new LinkLost(),
      recall: (each, room) => this.#rooms.recall(each, room),
      tellOfHistory: () => this.#rooms.tellOfHistory(),
      nothingAccepted: () => this.#nothingAccepted(options),
      fault: (error) => this.#fault(error),
      left: (each, error) => this.#left(each, error),
    }, before);
    this.#seats.add(seat);
    try {
      this.#arrivals.want(options);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      seat.fail(error);
      return seat;
    }
    if (this.#connection && !seat.isOver) this.#arrivals.joins(seat, this.#connection);
    return seat;
  }

  #left(seat: Seat, error: ChatError | null): void {
    this.#seats.remove(seat);
    if (!seat.isEntered) this.#arrivals.wantNoMore(seat.options);
    // A program that is told of a failure will say its lines again: they must not be said twice.
    if (error && !seat.view.interactive) this.#forgetUnentered(seat);
    if (this.#seats.count === 0) return this.#stop.abort();
    if (this.#rooms.serverId) this.#rooms.wishes();
    for (const other of this.#seats) other.endWhenQuiet();
  }

  #failAll(error: ChatError): void {
    for (const seat of this.#seats) seat.fail(error);
  }

  /** Ends it, whoever still looks: somebody else goes on. */
  stop(): void {
    this.#stop.abort();
  }

  /** Whether there is a connection. */
  get isConnected(): boolean {
    return this.#connection !== null;
  }
  /** Where it is, as people write it. */
  get place(): string {
    return hostPort(this.options.host, this.options.port);
  }
  /** All addresses, so written. */
  get places(): readonly string[] {
    return this.#addresses.all.map(({ host, port }) => hostPort(host, port));
  }
  /** The id of the server; null before the first connection. */
  get serverId(): Bytes | null {
    return this.#rooms.serverId;
  }

  // ---- running

  /** Runs until the last seat has gone. A fault that coming again cannot mend ends all of them. */
  async run(): Promise<void> {
    try {
      let isFirst = true;
      while (!this.isOver) {
        const again = await this.#connect(isFirst);
        if (this.isOver) break;
        isFirst = again.isFirst;
        if (again.waits) await this.#waitForNext();
      }
    } catch (error) {
      this.#failAll(error instanceof ChatError ? error : this.#fault(error));
    } finally {
      this.#stop.abort();
      await this.#rooms.settle();
    }
  }

  /** A bug of ours ends this chat, and not those at other servers. */
  #fault(error: unknown): ChatError {
    this.seams.onBug?.(error as Error);
    return new ChatError(
      "chat has a fault and cannot go on",
      "run it again with CHAT_DEBUG=1 and report what it prints",
    );
  }

  /** One connection. @returns how to come again @throws ChatError when coming again cannot help */
  async #connect(isFirst: boolean): Promise<{ isFirst: boolean; waits: boolean }> {
    const seats = this.#seats;
    try {
      if (await this.#runSession()) this.#backoff.succeeded();
      this.#addresses.next(); // where it was cut it may be over; a moment's wait keeps a crowd from coming at once
    } catch (error) {
      if (error instanceof ServerUnknown && seats.interactive) {
        await this.#gate.meet(error);
        return { isFirst: true, waits: false };
      }
      const next = { isFirst, waits: false };
      if (error instanceof AskedTooLong && !this.isOver) return next;
      const isLogin = error instanceof Refused && error.reason === closeReasons.loginRefused;
      if (isLogin && this.#login.refused()) {
        seats.warning(inWords(error));
        return next;
      }
      // Who was in with another holder waits for the server as before.
      const wasIn = this.#wasEntered || [...seats].some(({ before }) => before.room !== null);
      const isAnother = isFirst && this.#mayTryUnheard(error);
      const isNoWayIn = isFirst && !wasIn && !isAnother;
      if (!(error instanceof ChatError) || !isTransient(error)) throw error;
      if (this.#addresses.next()) return next;
      if (isNoWayIn) throw this.#addresses.isList ? nowhere(this.#addresses.text, error) : error;
      // The same trouble at each attempt is told once.
      if (error.message !== this.#lastTrouble?.message) seats.warning(error.message);
      this.#lastTrouble = error;
      if (error instanceof HandshakeBroken) this.#backoff.handshakeFailed();
      if (isAnother) return { isFirst, waits: true };
    }
    return { isFirst: false, waits: true };
  }

  /** Whether a server gets another chance to hear us: others may crowd its door, as a class that comes at once. */
  #mayTryUnheard(error: unknown): boolean {
    return error instanceof TurnedAwayUnheard && this.#unheard++ < unheardTries;
  }

  async #runSession(): Promise<boolean> {
    const { options: { token }, profile, seams } = this;
    const { current: at, isList } = this.#addresses;
    return await runSession({
      token,
      ...seams,
      at,
      isList,
      profile,
      view: this.#seats,
      login: this.#login,
      gate: this.#gate,
      publishing: this.#publishing,
      signal: this.#stop.signal,
      receiver: this,
      isEntered: () => this.#wasEntered,
      begins: (connection) => {
        seams.claimServer?.(this, connection.server.id);
        for (const seat of this.#seats) this.#arrivals.checkServer(seat, connection.server.id);
        if (this.isOver) throw new LinkLost(); // nobody is left to whom it is the right one
        // Pinned only now: the handshake has proved that the server holds the key of its card.
        this.#gate.keep(connection.server.id, connection.version, at);
        this.#connection = connection;
        if (this.#rooms.begin(connection.server)) this.#arrivals.takeOver();
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
    const waitMs = this.#backoff.nextMs(this.#addresses.isList ? listMaxMs : undefined);
    this.#setOffline({ retryMs: clock.now() + waitMs });
    this.#hurry = new AbortController();
    await sleep(clock, waitMs, AbortSignal.any([this.#stop.signal, this.#hurry.signal]));
    this.#setOffline({ retryMs: null });
  }

  #tellWhere(): void {
    const at = this.#addresses.current;
    const isSame = this.#wasAt === at;
    this.#addresses.worked();
    // Not being able to keep it costs a try at the next start, and no chat.
    if (this.#addresses.isList) {
      unlessRefused(() => this.#lastAddress.keep(this.#addresses.text, hostPort(at.host, at.port)));
    }
    this.#wasAt = at;
    if (!this.#wasEntered) return this.#seats.progress("Initial set up had been completed!");
    this.#seats.notice(isSame ? "Connected again." : `Connected again, at ${hostPort(at.host, at.port)}.`);
  }

  async #settleIn(connection: Connection): Promise<void> {
    await this.#publishing.begin(connection);
    this.#tellWhere();
    for (const { options: { pins, room } } of this.#seats) {
      // A memory-only server forgets its rooms, so the invite's room is not pinned there.
      if (pins && this.#rooms.context.pinsRooms()) {
        this.#gate.keepRoom(this.#rooms.serverId!, room, pins.roomId);
      }
    }
    await this.#entrances.enterAll(connection);
    this.#files.resume();
    for (const seat of this.#seats) if (seat.options.to !== null) seat.entered();
  }

  // ---- what comes

  welcome(message: MessageOf<"WELCOME">): void {
    this.#lastTrouble = null;
    this.#setOffline(null);
    const { profile, seams: { clock } } = this;
    this.#hasAccount = welcomed({ view: this.#seats, login: this.#login, profile, clock }, message);
    this.#files.welcome(message);
    this.#rooms.welcome(message, this.#connection!);
  }

  receive(message: LinkMessage, room: Bytes | null): void {
    if (message.type === "NOTICE") {
      this.#serverSaid = message.text;
      return this.#seats.notice(`The server says: ${message.text}`);
    }
    this.#rooms.receive(message, room);
  }

  /** A room that was meant is there: lines go there. */
  #take(room: RoomStream): void {
    for (const seat of this.#seats) if (seat.rooms.isNamed(room)) seat.take(room, true);
    const hasKey = (key: Uint8Array | null) => {
      return room instanceof KeyFileRoom ? key !== null && room.hasKey(key) : key === null;
    };
    room.lines.adopt(this.#unsent.take(room.state.name, hasKey));
    this.#afterJob(room);
  }

  /** A wanted room is not to be entered: told to whoever wants it. */
  #refused(name: string, fernetKey: Bytes | null, error: ChatError): void {
    const theirs = [...this.#seats].filter(({ options }) =>
      options.to === null && isSameKey(options.fernetKey, fernetKey) &&
      skeleton(options.room) === skeleton(name)
    );
    if (theirs.length === 0) return this.#seats.warning(inWords(error));
    for (const seat of theirs) seat.fail(error);
  }

  #afterJob(room: RoomStream): void {
    this.#entrances.jobDone(room);
    this.#arrivals.acceptIfMeant(room);
    this.#publishing.eraseWhenDue();
    const lost = room.lines.takeLost();
    const isMain = [...this.#seats].some((seat) => seat.rooms.main === room);
    if (isMain && room.isCaughtUp) this.#wasEntered = true;
    this.#files.jobDone(room);
    for (const seat of this.#seats) {
      if (lost.length > 0) seat.lost(lost);
      seat.jobDone(room);
    }
    // Ended by the operator before we were let in: what may begin anew by its name is another room.
    if (room.state.status === "waiting" && room.state.retired) {
      this.#rooms.drop(room);
      for (const seat of this.#seats) {
        if (seat.rooms.main === room && !seat.view.interactive) seat.fail(endedAtTheDoor(room.label));
      }
    }
    if (room.state.status === "gone" && this.#wasEntered) this.#wanted.drop(room.state.name);
  }

  #nothingAccepted({ trust }: ChatOptions): string | null {
    if (trust === null || this.#claims.hasAccepted) return null;
    return `There was nothing to accept: no key of ${trust} has changed.`;
  }

  #setOffline(offline: Status["offline"]): void {
    this.#offline = offline;
    for (const seat of this.#seats) seat.showStatus();
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

  #forgetUnentered(seat: Seat): void {
    try {
      if (this.#seats.count === 0) return this.#rooms.forgetUnentered();
      for (const room of this.#set.withMembers) {
        if (room.state.status === "waiting") room.lines.dropThose(seat.unstored);
      }
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      seat.view.warning(inWords(error));
    }
  }
}
