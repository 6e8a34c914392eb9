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
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield line.replace(/\r$/, "");
    }
    if (rest !== "") yield rest;
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
  close(): void {}
}
