/**
 * Screen: lines that go up into the terminal's own scrollback, and a frame that stays below them.
 *
 * To print, the frame is taken away, the lines are written, and the frame is put back, in one write. The terminal is
 * asked nothing: where the cursor stands is known from the frame that was drawn last. When the window becomes
 * narrower, most terminals break our rows anew; how many rows that makes is computed, and they are taken away.
 */

import { columnsOf } from "../graphemes.ts";
import type { Frame } from "./frame.ts";

/**
 * What becomes of rows that are too long when a terminal becomes narrower: all are broken anew, or all but the one
 * that the cursor is in, or none.
 */
export type Reflow = "all" | "all but the cursor's" | "none";

/** Where a screen is. */
export interface ScreenOutput {
  /** What it does with rows that are too long for its new size. */
  readonly reflow: Reflow;
  /** Writes all of it. */
  write(text: string): void;
  /** Its size now. */
  size(): { readonly columns: number; readonly rows: number };
}

const clearBelow = "\x1b[J";

/** One screen. */
export class Screen {
  #drawn: Frame | null = null;

  /** @param output a terminal that can move its cursor */
  constructor(private readonly output: ScreenOutput) {}

  /** Shows a frame in place of the last one, below lines that are new. @param lines without their last line feed */
  draw(frame: Frame, lines: readonly string[] = []): void {
    const above = lines.map((line) => `${line.replaceAll("\n", "\r\n")}\r\n`).join("");
    this.output.write(this.#takenAway() + above + drawing(frame));
    this.#drawn = frame;
  }

  /** Takes the frame away, and leaves the cursor where it began. @param lines printed in its place */
  leave(lines: readonly string[] = []): void {
    this.output.write(
      this.#takenAway() + lines.map((line) => `${line.replaceAll("\n", "\r\n")}\r\n`).join(""),
    );
    this.#drawn = null;
  }

  /** Somebody else has had the terminal: what was drawn is not ours any more. */
  forget(): void {
    this.#drawn = null;
  }

  /** Clears the window, not the scrollback. */
  clear(frame: Frame): void {
    this.output.write(`\x1b[H\x1b[2J${drawing(frame)}`);
    this.#drawn = frame;
  }

  #takenAway(): string {
    if (!this.#drawn) return "";
    const { columns } = this.output.size();
    const { reflow } = this.output;
    const { rows, row, column } = this.#drawn;
    const high = (width: number) => reflow === "none" ? 1 : Math.max(1, Math.ceil(width / columns));
    const above = rows.slice(0, row).reduce((sum, each) => sum + high(columnsOf(each)), 0) +
      (reflow === "all" ? Math.floor(column / columns) : 0);
    return `${above > 0 ? `\x1b[${above}A` : ""}\r${clearBelow}`;
  }
}

/** A frame from where the cursor stands, and the cursor in its place. */
function drawing({ rows, row, column }: Frame): string {
  const up = rows.length - 1 - row;
  return `${rows.join("\r\n")}${up > 0 ? `\x1b[${up}A` : ""}\r${column > 0 ? `\x1b[${column}C` : ""}`;
}
