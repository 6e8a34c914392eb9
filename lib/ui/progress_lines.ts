/** ProgressLines: transfers for who reads line by line: at the start, at each quarter, and not more often than every ten seconds. */

import type { Clock } from "../clock.ts";
import type { RoomEvent } from "../client/room_events.ts";
import { percent, type Progress, progressLine } from "./transfer_text.ts";

const everyMs = 10_000;

/** What was told of each transfer. */
export class ProgressLines {
  #told = new Map<string, { quarter: number; ms: number }>();

  constructor(private readonly clock: Pick<Clock, "now">) {}

  /** Takes what happened. @returns a line to be shown; null for none */
  take(event: RoomEvent): string | null {
    if (event.type === "progress") return this.#progress(event);
    if (event.type === "saved" || event.type === "download failed" || event.type === "cancelled") {
      this.#told.delete(event.id);
    } else if ("msgId" in event) this.#told.delete(event.msgId);
    return null;
  }

  #progress(event: Progress): string | null {
    const now = this.clock.now();
    const quarter = Math.floor(percent(event.done, event.size) / 25);
    const told = this.#told.get(event.id);
    if (told && (quarter <= told.quarter || quarter >= 4)) return null;
    const isDue = !told || Math.abs(now - told.ms) >= everyMs;
    this.#told.set(event.id, { quarter, ms: isDue ? now : told.ms });
    if (!isDue) return null; // this quarter went by too fast
    return progressLine(event);
  }
}
