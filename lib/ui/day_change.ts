/** DayChange: a line between the messages of one day and those of the next. */

import type { Clock } from "../clock.ts";
import { timestamp } from "../timestamp.ts";
import { newsPrefix } from "./lines.ts";

const skewMs = 24 * 3600 * 1000;

/** Which day was shown last. */
export class DayChange {
  #last = "";

  /** @param clock for what today is */
  constructor(private readonly clock: Clock) {}

  /**
   * The line before a message, if a new day begins with it. Times are the senders' claims: a day that has been, or is
   * far ahead, begins nothing.
   */
  before(timeMs: number): string | null {
    const now = this.clock.now();
    const day = dayOf(timeMs);
    if (day <= this.#last || timeMs > now + skewMs) return null;
    const isFirst = this.#last === "";
    this.#last = day;
    return isFirst && day === dayOf(now) ? null : `${newsPrefix} ---- ${day} ----`;
  }
}

function dayOf(timeMs: number): string {
  return timestamp(timeMs).slice(0, 10);
}
