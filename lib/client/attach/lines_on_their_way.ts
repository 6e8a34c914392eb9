/**
 * LinesOnTheirWay: what a guest has entered, until it is known to be stored. When the holder is gone it is entered again
 * elsewhere, each line under its id, so that it is said once.
 */

import { encodeHex } from "../../hex.ts";
import type { Entered, Said, Typed } from "../chat_view.ts";
import { parseLine } from "../commands/commands.ts";
import type { RoomEvent } from "../room_events.ts";
import type { EnteredItem } from "./attach_messages.ts";

interface OnItsWay {
  readonly entered: Entered;
  readonly item: EnteredItem;
  /** The room that was on the screen; null before there was one. */
  readonly room: string | null;
  /** What of it is not known to be stored; null before it was taken. */
  unstored: Set<string> | null;
}

/** Those of one attachment. */
export class LinesOnTheirWay {
  #lines = new Map<number, OnItsWay>();
  /** Which line an id in hex belongs to. */
  #byId = new Map<string, number>();
  /** Stored before the holder has said that it was taken. */
  #storedEarly = new Set<string>();

  /** A line goes to the holder. @param shown the room on the screen; null before there is one */
  add(entered: Entered, item: EnteredItem, shown: string | null): void {
    this.#lines.set(item.n, { entered, item, room: item.room ?? shown, unstored: null });
    for (const id of item.msgIds) this.#byId.set(encodeHex(id), item.n);
  }

  /** A line as it was entered. */
  entered(n: number): Entered | undefined {
    return this.#lines.get(n)?.entered;
  }

  /** The holder has taken it. @param ids in hex of what is said by it */
  taken(n: number, ids: readonly string[]): void {
    const line = this.#lines.get(n);
    if (!line) return;
    const { entered } = line;
    if (typeof entered === "object" && "pending" in entered) { for (const id of ids) entered.pending?.(id); }
    line.unstored = new Set(ids.filter((id) => !this.#storedEarly.delete(id)));
    for (const id of line.unstored) this.#byId.set(id, n);
    if (line.unstored.size === 0) this.#done(n);
  }

  /** Something happened: maybe one of them is stored, or refused for good. */
  stored(event: RoomEvent): void {
    const id = idOfDone(event);
    const n = id === null ? undefined : this.#byId.get(id);
    const line = n === undefined ? undefined : this.#lines.get(n);
    if (id === null || n === undefined || !line) return;
    if (!line.unstored) return void this.#storedEarly.add(id);
    line.unstored.delete(id);
    if (line.unstored.size === 0) this.#done(n);
  }

  #done(n: number): void {
    const entered = this.#lines.get(n)?.entered;
    if (typeof entered === "object" && "texts" in entered) entered.discardCopy?.(); // the holder has its own
    for (const id of this.#lines.get(n)?.item.msgIds ?? []) this.#byId.delete(encodeHex(id));
    this.#lines.delete(n);
  }

  /**
   * What is not known to be stored, oldest first, to be entered again.
   *
   * @param isToOne all of it is for one person, whatever is on the screen
   */
  unfinished(isToOne: boolean): Entered[] {
    const again: Entered[] = [];
    // After a command that may lead elsewhere a line belongs where that leads.
    let hasMoved = false;
    for (const { entered, item, room: here } of this.#lines.values()) {
      const { line, said, msgIds } = item;
      const room = hasMoved ? null : here;
      if (line !== undefined) {
        hasMoved ||= mayMove(line);
        again.push({ line, msgId: msgIds[0], room, taken: () => {} } satisfies Typed);
      } else if (said) {
        const where = said.room ?? (isToOne || said.to !== undefined ? undefined : room ?? undefined);
        again.push({ ...(entered as Said), room: where, msgIds } satisfies Said);
      }
    }
    return again;
  }
}

/** The id in hex of what is stored, or never will be; null for anything else. */
function idOfDone(event: RoomEvent): string | null {
  switch (event.type) {
    case "message":
      return event.own ? event.msgId : null;
    case "failed":
    case "withdrawn":
      return event.msgId;
    case "cancelled":
      return event.id;
    default:
      return null;
  }
}

/** Whether a line may put another room on the screen. */
function mayMove(line: string): boolean {
  const meaning = parseLine(line);
  return meaning.kind === "command" && meaning.command.says === undefined;
}
