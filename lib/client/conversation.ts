/** Conversation: what a person does in a chat, as commands and typed lines see it: rooms, saying, trust, going. */

import { join } from "@std/path";
import { encodeHex } from "../hex.ts";
import type { Clock } from "../clock.ts";
import { ChatError, inWords } from "../errors.ts";
import type { RandomSource } from "../crypto/random.ts";
import { type Named, skeleton } from "../protocol/identity/name.ts";
import type { ChatOptions } from "./chat_options.ts";
import type { ChatOutput } from "./chat_view.ts";
import type { ChatApi, GetFile } from "./commands/chat_api.ts";
import type { Connection } from "./connection/connection.ts";
import type { Files, FileToSend, MovingFile } from "./files/files.ts";
import type { Login } from "./connection/login.ts";
import type { Ignored } from "./profile/ignored.ts";
import type { InputHistory } from "./profile/input_history.ts";
import type { LocalHistory } from "./profile/local_history.ts";
import type { Profile } from "./profile/profile.ts";
import type { ShownMessages } from "./profile/shown_messages.ts";
import type { Questions } from "./questions.ts";
import type { DirectRooms } from "./rooms/direct_rooms.ts";
import type { Entrances } from "./rooms/entrances.ts";
import { MemberRoom } from "./rooms/member_room.ts";
import { findPerson } from "./rooms/people.ts";
import type { RoomContext } from "./rooms/room_context.ts";
import type { RoomSet } from "./rooms/room_set.ts";
import type { RoomStream } from "./rooms/room_stream.ts";
import type { ServerRooms } from "./rooms/server_rooms.ts";
import type { SeatRooms } from "./rooms/seat_rooms.ts";
import { checkedText, type LineForm, newLine, type Unsent } from "./rooms/unsent.ts";
import type { WantedRooms } from "./rooms/wanted_rooms.ts";
import type { KeyClaims } from "./trust/key_claims.ts";

/** The seat that a conversation is of. */
export interface TalkingSeat {
  /** Shows. */
  readonly view: ChatOutput;
  /** What is asked there. */
  readonly questions: Questions;
  /** What was shown there in this run. */
  readonly shown: ShownMessages;
  /** What is looked at. */
  readonly rooms: SeatRooms;
  /** Resolves when its room is entered, or it is over. */
  readonly whenEntered: Promise<void>;
  /** Whether it is over. */
  readonly isOver: boolean;
  /** Whether it waits for the room that it was in. */
  readonly isResuming: boolean;
  /** Puts a room on the screen. */
  show(room: RoomStream): void;
  /** A line was said there. @param msgId in hex */
  said(msgId: string): void;
  /** Goes; what is not stored yet has a moment. */
  quit(): void;
  /** Goes once everything is stored. */
  quitWhenQuiet(): void;
}

/** The parts of a chat that are talked with. */
export interface ConversationParts {
  /** Whose it is. */
  readonly seat: TalkingSeat;
  /** Who we are, and pins. */
  readonly profile: Profile;
  /** Time and randomness, and what the person has typed. */
  readonly seams: {
    readonly clock: Clock;
    readonly random: RandomSource;
    readonly typed?: Pick<InputHistory, "forget">;
    readonly pathOf?: (path: string) => string;
  };
  /** Where we are connected to, and which room was meant there. */
  readonly target: ChatOptions;
  /** What we log in with. */
  readonly login: Login;
  /** All rooms. */
  readonly set: RoomSet;
  /** The server's. */
  readonly rooms: ServerRooms;
  /** Those that the person wants to be in. */
  readonly wanted: WantedRooms;
  /** Lines without a room. */
  readonly unsent: Unsent;
  /** Rooms of two. */
  readonly direct: DirectRooms;
  /** Enters rooms. */
  readonly entrances: Entrances;
  /** Keys that stand against known ones. */
  readonly claims: KeyClaims;
  /** While there is one. */
  connection(): Connection | null;
  /** Whether the server has accounts; null before it has said so. */
  hasAccount(): boolean | null;
  /** The servers that this person is at, one a line. */
  servers(): readonly string[];
  /** Connects without waiting longer. */
  hurry(): void;
  /** Files. */
  readonly files: Files;
}

/** One person's side of a chat. */
export class Conversation implements ChatApi {
  /** Lines that were not said or done. */
  lost = 0;

  /** @param parts of the chat */
  constructor(private readonly parts: ConversationParts) {}

  get view(): ChatOutput {
    return this.parts.seat.view;
  }
  get profile(): Profile {
    return this.parts.profile;
  }
  get target(): ChatOptions {
    return this.parts.target;
  }
  get login(): Login {
    return this.parts.login;
  }
  get questions(): Questions {
    return this.parts.seat.questions;
  }
  get shown(): ShownMessages {
    return this.parts.seat.shown;
  }
  get connection(): Connection | null {
    return this.parts.connection();
  }
  get hasAccount(): boolean | null {
    return this.parts.hasAccount();
  }
  get context(): RoomContext {
    return this.parts.rooms.context;
  }
  get history(): LocalHistory {
    return this.parts.rooms.server.history;
  }
  get ignored(): Ignored {
    return this.parts.rooms.server.ignored;
  }
  get whenEntered(): Promise<void> {
    return this.parts.seat.whenEntered;
  }
  get isOver(): boolean {
    return this.parts.seat.isOver;
  }
  get isResuming(): boolean {
    return this.parts.seat.isResuming;
  }

  // ---- rooms

  get rooms(): ReadonlyMap<string, RoomStream> {
    return this.parts.set.all;
  }
  get room(): RoomStream | null {
    return this.parts.seat.rooms.shown;
  }
  get membersRoom(): MemberRoom {
    return this.parts.seat.rooms.membersRoom;
  }
  get numbered(): readonly RoomStream[] {
    const { rooms, seat } = this.parts;
    return rooms.serverId === null ? [] : seat.rooms.numbered(rooms.server.order);
  }
  roomCalled(label: string): RoomStream | undefined {
    return this.parts.set.called(label);
  }
  knownRoom(label: string): RoomStream {
    return this.parts.set.known(label);
  }
  switchTo(room: RoomStream): void {
    this.parts.seat.rooms.isDisplaced = false;
    this.parts.seat.show(room);
  }
  switchToNumber(number: number): void {
    const room = this.numbered[number - 1];
    if (room) return this.switchTo(room);
    this.view.notice(`There is no room ${number}; /rooms shows those you are in.`);
  }
  async joinRoom(name: string): Promise<void> {
    const room = await this.parts.entrances.enter(name, this.connection);
    if (room) this.switchTo(room);
  }
  async directRoom(name: string): Promise<MemberRoom> {
    return this.parts.direct.with(await findPerson(this.context, this.connection, name));
  }
  async leave(): Promise<void> {
    const { room, parts: { seat, wanted } } = this;
    if (!room) return this.quit();
    if (room instanceof MemberRoom) {
      const hadEnded = room.state.retired;
      const isAsked = await room.leave();
      if (hadEnded) this.view.notice(`${room.label} has ended, and is not in your list any more.`);
      else if (isAsked) this.view.notice("You have asked to leave the room; a member carries it out.");
      else if (room.state.head) this.view.notice(`You were the last one in ${room.label}: it is gone.`);
    }
    wanted.drop(room.state.name);
    const next = [...this.rooms.values()].find((other) =>
      other !== room && other.isCaughtUp && !other.state.retired
    );
    if (room === seat.rooms.main || !next) return this.quit();
    this.switchTo(next);
  }

  // ---- saying

  say(text: string, form: LineForm = {}): string | null {
    if (text.trim() === "") {
      if (form.action) this.view.warning("What do you do? /me ACTION");
      return null;
    }
    const { room, parts: { unsent, seams, seat, target } } = this;
    if (this.takeDisplaced()) {
      this.view.warning(
        `You are in ${room?.label} now: the line was not sent. Say it again if it is for there.`,
      );
      return null;
    }
    if (room) return this.sayIn(room, text, form);
    const item = this.#counted(() => newLine(checkedText(text), form, seams));
    const id = encodeHex(item.msgId);
    seat.said(id);
    unsent.keep({ item, room: target.room, to: null, fernetKey: target.fernetKey });
    return id;
  }

  sayIn(room: RoomStream, text: string, form: LineForm = {}): string {
    const said = form.isToken ? text : this.#counted(() => checkedText(text));
    const msgId = this.#counted(() => room.lines.say(said, form));
    if (!room.lines.wasStored(msgId)) this.parts.seat.said(msgId);
    if (room.alarm.isRaised) {
      this.view.warning('Sending is stopped by the warning above; the line is kept, "/retry" sends it.');
    }
    if (room instanceof MemberRoom && room.isDirect) this.parts.entrances.beginDirect(room);
    return msgId;
  }

  async tell(name: string, text: string, form: LineForm = {}): Promise<string> {
    this.#counted(() => checkedText(text));
    const room = await this.directRoom(name).catch((error) => {
      this.lineLost();
      throw error;
    });
    return this.sayIn(room, text, form);
  }

  // ---- files

  readonly pathOf = (path: string): string => this.parts.seams.pathOf?.(path) ?? path;
  sendFile(room: RoomStream, file: FileToSend): string {
    const id = this.#counted(() => this.parts.files.send(room, file));
    if (!room.lines.wasStored(id)) this.parts.seat.said(id);
    if (room instanceof MemberRoom && room.isDirect) this.parts.entrances.beginDirect(room);
    return id;
  }
  getFile(id: string, { room, dir }: GetFile = {}): void {
    const { files } = this.parts;
    const into = dir ?? this.target.downloadDir ?? join(this.profile.dir, "files");
    files.get(room ?? files.roomOf(id), id, into);
  }
  movingFiles(room: RoomStream): readonly MovingFile[] {
    return this.parts.files.moving(room);
  }
  cancelFile(id: string): void {
    this.parts.files.cancel(id);
  }
  /** The same for what was told of before: by a program that was ended, for one that goes on. */
  takeFiles(): void {
    if (!this.target.take) return;
    for (const room of this.parts.set.withMembers) {
      for (const id of Object.keys(room.files)) this.takeFile(id, room.label);
    }
  }
  /** A file was told of: a service takes what is small enough. @param id of its message in hex @param label the room's */
  takeFile(id: string, label: string): void {
    const { take, downloadDir } = this.target;
    const { files, set } = this.parts;
    if (!take || downloadDir === null) return;
    const room = set.withMembers.find((each) => each.label === label && id in each.files);
    if (!room || room.files[id].part !== undefined) return;
    try {
      const why = files.take(room, id, downloadDir, take);
      if (why !== null) this.view.notice(why);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.view.warning(inWords(error));
    }
  }

  /** A line that cannot be said counts as one that was lost. @throws what `act` throws */
  #counted<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      this.lineLost();
      throw error;
    }
  }

  lineLost(): void {
    this.lost++;
  }

  takeDisplaced(): boolean {
    const { rooms } = this.parts.seat;
    const was = rooms.isDisplaced;
    rooms.isDisplaced = false;
    return was;
  }

  async retry(): Promise<void> {
    const { room } = this;
    if (this.parts.rooms.acceptLoss()) return;
    if (!this.connection) this.view.notice("Connecting now.");
    this.parts.hurry();
    room?.retry();
    if (room instanceof MemberRoom && room.isDirect) await this.parts.direct.begin(room);
  }

  // ---- trust

  isVerified(name: string): boolean {
    const { serverId } = this.parts.rooms;
    return serverId !== null && this.profile.known.user(serverId, name)?.verified === true;
  }
  claimsTo(name: string): readonly Named[] {
    return this.parts.claims.of(name);
  }
  chosenClaim(name: string, digits: string): Named | null {
    return this.parts.claims.choose(name, this.context.card.id, digits);
  }
  acceptKey({ name, id }: Named): void {
    const { claims, set, rooms } = this.parts;
    claims.accepted(name);
    this.profile.known.pinUser(rooms.serverId!, name, id);
    this.view.notice(`The new key of ${name} is accepted, not verified.`);
    // Several rooms may have waited for this name.
    for (const other of this.rooms.values()) {
      if (other.trust.conflict && skeleton(other.trust.conflict.name) === skeleton(name)) other.pinsChanged();
      if (!set.canBeShown(other)) other.looked();
    }
  }

  // ---- forgetting and going

  forgetHistory(): void {
    this.parts.rooms.forgetHistory();
  }
  forgetTyped(): void {
    this.parts.seams.typed?.forget();
    this.view.forgetTyped();
  }
  servers(): readonly string[] {
    return this.parts.servers();
  }
  quit(): void {
    this.parts.seat.quit();
  }
  quitWhenQuiet(): void {
    this.parts.seat.quitWhenQuiet();
  }
}
