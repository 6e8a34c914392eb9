/**
 * Unread: what others said while nobody looked. Lines of a room that is not on the screen wait with its state until it
 * is; what was said while we were away gets a mark before it.
 */

import type { MessageEvent, RoomEvent } from "../room_events.ts";

// Beyond this, unread lines are shown as they come, so that none is lost.
const maxHeld = 200;
const maxHeldCharacters = 64 * 1024;
// While nobody reads there is no other place for them.
const maxHeldBlind = 2_000;
const maxHeldBlindCharacters = 1024 * 1024;

/** What unread lines need of their room. */
export interface UnreadRoom {
  /** For events. */
  label(): string;
  /** Where they are kept. */
  readonly state: { held?: MessageEvent[] };
  /** Whether somebody is ignored, by id in hex. */
  ignores(id: string): boolean;
  /** Whether lines wait until the room is on the screen. */
  holds(): boolean;
  /** Whether nobody reads now, so that lines cannot but wait. */
  areBlind(): boolean;
  /** The state must be stored. */
  changed(): void;
}

/** The unread lines of one room. */
export class Unread {
  #marksNext = false;

  /** @param room whose lines they are */
  constructor(private readonly room: UnreadRoom) {}

  /** How many wait. */
  get count(): number {
    return this.room.state.held?.length ?? 0;
  }

  /** Whether a line is one of them. @param fromId id of its sender @param msgId its own; both in hex */
  has(fromId: string, msgId: string): boolean {
    return this.room.state.held?.some((each) => each.fromId === fromId && each.msgId === msgId) ?? false;
  }

  /** The next line of others was, or was not, said while we were away. */
  marksNext(marks: boolean): void {
    this.#marksNext = marks;
  }

  /** A line of somebody else. @returns what is shown of it now */
  take(message: MessageEvent): RoomEvent[] {
    const { room } = this;
    if (room.ignores(message.fromId)) return [];
    if (room.holds()) return this.#hold(message);
    const mark: RoomEvent[] = this.#marksNext ? [{ type: "unread", room: room.label() }] : [];
    this.#marksNext = false;
    return [...mark, message];
  }

  #hold(message: MessageEvent): RoomEvent[] {
    const { room } = this;
    const held = room.state.held ??= [];
    held.push(message);
    room.changed();
    const characters = held.reduce((sum, { text }) => sum + text.length, 0);
    const isTooMuch = held.length >= maxHeld || characters >= maxHeldCharacters;
    const event: RoomEvent = { type: "held", room: room.label(), message };
    if (!isTooMuch) return [event];
    if (!room.areBlind()) return [event, ...this.release()];
    if (held.length >= maxHeldBlind || characters >= maxHeldBlindCharacters) held.shift(); // the oldest
    return [event];
  }

  /** Everything that waits, to be shown now. */
  release(): RoomEvent[] {
    const { room } = this;
    if (this.count === 0) return [];
    const held = room.state.held!.filter(({ fromId }) => !room.ignores(fromId));
    room.state.held = [];
    this.#marksNext = false;
    room.changed();
    if (held.length === 0) return [];
    return [
      { type: "unread", room: room.label(), late: true },
      ...held.map((message) => ({ ...message, late: true })),
    ];
  }
}
