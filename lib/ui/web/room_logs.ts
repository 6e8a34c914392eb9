/** RoomLogs: the last of what was shown, by room: what a page that comes anew shows at once. */

import type { LogItem } from "./page_messages.ts";

/** So many of each room; older ones are asked for. */
const maxItems = 500;

/** The logs of one run. */
export class RoomLogs {
  #logs = new Map<string, LogItem[]>();

  /** Adds one at the end. */
  add(room: string, item: LogItem): void {
    const log = this.#logs.get(room) ?? [];
    log.push(item);
    if (log.length > maxItems + maxItems / 4) log.splice(0, log.length - maxItems);
    this.#logs.set(room, log);
  }

  /** Whether a message is there. */
  has(room: string, id: string): boolean {
    return this.#logs.get(room)?.some((item) => item.kind === "message" && item.id === id) ?? false;
  }

  /** Whether anything said is there. */
  hasMessages(room: string): boolean {
    return this.#logs.get(room)?.some(({ kind }) => kind === "message") ?? false;
  }

  /** Empties one. */
  clear(room: string): void {
    this.#logs.delete(room);
  }

  /** Empties all. */
  clearAll(): void {
    this.#logs.clear();
  }

  /** All of them. */
  get all(): Record<string, readonly LogItem[]> {
    return Object.fromEntries([...this.#logs].map(([room, log]) => [room, log.slice(-maxItems)]));
  }
}
