/**
 * ServerRooms: the rooms at one server, from its files and its streams: opened when the server has proved its key,
 * followed over cuts, begun anew when a memory-only server has.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { join } from "@std/path";
import { type Clock, sleep } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError, Malformed } from "../../errors.ts";
import {
  type LinkMessage,
  type MessageOf,
  roomKinds,
  welcomeFlags,
} from "../../protocol/channel/link_messages.ts";
import { noKeyFile } from "../../protocol/group/epoch.ts";
import type { Card } from "../../protocol/identity/card.ts";
import { decodeName, type Named } from "../../protocol/identity/name.ts";
import { TokenBucket } from "../../token_bucket.ts";
import type { Audience } from "../audience.ts";
import type { ChatOutput } from "../chat_view.ts";
import type { Connection } from "../connection/connection.ts";
import { Backlog } from "./backlog.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import type { HistoryWish } from "../profile/history_choice.ts";
import type { Profile } from "../profile/profile.ts";
import { type AboutServer, ServerState } from "../profile/server_state.ts";
import type { RoomEvent } from "../room_events.ts";
import { convictionText } from "./conviction.ts";
import { makePrivateDir, writeAtomically } from "../../storage/private_file.ts";
import { KeyFileRoom } from "./key_file_room.ts";
import { liftsNothing } from "./own_entry.ts";
import { MemberRoom } from "./member_room.ts";
import { type RoomContext, WrongKeyFile } from "./room_context.ts";
import type { RoomSet } from "./room_set.ts";
import { newRoomState } from "./room_state.ts";
import type { RoomStream } from "./room_stream.ts";
import type { Unsent, UnsentLine } from "./unsent.ts";
import type { WantedRooms } from "./wanted_rooms.ts";

const maxListedRooms = 1024;
const openingsAtOnce = 200;
const openingEveryMs = 2_000;
/** Rooms into which others put us are followed up to so many in all. */
const maxRooms = 1000;
const tooManyRooms = `You have been put into more than ${maxRooms} rooms; the others are not shown. ` +
  "/rooms shows those that are, /leave gives one up; the operator can say who does it.";
const settleMs = 2_000;
const recalledLines = 20;

/** What the rooms of a server need of their chat. */
export interface ServerRoomsParts {
  /** Keys, pins and files. */
  readonly profile: Profile;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Whom to tell. */
  readonly seats: Audience;
  /** Those at which a room is about to be shown first. */
  coming(room: RoomStream): readonly RecallSeat[];
  /** How long what is said is kept on this machine. */
  history(): HistoryWish;
  /** All rooms. */
  readonly set: RoomSet;
  /** Those that the person wants to be in. */
  readonly wanted: WantedRooms;
  /** Lines without a room. */
  readonly unsent: Unsent;
  /** While there is one. */
  connection(): Connection | null;
  /** The room of two with somebody. */
  direct(other: Named): MemberRoom;
  /** All rooms begin anew: none is on a screen. */
  begun(): void;
  /** A job of a room is over. */
  jobDone(room: RoomStream): void;
  /** Ends the chat with an error. */
  fail(error: ChatError): void;
  /** A fault of this program. */
  bug(error: Error): void;
}

/** Where the last lines that are kept can be shown. */
export interface RecallSeat {
  /** Shows. */
  readonly view: ChatOutput;
  /** Which room they are shown of. */
  recalled: RoomStream | null;
}

/** All rooms of one server. */
export class ServerRooms {
  #server: ServerState | null = null;
  #card: Card | null = null;
  #context: RoomContext | null = null;
  #sending: TokenBucket;
  /** What the server is now, while the person has not said that this is to be. */
  #lost: AboutServer | null = null;
  /** There are rooms that we are in and do not follow. */
  #tooMany = false;
  #historyFails = new Set<string>();

  /** @param parts of the chat */
  constructor(private readonly parts: ServerRoomsParts) {
    this.#sending = new TokenBucket(1, 1000, parts.clock);
  }

  /** What all rooms share. @throws LinkLost before the first connection */
  get context(): RoomContext {
    if (this.#context) return this.#context;
    throw new LinkLost();
  }
  /** What is kept of the server. @throws LinkLost before the first connection */
  get server(): ServerState {
    if (this.#server) return this.#server;
    throw new LinkLost();
  }
  /** Its id; null before the first connection. */
  get serverId(): Bytes | null {
    return this.#card?.id ?? null;
  }
  get #all(): RoomStream[] {
    return [...this.parts.set.all.values()];
  }

  /** A server has proved its key: its rooms are opened, unless they are. @returns whether they were opened now */
  begin(card: Card): boolean {
    const { profile, clock, set, wanted, seats } = this.parts;
    const isNew = !this.#card || !equals(this.#card.id, card.id);
    if (isNew) {
      this.#card = card;
      this.#server = new ServerState(profile, card.id, clock, this.parts.history());
      this.#open();
    }
    for (const room of set.withMembers) {
      wanted.giveRoomKey(room);
      if (wanted.renew(room)) continue;
      seats.notice(liftsNothing(room.label));
      wanted.dropPass(room.state.name);
    }
    return isNew;
  }

  #open(): void {
    const { set } = this.parts;
    this.#context = this.#makeContext(this.#card!, this.#server!);
    set.all.clear();
    this.parts.begun();
    for (const state of this.#context.files.load().toSorted((a, b) => a.name < b.name ? -1 : 1)) {
      this.add(new MemberRoom(this.#context, state));
    }
  }

  #makeContext(card: Card, server: ServerState): RoomContext {
    const { id: serverId, verifying } = card;
    const { profile, clock, random, seats, set } = this.parts;
    return {
      serverId,
      serverKey: verifying,
      get site() {
        return server.site(serverId);
      },
      identity: profile.identity,
      card: profile.card,
      known: profile.known,
      directory: server.directory,
      prekeys: server.prekeys,
      openings: new TokenBucket(openingsAtOnce, openingEveryMs, clock),
      unaskedOpenings: new TokenBucket(openingsAtOnce / 4, openingEveryMs * 4, clock),
      backlog: new Backlog(),
      files: server.rooms(),
      clock,
      random,
      show: (event, room) => seats.event(event, room as RoomStream),
      holds: (room) => seats.holds(room as RoomStream, set.canBeShown(room as RoomStream)),
      hasGuests: () => seats.count > 1,
      areBlind: () => seats.areBlind,
      ignores: (id) => server.ignored.has(id),
      record: (room, events) => this.#record(room, events),
      sendWaitMs: () => this.#sending.takeOrWaitMs(),
      pinsRooms: () => server.about?.memoryOnly !== true,
      gaveUp: (error) => {
        if (!(error instanceof WrongKeyFile)) return false;
        this.parts.fail(error);
        return true;
      },
      serverFault: (why) => {
        seats.warning(`The server broke the protocol (${why}); the connection is ended.`);
        this.parts.connection()?.drop();
      },
      keepConviction: (evidence) => {
        const dir = join(profile.dir, "convictions");
        makePrivateDir(dir);
        const { room } = evidence.place;
        const path = join(dir, `${encodeHex(room).slice(0, 16)}-${evidence.theirs.pos}.txt`);
        const text = convictionText({ ...evidence, card, runId: server.about!.runId });
        writeAtomically(path, new TextEncoder().encode(text));
        return path;
      },
      endedAtTheDoor: (room) => {
        for (const line of this.#takeUnsent(room as RoomStream)) this.parts.unsent.keep(line);
      },
      bug: (error) => {
        this.parts.bug(error);
        if (seats.interactive) return;
        this.parts.fail(new ChatError("A fault of this program has ended it", "please report it"));
      },
      storageFailed: (error) => {
        if (!seats.interactive) this.parts.fail(error);
      },
    };
  }

  /** Keeps a room. */
  add<Room extends RoomStream>(room: Room): Room {
    this.parts.set.add(room);
    room.onJobDone = () => this.parts.jobDone(room);
    return room;
  }

  /** Forgets a room, with its files. */
  drop(room: RoomStream): void {
    this.parts.set.all.delete(encodeHex(room.state.id));
    this.context.files.remove(room.state.id);
  }

  /** A room whose key file is not at hand is passed over: we could neither read nor mend anything there. */
  #isFollowed(room: MemberRoom): boolean {
    return !room.state.keyFile || !equals(room.roomKey, noKeyFile);
  }

  /** What HELLO says: where we stand in each room. */
  get hello(): Omit<MessageOf<"HELLO">, "type"> {
    const listed = this.parts.set.withMembers.filter((room) =>
      room.state.status === "in" && this.#isFollowed(room) && !room.isRenewing
    );
    return {
      runId: (listed.length > 0 && this.server.about?.runId) || new Uint8Array(16),
      rooms: listed.slice(0, maxListedRooms).map((room) => ({
        room: room.state.id,
        kind: roomKinds.ordinary,
        pos: room.history!.view.pos,
      })),
    };
  }

  /** WELCOME: what the server was, and is; all rooms follow the new connection. */
  welcome(message: MessageOf<"WELCOME">, connection: Connection): void {
    this.#tooMany = false;
    const { seats, clock, set } = this.parts;
    // One less than the server allows at once: the two clocks differ.
    this.#sending = new TokenBucket(Math.max(1, message.burst - 1), 1000 / Math.max(1, message.rate), clock);
    const memoryOnly = (message.flags & welcomeFlags.memoryOnly) !== 0;
    const about = { runId: message.runId, memoryOnly };
    const change = this.server.welcome(about);
    this.#lost = change === "lost" ? about : null;
    if (change === "restarted") this.#beginAnew("The server was restarted: rooms begin anew.");
    else if (change === "lost") {
      seats.warning(
        "The server has lost its data, or is not the one it was; nothing is sent into known rooms. If its operator " +
          'says that it was restored, "/retry" begins anew there: its rooms are forgotten here too.',
      );
      for (const room of this.#all) room.alarm.serverLost();
    } else if (set.all.size === 0) this.#open();
    for (const room of set.withMembers) this.parts.wanted.giveRoomKey(room);
    for (const room of this.#all) {
      if (change === "same") room.alarm.serverIsBack();
      room.connect(connection);
      if (room instanceof MemberRoom && !this.#isFollowed(room)) room.refuse(null);
    }
  }

  /** The person goes on at a server that has lost its rooms. @returns false when it has not */
  acceptLoss(): boolean {
    if (!this.#lost) return false;
    const { known } = this.parts.profile;
    for (const { state } of this.#all) known.unpinRoom(this.context.serverId, state.name);
    this.server.beginAnew(this.#lost);
    this.#lost = null;
    this.#beginAnew("Rooms begin anew.");
    this.parts.connection()?.renew(); // it greets us again, as who knows nothing
    return true;
  }

  /** A server has begun anew: rooms are over, and lines that it had not confirmed are said again. */
  #beginAnew(notice: string): void {
    const lines = this.#all.flatMap((room) => this.#takeUnsent(room));
    this.parts.seats.notice(notice);
    for (const room of this.#all) room.showLast();
    this.#open();
    for (const line of lines) {
      if (line.to) this.parts.direct(line.to).lines.adopt([line.item]);
      else this.parts.unsent.keep(line);
      if (line.room !== null && !line.fernetKey) this.parts.wanted.add(line.room);
    }
  }

  #takeUnsent(room: RoomStream): UnsentLine[] {
    const to = room instanceof MemberRoom ? room.other : null;
    const name = to ? null : room.state.name;
    const fernetKey = room instanceof KeyFileRoom ? room.fernetKey : null;
    return room.lines.takeUnsent().map((item) => ({ item, room: name, to, fernetKey }));
  }

  /** A message of a room's stream. @throws Malformed: the link must end */
  receive(message: LinkMessage, room: Bytes | null): void {
    const id = room ?? ("room" in message ? message.room : null);
    if (!id) throw new Malformed("a message about nothing");
    let target = this.parts.set.all.get(encodeHex(id));
    if (!target) {
      if (message.type !== "ROOM_INFO" || message.kind !== roomKinds.ordinary) {
        if (this.#tooMany) return; // of one that is not followed
        throw new Malformed("an unknown room");
      }
      target = this.#unaskedRoom(message);
    }
    target?.receive(message);
  }

  /** A room that others have put us into, or one whose admission we have not kept. */
  #unaskedRoom({ room: id, name }: MessageOf<"ROOM_INFO">): MemberRoom | undefined {
    const called = name.length === 0 ? "" : decodeName(name);
    const { set, wanted, connection } = this.parts;
    const asked = wanted.find(called);
    if (!asked && set.withMembers.length >= maxRooms) {
      // Whoever puts us into rooms without end must not cost us those that we want.
      if (!this.#tooMany) this.parts.seats.warning(tooManyRooms);
      this.#tooMany = true;
      return undefined;
    }
    // A wanted room must have the wanted name; any other room takes its commit's name.
    const room = this.add(new MemberRoom(this.context, newRoomState(id, asked?.name ?? "")));
    if (asked) {
      room.roomKey = asked.roomKey;
      room.state.inviter = asked.inviter;
    } else if (this.parts.seats.interactive) room.state.unasked = true; // until the person looks at it
    room.connect(connection()!);
    return room;
  }

  /** Keeps what was said. What cannot be kept is shown all the same. */
  #record(id: Bytes, events: readonly RoomEvent[]): void {
    const room = this.parts.set.all.get(encodeHex(id));
    const isNews = events.some(({ type }) => type === "message" || type === "unread");
    // What was missed comes before the room is entered: what is kept stands above it.
    if (isNews && room) { for (const seat of this.parts.coming(room)) this.recall(seat, room); }
    this.#keeping("What is said is not kept any more", () => this.server.history.record(id, events));
  }

  /** Shows the last lines of a room that are kept, above what is new in it; for a person, on coming to it. */
  recall(seat: RecallSeat, room: RoomStream): void {
    const { view } = seat;
    if (!view.interactive || seat.recalled === room) return;
    seat.recalled = room;
    const { history, ignored } = this.server;
    if (!history.isOn) return;
    this.#keeping("What was said cannot be shown", () => {
      const lines = history.last(room.state.id, recalledLines + room.news.unread)
        .filter(({ fromId, msgId }) => !ignored.has(fromId) && !room.news.isUnread(fromId, msgId))
        .slice(-recalledLines);
      if (lines.length > 0) view.recalled(`${room.label}: said before, kept here`, lines);
    });
  }

  /** What people wish to be kept has changed. */
  wishes(): void {
    this.#keeping("Cannot keep what is said", () => this.#server?.wish(this.parts.history()));
  }

  /** Tells, once, what is kept. */
  tellOfHistory(): void {
    this.#keeping("Cannot keep what is said", () => {
      const text = this.server.choice.takeNotice();
      if (text !== null) this.parts.seats.notice(text);
    });
  }

  /** What cannot be kept is told once, and keeps nobody from talking. */
  #keeping(what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      if (!this.#historyFails.has(what)) {
        this.parts.seats.warning(`${what}: ${error.message}. /forget begins the history anew.`);
      }
      this.#historyFails.add(what);
    }
  }

  /** Wipes what is kept of what was said, and begins anew. @throws FileTrouble */
  forgetHistory(): void {
    this.server.history.forget();
    this.#historyFails.clear();
  }

  /** The connection is over. */
  disconnect(): void {
    for (const room of this.#all) room.disconnect();
  }

  /** Waits until all rooms are stored: afterwards another process may use the profile. */
  async settle(): Promise<void> {
    this.disconnect();
    const settled = new AbortController();
    const all = Promise.all(this.#all.map((room) => room.settled)).then(() => settled.abort());
    await Promise.race([all, sleep(this.parts.clock, settleMs, settled.signal)]);
    for (const room of this.#all) room.settleFiles();
  }

  /** A program that is told of a failure will say its lines again: they must not be said twice. @throws FileTrouble */
  forgetUnentered(): void {
    for (const room of this.parts.set.withMembers) {
      if (room.state.status !== "waiting" || room.isDirect) continue;
      room.lines.drop();
      room.store();
      // The state of a left room is kept: it tells an old admission from a new one.
      if (!room.state.head && !room.state.pendingCommit) this.context.files.remove(room.state.id);
    }
  }
}
