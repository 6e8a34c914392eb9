/** A view that remembers what it was shown and types what a test tells it. */

import { until } from "./until.ts";
import type { KeptMessage, RoomEvent } from "../../lib/client/room_events.ts";
import { noStatus, type Status } from "../../lib/client/status.ts";
import type { ChatView, Entered } from "../../lib/client/chat_view.ts";
import { timestamp } from "../../lib/timestamp.ts";
import { keptLine } from "../../lib/ui/lines.ts";
import { promptOf } from "../../lib/ui/prompt.ts";

export class ScriptedView implements ChatView {
  readonly events: RoomEvent[] = [];
  readonly notices: string[] = [];
  readonly warnings: string[] = [];
  readonly answers: string[] = [];
  readonly steps: string[] = [];
  shown: Status = noStatus;
  asks: string | null = null;
  holds = false;
  isBlind = false;
  #lines: Entered[] = [];
  #ended = false;
  #wake: () => void = () => {};

  constructor(readonly interactive: boolean) {}

  /** What the prompt of a terminal would say. */
  get promptText(): string {
    return this.asks ?? promptOf(this.shown, 0);
  }
  get room(): string {
    return this.shown.room;
  }

  type(...lines: Entered[]): void {
    this.#lines.push(...lines);
    this.#wake();
  }
  end(): void {
    this.#ended = true;
    this.#wake();
  }
  async *lines(): AsyncGenerator<Entered> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  event(event: RoomEvent): void {
    this.events.push(event);
    if (event.type === "warning") this.warnings.push(event.text);
    if (event.type === "notice") this.notices.push(event.text);
  }
  progress(text: string): void {
    this.steps.push(text);
  }
  notice(text: string): void {
    this.notices.push(text);
  }
  warning(text: string): void {
    this.warnings.push(text);
  }
  answer(lines: readonly string[]): void {
    this.answers.push(...lines);
  }
  readonly titles: string[] = [];
  recalled(title: string, lines: readonly KeptMessage[]): void {
    this.titles.push(title);
    const texts = lines.map((line) => keptLine(line, this.room, `${timestamp(line.timeMs)} `).slice(2));
    this.answers.push(...texts);
  }
  status(status: Status): void {
    this.shown = status;
  }
  question(text: string | null): void {
    this.asks = text;
  }
  clear(): void {}
  forgetTyped(): void {}
  /** What is answered to questions for secrets, one after the other; then nothing is entered. */
  readonly secrets: (string | null)[] = [];
  readonly asked: string[] = [];
  secret(question: string): Promise<string | null> {
    this.asked.push(question);
    return Promise.resolve(this.secrets.shift() ?? null);
  }
  close(): void {}

  /** What others and we said, as `name: text`. */
  get said(): string[] {
    return this.events.flatMap((e) => e.type === "message" ? [`${e.from}: ${e.text}`] : []);
  }

  /** Waits for an event. */
  async until(condition: (event: RoomEvent) => boolean, what = `shown: ${condition}`): Promise<RoomEvent> {
    const instead = () => `; instead: ${JSON.stringify([this.events, this.notices, this.warnings])}`;
    await until(what, () => this.events.some(condition), { instead });
    return this.events.find(condition)!;
  }
  /** Waits until somebody has said it. */
  async hears(line: string): Promise<void> {
    await this.until((e) => e.type === "message" && `${e.from}: ${e.text}` === line, line);
  }
}
