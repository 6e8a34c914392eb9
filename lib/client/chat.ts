/**
 * Chat: the loop that ties connection, rooms, commands and view together.
 *
 * It goes in, stays in over cuts and restarts of the server, and comes out with an exit code. It shows
 * nothing itself and decides nothing about keys.
 */

import { decodeHex, encodeHex } from "@std/encoding/hex";
import { equals } from "@std/bytes/equals";
import { type Clock, sleep } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import type { RandomSource } from "../crypto/random.ts";
import { ChatError, exitCodes, inWords, Malformed } from "../errors.ts";
import { contentTypes, maxTextBytes } from "../protocol/group/content.ts";
import { noKeyFile } from "../protocol/group/epoch.ts";
import type { LinkEnd } from "../protocol/channel/link.ts";
import {
  closeReasons,
  type LinkMessage,
  type MessageOf,
  roomKinds,
  welcomeFlags,
} from "../protocol/channel/link_messages.ts";
import { BadName, decodeName, isName, type Named, skeleton } from "../protocol/identity/name.ts";
import { beginDirectRoom, directRoomWith } from "./rooms/direct_rooms.ts";
import { enterKeyFileRoom } from "./rooms/enter_key_file_room.ts";
import { KeyFileRoom } from "./rooms/key_file_room.ts";
import { ServerUnknown } from "./trust/known_keys.ts";
import { KeyClaims } from "./trust/key_claims.ts";
import type { Ignored } from "./profile/ignored.ts";
import type { LocalHistory } from "./profile/local_history.ts";
import { Login, type LoginOptions } from "./connection/login.ts";
import { LineEntry } from "./commands/line_entry.ts";
import { OpenRooms } from "./rooms/room_set.ts";
import { TokenBucket } from "../token_bucket.ts";
import { PrekeyPublishing } from "./connection/prekey_publishing.ts";
import { ServerGate } from "./connection/server_gate.ts";
import { Questions } from "./questions.ts";
import { findPerson, NobodyThere } from "./rooms/people.ts";
import type { RoomStream } from "./rooms/room_stream.ts";
import { enterRoom, type Entrance, retryWhileLimited, type Wanted } from "./rooms/enter_room.ts";
import { notAdmitted, notMember, notSent, notStored } from "./exit_errors.ts";
import type { ServerTrust } from "./connection/server_pin.ts";
import {
  AskedTooLong,
  HandshakeBroken,
  LinkLost,
  Refused,
  refusedBy,
  Unreachable,
} from "./connection/connection_errors.ts";
import { Connection, type Dial, type Receiver } from "./connection/connection.ts";
import { hostPort } from "../host_port.ts";
import type { Profile } from "./profile/profile.ts";
import type { RoomEvent } from "./room_events.ts";
import { Backoff } from "./connection/backoff.ts";
import { MemberRoom } from "./rooms/member_room.ts";
import { type RoomContext, WrongKeyFile } from "./rooms/room_context.ts";
import { newRoomState, type OutboxItem } from "./rooms/room_state.ts";
import { ServerState } from "./profile/server_state.ts";
import { ShownMessages } from "./profile/shown_messages.ts";
import type { Status } from "./status.ts";
import type { InputHistory } from "./profile/input_history.ts";
import type { ChatView } from "./chat_view.ts";

/** A text that fits into a message. @throws ChatError */
function checked(text: string): string {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= maxTextBytes) return text;
  throw new ChatError(
    `That is ${bytes} bytes; a message holds at most ${maxTextBytes}. Nothing was sent`,
    "say it in parts",
  );
}

const renewalMs = 24 * 3600 * 1000;
const lastWordsMs = 3_000;
const settleMs = 2_000;
const clockSkewSeconds = 300;
const maxUnaskedRooms = 1024;

/** Where to go, and how. */
export interface ChatOptions extends ServerTrust {
  /** Room name. */
  readonly room: string;
  /** What the command line says of accounts. */
  readonly login: LoginOptions;
  /** Access token, maybe empty. */
  readonly token: Bytes;
  /** After how long somebody who is not there to wait gives up. */
  readonly joinTimeoutMs: number;
  /** Say this and go, instead of reading lines. */
  readonly message: string | null;
  /** Keep what is said on this machine, sealed. */
  readonly history: boolean;
  /** Stay when the input has ended, and show what is said. */
  readonly listen: boolean;
  /** 32 bytes of the room's key file, which is mixed into its keys; null for none. */
  readonly roomKey: Bytes | null;
  /** 32 bytes of a key file whose Fernet room is entered instead of an ordinary one. */
  readonly fernetKey: Bytes | null;
  /** The room, and who vouches for it, by an invite. */
  readonly pins: { readonly roomId: Bytes; readonly inviterId: Bytes } | null;
}

/** What is passed in. */
export interface ChatSeams {
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Connections. */
  readonly dial: Dial;
  /** What the person has typed, for `/forget`. */
  readonly typed?: InputHistory;
  /** Told of faults of this program that did not end it. */
  readonly onBug?: (error: Error) => void;
}

/** A line that no server has confirmed, and where it was said. */
interface Unsent {
  /** What it is shown under until then. */
  readonly msgId: string;
  readonly text: string;
  readonly action: boolean;
  /** A room's name; null for the one that is being entered, or a room of two. */
  readonly room: string | null;
  /** The other person of a room of two. */
  readonly to: Named | null;
}

/** One run of `chat join`. */
export class Chat implements Receiver {
  #open: OpenRooms;
  #entry: LineEntry;
  /** What the person is asked. */
  readonly questions: Questions;
  #server: ServerState | null = null;
  #serverId: Bytes | null = null;
  #context: RoomContext | null = null;
  #connection: Connection | null = null;
  #wanted: Wanted[];
  #claims: KeyClaims;
  #gate: ServerGate;
  /** What we log in with, where there are accounts. */
  readonly login: Login;
  /** Whether the server has accounts; null before it has said so. */
  hasAccount: boolean | null = null;
  #sending: TokenBucket;
  #publishing: PrekeyPublishing;
  #unsent: Unsent[] = [];
  #backoff: Backoff;
  #stop = new AbortController();
  #failure: ChatError | null = null;
  #cancelGiveUp: () => void = () => {};
  #lastTrouble: ChatError | null = null;
  #inputEnded = false;
  #entered = false;
  #whenEntered = Promise.withResolvers<void>();
  #watched = new Set<{ room: RoomStream; check: () => void }>();
  #beginning = new Set<MemberRoom>();
  #offline: Status["offline"] = { retryMs: null };
  /** What `/why` tells of. */
  readonly shown = new ShownMessages();
  #trusted = false;
  #historyFails = false;
  /** Ends the waiting for the next attempt to connect. */
  #hurry = new AbortController();

  /** @param view shows and reads */
  constructor(
    readonly profile: Profile,
    private readonly options: ChatOptions,
    readonly view: ChatView,
    private readonly seams: ChatSeams,
  ) {
    this.#backoff = new Backoff(seams.clock, seams.random);
    const { room, roomKey, pins } = options;
    this.#claims = new KeyClaims(options.trust);
    this.#gate = new ServerGate(profile.known, options, this.#claims, {
      notice: (text) => view.notice(text),
      ask: (question) => this.questions.ask(question),
    });
    this.login = new Login(profile.name, options.login, {
      interactive: view.interactive,
      secret: (question) => this.#secret(question),
      warning: (text) => view.warning(text),
    });
    this.questions = new Questions(view, this.#stop.signal);
    this.#open = new OpenRooms(options);
    this.#entry = new LineEntry({
      chat: this,
      takeDisplaced: () => {
        const was = this.#open.isDisplaced;
        this.#open.isDisplaced = false;
        return was;
      },
      leave: () => view.interactive ? this.quit() : this.#quitWhenQuiet(),
    });
    this.#sending = new TokenBucket(20, 200, seams.clock);
    this.#publishing = new PrekeyPublishing({
      clock: seams.clock,
      prekeys: () => this.#server!.prekeys,
      retryWhileLimited: (request) => retryWhileLimited(this.#entrance(false), request),
      allCaughtUp: () => this.#open.withMembers.every((r) => r.isCaughtUp || r.state.status !== "in"),
      warn: (text) => view.warning(text),
    });
    this.#wanted = options.fernetKey ? [] : [{
      name: room,
      roomKey: roomKey ?? noKeyFile,
      inviter: pins?.inviterId ?? null,
      roomId: pins?.roomId ?? null,
    }];
  }

  /** All rooms at the server, by id in hex. */
  get rooms(): ReadonlyMap<string, RoomStream> {
    return this.#open.all;
  }
  /** The room in which lines are said; null before it is entered. */
  get room(): RoomStream | null {
    return this.#open.shown;
  }
  /** The same, if it has members and admins. @throws ChatError */
  get membersRoom(): MemberRoom {
    if (this.#open.shown instanceof MemberRoom && this.#open.shown.state.head) return this.#open.shown;
    throw new ChatError(
      this.#open.shown
        ? "That is for rooms with members; this one has only a key file"
        : "You are in no room yet",
      "/rooms shows where you are",
    );
  }
  /** What all rooms share. @throws ChatError before the first connection */
  get context(): RoomContext {
    if (this.#context) return this.#context;
    throw new LinkLost();
  }
  /** While there is one. */
  get connection(): Connection | null {
    return this.#connection;
  }
  /** Where we are connected to. */
  get target(): { readonly host: string; readonly port: number } {
    return this.options;
  }

  /**
   * Runs until the person goes.
   *
   * @returns 0
   * @throws ChatError with the exit code for everything that ends it otherwise
   */
  async run(): Promise<number> {
    const { clock } = this.seams;
    const giveUp = this.view.interactive ? () => {} : clock.after(this.options.joinTimeoutMs, () => {
      if (this.#entered) return;
      this.#fail(this.#connection ? notAdmitted(this.options.room) : this.#lastTrouble ?? new LinkLost());
    });
    this.#readInput();
    try {
      let first = true;
      while (!this.#stop.signal.aborted) {
        try {
          if (await this.#connectOnce()) this.#backoff.succeeded();
        } catch (error) {
          if (error instanceof ServerUnknown && this.view.interactive) {
            await this.#gate.meet(error);
            first = true;
            continue;
          }
          if (error instanceof AskedTooLong && !this.#stop.signal.aborted) continue;
          const isLogin = error instanceof Refused && error.reason === closeReasons.loginRefused;
          if (isLogin && this.login.refused()) {
            this.view.warning(inWords(error));
            continue;
          }
          if (!(error instanceof ChatError) || !this.#isTransient(error, first)) throw error;
          // The same trouble at each attempt is told once.
          if (error.message !== this.#lastTrouble?.message) this.view.warning(error.message);
          this.#lastTrouble = error;
          if (error instanceof HandshakeBroken) this.#backoff.handshakeFailed();
        }
        if (this.#stop.signal.aborted) break;
        first = false;
        const waitMs = this.#backoff.nextMs();
        this.#setOffline({ retryMs: clock.now() + waitMs });
        this.#hurry = new AbortController();
        await sleep(clock, waitMs, AbortSignal.any([this.#stop.signal, this.#hurry.signal]));
        this.#setOffline({ retryMs: null });
      }
      if (this.#failure) throw this.#failure;
      const refused = this.#allItems().filter((item) => item.failed).length;
      const lost = this.#entry.rejected + refused;
      if (lost > 0 && !this.view.interactive) throw notSent(lost);
      return exitCodes.done;
    } finally {
      giveUp();
      this.#cancelGiveUp();
      this.#stop.abort();
      this.#whenEntered.resolve();
      await this.#settle();
    }
  }

  /** Waits for what rooms still have to store: afterwards the profile may be another process's. */
  async #settle(): Promise<void> {
    const rooms = [...this.rooms.values()];
    for (const room of rooms) room.disconnect();
    const settled = new AbortController();
    const all = Promise.all(rooms.map((room) => room.settled)).then(() => settled.abort());
    await Promise.race([all, sleep(this.seams.clock, settleMs, settled.signal)]);
  }

  #setOffline(offline: Status["offline"]): void {
    this.#offline = offline;
    this.#showStatus();
  }

  /** Whether dialling again can help. */
  #isTransient(error: ChatError, first: boolean): boolean {
    if (first && !this.#entered) return false;
    if (error instanceof Refused) {
      const again: number[] = [
        closeReasons.shutdown,
        closeReasons.tooSlow,
        closeReasons.limit,
        closeReasons.renewal,
        closeReasons.tryLater,
      ];
      return again.includes(error.reason);
    }
    return error instanceof Unreachable;
  }

  /** One connection, from dialling to its end. @returns false when the server broke the protocol */
  async #connectOnce(): Promise<boolean> {
    const { clock, random, dial } = this.seams;
    const { host, port, token } = this.options;
    const connection = await Connection.open({
      host,
      port,
      dial,
      clock,
      random,
      token,
      minVersion: this.profile.known.serverVersion(hostPort(host, port)),
      name: this.profile.name,
      identity: this.profile.identity,
      card: this.profile.card.bytes,
      checkServer: (card) => this.#gate.check(card.id),
      credentials: (welcome) => {
        this.#warnOfClock(welcome);
        return this.login.credentials(welcome);
      },
      onStep: (step) => this.#showStep(step),
    });
    // Kept only now: the handshake has proved that the server holds the key of the card it showed.
    this.#trusted ||= this.#gate.keep(connection.server.id, connection.version);
    this.#openServer(connection.server.id);
    this.#connection = connection;
    this.#giveRoomKeys();
    const listed = this.#open.withMembers.filter((room) =>
      room.state.status === "in" && this.#isFollowed(room)
    );
    const goodbye = () => connection.close(closeReasons.bye);
    this.#stop.signal.addEventListener("abort", goodbye); // also while the login is not answered
    if (this.#stop.signal.aborted) goodbye();
    const { ended } = await connection.enter({
      runId: (listed.length > 0 && this.#server!.about?.runId) || new Uint8Array(16),
      rooms: listed.slice(0, 1024).map((room) => ({
        room: room.state.id,
        kind: roomKinds.ordinary,
        pos: room.history!.view.pos,
      })),
    }, this);
    const cancelRenewal = clock.after(renewalMs, () => connection.close(closeReasons.renewal));
    const stopPrekeys = this.#publishing.keepFresh(connection);
    try {
      await this.#settleIn(connection);
    } catch (error) {
      if (!(error instanceof LinkLost)) {
        connection.close(closeReasons.bye);
        throw error;
      }
    }
    const end = await ended;
    cancelRenewal();
    stopPrekeys();
    this.#stop.signal.removeEventListener("abort", goodbye);
    this.#connection = null;
    for (const room of this.rooms.values()) room.disconnect();
    this.#showEnd(end);
    if (!this.#stop.signal.aborted) this.#setOffline({ retryMs: null });
    return end.how !== "fault";
  }

  #showStep(step: string): void {
    const { view } = this;
    if (this.#entered) return; // news on the way in only
    if (step === "connected") {
      view.progress("Connected successfully.");
      view.progress("Exchanging keys.");
    } else if (step === "awaiting M2") view.progress("Getting public key from the server");
    else if (step === "awaiting R4") view.progress("Sending public key to server");
    else if (step === "done") view.progress("Exchange completed!");
  }

  #showEnd(end: LinkEnd): void {
    if (this.#stop.signal.aborted) return;
    if (end.how === "peer closed") {
      const refusal = refusedBy(end.reason, {
        name: this.profile.name,
        hadToken: this.options.token.length > 0,
      });
      if (!this.#isTransient(refusal, false)) throw refusal;
      this.view.warning(`${refusal.message}.`);
    } else if (end.how === "silent") this.view.warning("The server has gone silent.");
    else if (end.how === "closed") this.view.notice("Renewing the connection.");
    else if (end.how === "fault") {
      this.view.warning("The server broke the protocol; the connection is ended.");
    } else this.view.warning("The connection was cut.");
  }

  // ---- the server

  /**
   * At a memory-only server names stand for nothing after its run: there an invite's room is held against what the
   * server shows, and not kept.
   */
  #keepInvitedRoom(): void {
    const { pins, room } = this.options;
    if (pins && this.#context!.pinsRooms()) this.#gate.keepRoom(this.#serverId!, room, pins.roomId);
  }

  #openServer(serverId: Bytes): void {
    if (this.#serverId && equals(this.#serverId, serverId)) return;
    this.#serverId = serverId;
    this.#server = new ServerState(
      this.profile,
      serverId,
      this.seams.clock,
      this.options.history,
    );
    this.#openRooms();
  }

  #openRooms(): void {
    const { clock, random } = this.seams;
    this.#context = {
      serverId: this.#serverId!,
      identity: this.profile.identity,
      card: this.profile.card,
      known: this.profile.known,
      directory: this.#server!.directory,
      prekeys: this.#server!.prekeys,
      files: this.#server!.rooms(),
      clock,
      random,
      show: (event) => {
        this.shown.add(event);
        this.view.event(event);
      },
      holds: (room) => this.view.holds && this.#open.isElsewhere(room as RoomStream),
      ignores: (id) => this.#server!.ignored.has(id),
      record: (room, events) => this.#record(room, events),
      sendWaitMs: () => this.#sending.takeOrWaitMs(),
      pinsRooms: () => this.#server!.about?.memoryOnly !== true,
      gaveUp: (error) => {
        if (!(error instanceof WrongKeyFile)) return false;
        this.#fail(error);
        return true;
      },
      serverFault: (why) => {
        this.view.warning(`The server broke the protocol (${why}); the connection is ended.`);
        this.#connection?.drop();
      },
      bug: (error) => {
        this.seams.onBug?.(error);
        if (!this.view.interactive) {
          this.#fail(new ChatError("A fault of this program has ended it", "please report it"));
        }
      },
      storageFailed: (error) => {
        if (!this.view.interactive) this.#fail(error);
      },
    };
    this.#open.clear();
    for (const state of this.#context.files.load().toSorted((a, b) => a.name < b.name ? -1 : 1)) {
      this.#addRoom(new MemberRoom(this.#context, state));
    }
  }

  #addRoom<Room extends RoomStream>(room: Room): Room {
    this.#open.add(room);
    room.onJobDone = () => this.#afterTurn(room);
    return room;
  }

  // ---- Receiver

  /** WELCOME: what kind of server this is, and whether it is the one we knew. */
  welcome(message: MessageOf<"WELCOME">): void {
    // One less than the server allows at once: the two clocks differ.
    this.#sending = new TokenBucket(
      Math.max(1, message.burst - 1),
      1000 / Math.max(1, message.rate),
      this.seams.clock,
    );
    this.#lastTrouble = null;
    this.#setOffline(null);
    this.hasAccount = (message.flags & welcomeFlags.accounts) !== 0;
    if (this.hasAccount) {
      if (this.login.isRegistering) this.view.notice(`You are registered as ${this.profile.name}.`);
      this.login.accepted();
    } else {
      this.#warnOfClock(message);
      if (this.login.isRegistering) {
        this.view.notice("This server has no accounts; nothing was registered.");
        this.login.accepted();
      }
    }
    const memoryOnly = (message.flags & welcomeFlags.memoryOnly) !== 0;
    const unconfirmed = this.#unconfirmed();
    const change = this.#server!.welcome({ runId: message.runId, memoryOnly });
    if (change === "restarted") {
      this.view.notice("The server was restarted: rooms begin anew.");
      for (const room of this.rooms.values()) room.showLast();
      this.#openRooms();
      this.#sayAgain(unconfirmed);
    } else if (change === "lost") {
      this.view.warning(
        "The server has lost its data, or is not the one it was; nothing is sent into known rooms.",
      );
      for (const room of this.rooms.values()) room.state.alarm = "the server";
    } else if (this.rooms.size === 0) this.#openRooms();
    this.#giveRoomKeys();
    for (const room of this.rooms.values()) {
      // The known server is back; whether it knows all that we do, its streams will tell.
      if (change === "same" && room.state.alarm === "the server") room.state.alarm = null;
      room.connect(this.#connection!);
      if (room instanceof MemberRoom && !this.#isFollowed(room)) room.refuse(null);
    }
  }

  #warnOfClock({ time }: MessageOf<"WELCOME">): void {
    if (Math.abs(this.seams.clock.now() / 1000 - time) > clockSkewSeconds) {
      this.view.warning(
        "Your clock and the server's differ by more than 5 minutes: others may refuse your keys.",
      );
    }
  }

  /** Asks for a secret; going ends the question. */
  async #secret(question: string): Promise<string | null> {
    if (this.#stop.signal.aborted) return null;
    const { promise, resolve } = Promise.withResolvers<null>();
    const stopped = () => resolve(null);
    this.#stop.signal.addEventListener("abort", stopped);
    const typed = await Promise.race([this.view.secret(question), promise]);
    this.#stop.signal.removeEventListener("abort", stopped);
    return typed;
  }

  /** The key files that the person has given are not kept: each run gives them anew. */
  #giveRoomKeys(): void {
    for (const room of this.#open.withMembers) {
      const wanted = this.#wanted.find(({ name }) => skeleton(name) === skeleton(room.state.name));
      const mark = room.state.keyFile;
      const fits = mark
        ? equals(mark, room.keyFileMark(wanted?.roomKey ?? noKeyFile))
        : room.state.status !== "in";
      if (wanted && fits) room.roomKey = wanted.roomKey;
    }
  }

  /** A room whose key file is not at hand is passed over: we could neither read nor mend anything there. */
  #isFollowed(room: MemberRoom): boolean {
    return !room.state.keyFile || !equals(room.roomKey, noKeyFile);
  }

  /** Lines that the server has not confirmed, of all rooms: when a memory-only server begins anew they stay unsent. */
  #unconfirmed(): Unsent[] {
    return [...this.rooms.values()].flatMap((room) => {
      const other = room instanceof MemberRoom ? room.other : null;
      return room.unsent.map((item) => ({
        msgId: encodeHex(item.msgId),
        text: new TextDecoder().decode(item.body),
        action: item.type === contentTypes.action,
        room: other ? null : room.state.name,
        to: other,
      }));
    });
  }

  /** Puts lines back that belong to rooms which have to begin anew: each goes out where it was said. */
  #sayAgain(lines: readonly Unsent[]): void {
    for (const line of lines) {
      if (line.to) this.#directRoom(line.to).say(line.text, line.action);
      else this.#waits(line);
      const isWanted = this.#wanted.some(({ name }) =>
        line.room !== null && skeleton(name) === skeleton(line.room)
      );
      if (line.room !== null && !isWanted && !this.options.fernetKey) {
        this.#wanted.push({ name: line.room, roomKey: noKeyFile, inviter: null, roomId: null });
      }
    }
  }

  /** Everything else that comes: to the room it is about. */
  receive(message: LinkMessage, room: Bytes | null): void {
    if (message.type === "NOTICE") return this.view.notice(`The server says: ${message.text}`);
    const id = room ?? ("room" in message ? message.room : null);
    if (!id) throw new Malformed("a message about nothing");
    let target = this.rooms.get(encodeHex(id));
    if (!target) {
      if (message.type !== "ROOM_INFO" || message.kind !== roomKinds.ordinary) {
        throw new Malformed("an unknown room");
      }
      target = this.#unaskedRoom(message);
    }
    target.receive(message);
  }

  /** A room that others have put us into, or one whose admission we have not kept. */
  #unaskedRoom({ room: id, name }: MessageOf<"ROOM_INFO">): MemberRoom {
    const called = name.length === 0 ? "" : decodeName(name);
    const waiting = this.#open.withMembers.filter((room) => room.state.status === "waiting").length;
    if (waiting >= maxUnaskedRooms) throw new Malformed("more rooms than anybody is put into");
    const wanted = this.#wanted.find((other) => skeleton(other.name) === skeleton(called));
    // A room that is wanted must bear the name; any other takes that of its commit.
    const room = this.#addRoom(new MemberRoom(this.#context!, newRoomState(id, wanted?.name ?? "")));
    if (wanted) {
      room.roomKey = wanted.roomKey;
      room.state.inviter = wanted.inviter;
    }
    room.connect(this.#connection!);
    return room;
  }

  // ---- going in

  /** What entering a room may use of us. @param isMain the room that the command line names */
  #entrance(isMain: boolean): Entrance {
    return {
      rooms: this.#open.withMembers,
      context: this.#context!,
      view: this.view,
      signal: this.#stop.signal,
      claims: this.#claims,
      addRoom: (room) => this.#addRoom(room),
      dropRoom: (room) => {
        this.#open.all.delete(encodeHex(room.state.id));
        this.#context!.files.remove(room.state.id);
      },
      take: (room) => this.#take(room, isMain),
      watch: (room, check) => {
        const watch = { room, check };
        this.#watched.add(watch);
        return () => void this.#watched.delete(watch);
      },
    };
  }

  async #settleIn(connection: Connection): Promise<void> {
    await this.#publishing.begin(connection);
    if (this.#entered) this.view.notice("Connected again.");
    else this.view.progress("Initial set up had been completed!");
    this.#keepInvitedRoom();
    await this.#enterFernet(connection);
    for (const wanted of [...this.#wanted]) {
      const isMain = !this.options.fernetKey && skeleton(wanted.name) === skeleton(this.options.room);
      await this.#tell(isMain, () => enterRoom(this.#entrance(isMain), connection, wanted));
    }
    for (const room of this.#open.withMembers) {
      if (room.state.status === "waiting" && room.isDirect) {
        await this.#tell(false, () => this.#beginDirect(room));
      }
    }
  }

  async #enterFernet(connection: Connection): Promise<void> {
    const { fernetKey, room } = this.options;
    if (!fernetKey) return;
    const entrance = {
      context: this.#context!,
      signal: this.#stop.signal,
      room: this.#open.main instanceof KeyFileRoom ? this.#open.main : null,
      take: (entered: KeyFileRoom) => {
        this.#addRoom(entered);
        this.#take(entered, true);
      },
    };
    await enterKeyFileRoom(entrance, connection, room, fernetKey, connection.server);
  }

  /** What goes wrong in a room beside the main one is told, and ends nothing. */
  async #tell(isMain: boolean, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (isMain || error instanceof LinkLost || !(error instanceof ChatError)) throw error;
      this.view.warning(inWords(error));
    }
  }

  #take(room: RoomStream, isMain: boolean): void {
    const isFirst = this.#open.shown === null;
    if (isMain) this.#open.main = room;
    // Coming back after a cut leaves the person in the room that was on the screen.
    if (isFirst || !this.#entered) this.#show(room);
    // Lines without a room were typed before there was one.
    const due = (line: Unsent) =>
      line.room === null ? isMain : skeleton(line.room) === skeleton(room.state.name);
    const lines = this.#unsent.filter(due);
    this.#unsent = this.#unsent.filter((line) => !due(line));
    for (const { msgId, text, action } of lines) {
      this.view.event({ type: "withdrawn", room: room.label, msgId });
      room.say(text, action);
    }
    this.#afterTurn(room);
  }

  #show(room: RoomStream): void {
    const isNew = this.#open.shown !== room;
    this.#open.shown = room;
    this.#showStatus();
    if (isNew) room.showUnsent();
    room.looked();
  }

  /** What cannot be kept is shown all the same. */
  #record(room: Bytes, events: readonly RoomEvent[]): void {
    try {
      this.#server!.history.record(room, events);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      if (!this.#historyFails) {
        this.view.warning(
          `What is said is not kept any more: ${error.message}. /forget begins the history anew.`,
        );
      }
      this.#historyFails = true;
    }
  }

  /** The rooms that can be shown, as a person counts them. */
  get numbered(): readonly RoomStream[] {
    return this.#server ? this.#open.numbered(this.#server.order) : [];
  }

  /** Alt+1 to Alt+9. */
  switchToNumber(number: number): void {
    const room = this.numbered[number - 1];
    if (room) return this.switchTo(room);
    this.view.notice(`There is no room ${number}; /rooms shows those you are in.`);
  }

  #afterTurn(room: RoomStream): void {
    for (const watched of [...this.#watched]) if (watched.room === room) watched.check();
    if (room.conflict) {
      this.#claims.note(room.conflict);
      if (this.#claims.names(room.conflict.name)) this.#acceptKey(room.conflict);
    }
    this.#publishing.eraseWhenDue();
    if (room === this.#open.main && room.isCaughtUp && !this.#entered) {
      this.#entered = true;
      this.#whenEntered.resolve();
      this.view.progress("Now you can start to exchange messages");
      const { trust } = this.options;
      if (trust !== null && !this.#trusted) {
        this.view.notice(`There was nothing to accept: no key of ${trust} has changed.`);
      }
    }
    this.#entry.rejected += room.takeLost();
    if (room.state.status === "gone" && this.#entered) this.#notWanted(room);
    if (room === this.#open.shown && room.state.status === "gone" && this.#entered) this.#outOf(room);
    // A program cannot judge a warning: it ends, and a person looks.
    if (room.state.alarm && !this.view.interactive) this.#fail(notStored(true));
    this.#showStatus();
    if (this.#inputEnded && this.#entered && this.#isQuiet) this.#stop.abort();
  }

  /** Whoever was put out does not come back by herself. */
  #notWanted(room: RoomStream): void {
    this.#wanted = this.#wanted.filter(({ name }) => skeleton(name) !== skeleton(room.state.name));
  }

  /** We are no longer in the room on the screen: another one takes its place, or it is over. */
  #outOf(room: RoomStream): void {
    const next = this.#open.next();
    if (!next || (room === this.#open.main && !this.view.interactive)) {
      return this.#fail(notMember(room.label));
    }
    this.view.notice(
      `You are no longer in ${room.label}; what you type is said in ${next.label} from now on.`,
    );
    this.#open.isDisplaced = true;
    this.#show(next);
  }

  #showStatus(): void {
    if (this.#stop.signal.aborted) return; // it is over
    const room = this.#open.shown;
    this.view.status({
      room: room?.label ?? "",
      worry: room?.worry ?? "",
      rooms: this.numbered.map(({ label, unread }) => ({ label, unread })),
      offline: this.#offline,
    });
  }

  #allItems(): OutboxItem[] {
    return [...this.rooms.values()].flatMap((room) => room.state.outbox);
  }

  /** Whether nothing that was said waits to be stored by the server. */
  get #isQuiet(): boolean {
    return this.#unsent.length === 0 &&
      [...this.rooms.values()].every((room) => room.unsent.length === 0 && !room.hasWish);
  }

  // ---- what the person does

  #readInput(): void {
    void (async () => {
      if (this.options.message !== null) this.say(this.options.message);
      else {
        for await (const line of this.view.lines()) {
          // A program does not watch for the prompt: its lines wait until they can mean something.
          if (!this.view.interactive) await this.#whenEntered.promise;
          if (this.#stop.signal.aborted) return;
          await this.#entry.take(line);
        }
      }
      if (this.options.listen && this.options.message === null && !this.view.interactive) return;
      // The input is over: go once everything is stored, unless a person just pressed Ctrl+D.
      if (this.view.interactive && this.options.message === null) return this.quit();
      this.#quitWhenQuiet();
    })().catch((error) => {
      if (!(error instanceof ChatError)) throw error;
      this.#fail(error);
    });
  }

  /** Says something in the room, now or as soon as it is entered. */
  say(text: string, action = false): void {
    if (text.trim() === "") {
      if (action) this.view.warning("What do you do? /me ACTION");
      return;
    }
    if (this.#open.isDisplaced) {
      // It may have been begun for the room that is gone.
      this.#open.isDisplaced = false;
      this.view.warning(
        `You are in ${this.#open.shown?.label} now: the line was not sent. Say it again if it is for there.`,
      );
      return;
    }
    if (this.#open.shown) this.sayIn(this.#open.shown, text, action);
    else {
      const said = this.#entry.counted(() => checked(text));
      const msgId = encodeHex(this.seams.random(16));
      this.#waits({ msgId, text: said, action, room: null, to: null });
    }
  }

  /** Keeps a line until its room is entered. */
  #waits(line: Unsent): void {
    const { msgId, text, action } = line;
    this.#unsent.push(line);
    const room = line.room ?? this.options.room;
    const timeMs = this.seams.clock.now();
    this.view.event({ type: "pending", room, from: this.profile.name, msgId, timeMs, text, action });
  }

  /** Says something in one of the rooms. @returns its message id in hex @throws ChatError */
  sayIn(room: RoomStream, text: string, action = false): string {
    const msgId = this.#entry.counted(() => room.say(checked(text), action));
    if (room.state.alarm) {
      this.view.warning('Sending is stopped by the warning above; the line is kept, "/retry" sends it.');
    }
    if (room instanceof MemberRoom && room.isDirect) {
      // Cut off, it is begun with the next connection.
      this.#tell(false, () => this.#beginDirect(room)).catch((error) => {
        if (!(error instanceof LinkLost)) throw error;
      });
    }
    return msgId;
  }

  // ---- several rooms

  /** Enters another room, or shows it. @throws ChatError */
  async joinRoom(name: string): Promise<void> {
    if (name === "") throw new ChatError("Which room? /join ROOM", "/rooms shows those you are in");
    if (!isName(name)) throw new BadName("room name", name);
    const known = this.#open.entered(name);
    if (known) return this.switchTo(known);
    const connection = this.#connection;
    const wanted: Wanted = { name, roomKey: noKeyFile, inviter: null, roomId: null };
    if (!connection) {
      this.#wanted.push(wanted);
      return this.view.notice(`You are not connected now; ${name} is entered as soon as you are.`);
    }
    await enterRoom(this.#entrance(false), connection, wanted);
    if (!this.#wanted.some((other) => skeleton(other.name) === skeleton(name))) this.#wanted.push(wanted);
    const room = this.#open.withMembers.find((other) =>
      !other.isDirect && !other.state.retired && skeleton(other.state.name) === skeleton(name)
    );
    if (room) this.switchTo(room);
  }

  /** The room that a person calls by this label. */
  roomCalled(label: string): RoomStream | undefined {
    return this.#open.called(label);
  }

  /** What is typed from now on is said there. */
  switchTo(room: RoomStream): void {
    this.#open.isDisplaced = false;
    this.#show(room);
  }

  /** The same. @throws ChatError when there is none */
  knownRoom(label: string): RoomStream {
    return this.#open.known(label);
  }

  /** The room of two with somebody, begun if need be. @throws ChatError */
  async directRoom(name: string): Promise<MemberRoom> {
    return this.#directRoom(await findPerson(this.context, this.#connection, name));
  }

  #directRoom(other: Named): MemberRoom {
    return directRoomWith({
      context: this.context,
      room: (key) => {
        const room = this.rooms.get(key);
        return room instanceof MemberRoom ? room : undefined;
      },
      addRoom: (room) => {
        this.#addRoom(room);
        if (this.#connection) room.connect(this.#connection);
      },
    }, other);
  }

  /** Says something to one person alone. @throws ChatError */
  async tell(name: string, text: string): Promise<void> {
    this.#entry.counted(() => checked(text));
    this.sayIn(await this.#entry.countedLater(() => this.directRoom(name)), text);
  }

  /** Makes a room of two at the server, once there is something to say in it. */
  async #beginDirect(room: MemberRoom): Promise<void> {
    const { other, state } = room;
    const due = state.status === "waiting" && room.unsent.length > 0 && other !== null;
    if (!due || this.#beginning.has(room) || !this.#connection) return;
    if (room.isReplaced) {
      for (const item of state.outbox) item.failed = true;
      throw new ChatError(
        `Another key is known for ${other.name} by now; the line to the old one is not sent`,
        `say it again: /msg ${other.name} TEXT`,
      );
    }
    this.#beginning.add(room);
    try {
      await this.context.directory.fetchCards(this.#connection, [other.id]);
      const card = this.context.directory.card(other.id);
      if (!card) throw new NobodyThere(other.name);
      await beginDirectRoom(room, card);
    } finally {
      this.#beginning.delete(room);
    }
  }

  /** Tries again what failed, and connects without waiting longer. */
  async retry(): Promise<void> {
    if (!this.#connection) this.view.notice("Connecting now.");
    this.#hurry.abort();
    this.#open.shown?.retry();
    if (this.#open.shown instanceof MemberRoom && this.#open.shown.isDirect) {
      await this.#beginDirect(this.#open.shown);
    }
  }

  /** Whether the person has compared digits with the holder of a name. */
  isVerified(name: string): boolean {
    return this.#serverId !== null && this.profile.known.user(this.#serverId, name)?.verified === true;
  }

  /** Accepts a changed key, or ignores the views of a member whose history differs. */
  trust(said: string): void {
    const [name = "", ...digits] = said.split(/\s+/);
    const room = this.#open.shown;
    if (!room || name === "") return this.view.warning("Whom? /trust NAME");
    const claim = this.#claims.choose(name, this.context.card.id, digits.join(""));
    if (claim) return this.#acceptKey(claim);
    const { alarm, alarmBy } = room.state;
    if (alarm === null || !alarmBy || skeleton(alarm) !== skeleton(name)) {
      return this.view.warning(
        `There is nothing to accept: no key of ${name} has changed, and no alarm is by ${name}.`,
      );
    }
    room.ignoreViews(decodeHex(alarmBy));
  }

  /** Keys that stand against the known one of a name. */
  claimsTo(name: string): readonly Named[] {
    return this.#claims.of(name);
  }

  #acceptKey({ name, id }: Named): void {
    this.#trusted = true;
    if (this.#claims.names(name)) this.#claims.used();
    this.#claims.settle(name);
    this.profile.known.pinUser(this.#serverId!, name, id);
    this.view.notice(`The new key of ${name} is accepted, not verified.`);
    // The name may have kept several rooms waiting.
    for (const other of this.rooms.values()) {
      if (other.conflict && skeleton(other.conflict.name) === skeleton(name)) other.pinsChanged();
      if (!this.#open.canBeShown(other)) other.looked();
    }
  }

  /** Gives up the membership of the room on the screen, and goes if it was the only one. */
  async leave(): Promise<void> {
    const room = this.#open.shown;
    if (!room) return this.quit();
    if (room instanceof MemberRoom) {
      await room.leave();
      this.view.notice("You have asked to leave the room; a member carries it out.");
    }
    this.#notWanted(room);
    const next = [...this.rooms.values()].find((other) => other !== room && other.isCaughtUp);
    if (room === this.#open.main || !next) return this.quit();
    this.switchTo(next);
  }

  /** For programs: goes once everything is stored, and says so when that does not come about. */
  #quitWhenQuiet(): void {
    this.#inputEnded = true;
    const { clock } = this.seams;
    this.#cancelGiveUp = clock.after(this.options.joinTimeoutMs, () => {
      if (this.#entered) {
        this.#fail(notStored([...this.rooms.values()].some((room) => room.state.alarm !== null)));
      }
    });
    if (this.#open.shown) this.#afterTurn(this.#open.shown);
  }

  /** Goes; what is not stored yet has a moment, and is otherwise kept for the next time. */
  quit(): void {
    const mayStillGo = [...this.rooms.values()].some((room) =>
      (room.unsent.length > 0 || room.hasWish) && room.state.alarm === null && room.conflict === null
    );
    if (!this.#open.shown || !this.#connection || !(mayStillGo || this.#unsent.length > 0)) {
      return this.#endNow();
    }
    this.#inputEnded = true;
    this.seams.clock.after(lastWordsMs, () => this.#endNow());
  }

  /** What is kept of what was said. */
  get history(): LocalHistory {
    if (this.#server) return this.#server.history;
    throw new LinkLost();
  }

  /** Wipes what is kept, and begins anew. @throws FileTrouble */
  forgetHistory(): void {
    this.history.forget();
    this.#historyFails = false;
  }

  /** What was typed is had back no more. */
  forgetTyped(): void {
    this.seams.typed?.forget();
    this.view.forgetTyped();
  }

  /** People who are not shown. */
  get ignored(): Ignored {
    if (this.#server) return this.#server.ignored;
    throw new LinkLost();
  }

  #endNow(): void {
    const waiting = [...this.rooms.values()].reduce((sum, room) => sum + room.unsent.length, 0);
    const undone = [...this.rooms.values()].filter((room) => room.hasWish).map((room) => room.label);
    if (undone.length > 0 && !this.#stop.signal.aborted) {
      this.view.warning(
        `The change that you asked for in ${undone.join(", ")} was not made; ask again next time.`,
      );
    }
    if (waiting > 0 && !this.#stop.signal.aborted) {
      this.view.warning(
        `${
          waiting === 1 ? "One line is" : `${waiting} lines are`
        } not sent yet, and will be when you join again.`,
      );
    }
    this.#stop.abort();
  }

  /** A program that is told of a failure will say its lines again: they must not be said twice. */
  #forgetWaiting(): void {
    for (const room of this.#open.withMembers) {
      if (room.state.status !== "waiting" || room.isDirect) continue;
      room.forgetLines();
      // What was ever known of a room stays: it tells an old admission from a new one.
      if (!room.state.head && !room.state.pendingCommit) this.#context!.files.remove(room.state.id);
    }
  }

  #fail(error: ChatError): void {
    this.#failure ??= error;
    this.#stop.abort();
    if (this.view.interactive) return;
    try {
      this.#forgetWaiting();
    } catch (second) {
      if (!(second instanceof ChatError)) throw second;
      this.view.warning(inWords(second));
    }
  }
}
