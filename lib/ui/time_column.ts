/**
 * TimeColumn: what stands before a message: when it was said, and a line where a new day begins.
 *
 * Times are the senders' claims: a day that has been, or is far ahead, begins nothing.
 */

import type { Clock } from "../clock.ts";
import { timestamp } from "../timestamp.ts";
import { newsPrefix } from "./lines.ts";

const skewMs = 24 * 3600 * 1000;
const narrowColumns = 60;

/** `09:35`, `2026-11-21 09:35:24`, or nothing. */
export const timeStyles = ["short", "full", "off"] as const;
/** One of {@link timeStyles}. */
export type TimeStyle = typeof timeStyles[number];

/** What stands before one message. */
export interface TimeShown {
  /** A line of its own, if a day begins. */
  readonly day: string | null;
  /** Before the message, with the blank after it; may be empty. */
  readonly time: string;
}

/** The times of one window. */
export class TimeColumn {
  #last = "";

  /**
   * @param clock for what today is
   * @param chosen by the person; null: short in narrow windows, else full
   * @param columns how wide the window is; none where it is no window
   */
  constructor(
    private readonly clock: Pick<Clock, "now">,
    private readonly chosen: TimeStyle | null,
    private readonly columns: () => number = () => Infinity,
  ) {}

  /** What stands before a message. @param timeMs milliseconds since 1970, as its sender claims */
  before(timeMs: number): TimeShown {
    const now = this.clock.now();
    const style = this.chosen ?? (this.columns() < narrowColumns ? "short" : "full");
    const full = timestamp(timeMs);
    const day = full.slice(0, 10);
    const isFirst = this.#last === "";
    const begins = day > this.#last && timeMs <= now + skewMs;
    if (begins) this.#last = day;
    // Where times are whole, today needs no line at the beginning.
    const isTold = begins && !(style === "full" && isFirst && day === timestamp(now).slice(0, 10));
    return { day: isTold ? `${newsPrefix} ---- ${day} ----` : null, time: this.#time(style, full, day) };
  }

  #time(style: TimeStyle, full: string, day: string): string {
    if (style === "off") return "";
    return style === "short" && day === this.#last ? `${full.slice(11, 16)} ` : `${full} `;
  }
}
