/**
 * LinesView: only ever appends lines. For pipes, programs, dumb terminals and screen readers.
 *
 * Messages go to stdout; everything else goes to stderr, unless a person reads along on a terminal.
 */

import type { KeptMessage, RoomEvent } from "../client/room_events.ts";
import type { Clock } from "../clock.ts";
import { noStatus, type Status } from "../client/status.ts";
import type { ChatView } from "../client/chat_view.ts";
import { sanitize } from "../sanitize.ts";
import { type Bell, rings } from "./bell.ts";
import { keptLine, keptTitle, lineOf, newsPrefix, warningPrefix } from "./lines.ts";
import { LineSplitter } from "./line_splitter.ts";
import { ProgressLines } from "./progress_lines.ts";
import { PresenceFold } from "./presence_fold.ts";
import { TimeColumn, type TimeStyle } from "./time_column.ts";
import { SecretLine } from "./secret_line.ts";
import { KeyReader } from "./terminal/keys.ts";
import { isInviteLine, wrap } from "./wrap.ts";

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
  /** How wide the terminal is. */
  columns?(): number;
}

/** What it is made of. */
export interface LinesParts {
  /** Whose lines need no room name. */
  readonly room: string;
  /** A person reads and types here. */
  readonly interactive: boolean;
  /** Time. */
  readonly clock: Clock;
  /** Our name: whose mention rings the bell. */
  readonly name: string;
  /** When to ring, if a person is there. */
  readonly bell: Bell;
  /** How times are shown; null: as the window is wide. */
  readonly time?: TimeStyle | null;
  /** Whether what is said in rooms is shown. */
  readonly says?: "all" | "nothing";
  /** Whether there is news beside it. */
  readonly news?: "all" | "warnings";
}

/** What is told also where there is no news. */
const needed: ReadonlySet<RoomEvent["type"]> = new Set(["message", "failed", "warning"]);

/** A view without cursor movements. */
export class LinesView implements ChatView {
  readonly holds: boolean;
  readonly isBlind: boolean;
  readonly interactive: boolean;
  #status: Status;
  #times: TimeColumn;
  #presence: PresenceFold;
  #progress: ProgressLines;

  /** @param streams where lines come from and go */
  constructor(private readonly streams: Streams, private readonly parts: LinesParts) {
    this.interactive = parts.interactive;
    this.isBlind = this.holds = parts.says === "nothing";
    this.#status = { ...noStatus, room: parts.room };
    this.#times = this.#newTimes();
    this.#progress = new ProgressLines(parts.clock);
    this.#presence = new PresenceFold(parts.clock, (text) => this.#aside(text));
  }

  #newTimes(): TimeColumn {
    const { interactive, streams, parts: { clock, time } } = this;
    return new TimeColumn(
      clock,
      time ?? null,
      interactive ? () => streams.columns?.() ?? Infinity : undefined,
    );
  }

  /** Lines of the input, split at line feeds; the last one may lack its own. */
  async *lines(): AsyncGenerator<string> {
    const splitter = new LineSplitter();
    const decoder = new TextDecoder();
    for await (const bytes of this.streams.input) {
      // Lines that arrive together with an answer are kept for the next question, never sent to the room.
      if (this.#secret) await this.#hear(bytes);
      else yield* splitter.feed(decoder.decode(bytes, { stream: true }));
    }
    yield* splitter.feed(decoder.decode());
    yield* splitter.end();
    this.#ended = true;
    this.#answer(null);
  }

  #ended = false;
  #secret: { line: SecretLine; keys: KeyReader; resolve: (typed: string | null) => void } | null = null;

  secret(question: string): Promise<string | null> {
    if (!this.interactive || this.#ended) return Promise.resolve(null);
    this.streams.out(question);
    this.streams.echo(false);
    return new Promise((resolve) =>
      this.#secret = { line: new SecretLine(), keys: new KeyReader(), resolve }
    );
  }

  /** Takes what is typed for a secret; without echo the terminal edits nothing either. */
  async #hear(bytes: Uint8Array): Promise<void> {
    const { keys } = this.#secret!;
    for (const key of [...keys.feed(bytes), ...keys.isWaiting ? keys.flush() : []]) {
      if (!this.#secret) await new Promise((resolve) => setTimeout(resolve)); // it may be asked again
      const typed = this.#secret?.line.take(key);
      if (typed !== undefined) this.#answer(typed);
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
    const { bell, name } = this.parts;
    if (this.isBlind && event.type !== "warning" && event.type !== "failed") return;
    if (this.parts.news === "warnings" && !needed.has(event.type)) return;
    if (this.#presence.take(event)) return;
    const progress = this.#progress.take(event);
    // In a pipe nothing but what has come about.
    if (progress !== null && this.interactive) this.#aside(`${newsPrefix} ${progress}`);
    const shown = event.type === "message" ? this.#times.before(event.timeMs) : null;
    const line = lineOf(event, { room: this.#status.room, time: () => shown!.time });
    if (!line) return;
    if (!shown) return this.#aside(line.text);
    // For a program a time is whole, and a line is a message.
    if (this.interactive && shown.day !== null) this.#aside(shown.day);
    const ring = this.interactive && rings(event, bell, name) ? "\x07" : "";
    this.streams.out(`${this.#wrapped(line.text)}${ring}\n`);
  }
  #aside(text: string): void {
    if (this.interactive) this.streams.out(`${this.#wrapped(text)}\n`);
    else this.streams.err(`${text}\n`);
  }
  #wrapped(text: string): string {
    const columns = this.interactive ? this.streams.columns?.() ?? null : null;
    return columns === null ? text : wrap(text, columns);
  }
  progress(text: string): void {
    if (this.interactive) this.#aside(`${newsPrefix} ${text}`);
  }
  notice(text: string): void {
    if (this.parts.news !== "warnings") this.#aside(`${newsPrefix} ${sanitize(text)}`);
  }
  warning(text: string): void {
    this.#aside(`${warningPrefix} ${sanitize(text)}`);
  }
  answer(lines: readonly string[]): void {
    const shown = lines.map(sanitize);
    if (!this.interactive) return this.#aside(shown.join("\n"));
    for (const line of shown) {
      if (isInviteLine(line)) this.streams.out(`${line}\n`);
      else this.#aside(line);
    }
  }
  recalled(title: string, lines: readonly KeptMessage[]): void {
    this.#aside(keptTitle(title));
    const times = this.#newTimes();
    for (const line of lines) {
      const { day, time } = times.before(line.timeMs);
      if (this.interactive && day !== null) this.#aside(day);
      this.#aside(keptLine(line, this.#status.room, time));
    }
  }
  status(status: Status): void {
    const { room, worry, offline } = this.#status;
    this.#status = { ...status, room: status.room || this.parts.room };
    if (status.offline?.retryMs != null && status.offline.retryMs !== offline?.retryMs) {
      const seconds = Math.round((status.offline.retryMs - this.parts.clock.now()) / 1000);
      this.notice(`Trying again in ${Math.max(1, seconds)} s.`);
    }
    // There is no prompt to show this in, so it is printed once.
    if (!this.interactive || status.room === "") return;
    if (room !== status.room && room !== "") this.notice(`What you type is said in ${status.room} now.`);
    if (status.worry !== worry && status.worry !== "") this.notice(`${status.room} (${status.worry})`);
  }
  question(text: string | null): void {
    if (text !== null) this.#aside(text.trim());
  }
  clear(): void {
    this.notice("There is nothing to clear: lines are only added here.");
  }
  forgetTyped(): void {}
  close(): void {
    this.#presence.close();
    this.#answer(null);
  }
}
