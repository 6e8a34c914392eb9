/**
 * PromptLine: lines above, one line that is typed below, on a terminal that can move its cursor.
 *
 * Line editing is the runtime's readline for now; whatever is printed takes the prompt away first and puts it back
 * with what was typed so far.
 */

import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import process from "node:process";
import stringWidth from "string-width";

const clearBelow = "\x1b[J";

/** What a person does at a prompt. */
export interface PromptEvents {
  /** Enter. */
  line(text: string): void;
  /** Ctrl+C; `again` when the line was empty and it is the second one. */
  interrupt(again: boolean): void;
  /** Ctrl+D, or the terminal is gone. */
  end(): void;
}

/** One prompt. */
export class PromptLine {
  readonly #readline: Interface;
  #ended = false;
  #prompt: string;
  #shown = false;

  /** @param takesBack the line just entered is taken off the screen: it is shown again by other means */
  constructor(prompt: string, events: PromptEvents, private readonly takesBack: boolean) {
    this.#prompt = prompt;
    this.#readline = createInterface({
      input: process.stdin,
      output: gate(() => this.#secret === null),
      terminal: true,
      historySize: 200,
    });
    this.#readline.setPrompt(prompt);
    let interrupted = false;
    this.#readline.on("line", (line: string) => {
      interrupted = false;
      if (this.#secret || this.#early) return this.#answer(line);
      this.#entered(line);
      events.line(line);
    });
    this.#readline.on("SIGINT", () => {
      const again = interrupted && this.#readline.line === "";
      interrupted = true;
      this.#readline.write(null, { ctrl: true, name: "e" });
      this.#readline.write(null, { ctrl: true, name: "u" });
      if (this.#secret) return this.#answer(null);
      events.interrupt(again);
    });
    this.#readline.on("close", () => {
      this.#ended = true;
      this.#answer(null);
      events.end();
    });
  }

  #secret: { question: string; typed: string; resolve: (typed: string | null) => void } | null = null;

  /** Lines that came in one piece with an answer: for the next question, and never for the room. */
  #early: string[] | null = null;

  /** Asks for a secret: nothing that is typed is shown or remembered. @returns null for Ctrl+C, Ctrl+D */
  secret(question: string): Promise<string | null> {
    if (this.#ended) return Promise.resolve(null);
    const early = this.#early?.shift();
    if (early !== undefined) return Promise.resolve(early);
    this.#answer(null);
    this.#hide();
    const typed = this.#readline.line;
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#secret = { question, typed, resolve };
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
    this.#show();
    return promise;
  }

  #answer(typed: string | null): void {
    // readline remembers what was entered last first.
    if (typed) (this.#readline as unknown as { history: string[] }).history.shift();
    const secret = this.#secret;
    if (!secret) {
      if (typed !== null) this.#early?.push(typed);
      return;
    }
    this.#hide();
    if (!this.#ended) this.#readline.write(secret.typed); // while readline cannot draw
    this.#forgetTyped();
    this.#secret = null;
    this.#early ??= [];
    setTimeout(() => this.#early = null);
    secret.resolve(typed);
    this.#show();
  }

  /** What was cut or undone while a secret was typed must not come back with Ctrl+Y or Ctrl+_. */
  #forgetTyped(): void {
    const kept = this.#readline as unknown as Record<PropertyKey, unknown>;
    for (let owner: object | null = kept; owner; owner = Object.getPrototypeOf(owner)) {
      for (const key of Object.getOwnPropertySymbols(owner)) {
        if (!/kill|undo|redo|yank/i.test(String(key))) continue;
        const value = kept[key];
        if (Array.isArray(value)) value.length = 0;
      }
    }
  }

  #entered(line: string): void {
    this.#shown = false;
    if (this.takesBack) {
      const columns = process.stdout.columns || 80;
      const rows = Math.max(1, Math.ceil((stringWidth(this.#prompt) + stringWidth(line)) / columns));
      process.stdout.write(`\x1b[${rows}A\r${clearBelow}`);
    }
    queueMicrotask(() => this.#show());
  }

  /** Takes the prompt off the screen, prints, and puts it back. */
  print(text: string): void {
    this.#hide();
    process.stdout.write(`${text}\n`);
    this.#show();
  }

  /** Whether something is typed and not entered yet. */
  get isTyping(): boolean {
    return this.#readline.line !== "";
  }

  /** What the prompt says from now on. */
  set(prompt: string): void {
    if (prompt === this.#prompt) return;
    this.#hide();
    this.#prompt = prompt;
    this.#readline.setPrompt(prompt);
    this.#show();
  }

  #hide(): void {
    if (!this.#shown) return;
    if (this.#secret) {
      const rows = Math.ceil(stringWidth(this.#secret.question) / (process.stdout.columns || 80)) - 1;
      process.stdout.write(`${rows > 0 ? `\x1b[${rows}A` : ""}\r${clearBelow}`);
      this.#shown = false;
      return;
    }
    const { rows } = this.#readline.getCursorPos();
    process.stdout.write(`${rows > 0 ? `\x1b[${rows}A` : ""}\r${clearBelow}`);
    this.#shown = false;
  }

  #show(): void {
    if (this.#ended || this.#shown) return;
    if (this.#secret) {
      process.stdout.write(this.#secret.question);
      this.#shown = true;
      return;
    }
    // readline would move up over rows that are not there any more.
    (this.#readline as unknown as { prevRows: number }).prevRows = 0;
    this.#readline.prompt(true);
    this.#shown = true;
  }

  /** Gives the terminal back. */
  close(): void {
    this.#hide();
    this.#ended = true;
    this.#answer(null);
    this.#readline.close();
  }
}

/** Standard output for readline, as long as it may write. */
function gate(isOpen: () => boolean): Writable {
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (isOpen()) process.stdout.write(chunk);
      done();
    },
  });
  Object.defineProperty(output, "columns", { get: () => process.stdout.columns });
  Object.defineProperty(output, "rows", { get: () => process.stdout.rows });
  process.stdout.on("resize", () => output.emit("resize"));
  return output;
}
