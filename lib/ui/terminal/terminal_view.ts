/** TerminalView: a chat for a person at a terminal: lines above, one prompt line below. */

import type { RoomEvent } from "../../client/room_events.ts";
import type { View } from "../../client/view.ts";
import { sanitize } from "../../sanitize.ts";
import { lineOf, newsPrefix, warningPrefix } from "../lines.ts";
import { PromptLine } from "./prompt_line.ts";

/** A view for a person at a terminal. */
export class TerminalView implements View {
  readonly interactive = true;
  readonly #line: PromptLine;
  #waiting: ((line: IteratorResult<string>) => void) | null = null;
  #typed: string[] = [];
  #ended = false;

  /**
   * @param room whose lines need no room name
   * @param onInterrupt Ctrl+C; `again` on an empty line, a second time. Returns whether it had a meaning
   */
  constructor(private room: string, onInterrupt: (again: boolean) => boolean) {
    this.#line = new PromptLine("> ", {
      line: (text) => this.#give(text),
      interrupt: (again) => {
        if (!onInterrupt(again)) this.#line.print(`${newsPrefix} Ctrl+C again leaves.`);
      },
      end: () => {
        this.#ended = true;
        this.#waiting?.({ value: undefined, done: true });
        this.#waiting = null;
      },
    }, true); // a line is shown again once the server has it
  }

  #give(line: string): void {
    if (this.#waiting) this.#waiting({ value: line, done: false });
    else this.#typed.push(line);
    this.#waiting = null;
  }

  lines(): AsyncIterable<string> {
    const next = (): Promise<IteratorResult<string>> =>
      new Promise((resolve) => {
        const line = this.#typed.shift();
        if (line !== undefined) resolve({ value: line, done: false });
        else if (this.#ended) resolve({ value: undefined, done: true });
        else this.#waiting = resolve;
      });
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  event(event: RoomEvent): void {
    const line = lineOf(event, this.room);
    if (!line) return;
    const isForUs = event.type === "message" && !event.own &&
      (event.room.startsWith("@") || mentions(event.text, this.#own));
    this.#line.print(line.text + (isForUs ? "\x07" : ""));
  }
  #own = "";
  /** The name whose mention rings the bell. */
  set ownName(name: string) {
    this.#own = name;
  }
  progress(text: string): void {
    this.#line.print(`${newsPrefix} ${text}`);
  }
  notice(text: string): void {
    this.#line.print(`${newsPrefix} ${sanitize(text)}`);
  }
  warning(text: string): void {
    this.#line.print(`${warningPrefix} ${sanitize(text)}`);
  }
  answer(lines: readonly string[]): void {
    this.#line.print(lines.join("\n"));
  }
  current(room: string): void {
    this.room = room;
  }
  prompt(text: string): void {
    this.#line.set(text);
  }
  secret(question: string): Promise<string | null> {
    return this.#line.secret(question);
  }
  close(): void {
    this.#ended = true;
    this.#line.close();
  }
}

function mentions(text: string, name: string): boolean {
  return name !== "" && text.toLowerCase().split(/[^a-z0-9_-]+/).includes(name.toLowerCase());
}
