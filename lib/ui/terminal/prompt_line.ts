/**
 * PromptLine: lines above, one line that is typed below, on a terminal that can move its cursor.
 *
 * Line editing is the runtime's readline for now; whatever is printed takes the prompt away first and puts it back
 * with what was typed so far.
 */

import { createInterface, type Interface } from "node:readline";
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
      output: process.stdout,
      terminal: true,
      historySize: 200,
    });
    this.#readline.setPrompt(prompt);
    let interrupted = false;
    this.#readline.on("line", (line: string) => {
      interrupted = false;
      this.#entered(line);
      events.line(line);
    });
    this.#readline.on("SIGINT", () => {
      const again = interrupted && this.#readline.line === "";
      interrupted = true;
      this.#readline.write(null, { ctrl: true, name: "e" });
      this.#readline.write(null, { ctrl: true, name: "u" });
      events.interrupt(again);
    });
    this.#readline.on("close", () => {
      this.#ended = true;
      events.end();
    });
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
    const { rows } = this.#readline.getCursorPos();
    process.stdout.write(`${rows > 0 ? `\x1b[${rows}A` : ""}\r${clearBelow}`);
    this.#shown = false;
  }

  #show(): void {
    if (this.#ended || this.#shown) return;
    // readline would move up over rows that are not there any more.
    (this.#readline as unknown as { prevRows: number }).prevRows = 0;
    this.#readline.prompt(true);
    this.#shown = true;
  }

  /** Gives the terminal back. */
  close(): void {
    this.#hide();
    this.#ended = true;
    this.#readline.close();
  }
}
