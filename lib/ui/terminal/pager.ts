/**
 * Pager: lines that are kept, on a screen of their own, turned page by page. The terminal's own screen and scrollback
 * stay as they are behind it.
 */

import { graphemes, mostColumnsOf } from "../graphemes.ts";
import { wrap } from "../wrap.ts";
import type { Key } from "./keys.ts";

/** How many messages are there at first. */
export const firstMessages = 500;

/** Lines for pages. */
export interface PageLines {
  /** What stands for messages, oldest first; safe to be shown. */
  readonly lines: readonly string[];
  /** There is nothing before. */
  readonly isAll: boolean;
}

/** What is paged through. */
export interface Pages {
  /** What it is called. */
  readonly title: string;
  /** The last {@link firstMessages}. */
  readonly first: PageLines;
  /** The last `n` messages. */
  last(n: number): PageLines | Promise<PageLines>;
}

/** A window over kept lines. */
export class Pager {
  #wanted = firstMessages;
  #shown: PageLines;
  /** Rows between the bottom of the window and the end. */
  #below = 0;
  /** How far up the person wants to be, while older lines are on their way. */
  #target: number | null = null;

  /** @param pages what is shown @param redraw more has come */
  constructor(private readonly pages: Pages, private readonly redraw: () => void) {
    this.#shown = pages.first;
  }

  /** Takes a key. @returns whether the pager stays */
  press(key: Key, columns: number, height: number): boolean {
    if (key.kind !== "key") return !(key.kind === "text" && key.text.startsWith("q"));
    const page = Math.max(1, height - 2);
    const to = (below: number) => {
      this.#moveTo(below, columns, height);
      return true;
    };
    switch (key.name) {
      case "page-up":
        return to(this.#below + page);
      case "page-down":
        return this.#below > 0 && to(this.#below - page);
      case "up":
        return to(this.#below + 1);
      case "down":
        return to(this.#below - 1);
      case "home":
        return to(Infinity);
      case "end":
        return to(0);
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

  #moveTo(below: number, columns: number, height: number): void {
    const most = Math.max(0, this.#rows(columns).length - (height - 1));
    this.#below = Math.max(0, Math.min(below, most));
    this.#target = below > most && !this.#shown.isAll ? below : null;
    if (this.#target !== null) this.#fetch(columns, height);
  }

  /** Older lines are read when they are asked for. */
  #fetch(columns: number, height: number): void {
    this.#wanted *= 4;
    const take = (shown: PageLines) => {
      this.#shown = shown;
      if (this.#target !== null) this.#moveTo(this.#target, columns, height);
    };
    const more = this.pages.last(this.#wanted);
    if (!(more instanceof Promise)) return take(more);
    void more.then((shown) => {
      take(shown);
      this.redraw();
    });
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
    // What leads out comes first: a narrow window cuts the rest.
    const foot = cut(
      `-- Esc returns, PageUp and PageDown turn: ${this.pages.title}, ${state} --`,
      columns - 1,
    );
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
