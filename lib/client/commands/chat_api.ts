/** ChatApi: what commands and typed lines may do to a chat. */

import type { Named } from "../../protocol/identity/name.ts";
import type { ChatOutput } from "../chat_view.ts";
import type { Connection } from "../connection/connection.ts";
import type { FileToSend, MovingFile } from "../files/files.ts";
import type { Login } from "../connection/login.ts";
import type { Ignored } from "../profile/ignored.ts";
import type { LocalHistory } from "../profile/local_history.ts";
import type { Profile } from "../profile/profile.ts";
import type { ShownMessages } from "../profile/shown_messages.ts";
import type { Questions } from "../questions.ts";
import type { MemberRoom } from "../rooms/member_room.ts";
import type { Place } from "../../protocol/identity/invite.ts";
import type { RoomContext } from "../rooms/room_context.ts";
import type { LineForm } from "../rooms/unsent.ts";
import type { RoomStream } from "../rooms/room_stream.ts";

/** Which file is meant, and where it goes. */
export interface GetFile {
  /** Its room; without it, the one room that has it. */
  readonly room?: MemberRoom;
  /** The folder; without it, where files go. */
  readonly dir?: string;
}

/** One server's chat, as commands and typed lines see it. Everything may throw ChatError. */
export interface ChatApi {
  /** Shows. */
  readonly view: ChatOutput;
  /** Who we are. */
  readonly profile: Pick<Profile, "name" | "card">;
  /** Where we are connected to. */
  readonly target: Place;
  /** What all rooms share. @throws LinkLost before the first connection */
  readonly context: RoomContext;
  /** While there is one. */
  readonly connection: Connection | null;
  /** Whether the server has accounts; null before it has said so. */
  readonly hasAccount: boolean | null;
  /** What we log in with. */
  readonly login: Login;
  /** What the person is asked. */
  readonly questions: Questions;
  /** What was shown in this run. */
  readonly shown: ShownMessages;
  /** What is kept of what was said. */
  readonly history: LocalHistory;
  /** People who are not shown. */
  readonly ignored: Ignored;

  /** All rooms, by id in hex. */
  readonly rooms: ReadonlyMap<string, RoomStream>;
  /** The room on the screen; null before one is entered. */
  readonly room: RoomStream | null;
  /** The same, if it has members and admins. */
  readonly membersRoom: MemberRoom;
  /** The rooms that can be shown, as a person counts them. */
  readonly numbered: readonly RoomStream[];
  /** The room that a person calls by this label. */
  roomCalled(label: string): RoomStream | undefined;
  /** The same; throws when there is none. */
  knownRoom(label: string): RoomStream;
  /** Shows another room: what is typed from now on is said there. */
  switchTo(room: RoomStream): void;
  /** The same, by number. */
  switchToNumber(number: number): void;
  /** Enters another room, or shows it. */
  joinRoom(name: string): Promise<void>;
  /** The room of two with somebody, begun if need be. */
  directRoom(name: string): Promise<MemberRoom>;
  /** Gives up the membership of the room on the screen. */
  leave(): Promise<void>;

  /** Says something in the room on the screen, now or as soon as it is entered. @returns its id in hex, if it is said */
  say(text: string, form?: LineForm): string | null;
  /** Says something in one of the rooms. @returns its message id in hex */
  sayIn(room: RoomStream, text: string, form?: LineForm): string;
  /** Says something to one person alone. @returns its id in hex */
  tell(name: string, text: string, form?: LineForm): Promise<string>;
  /** Makes a path whole: against where the program was started, `~` as a shell has it. */
  readonly pathOf: (path: string) => string;
  /** Sends a file into a room. @returns the message's id in hex */
  sendFile(room: RoomStream, file: FileToSend): string;
  /** Fetches a file. @param id of its message in hex @throws ChatError */
  getFile(id: string, how?: GetFile): void;
  /** What is on its way in a room. */
  movingFiles(room: RoomStream): readonly MovingFile[];
  /** Ends what is on its way. @param id of its message in hex */
  cancelFile(id: string): void;
  /** A line was not said or done: a program is told at the end. */
  lineLost(): void;
  /** Whether the room on the screen has changed without the person's doing; says so once. */
  takeDisplaced(): boolean;
  /** Tries again what failed, and connects without waiting longer. */
  retry(): Promise<void>;

  /** Whether the person has compared digits with the holder of a name. */
  isVerified(name: string): boolean;
  /** Keys that stand against the known one of a name. */
  claimsTo(name: string): readonly Named[];
  /** The one of them that the person means by the digits; null for none. */
  chosenClaim(name: string, digits: string): Named | null;
  /** Accepts a changed key. */
  acceptKey(claim: Named): void;

  /** The servers that this person is at, one a line. */
  servers(): readonly string[];
  /** Wipes what is kept of what was said. */
  forgetHistory(): void;
  /** Clears the input history. */
  forgetTyped(): void;
  /** Resolves when the main room is entered, or the chat is over. */
  readonly whenEntered: Promise<void>;
  /** Whether it is over. */
  readonly isOver: boolean;
  /** Whether it waits for the room that it was in: until then nothing is said. */
  readonly isResuming: boolean;
  /** Goes; what is not stored yet has a moment. */
  quit(): void;
  /** For programs: goes once everything is stored. */
  quitWhenQuiet(): void;
}
