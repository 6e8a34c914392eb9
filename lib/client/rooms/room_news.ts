/**
 * RoomNews: what a room has to tell. It is collected while a job runs, and shown once the state that it follows from is
 * stored.
 */

import type { MessageEvent, RoomEvent } from "../room_events.ts";
import type { RoomContext } from "./room_context.ts";
import { Unread } from "./unread.ts";

const maxTail = 200;
const tailMs = 2_000;

/** What news need of their room. */
export interface NewsRoom {
  /** Where they are shown and kept. */
  readonly context: Pick<
    RoomContext,
    "ignores" | "holds" | "areBlind" | "hasGuests" | "record" | "show" | "clock"
  >;
  /** Where unread lines are kept. */
  readonly state: { readonly id: Uint8Array<ArrayBuffer>; held?: MessageEvent[]; tail?: MessageEvent[] };
  /** What people call the room. */
  readonly label: string;
  /** Whether the person is to hear of it. */
  tells(event: RoomEvent): boolean;
  /** The state must be stored. */
  changed(): void;
  /** Runs a job, which stores it. */
  schedule(): void;
}

/** The news of one room. */
export class RoomNews {
  readonly #unread: Unread;
  #events: RoomEvent[] = [];
  #toldOnce = new Set<string>();

  /** @param room whose news they are */
  constructor(private readonly room: NewsRoom) {
    this.#unread = new Unread({
      state: room.state,
      label: () => room.label,
      ignores: (id) => room.context.ignores(id),
      holds: () => room.context.holds(room),
      areBlind: () => room.context.areBlind(),
      changed: () => room.changed(),
    });
  }

  /** Something has happened. */
  event(event: RoomEvent): void {
    if (!this.room.tells(event)) return;
    if (event.type !== "message" || event.own) this.#events.push(event);
    else this.#events.push(...this.#unread.take(event));
  }

  /** News in words. */
  notice(text: string): void {
    this.event({ type: "notice", room: this.room.label, text });
  }
  /** What the person must know. */
  warn(text: string): void {
    this.event(this.#warning(text));
  }
  #warning(text: string): RoomEvent {
    return { type: "warning", room: this.room.label, text };
  }
  /** The same, once a run. */
  warnOnce(text: string): void {
    if (this.#isNew(text)) this.warn(text);
  }
  /** News, once a run. */
  noticeOnce(text: string): void {
    if (this.#isNew(text)) this.notice(text);
  }
  #isNew(text: string): boolean {
    if (this.#toldOnce.has(text)) return false;
    this.#toldOnce.add(text);
    return true;
  }

  /** How many lines of others wait until the room is on the screen. */
  get unread(): number {
    return this.#unread.count;
  }

  /** Whether a line is one of them. @param fromId id of its sender @param msgId its own; both in hex */
  isUnread(fromId: string, msgId: string): boolean {
    return this.#unread.has(fromId, msgId);
  }

  /** The next line of others was, or was not, said while we were away. */
  marksNext(marks: boolean): void {
    this.#unread.marksNext(marks);
  }

  /** Tells what waited, with the end of this job: the room is on the screen now, or will never be again. */
  release(): void {
    this.#events.push(...this.#unread.release());
  }

  /** Keeps what is about to be shown. @throws FileTrouble */
  record(): void {
    this.room.context.record(this.room.state.id, this.#events);
    this.#keepTail();
  }

  /**
   * Between storing and showing this program may be killed: who takes over from it then finds what was not shown to the
   * others. It is kept no longer than that takes.
   */
  #keepTail(): void {
    const { state, context } = this.room;
    if (!context.hasGuests()) return;
    const said = this.#events.flatMap((e) => e.type === "message" && !e.late ? [e] : []);
    if (said.length === 0) return;
    state.tail = said.slice(-maxTail);
    this.#cancelTail();
    this.#cancelTail = context.clock.after(tailMs, () => {
      delete state.tail;
      this.room.changed();
      this.room.schedule();
    });
  }
  #cancelTail: () => void = () => {};

  /** Shows what was collected. */
  show(): void {
    for (const event of this.#events.splice(0)) this.room.context.show(event, this.room);
  }

  /** Warns past everything that waits to be stored: of the disk itself. */
  warnNow(text: string): void {
    this.room.context.show(this.#warning(text), this.room);
  }
}
