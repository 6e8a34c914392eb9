/**
 * TerminalView: lines above, one prompt line below, on a terminal that can move its cursor.
 *
 * Line editing is the runtime's readline for now; whatever is printed takes the prompt away first and puts
 * it back with what was typed so far.
 */

import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import stringWidth from "string-width";
import type { RoomEvent } from "../../client/room_events.ts";
import type { View } from "../../client/view.ts";
import { lineOf, newsPrefix, warningPrefix } from "../lines.ts";
import { sanitize } from "../../sanitize.ts";

const clearBelow = "\x1b[J";

/** A view for a person at a terminal. */
export class TerminalView implements View {
  readonly interactive = true;
  readonly #readline: Interface;
  #waiting: ((line: IteratorResult<string>) => void) | null = null;
  #typed: string[] = [];
  #ended = false;
  #prompt = "> ";
  #shown = false;

  /**
   * @param room whose lines need no room name
   * @param onInterrupt Ctrl+C on an empty line, a second time
   */
  constructor(private room: string, onInterrupt: () => void) {
    this.#readline = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      historySize: 200,
    });
    this.#readline.setPrompt(this.#prompt);
    let interrupted = false;
    this.#readline.on("line", (line: string) => {
      interrupted = false;
      this.#takeBack(line);
      this.#give(line);
    });
    this.#readline.on("SIGINT", () => {
      if (interrupted && this.#readline.line === "") return onInterrupt();
      interrupted = true;
      this.#readline.write(null, { ctrl: true, name: "e" });
      this.#readline.write(null, { ctrl: true, name: "u" });
      this.#print(`${newsPrefix} Ctrl+C again leaves.`);
    });
    this.#readline.on("close", () => {
      this.#ended = true;
      this.#waiting?.({ value: undefined, done: true });
      this.#waiting = null;
    });
  }

  /** The line just entered is shown again once the server has it: takes the typed one off the screen. */
  #takeBack(line: string): void {
    const columns = process.stdout.columns || 80;
    const rows = Math.max(1, Math.ceil((stringWidth(this.#prompt) + stringWidth(line)) / columns));
    process.stdout.write(`\x1b[${rows}A\r${clearBelow}`);
    this.#shown = false;
    queueMicrotask(() => this.#show());
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

  /** Takes the prompt off the screen, prints, and puts it back. */
  #print(text: string): void {
    if (this.#shown) {
      const { rows } = this.#readline.getCursorPos();
      process.stdout.write(`${rows > 0 ? `\x1b[${rows}A` : ""}\r${clearBelow}`);
      this.#shown = false;
    }
    process.stdout.write(`${text}\n`);
    this.#show();
  }

  #show(): void {
    if (this.#ended || this.#shown) return;
    // readline would move up over rows that are not there any more.
    (this.#readline as unknown as { prevRows: number }).prevRows = 0;
    this.#readline.prompt(true);
    this.#shown = true;
  }

  event(event: RoomEvent): void {
    const line = lineOf(event, this.room);
    if (!line) return;
    const isForUs = event.type === "message" && !event.own &&
      (event.room.startsWith("@") || mentions(event.text, this.#own));
    const bell = isForUs ? "\x07" : "";
    this.#print(line.text + bell);
  }
  #own = "";
  /** The name whose mention rings the bell. */
  set ownName(name: string) {
    this.#own = name;
  }
  progress(text: string): void {
    this.#print(`${newsPrefix} ${text}`);
  }
  notice(text: string): void {
    this.#print(`${newsPrefix} ${sanitize(text)}`);
  }
  warning(text: string): void {
    this.#print(`${warningPrefix} ${sanitize(text)}`);
  }
  answer(lines: readonly string[]): void {
    this.#print(lines.join("\n"));
  }
  current(room: string): void {
    this.room = room;
  }
  prompt(text: string): void {
    if (text === this.#prompt) return;
    if (this.#shown) {
      const { rows } = this.#readline.getCursorPos();
      process.stdout.write(`${rows > 0 ? `\x1b[${rows}A` : ""}\r${clearBelow}`);
      this.#shown = false;
    }
    this.#prompt = text;
    this.#readline.setPrompt(text);
    this.#show();
  }
  close(): void {
    if (this.#shown) {
      const { rows } = this.#readline.getCursorPos();
      process.stdout.write(`${rows > 0 ? `\x1b[${rows}A` : ""}\r${clearBelow}`);
    }
    this.#ended = true;
    this.#readline.close();
  }
}

function mentions(text: string, name: string): boolean {
  return name !== "" && text.toLowerCase().split(/[^a-z0-9_-]+/).includes(name.toLowerCase());
}
