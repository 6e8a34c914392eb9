/** Conversation: what a person does in a chat, as commands and typed lines see it: rooms, saying, trust, going. */

import type { Clock } from "../clock.ts";
import type { RandomSource } from "../crypto/random.ts";
import { type Named, skeleton } from "../protocol/identity/name.ts";
import type { ChatOutput } from "./chat_view.ts";
import type { ChatApi } from "./commands/chat_api.ts";
import type { Connection } from "./connection/connection.ts";
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
import { checkedText, newLine, type Unsent } from "./rooms/unsent.ts";
import type { WantedRooms } from "./rooms/wanted_rooms.ts";
import type { KeyClaims } from "./trust/key_claims.ts";

/** The parts of a chat that are talked with. */
export interface ConversationParts {
  /** Who we are, and pins. */
  readonly profile: Profile;
  /** Shows. */
  readonly view: ChatOutput;
  /** Time and randomness, and what the person has typed. */
  readonly seams: {
    readonly clock: Clock;
    readonly random: RandomSource;
    readonly typed?: Pick<InputHistory, "forget">;
  };
  /** Where we are connected to. */
  readonly target: { readonly host: string; readonly port: number; readonly tls: boolean };
  /** What we log in with. */
  readonly login: Login;
  /** What the person is asked. */
  readonly questions: Questions;
  /** What was shown in this run. */
  readonly shown: ShownMessages;
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
  /** Resolves when the main room is entered, or the chat is over. */
  readonly whenEntered: Promise<void>;
  /** Whether it is over. */
  isOver(): boolean;
  /** Puts a room on the screen. */
  show(room: RoomStream): void;
  /** Connects without waiting longer. */
  hurry(): void;
  /** Goes; what is not stored yet has a moment. */
  quit(): void;
  /** Goes once everything is stored. */
  quitWhenQuiet(): void;
}

/** One person's side of a chat. */
export class Conversation implements ChatApi {
  /** Lines that were not said or done. */
  lost = 0;

  /** @param parts of the chat */
  constructor(private readonly parts: ConversationParts) {}

  get view(): ChatOutput {
    return this.parts.view;
  }
  get profile(): Profile {
    return this.parts.profile;
  }
  get target(): { readonly host: string; readonly port: number; readonly tls: boolean } {
    return this.parts.target;
  }
  get login(): Login {
    return this.parts.login;
  }
  get questions(): Questions {
    return this.parts.questions;
  }
  get shown(): ShownMessages {
    return this.parts.shown;
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
    return this.parts.whenEntered;
  }
  get isOver(): boolean {
    return this.parts.isOver();
  }

  // ---- rooms

  get rooms(): ReadonlyMap<string, RoomStream> {
    return this.parts.set.all;
  }
  get room(): RoomStream | null {
    return this.parts.set.shown;
  }
  get membersRoom(): MemberRoom {
    return this.parts.set.membersRoom;
  }
  get numbered(): readonly RoomStream[] {
    return this.parts.rooms.numbered;
  }
  roomCalled(label: string): RoomStream | undefined {
    return this.parts.set.called(label);
  }
  knownRoom(label: string): RoomStream {
    return this.parts.set.known(label);
  }
  switchTo(room: RoomStream): void {
    this.parts.set.isDisplaced = false;
    this.parts.show(room);
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
    const { room, parts: { set, wanted } } = this;
    if (!room) return this.quit();
    if (room instanceof MemberRoom) {
      await room.leave();
      this.view.notice("You have asked to leave the room; a member carries it out.");
    }
    wanted.drop(room.state.name);
    const next = [...this.rooms.values()].find((other) => other !== room && other.isCaughtUp);
    if (room === set.main || !next) return this.quit();
    this.switchTo(next);
  }

  // ---- saying

  say(text: string, action = false): void {
    if (text.trim() === "") {
      if (action) this.view.warning("What do you do? /me ACTION");
      return;
    }
    const { room, parts: { unsent, seams } } = this;
    if (this.takeDisplaced()) {
      return this.view.warning(
        `You are in ${room?.label} now: the line was not sent. Say it again if it is for there.`,
      );
    }
    if (room) this.sayIn(room, text, action);
    else {
      const item = this.#counted(() => newLine(checkedText(text), action, seams));
      unsent.keep({ item, room: null, to: null });
    }
  }

  sayIn(room: RoomStream, text: string, action = false, isToken = false): string {
    const msgId = this.#counted(() => room.lines.say(isToken ? text : checkedText(text), action, isToken));
    if (room.alarm.isRaised) {
      this.view.warning('Sending is stopped by the warning above; the line is kept, "/retry" sends it.');
    }
    if (room instanceof MemberRoom && room.isDirect) this.parts.entrances.beginDirect(room);
    return msgId;
  }

  async tell(name: string, text: string): Promise<void> {
    this.#counted(() => checkedText(text));
    const room = await this.directRoom(name).catch((error) => {
      this.lineLost();
      throw error;
    });
    this.sayIn(room, text);
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
    const { set } = this.parts;
    const was = set.isDisplaced;
    set.isDisplaced = false;
    return was;
  }

  async retry(): Promise<void> {
    const { room } = this;
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
  quit(): void {
    this.parts.quit();
  }
  quitWhenQuiet(): void {
    this.parts.quitWhenQuiet();
  }
}
