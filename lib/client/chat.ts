/**
 * Chat: the loop that ties connection, rooms, commands and view together.
 *
 * It goes in, stays in over cuts and restarts of the server, and comes out with an exit code. It shows
 * nothing itself and decides nothing about keys.
 */

import { encodeHex } from "@std/encoding/hex";
import { equals } from "@std/bytes/equals";
import { type Clock, sleep } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import { fingerprint } from "../crypto/identity.ts";
import type { RandomSource } from "../crypto/random.ts";
import { ChatError, exitCodes, Malformed } from "../errors.ts";
import { contentTypes, textMaxBytes } from "../protocol/content.ts";
import { noKeyFile } from "../protocol/epoch.ts";
import type { LinkEnd } from "../protocol/link.ts";
import {
  closeReasons,
  type LinkMessage,
  type MessageOf,
  roomKinds,
  welcomeFlags,
} from "../protocol/messages.ts";
import { skeleton } from "../protocol/name.ts";
import { parseLine } from "./commands.ts";
import { enterRoom, type Entrance, patiently } from "./enter_room.ts";
import { notAdmitted, notMember, notSent, notStored } from "./giving_up.ts";
import { checkServerPin, keepServerPin, type ServerTrust } from "./server_pin.ts";
import { Connection, type Dial, hostPort, LinkLost, type Receiver, RequestRefused } from "./connection.ts";
import { HandshakeBroken, Refused, refusedBy, Unreachable } from "./connection_errors.ts";
import type { Profile } from "./profile.ts";
import { Backoff } from "./reconnect.ts";
import { ClientRoom } from "./room.ts";
import type { RoomContext } from "./room_context.ts";
import { newRoomState } from "./room_state.ts";
import { ServerState } from "./server_state.ts";
import type { View } from "./view.ts";

const renewalMs = 24 * 3600 * 1000;
const prekeyCheckMs = 3600 * 1000;
const lastWordsMs = 3_000;
const clockSkewSeconds = 300;

/** Where to go, and how. */
export interface ChatOptions extends ServerTrust {
  /** Room name. */
  readonly room: string;
  /** Access token, maybe empty. */
  readonly token: Bytes;
  /** After how long somebody who is not there to wait gives up. */
  readonly joinTimeoutMs: number;
  /** Say this and go, instead of reading lines. */
  readonly message: string | null;
}

/** What is passed in. */
export interface ChatSeams {
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Connections. */
  readonly dial: Dial;
}

/** One run of `chat join`. */
export class Chat implements Receiver {
  /** All rooms at the server, by id in hex. */
  readonly rooms = new Map<string, ClientRoom>();
  #server: ServerState | null = null;
  #serverId: Bytes | null = null;
  #context: RoomContext | null = null;
  #connection: Connection | null = null;
  #room: ClientRoom | null = null;
  #unsent: { text: string; action: boolean }[] = [];
  #backoff: Backoff;
  #stop = new AbortController();
  #failure: ChatError | null = null;
  #cancelGiveUp: () => void = () => {};
  #lastTrouble: ChatError | null = null;
  #inputEnded = false;
  #entered = false;
  #whenEntered = Promise.withResolvers<void>();
  #watched: { room: ClientRoom; check: () => void } | null = null;
  #published: Bytes | null = null;
  #eraseDue = false;
  #trusted = false;
  #rejected = 0;
  #budget = { level: 0, atMs: 0, burst: 20, rate: 5 };

  /** @param view shows and reads */
  constructor(
    readonly profile: Profile,
    private readonly options: ChatOptions,
    readonly view: View,
    private readonly seams: ChatSeams,
  ) {
    this.#backoff = new Backoff(seams.clock, seams.random);
  }

  /** The room in which lines are said; null before it is entered. */
  get room(): ClientRoom | null {
    return this.#room;
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
      for (let first = true; !this.#stop.signal.aborted; first = false) {
        try {
          if (await this.#connectOnce()) this.#backoff.succeeded();
        } catch (error) {
          if (!(error instanceof ChatError) || !this.#isTransient(error, first)) throw error;
          this.#lastTrouble = error;
          if (error instanceof HandshakeBroken) this.#backoff.handshakeFailed();
          this.view.warning(error.message);
        }
        if (this.#stop.signal.aborted) break;
        const waitMs = this.#backoff.nextMs();
        this.view.notice(`Trying again in ${Math.max(1, Math.round(waitMs / 1000))} s.`);
        await sleep(clock, waitMs, this.#stop.signal);
      }
      if (this.#failure) throw this.#failure;
      const refused = this.#room?.state.outbox.filter((item) => item.failed).length ?? 0;
      const lost = this.#rejected + refused;
      if (lost > 0 && !this.view.interactive) throw notSent(lost);
      return exitCodes.done;
    } finally {
      giveUp();
      this.#cancelGiveUp();
      this.#stop.abort();
      this.#whenEntered.resolve();
    }
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
      checkServer: (card) => checkServerPin(this.profile.known, this.options, card.id, this.profile.name),
      onStep: (step) => this.#showStep(step),
    });
    this.#keepServer(connection);
    this.#openServer(connection.server.id);
    this.#connection = connection;
    const listed = [...this.rooms.values()].filter((room) => room.state.status === "in");
    const { ended } = await connection.enter({
      runId: (listed.length > 0 && this.#server!.about?.runId) || new Uint8Array(16),
      rooms: listed.slice(0, 1024).map((room) => ({
        room: room.state.id,
        kind: roomKinds.ordinary,
        pos: room.history!.view.pos,
      })),
    }, this);
    const cancelRenewal = clock.after(renewalMs, () => connection.close(closeReasons.renewal));
    const stopPrekeys = this.#keepPrekeysFresh(connection);
    const goodbye = () => connection.close(closeReasons.bye);
    this.#stop.signal.addEventListener("abort", goodbye);
    if (this.#stop.signal.aborted) goodbye();
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
    return end.how !== "fault";
  }

  #showStep(step: string): void {
    const { view } = this;
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
      const refusal = refusedBy(end.reason, this.profile.name, this.options.token.length > 0);
      if (!this.#isTransient(refusal, false)) throw refusal;
      this.view.warning(`${refusal.message}.`);
    } else if (end.how === "silent") this.view.warning("The server has gone silent.");
    else if (end.how === "closed") this.view.notice("Renewing the connection.");
    else if (end.how === "fault") {
      this.view.warning("The server broke the protocol; the connection is ended.");
    } else this.view.warning("The connection was cut.");
  }

  // ---- the server

  /** Kept only now: the handshake has proved that the server holds the key of the card it showed. */
  #keepServer({ server: { id }, version }: Connection): void {
    const news = keepServerPin(this.profile.known, this.options, id, version);
    const target = hostPort(this.options.host, this.options.port);
    if (news === "changed") {
      this.#trusted = true;
      this.view.notice(`The changed key of ${target} is accepted, and kept: ${fingerprint(id)}`);
    } else if (news === "new" && !this.options.expectServer) {
      this.view.notice(`The key of ${target} is new, and kept: ${fingerprint(id)}`);
    }
  }

  #openServer(serverId: Bytes): void {
    if (this.#serverId && equals(this.#serverId, serverId)) return;
    this.#serverId = serverId;
    this.#server = new ServerState(this.profile, serverId, this.seams.clock);
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
      psk: noKeyFile,
      show: (event) => this.view.event(event),
      pace: () => this.#pace(),
      pinsRooms: () => this.#server!.about?.memoryOnly !== true,
      serverFault: (why) => {
        this.view.warning(`The server broke the protocol (${why}); the connection is ended.`);
        this.#connection?.drop();
      },
      storageFailed: (error) => {
        if (!this.view.interactive) this.#fail(error);
      },
    };
    this.rooms.clear();
    this.#room = null;
    for (const { state, history } of this.#context.files.load()) {
      this.#addRoom(new ClientRoom(this.#context, state, state.status === "waiting" ? null : history));
    }
  }

  #addRoom(room: ClientRoom): ClientRoom {
    this.rooms.set(encodeHex(room.state.id), room);
    room.onTurn = () => this.#afterTurn(room);
    return room;
  }

  /** What the server's WELCOME allows per second, so that it need not refuse. */
  #pace(): number {
    const now = this.seams.clock.now();
    const b = this.#budget;
    b.level = Math.min(b.burst, b.level + Math.max(0, now - b.atMs) * b.rate / 1000);
    b.atMs = now;
    if (b.level < 1) return Math.ceil((1 - b.level) * 1000 / b.rate);
    b.level -= 1;
    return 0;
  }

  // ---- Receiver

  /** WELCOME: what kind of server this is, and whether it is the one we knew. */
  welcome(message: MessageOf<"WELCOME">): void {
    const { clock } = this.seams;
    this.#budget = {
      level: message.burst - 1,
      atMs: clock.now(),
      burst: Math.max(1, message.burst - 1),
      rate: Math.max(1, message.rate),
    };
    if (Math.abs(clock.now() / 1000 - message.time) > clockSkewSeconds) {
      this.view.warning(
        "Your clock and the server's differ by more than 5 minutes: others may refuse your keys.",
      );
    }
    const memoryOnly = (message.flags & welcomeFlags.memoryOnly) !== 0;
    const change = this.#server!.welcome({ runId: message.runId, memoryOnly });
    if (change === "restarted") {
      this.view.notice("The server was restarted: rooms begin anew.");
      this.#unsent.unshift(...this.#unconfirmed());
      this.#openRooms();
    } else if (change === "lost") {
      this.view.warning(
        "The server has lost its data, or is not the one it was; nothing is sent into known rooms.",
      );
      for (const room of this.rooms.values()) room.state.alarm = "the server";
    } else if (this.rooms.size === 0) this.#openRooms();
    for (const room of this.rooms.values()) {
      // The known server is back; whether it knows all that we do, its streams will tell.
      if (change === "same" && room.state.alarm === "the server") room.state.alarm = null;
      room.connect(this.#connection!);
    }
  }

  /** Lines that the run of a memory-only server which is over did not confirm: they stay unsent. */
  #unconfirmed(): { text: string; action: boolean }[] {
    const items = this.#room?.state.outbox.filter((item) => !item.failed) ?? [];
    return items.map((item) => ({
      text: new TextDecoder().decode(item.body),
      action: item.type === contentTypes.action,
    }));
  }

  /** Everything else that comes: to the room it is about. */
  receive(message: LinkMessage, room: Bytes | null): void {
    if (message.type === "NOTICE") return this.view.notice(`The operator says: ${message.text}`);
    if (message.type === "ANSWER") return; // Key-file rooms are not there yet.
    const id = room ?? ("room" in message ? message.room : null);
    if (!id) throw new Malformed("a message about nothing");
    let target = this.rooms.get(encodeHex(id));
    if (!target) {
      if (message.type !== "ROOM_INFO" || message.kind !== roomKinds.ordinary) {
        throw new Malformed("an unknown room");
      }
      target = this.#addRoom(new ClientRoom(this.#context!, newRoomState(id, ""), null));
      target.connect(this.#connection!);
    }
    target.receive(message);
  }

  // ---- going in

  /** Publishes the newest prekey, a new one each day. @returns stops it */
  #keepPrekeysFresh(connection: Connection): () => void {
    let cancel = () => {};
    const again = () => {
      this.#publishPrekey(connection).catch((error) => {
        if (!(error instanceof ChatError)) throw error;
      });
      this.#eraseDue = true;
      cancel = this.seams.clock.after(prekeyCheckMs, again);
    };
    cancel = this.seams.clock.after(prekeyCheckMs, again);
    return () => cancel();
  }

  async #publishPrekey(connection: Connection): Promise<void> {
    const { prekeys } = this.#server!;
    const newest = await prekeys.newest();
    if (this.#published && equals(this.#published, newest.published)) return;
    try {
      await patiently(
        this.#entrance,
        () => connection.request((ref) => ({ type: "PREKEY_PUT", ref, prekey: newest.published }), "DONE"),
      );
      this.#published = newest.published;
      prekeys.confirmed();
      this.#eraseDue = true;
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error;
      this.view.warning(
        "The server refused your prekey: your clock is wrong, or this profile is an old copy.",
      );
    }
  }

  /** What entering a room may use of us. */
  get #entrance(): Entrance {
    return {
      rooms: this.rooms,
      context: this.#context!,
      view: this.view,
      signal: this.#stop.signal,
      addRoom: (room) => this.#addRoom(room),
      dropRoom: (room) => {
        this.rooms.delete(encodeHex(room.state.id));
        this.#context!.files.remove(room.state.id);
      },
      take: (room) => this.#take(room),
      watch: (room, check) => {
        this.#watched = { room, check };
        return () => this.#watched = null;
      },
    };
  }

  async #settleIn(connection: Connection): Promise<void> {
    // The server may have forgotten it: it is published after every WELCOME.
    this.#published = null;
    await this.#publishPrekey(connection);
    this.view.progress("Initial set up had been completed!");
    if (this.#entered && !this.view.interactive) this.view.notice("Connected again.");
    await enterRoom(this.#entrance, connection, this.options.room);
  }

  #take(room: ClientRoom): void {
    this.#room = room;
    for (const { text, action } of this.#unsent.splice(0)) room.say(text, action);
    this.#afterTurn(room);
  }

  #afterTurn(room: ClientRoom): void {
    if (this.#watched?.room === room) this.#watched.check();
    const { trust } = this.options;
    if (room.conflict && trust !== null && skeleton(room.conflict.name) === skeleton(trust)) {
      this.#acceptKey(room);
    }
    // What was sealed to an old prekey while we were away is open by now, in every room.
    if (this.#eraseDue && [...this.rooms.values()].every((r) => r.isCaughtUp || r.state.status !== "in")) {
      this.#eraseDue = false;
      this.#server!.prekeys.erase();
    }
    if (room !== this.#room) return;
    if (room.isCaughtUp && !this.#entered) {
      this.#entered = true;
      this.#whenEntered.resolve();
      this.view.progress("Now you can start to exchange messages");
      const { trust } = this.options;
      if (trust !== null && !this.#trusted) {
        this.view.notice(`There was nothing to accept: no key of ${trust} has changed.`);
      }
    }
    if (room.state.status === "gone" && this.#entered) {
      this.#fail(notMember(room.state.name));
    }
    // A program cannot judge a warning: it ends, and a person looks.
    if (room.state.alarm && !this.view.interactive) this.#fail(notStored(true));
    const unsent = room.state.outbox.filter((item) => !item.failed).length;
    const worry = room.conflict
      ? ` (key changed: ${room.conflict.name})`
      : room.state.alarm
      ? " (sending stopped)"
      : unsent > 0
      ? ` (${unsent} unsent)`
      : "";
    this.view.prompt(`${room.state.name}${worry}> `);
    if (this.#inputEnded && this.#entered && this.#unsent.length === 0 && room.isQuiet) this.#stop.abort();
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
          await this.#enterLine(line);
        }
      }
      // The input is over: go once everything is stored, unless a person just pressed Ctrl+D.
      if (this.view.interactive && this.options.message === null) return this.quit();
      this.#quitWhenQuiet();
    })().catch((error) => {
      if (!(error instanceof ChatError)) throw error;
      this.#fail(error);
    });
  }

  async #enterLine(line: string): Promise<void> {
    const meaning = parseLine(line);
    try {
      switch (meaning.kind) {
        case "nothing":
          return;
        case "quit":
          return this.view.interactive ? this.quit() : this.#quitWhenQuiet();
        case "say":
          return this.say(meaning.text);
        case "command":
          return await meaning.command.run(this, meaning.rest);
        case "unknown":
          this.#rejected++;
          return this.view.warning(
            `There is no command /${meaning.word}; did you mean /${meaning.nearest}? Nothing was sent; a line that ` +
              "starts with // is said as it stands.",
          );
      }
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.view.warning(`${error.message}. ${error.hint}`);
    }
  }

  /** Says something in the room, now or as soon as it is entered. */
  say(text: string, action = false): void {
    const bytes = new TextEncoder().encode(text).length;
    if (bytes > textMaxBytes) {
      this.#rejected++;
      this.view.warning(`That is ${bytes} bytes; a message holds at most ${textMaxBytes}. Nothing was sent.`);
    } else if (text.trim() === "") {
      if (action) this.view.warning("What do you do? /me ACTION");
    } else if (this.#room) {
      this.#room.say(text, action);
      if (this.#room.state.alarm) {
        this.view.warning('Sending is stopped by the warning above; the line is kept, "/retry" sends it.');
      }
    } else this.#unsent.push({ text, action });
  }

  /** Whether the person has compared digits with the holder of a name. */
  isVerified(name: string): boolean {
    return this.#serverId !== null && this.profile.known.user(this.#serverId, name)?.verified === true;
  }

  /** Accepts a changed key, or ignores the views of a member whose history differs. */
  trust(name: string): void {
    const room = this.#room;
    if (!room || name === "") return this.view.warning("Whom? /trust NAME");
    if (room.conflict && skeleton(room.conflict.name) === skeleton(name)) return this.#acceptKey(room);
    const member = room.state.head?.roster.find((m) => skeleton(m.name) === skeleton(name));
    if (!member || room.state.alarm !== member.name) {
      return this.view.warning(`Nothing is wrong with ${name}.`);
    }
    room.ignoreViews(member.id);
  }

  #acceptKey(room: ClientRoom): void {
    const { name, id } = room.conflict!;
    this.#trusted = true;
    this.profile.known.pinUser(this.#serverId!, name, id);
    this.view.notice(`The new key of ${name} is accepted, not verified.`);
    room.pinsChanged();
  }

  /** Gives up the membership and goes. */
  async leave(): Promise<void> {
    if (!this.#room) return this.quit();
    await this.#room.leave();
    this.view.notice("You have asked to leave the room; a member carries it out.");
    this.quit();
  }

  /** For programs: goes once everything is stored, and says so when that does not come about. */
  #quitWhenQuiet(): void {
    this.#inputEnded = true;
    const { clock } = this.seams;
    this.#cancelGiveUp = clock.after(this.options.joinTimeoutMs, () => {
      if (this.#entered) this.#fail(notStored(this.#room?.state.alarm != null));
    });
    if (this.#room) this.#afterTurn(this.#room);
  }

  /** Goes; what is not stored yet has a moment, and is otherwise kept for the next time. */
  quit(): void {
    const room = this.#room;
    if (!room || room.isQuiet || !room.connection) return this.#endNow();
    this.#inputEnded = true;
    this.seams.clock.after(lastWordsMs, () => this.#endNow());
  }

  #endNow(): void {
    const waiting = this.#room?.state.outbox.filter((item) => !item.failed).length ?? 0;
    if (waiting > 0 && !this.#stop.signal.aborted) {
      this.view.warning(
        `${
          waiting === 1 ? "One line is" : `${waiting} lines are`
        } not sent yet, and will be when you join again.`,
      );
    }
    this.#stop.abort();
  }

  #fail(error: ChatError): void {
    this.#failure ??= error;
    this.#stop.abort();
  }
}
