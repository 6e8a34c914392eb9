/** Seats: all views of one chat as one: what is told to all, who is asked, and what of a room is whose. */

import type { Audience } from "./audience.ts";
import type { HistoryWish } from "./profile/history_choice.ts";
import type { MessageEvent, RoomEvent } from "./room_events.ts";
import type { RoomStream } from "./rooms/room_stream.ts";
import type { Seat } from "./seat.ts";

const maxRecent = 200;

/** The seats of one chat. */
export class Seats implements Audience, Iterable<Seat> {
  #seats = new Set<Seat>();
  #recent: MessageEvent[] = [];

  /** Somebody sits down. */
  add(seat: Seat): void {
    this.#seats.add(seat);
  }
  /** Somebody goes. */
  remove(seat: Seat): void {
    this.#seats.delete(seat);
  }
  /** How many there are. */
  get count(): number {
    return this.#seats.size;
  }
  [Symbol.iterator](): Iterator<Seat> {
    return [...this.#seats][Symbol.iterator]();
  }

  /** What somebody else has stored, and perhaps not shown any more. */
  remember(events: readonly MessageEvent[]): void {
    this.#recent = [...this.#recent, ...events];
  }

  /** What was said lately, oldest first. */
  get recent(): readonly MessageEvent[] {
    return this.#recent;
  }

  /** Whether a person is there who can be asked. */
  get interactive(): boolean {
    return this.#asked !== undefined;
  }
  /** Whom questions of the chat itself go to. */
  get #asked(): Seat | undefined {
    return [...this.#seats].find(({ view }) => view.interactive);
  }

  /** Whether what is said in a room waits until somebody has it on the screen. */
  holds(room: RoomStream, canBeShown: boolean): boolean {
    if (!canBeShown) return false;
    if (this.areBlind) return true;
    const screens = [...this.#seats].filter(({ view }) => view.holds && !view.isBlind);
    return screens.length > 0 && !screens.some(({ rooms }) => rooms.isHere(room));
  }

  /** The longest that anybody wishes what is said to be kept. */
  get history(): HistoryWish {
    const wishes = [...this.#seats].map(({ options }) => options.history);
    const days = wishes.flatMap((wish) => wish.days ?? []);
    return {
      isPersons: wishes.some((wish) => wish.isPersons),
      days: days.length > 0 ? Math.max(...days) : null,
    };
  }

  /** Whether nobody reads what is said. */
  get areBlind(): boolean {
    return [...this.#seats].every(({ view }) => view.isBlind);
  }

  /** Something happened in a room. */
  event(event: RoomEvent, room: RoomStream | null = null): void {
    if (event.type === "message" && !event.late) this.#recent = [...this.#recent.slice(-maxRecent), event];
    const isRead = room !== null &&
      [...this].some(({ view, rooms }) => view.holds && !view.isBlind && rooms.isHere(room));
    for (const seat of this) seat.event(event, room, isRead);
  }
  /** A step on the way in. */
  progress(text: string): void {
    for (const { view } of this) view.progress(text);
  }
  /** News that are no room's. */
  notice(text: string): void {
    for (const { view } of this) view.notice(text);
  }
  /** Something that people must know. */
  warning(text: string): void {
    for (const { view } of this) view.warning(text);
  }
  /** Asks a person. @returns false where there is none */
  async ask(question: string): Promise<boolean> {
    return await this.#asked?.questions.ask(question) ?? false;
  }
  /** Asks a person for a secret. @returns null where there is none */
  async secret(question: string): Promise<string | null> {
    return await this.#asked?.questions.secret(question) ?? null;
  }
}
