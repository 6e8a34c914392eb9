/**
 * PendingLines: own lines that the server has not stored yet, as rows over the prompt: `…` while they wait, `!` when
 * they were refused; and files on their way, `↑` and `↓`. What is stored is shown once, among the others.
 */

import type { RoomEvent } from "../../client/room_events.ts";
import { type Progress, progressRow } from "../transfer_text.ts";

const maxRows = 4;

interface Waiting {
  readonly room: string;
  readonly text: string;
  failed: boolean;
}

/** What waits, by message id. */
export class PendingLines {
  #lines = new Map<string, Waiting>();
  /** Files on their way, by the id of the message that tells of each. */
  #moving = new Map<string, Progress>();

  /** Takes what happened. @returns whether anything has changed */
  take(event: RoomEvent): boolean {
    switch (event.type) {
      case "pending": {
        const { msgId, room, text, action } = event;
        this.#lines.set(msgId, { room, text: action ? `/me ${text}` : text, failed: false });
        return true;
      }
      case "failed": {
        if (this.#moving.delete(event.msgId)) return true;
        const line = this.#lines.get(event.msgId);
        if (line) line.failed = true;
        return line !== undefined;
      }
      case "withdrawn":
        return this.#lines.delete(event.msgId);
      case "message":
        return event.own && (this.#lines.delete(event.msgId) || this.#moving.delete(event.msgId));
      case "progress":
        this.#moving.set(event.id, event);
        return true;
      case "saved":
      case "download failed":
      case "cancelled":
        return this.#moving.delete(event.id);
      default:
        return false;
    }
  }

  /** Rows to be drawn. @param room on the screen: lines for others say which */
  rows(room: string): string[] {
    const rows = [...this.#lines.values()].map((line) => {
      const where = line.room === room ? "" : `[${line.room}] `;
      return line.failed
        ? `! ${where}${line.text} (refused; /retry sends it again)`
        : `… ${where}${line.text}`;
    });
    const more = rows.length - maxRows;
    const lines = more > 0 ? [`… ${more} more`, ...rows.slice(-maxRows)] : rows;
    const moving = [...this.#moving.values()].map((each) =>
      `${each.room === room ? "" : `[${each.room}] `}${progressRow(each)}`
    );
    const others = moving.length - maxRows;
    return [...others > 0 ? [...moving.slice(0, maxRows), `${others} more files`] : moving, ...lines];
  }
}
