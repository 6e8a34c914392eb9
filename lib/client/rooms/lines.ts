/**
 * Lines: what the person has said in a room, from the moment it is typed until the server has stored it. How it is
 * sealed and sent is outbox.ts; a line whose room is not entered yet is in unsent.ts.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, inWords } from "../../errors.ts";
import { contentTypes } from "../../protocol/group/content.ts";
import type { RoomEvent } from "../room_events.ts";
import type { RoomContext } from "./room_context.ts";
import type { RoomNews } from "./room_news.ts";
import type { OutboxItem } from "./room_state.ts";
import { type LineForm, newItem, newLine, pendingEvent } from "./unsent.ts";

// More than can wait to be stored at once.
const maxSaid = 64;

/** What lines need of their room. */
export interface LinesRoom {
  /** Clock, randomness, our name. */
  readonly context: Pick<RoomContext, "clock" | "random" | "card">;
  /** Where they are kept, among the attests. */
  readonly state: { outbox: OutboxItem[]; said?: string[] };
  /** What people call the room. */
  readonly label: string;
  /** Where what becomes of them is told. */
  readonly news: RoomNews;
  /** Whether something can be said here at all. @throws ChatError */
  checkSayable(item: OutboxItem): void;
  /** Shows what happened. */
  show(event: RoomEvent): void;
  /** The state must be stored. */
  changed(): void;
  /** Runs a job, which stores and sends them. */
  schedule(): void;
}

/** The lines of one room. */
export class Lines {
  #lost: string[] = [];

  /** @param room where they are said */
  constructor(private readonly room: LinesRoom) {}

  /** Those that the server has not stored yet. */
  get unsent(): readonly OutboxItem[] {
    return this.room.state.outbox.filter((item) => !item.failed && item.type !== contentTypes.attest);
  }

  /** Says something. @returns its message id in hex @throws ChatError when it cannot be said */
  say(text: string, form: LineForm = {}): string {
    const item = newLine(text, form, this.room.context);
    const id = encodeHex(item.msgId);
    // Whoever did not hear of it says it again under the same id.
    if (form.msgId && this.#wasSaid(id)) return id;
    this.room.checkSayable(item);
    this.#queue(item);
    this.room.schedule();
    return id;
  }

  /** A file of ours is with the server: the room is told. What was said under its id is not said again. */
  sayFile(msgId: Bytes, body: Bytes): void {
    if (this.#wasSaid(encodeHex(msgId))) return;
    this.room.state.outbox.push({ ...newItem(contentTypes.file, body, this.room.context), msgId });
    this.room.changed();
    this.room.schedule();
  }

  /** Whether a line of ours is stored, as far back as is remembered. @param id in hex */
  wasStored(id: string): boolean {
    return this.room.state.said?.includes(id) ?? false;
  }

  #wasSaid(id: string): boolean {
    const { outbox } = this.room.state;
    return this.wasStored(id) || outbox.some(({ msgId }) => encodeHex(msgId) === id);
  }

  /** Something of ours is stored: a line that is said again, under its id, was said. @param msgId 16 bytes */
  stored(msgId: Uint8Array): void {
    const { state } = this.room;
    const item = state.outbox.find((each) => equals(each.msgId, msgId));
    state.outbox = state.outbox.filter((each) => each !== item);
    if (!item || item.type === contentTypes.attest) return;
    state.said = [...state.said ?? [], encodeHex(msgId)].slice(-maxSaid);
  }

  /** Says, for this program, what is no line. @param type of content */
  enqueue(type: number, body: OutboxItem["body"]): void {
    this.room.state.outbox.push(newItem(type, body, this.room.context));
    this.room.changed();
    this.room.schedule();
  }

  /** Takes lines over that were typed before the room was entered; what cannot be said here is lost, and told. */
  adopt(items: readonly OutboxItem[]): void {
    for (const item of items) {
      if (this.#wasSaid(encodeHex(item.msgId))) continue;
      try {
        this.room.checkSayable(item);
        this.#queue({ ...item, sealed: null });
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        this.room.news.event({ type: "withdrawn", room: this.room.label, msgId: encodeHex(item.msgId) });
        this.room.news.warn(inWords(error));
        this.#lost.push(encodeHex(item.msgId));
      }
    }
    this.room.schedule();
  }

  #queue(item: OutboxItem): void {
    this.room.state.outbox.push(item);
    this.room.changed();
    this.room.news.event(this.#pending(item));
  }

  /** Removes the waiting lines and hands them to the caller; a file is in this room, and nowhere else. */
  takeUnsent(): OutboxItem[] {
    const { state } = this.room;
    const lines = this.unsent.filter(({ type }) => type !== contentTypes.file);
    state.outbox = state.outbox.filter((item) => !lines.includes(item));
    return [...lines];
  }

  /** What was said before and is not stored yet, as views show it. */
  get pending(): RoomEvent[] {
    return this.unsent.filter(({ type }) => type !== contentTypes.file).map((item) => this.#pending(item));
  }

  /** Tells views that the waiting lines will not be sent from here. */
  withdraw(): void {
    for (const { msgId } of this.room.state.outbox) {
      this.room.show({ type: "withdrawn", room: this.room.label, msgId: encodeHex(msgId) });
    }
  }

  /** Drops some of what waits. @param ids in hex */
  dropThose(ids: ReadonlySet<string>): void {
    const { state } = this.room;
    for (const { msgId } of state.outbox) {
      const id = encodeHex(msgId);
      if (ids.has(id)) this.room.show({ type: "withdrawn", room: this.room.label, msgId: id });
    }
    state.outbox = state.outbox.filter(({ msgId }) => !ids.has(encodeHex(msgId)));
    this.room.changed();
    this.room.schedule();
  }

  /** Drops everything that waits, by the person's word. */
  drop(): void {
    this.withdraw();
    this.room.state.outbox = [];
    this.room.changed();
  }

  /** Drops everything that waits, against the person's will; the lines among it count as lost, and are told of. */
  lose(): void {
    const lost = this.unsent.map(({ msgId }) => encodeHex(msgId));
    this.drop();
    this.#lost.push(...lost);
    if (lost.length === 0) return;
    this.room.news.warn(lost.length === 1 ? "One line was not sent." : `${lost.length} lines were not sent.`);
  }

  /** Ids in hex of lines that were lost since the last call. */
  takeLost(): string[] {
    return this.#lost.splice(0);
  }

  /** Nothing can be said here any more: the lines stay, and can be said again elsewhere. */
  failAll(why: string): void {
    for (const { msgId } of this.unsent) {
      this.room.news.event({ type: "failed", room: this.room.label, msgId: encodeHex(msgId), why });
    }
    for (const item of this.room.state.outbox) item.failed = true;
    this.room.changed();
  }

  /** Tries again what the server refused. */
  retryFailed(): void {
    for (const item of this.room.state.outbox) {
      if (item.failed && item.type !== contentTypes.file) this.room.news.event(this.#pending(item));
      item.failed = false;
    }
    this.room.changed();
  }

  #pending(item: OutboxItem): RoomEvent {
    return pendingEvent(item, this.room.label, this.room.context.card.name);
  }
}
