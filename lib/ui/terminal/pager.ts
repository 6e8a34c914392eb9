/**
 * Pager: lines that are kept, on a screen of their own, turned page by page. The terminal's own screen and scrollback
 * stay as they are behind it.
 */

import { graphemes, mostColumnsOf } from "../graphemes.ts";
import { wrap } from "../wrap.ts";
import type { Key } from "./keys.ts";

const firstMessages = 500;

/** What is paged through. */
export interface Pages {
  /** What it is called. */
  readonly title: string;
  /** What stands for the last `n` messages, oldest first; safe to be shown. */
  last(n: number): { readonly lines: readonly string[]; readonly isAll: boolean };
}

/** A window over kept lines. */
export class Pager {
  #wanted = firstMessages;
  #shown: { readonly lines: readonly string[]; readonly isAll: boolean };
  /** Rows between the bottom of the window and the end. */
  #below = 0;

  /** @param pages what is shown */
  constructor(private readonly pages: Pages) {
    this.#shown = pages.last(this.#wanted);
  }

  /** Takes a key. @returns whether the pager stays */
  press(key: Key, columns: number, height: number): boolean {
    if (key.kind !== "key") return !(key.kind === "text" && key.text.startsWith("q"));
    const page = Math.max(1, height - 2);
    switch (key.name) {
      case "page-up":
        this.#move(page, columns, height);
        return true;
      case "page-down":
        if (this.#below === 0) return false;
        this.#move(-page, columns, height);
        return true;
      case "up":
        this.#move(1, columns, height);
        return true;
      case "down":
        this.#move(-1, columns, height);
        return true;
      case "home":
        this.#move(Infinity, columns, height);
        return true;
      case "end":
        this.#below = 0;
        return true;
      case "escape":
      case "enter":
      case "c-c":
      case "c-d":
      case "c-z":
        return false;
      default:
        return true;
    }
  }

  #move(by: number, columns: number, height: number): void {
    const most = () => Math.max(0, this.#rows(columns).length - (height - 1));
    // Older lines are read when they are asked for.
    while (this.#below + by > most() && !this.#shown.isAll) {
      this.#wanted *= 4;
      this.#shown = this.pages.last(this.#wanted);
    }
    this.#below = Math.max(0, Math.min(this.#below + by, most()));
  }

  #rows(columns: number): string[] {
    return this.#shown.lines.flatMap((line) => wrap(line, columns).split("\n"));
  }

  /** The whole screen, from its first row. */
  draw(columns: number, height: number): string {
    const rows = this.#rows(columns);
    const room = Math.max(1, height - 1);
    const end = rows.length - Math.min(this.#below, Math.max(0, rows.length - room));
    const seen = rows.slice(Math.max(0, end - room), end);
    const state = this.#below === 0 ? "the end" : `${this.#below} rows below`;
    const foot = cut(`-- ${this.pages.title}: ${state}; PageUp, PageDown, Esc returns --`, columns - 1);
    return `\x1b[H\x1b[2J${
      [...seen, ...Array(Math.max(0, room - seen.length)).fill("")].join("\r\n")
    }\r\n${foot}`;
  }
}

function cut(text: string, width: number): string {
  let row = "", column = 0;
  for (const grapheme of graphemes(text)) {
    const columns = mostColumnsOf(grapheme);
    if (column + columns > width) break;
    row += grapheme;
    column += columns;
  }
  return row;
}
