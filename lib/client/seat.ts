/**
 * Seat: one view of a chat, with whoever reads and types there: what is on its screen, what it has asked for, and how it
 * ends. A chat may have several: a terminal, a second one, a pipe (attach/).
 */

import type { Clock } from "../clock.ts";
import { ChatError, exitCodes } from "../errors.ts";
import type { ChatOptions } from "./chat_options.ts";
import type { ChatOutput } from "./chat_view.ts";
import { Conversation, type ConversationParts } from "./conversation.ts";
import { notMember, notSent, notStored } from "./exit_errors.ts";
import { ShownMessages } from "./profile/shown_messages.ts";
import { Questions } from "./questions.ts";
import type { RoomEvent } from "./room_events.ts";
import type { RoomSet } from "./rooms/room_set.ts";
import type { RoomStream } from "./rooms/room_stream.ts";
import { SeatRooms } from "./rooms/seat_rooms.ts";
import type { Status } from "./status.ts";

const lastWordsMs = 3_000;

/** What a seat needs of its chat. */
export interface SeatParts extends Omit<ConversationParts, "seat" | "questions" | "shown" | "target"> {
  /** Time. */
  readonly clock: Clock;
  /** All rooms. */
  readonly set: RoomSet;
  /** Whether nothing at all waits to be stored by the server. */
  isQuiet(): boolean;
  /** Whether it is the only seat. */
  isAlone(): boolean;
  /** How the connection is. */
  offline(): Status["offline"];
  /** What a program is told that waited in vain. */
  whyNotIn(): ChatError;
  /** What the server has said last; empty for nothing. */
  serverSaid(): string;
  /** It is on the screen now: the last lines that are kept stand above what is new. */
  recall(seat: Seat, room: RoomStream): void;
  /** What is kept is told, once. */
  tellOfHistory(): void;
  /** `--trust` was given, and nothing was there to accept. */
  nothingAccepted(): string | null;
  /** A fault of this program, in words. */
  fault(error: unknown): ChatError;
  /** It is over. @param error with which; null for none */
  left(seat: Seat, error: ChatError | null): void;
}

/** Where a seat was, with another program that held the profile. */
export interface Before {
  /** The last position that it has shown, by room. */
  readonly seen: Readonly<Record<string, number>>;
  /** The room on its screen; null before there was one. */
  readonly room: string | null;
}
const nothingBefore: Before = { seen: {}, room: null };

/** One seat. */
export class Seat {
  /** What it does, for commands and typed lines. */
  readonly conversation: Conversation;
  /** What is asked here. */
  readonly questions: Questions;
  /** What is looked at. */
  readonly rooms: SeatRooms;
  /** What was shown here in this run. */
  readonly shown = new ShownMessages();
  /** It sat down while the chat was on. */
  isGuest = false;
  /** Which room the last lines that are kept are shown of. */
  recalled: RoomStream | null = null;
  #isEntered = false;
  #isInputOver = false;
  /** Ids in hex of what was said here: all, and what is not stored yet. */
  #said = new Set<string>();
  #mine = new Set<string>();
  #refused = 0;
  /** What was shown when it was held elsewhere, and the mark before what is shown later. */
  #seen = new Set<string>();
  #lateMark: RoomEvent | null = null;
  #over = new AbortController();
  #whenEntered = Promise.withResolvers<void>();
  #ended = Promise.withResolvers<number>();
  #cancelGiveUp: () => void = () => {};

  /** @param view shows, and is asked; it is not read from, nor closed */
  constructor(
    readonly view: ChatOutput,
    readonly options: ChatOptions,
    private readonly parts: SeatParts,
    /** Where it was before. */
    readonly before: Before = nothingBefore,
  ) {
    this.#ended.promise.catch(() => {}); // whoever runs it hears of it
    this.questions = new Questions(view, this.#over.signal);
    this.rooms = new SeatRooms({
      room: options.to === null ? options.room : null,
      fernetKey: options.fernetKey,
    }, parts.set);
    this.conversation = new Conversation({ ...parts, target: options, seat: this });
    if (!view.interactive) {
      this.#cancelGiveUp = parts.clock.after(options.joinTimeoutMs, () => {
        if (!this.#isEntered) this.fail(parts.whyNotIn());
      });
    }
  }

  /** Resolves with the exit code when it is over. @throws ChatError with another one */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }
  /** Resolves when its room is entered, or it is over. */
  get whenEntered(): Promise<void> {
    return this.#whenEntered.promise;
  }
  /** Whether its room was entered. */
  get isEntered(): boolean {
    return this.#isEntered;
  }
  /** Whether it is over. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  // ---- what is shown

  /** Something happened. @param room where; null for what is in none yet @param isRead somebody has it on the screen */
  event(event: RoomEvent, room: RoomStream | null, isRead: boolean): void {
    this.#happened(event, room, isRead);
    // No job of a room may follow: what was waited for was a file.
    if (event.type === "cancelled" || event.type === "failed") this.endWhenQuiet();
  }

  #happened(event: RoomEvent, room: RoomStream | null, isRead: boolean): void {
    const { view } = this;
    if (event.type === "held" && !view.holds) {
      this.#seen.add(keyOf(event.message));
      return this.#show(event.message);
    }
    const isSaid = event.type === "message" || event.type === "unread";
    // On another screen: it is read there. What was said here is shown here all the same.
    const isElsewhere = isRead && view.holds && !this.rooms.isHere(room!);
    const isFromHere = "msgId" in event && this.#said.has(event.msgId);
    if (isElsewhere && !isFromHere && (isSaid || event.type === "pending")) return this.#count(event);
    if (!isSaid || !event.late || view.holds) return this.#show(event);
    // What was held, to those who wait for nothing: shown, unless it was when it came, or before they sat down.
    if (this.isGuest) return this.#count(event);
    if (event.type === "unread") return void (this.#lateMark = event);
    if (this.#seen.delete(keyOf(event))) return this.#count(event);
    if (this.#lateMark) this.#show(this.#lateMark);
    this.#lateMark = null;
    this.#show(event);
  }

  #show(event: RoomEvent): void {
    this.shown.add(event);
    this.#count(event);
    this.view.event(event);
    if (event.type === "message" && event.file && !event.own) {
      this.conversation.takeFile(event.msgId, event.room);
    }
  }

  /** What becomes of the lines that were said here. */
  #count(event: RoomEvent): void {
    if (event.type === "message" && event.own) this.#mine.delete(event.msgId);
    else if (event.type === "withdrawn") this.#mine.delete(event.msgId);
    else if (event.type === "cancelled") this.#mine.delete(event.id);
    else if (event.type === "failed" && this.#mine.delete(event.msgId)) this.#refused++;
  }

  /** Ids in hex of what was said here and is not stored yet. */
  get unstored(): ReadonlySet<string> {
    return this.#mine;
  }

  /** A line was said here. @param msgId in hex */
  said(msgId: string): void {
    this.#said.add(msgId);
    this.#mine.add(msgId);
  }

  /** Lines were lost against people's will. @param msgIds in hex */
  lost(msgIds: readonly string[]): void {
    this.conversation.lost += msgIds.filter((id) => this.#said.has(id) || this.parts.isAlone()).length;
  }

  /** Where we are, what waits elsewhere, and what is not as it should be. */
  showStatus(): void {
    if (this.isOver) return;
    const { shown: room } = this.rooms;
    this.view.status({
      room: room?.label ?? "",
      worry: room?.worry ?? "",
      rooms: this.conversation.numbered.map(({ label, news }) => ({ label, unread: news.unread })),
      offline: this.parts.offline(),
    });
  }

  /** Puts a room on the screen. */
  show(room: RoomStream): void {
    const isNew = this.rooms.shown !== room;
    this.rooms.shown = room;
    this.showStatus();
    if (this.view.isBlind) return;
    if (isNew) {
      this.parts.recall(this, room);
      for (const event of room.lines.pending) this.view.event(event);
    }
    room.looked();
  }

  // ---- rooms

  /** A room that was meant is there: lines go there. */
  take(room: RoomStream, isMain: boolean): void {
    const { shown } = this.rooms;
    const isFirst = shown === null || !this.parts.set.has(shown); // it ended at its door
    if (isMain) this.rooms.main = room;
    if (this.isResuming) return; // the room that was on the screen comes back, and no other
    // After a reconnect the person stays in the room that was on the screen.
    if (isFirst || !this.#isEntered) this.show(room);
  }

  /** A job of a room is over. */
  jobDone(room: RoomStream): void {
    if (this.isOver) return;
    if (room === this.rooms.main && room.isCaughtUp) this.entered();
    if (this.isResuming && room.label === this.before.room && room.isCaughtUp) this.entered();
    if (room.state.status === "gone" && this.#isEntered && room === this.rooms.shown) this.#outOf(room);
    // A program cannot judge a warning: it ends, and a person looks.
    if (room.alarm.isRaised && !this.view.interactive) this.fail(notStored(true));
    this.showStatus();
    this.endWhenQuiet();
  }

  /** It is in: what was asked for can be done. */
  entered(): void {
    if (this.#isEntered) return;
    if (this.isResuming) this.#resume();
    this.#isEntered = true;
    this.#whenEntered.resolve();
    this.view.progress("Now you can start to exchange messages");
    if (this.view.interactive) this.parts.tellOfHistory();
    this.conversation.takeFiles();
    const text = this.parts.nothingAccepted();
    if (text !== null) this.view.notice(text);
  }

  /** It goes on where it was: until then nothing that is typed is said anywhere. */
  get isResuming(): boolean {
    return this.before.room !== null && !this.#isEntered && !this.isOver;
  }

  #resume(): void {
    const room = this.parts.set.called(this.before.room!);
    if (room) return this.show(room);
    const next = this.rooms.main ?? this.rooms.next();
    if (next) this.show(next);
    this.rooms.isDisplaced = true; // what is typed was begun for the other one
  }

  /** A fault of this program. */
  fault(error: unknown): void {
    this.fail(this.parts.fault(error));
  }

  /** We are no longer in the room on the screen: another one takes its place, or it is over. */
  #outOf(room: RoomStream): void {
    const next = this.rooms.next();
    if (!next || (room === this.rooms.main && !this.view.interactive)) {
      return this.fail(notMember(room.label));
    }
    this.view.notice(
      `You are no longer in ${room.label}; what you type is said in ${next.label} from now on.`,
    );
    this.rooms.isDisplaced = true;
    this.show(next);
  }

  // ---- going

  /** For programs: goes once everything is stored, and says so when that does not come about. */
  quitWhenQuiet(): void {
    this.#isInputOver = true;
    this.#cancelGiveUp();
    const { joinTimeoutMs } = this.options;
    this.#cancelGiveUp = this.parts.clock.after(joinTimeoutMs, () => {
      // What moves is waited for, however long it takes.
      if (this.#isEntered && this.parts.files.hasMoved(this.#mine, joinTimeoutMs)) {
        return this.quitWhenQuiet();
      }
      if (this.#isEntered) {
        const isAlarm = [...this.parts.set.all.values()].some((room) => room.alarm.isRaised);
        this.fail(notStored(isAlarm, this.parts.serverSaid()));
      } else this.fail(this.parts.whyNotIn());
    });
    this.endWhenQuiet();
  }

  /** Ends, if that was asked for and everything is stored. */
  endWhenQuiet(): void {
    if (!this.#isInputOver || !this.#isEntered || this.#mine.size > 0) return;
    // Where others work too, only what was said here is waited for.
    if (this.parts.isAlone() && !this.parts.isQuiet()) return;
    this.#end();
  }

  /** Goes; what is not stored yet has a moment, and is otherwise kept for the next time. */
  quit(): void {
    // No to the first question of all ends it, with the reason.
    if (!this.#isEntered && this.questions.cancel()) return;
    const mayStillGo = [...this.parts.set.all.values()].some((room) =>
      room.hasWork && !room.alarm.isRaised && room.trust.conflict === null
    );
    const isWaiting = mayStillGo || this.parts.unsent.count > 0;
    if (!this.rooms.shown || this.conversation.connection === null || !isWaiting) return this.#leave();
    this.#isInputOver = true;
    this.parts.clock.after(lastWordsMs, () => this.#leave());
    this.endWhenQuiet();
  }

  /** Whoever sat here is gone; what was said is sent all the same. */
  leave(): void {
    this.#end();
  }

  #leave(): void {
    if (this.isOver) return;
    if (this.parts.isAlone()) this.#tellOfUndone();
    this.#end();
  }

  /** What stays undone when the last one goes. */
  #tellOfUndone(): void {
    const all = [...this.parts.set.all.values()];
    const waiting = all.reduce((sum, room) => sum + room.lines.unsent.length, 0);
    const undone = all.filter((room) => room.hasWish).map((room) => room.label);
    if (undone.length > 0) {
      this.view.warning(
        `The change that you asked for in ${undone.join(", ")} was not made; ask again next time.`,
      );
    }
    const { unsent } = this.parts.files;
    if (unsent > 0) {
      const files = unsent === 1 ? "One file is" : `${unsent} files are`;
      this.view.warning(`${files} not sent yet, and will go on when you join again.`);
    }
    if (waiting > 0) {
      const lines = waiting === 1 ? "One line is" : `${waiting} lines are`;
      this.view.warning(`${lines} not sent yet, and will be when you join again.`);
    }
  }

  #end(): void {
    if (this.isOver) return;
    const lost = this.conversation.lost + this.#refused;
    if (lost > 0 && !this.view.interactive) return this.fail(notSent(lost));
    this.#close();
    this.#ended.resolve(exitCodes.done);
    this.parts.left(this, null);
  }

  /** Ends with an error. */
  fail(error: ChatError): void {
    if (this.isOver) return;
    this.#close();
    this.#ended.reject(error);
    this.parts.left(this, error);
  }

  #close(): void {
    this.#over.abort();
    this.#cancelGiveUp();
    this.#whenEntered.resolve();
  }
}

function keyOf({ fromId, msgId }: { readonly fromId: string; readonly msgId: string }): string {
  return `${fromId} ${msgId}`;
}
