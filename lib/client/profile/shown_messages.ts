/** ShownMessages: the last messages that were shown, for `/why` and for completing names. */

import type { MessageEvent, RoomEvent } from "../room_events.ts";

const most = 500;

/** What was shown in this run. */
export class ShownMessages {
  #messages: MessageEvent[] = [];

  /** Takes an event as it is shown. */
  add(event: RoomEvent): void {
    if (event.type !== "message") return;
    this.#messages.push(event);
    if (this.#messages.length > most) this.#messages.shift();
  }

  /** The n-th last one in a room; 1 is the last. */
  nthLast(room: string, n: number): MessageEvent | undefined {
    return this.#messages.filter((message) => message.room === room).at(-n);
  }

  /** Who has spoken in a room, the most recent first; without us. */
  speakers(room: string): string[] {
    const names = this.#messages.flatMap((m) => m.room === room && !m.own && !m.answer ? [m.from] : []);
    return [...new Set(names.toReversed())];
  }
}
