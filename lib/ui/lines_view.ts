/**
 * LinesView: only ever appends lines. For pipes, programs, dumb terminals and screen readers.
 *
 * Messages go to stdout; everything else goes to stderr, unless a person reads along on a terminal.
 */

import type { RoomEvent } from "../client/room_events.ts";
import type { View } from "../client/view.ts";
import { lineOf, newsPrefix, warningPrefix } from "./lines.ts";

/** Where lines come from and go. */
export interface Streams {
  /** Typed or piped in. */
  readonly input: ReadableStream<Uint8Array>;
  /** What was asked for. */
  out(text: string): void;
  /** The rest. */
  err(text: string): void;
  /** Whether what is typed is shown, on a terminal. */
  echo(on: boolean): void;
}

/** A view without cursor movements. */
export class LinesView implements View {
  /** @param room whose lines need no room name @param interactive a person reads and types here */
  constructor(
    private readonly streams: Streams,
    private room: string,
    readonly interactive: boolean,
  ) {}

  /** Lines of the input, split at line feeds; the last one may lack its own. */
  async *lines(): AsyncGenerator<string> {
    let rest = "";
    for await (const text of this.streams.input.pipeThrough(new TextDecoderStream())) {
      if (this.#secret) {
        // What comes in one piece with an answer is for the next question, and never for the room.
        await this.#hear(text);
        continue;
      }
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield line.replace(/\r$/, "");
    }
    if (rest !== "") yield rest;
    this.#ended = true;
    this.#answer(null);
  }

  #ended = false;
  #secret: { typed: string[]; resolve: (typed: string | null) => void } | null = null;

  secret(question: string): Promise<string | null> {
    if (!this.interactive || this.#ended) return Promise.resolve(null);
    this.streams.out(question);
    this.streams.echo(false);
    return new Promise((resolve) => this.#secret = { typed: [], resolve });
  }

  /** Takes what is typed for a secret; without echo the terminal edits nothing either. */
  async #hear(text: string): Promise<void> {
    for (const char of text) {
      if (!this.#secret) await new Promise((resolve) => setTimeout(resolve)); // it may be asked again
      if (!this.#secret) return;
      const { typed } = this.#secret;
      if (char === "\r" || char === "\n") this.#answer(typed.join(""));
      else if (char === "\x7f" || char === "\b") typed.pop();
      else if (char === "\x15") typed.length = 0;
      else if (char === "\x04" && typed.length === 0) this.#answer(null);
      else if (char >= " ") typed.push(char);
    }
  }

  #answer(typed: string | null): void {
    const secret = this.#secret;
    if (!secret) return;
    this.#secret = null;
    this.streams.echo(true);
    this.streams.out("\n");
    secret.resolve(typed);
  }

  event(event: RoomEvent): void {
    const line = lineOf(event, this.room);
    if (!line) return;
    if (line.kind === "message") this.streams.out(`${line.text}\n`);
    else this.#aside(line.text);
  }
  #aside(text: string): void {
    if (this.interactive) this.streams.out(`${text}\n`);
    else this.streams.err(`${text}\n`);
  }
  progress(text: string): void {
    if (this.interactive) this.#aside(`${newsPrefix} ${text}`);
  }
  notice(text: string): void {
    this.#aside(`${newsPrefix} ${text}`);
  }
  warning(text: string): void {
    this.#aside(`${warningPrefix} ${text}`);
  }
  answer(lines: readonly string[]): void {
    this.#aside(lines.join("\n"));
  }
  current(room: string): void {
    this.room = room;
  }
  prompt(text: string): void {
    // A person without a redrawn prompt still has to see what is asked.
    if (this.interactive && /\(yes or no\) $/.test(text)) this.#aside(text.trim());
  }
  close(): void {
    this.#answer(null);
  }
}
