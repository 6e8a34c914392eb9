/**
 * Unsent: lines whose room is not entered yet. A line that is not sent lives in one place, in one form: here until its
 * room is entered, in the room's outbox from then on, under the same message id.
 */

import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError } from "../../errors.ts";
import { contentTypes, maxTextBytes } from "../../protocol/group/content.ts";
import { type Named, skeleton } from "../../protocol/identity/name.ts";
import type { RoomEvent } from "../room_events.ts";
import type { OutboxItem } from "./room_state.ts";

/** A line, and where it was said. */
export interface UnsentLine {
  /** As a room's outbox takes it. */
  readonly item: OutboxItem;
  /** A room's name; null for a room of two. */
  readonly room: string | null;
  /** The key of a key-file room; null for an ordinary one. */
  readonly fernetKey?: Uint8Array | null;
  /** The other person of a room of two. */
  readonly to: Named | null;
}

/** A text that fits into a message. @throws ChatError */
export function checkedText(text: string): string {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= maxTextBytes) return text;
  throw new ChatError(
    `That is ${bytes} bytes; a message holds at most ${maxTextBytes}. Nothing was sent`,
    "say it in parts",
  );
}

/** Something that is to be said. @param type of content */
export function newItem(
  type: number,
  body: OutboxItem["body"],
  { clock, random }: { readonly clock: Clock; readonly random: RandomSource },
): OutboxItem {
  return { msgId: random(16), type, timeMs: clock.now(), body, sealed: null, failed: false };
}

/** How a line is said. */
export interface LineForm {
  /** "/me" */
  readonly action?: boolean;
  /** The text is a Fernet token that another program has made. */
  readonly isToken?: boolean;
  /** 16 bytes that tell it from every other line; without them they are chosen. */
  readonly msgId?: Bytes;
}

/** A line that is to be said. */
export function newLine(
  text: string,
  { action, isToken, msgId }: LineForm,
  seams: { readonly clock: Clock; readonly random: RandomSource },
): OutboxItem {
  const type = action ? contentTypes.action : contentTypes.text;
  const item = newItem(type, new TextEncoder().encode(text), seams);
  return { ...item, ...(msgId ? { msgId } : {}), ...(isToken ? { isToken } : {}) };
}

/** What a line that waits looks like to a view. @param room its label */
export function pendingEvent(
  { msgId, timeMs, type, body }: OutboxItem,
  room: string,
  from: string,
): RoomEvent {
  return {
    type: "pending",
    room,
    from,
    msgId: encodeHex(msgId),
    timeMs,
    text: new TextDecoder().decode(body),
    action: type === contentTypes.action,
  };
}

/** Lines without a room. */
export class Unsent {
  #lines: UnsentLine[] = [];

  /** @param own our name @param show shows */
  constructor(private readonly own: string, private readonly show: (event: RoomEvent) => void) {}

  /** How many there are. */
  get count(): number {
    return this.#lines.length;
  }

  /** Keeps a line until its room is entered. */
  keep(line: UnsentLine): void {
    this.#lines.push(line);
    this.show(pendingEvent(line.item, line.room ?? "", this.own));
  }

  /** The lines that belong into a room which is entered now. */
  take(room: string, hasKey: (key: Uint8Array | null) => boolean): OutboxItem[] {
    const isDue = ({ room: name, fernetKey = null }: UnsentLine) =>
      name !== null && skeleton(name) === skeleton(room) && hasKey(fernetKey);
    const due = this.#lines.filter(isDue);
    this.#lines = this.#lines.filter((line) => !isDue(line));
    return due.map(({ item }) => item);
  }
}
