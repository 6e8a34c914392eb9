/** TerminalView: a chat for a person at a terminal: lines above, one prompt line below. */

import type { Clock } from "../../clock.ts";
import type { KeptMessage, RoomEvent } from "../../client/room_events.ts";
import { noStatus, type Status } from "../../client/status.ts";
import type { ChatView, Entered } from "../../client/chat_view.ts";
import { maxTextBytes } from "../../protocol/group/content.ts";
import { sanitize, sanitizeLine } from "../../sanitize.ts";
import { type Bell, rings } from "../bell.ts";
import { isInviteLine, wrap } from "../wrap.ts";
import { keptLine, keptTitle, lineOf, newsPrefix, warningPrefix } from "../lines.ts";
import { PresenceFold } from "../presence_fold.ts";
import { promptOf } from "../prompt.ts";
import { TimeColumn, type TimeStyle } from "../time_column.ts";
import { bold, dim, nameColour } from "./colours.ts";
import type { EditorState } from "./editor.ts";
import { firstMessages, type PageLines, type Pages } from "./pager.ts";
import { PendingLines } from "./pending_lines.ts";
import { type Completion, PromptLine } from "./prompt_line.ts";
import type { Tty } from "./tty.ts";

const tickMs = 1000;
const asIs = (text: string) => text;

type Kept = readonly KeptMessage[] | null;

/** What the person at the terminal can do beside typing lines. */
export interface Person {
  /** Ctrl+C; `again` on an empty line, a second time. @returns whether it had a meaning */
  interrupt(again: boolean): boolean;
  /** Whether a line would be said to others, and is no command. */
  says(line: string): boolean;
  /** What the word before the cursor may become, and where it begins. */
  complete(before: string): Completion | null | Promise<Completion | null>;
  /** Alt+1 to Alt+9. */
  switchTo(number: number): void;
  /** The last `n` lines of the room on the screen that are kept; null when they cannot be read, which is said. */
  kept(n: number): Kept | Promise<Kept>;
  /** A line was entered: it can be had back with the arrow keys, also in the next run. */
  entered(line: string): void;
}

/** What a terminal view is made of. */
export interface TerminalParts {
  /** The terminal. */
  readonly tty: Tty;
  /** Time. */
  readonly clock: Clock;
  /** The room that is being entered. */
  readonly room: string;
  /** Our name: whose mention rings the bell. */
  readonly name: string;
  /** When to ring. */
  readonly bell: Bell;
  /** Whether names have colours. */
  readonly colours: boolean;
  /** How times are shown; null: as the window is wide. */
  readonly time: TimeStyle | null;
  /** Earlier lines, oldest first. */
  readonly history: readonly string[];
  /** Who sits there. */
  readonly person: Person;
}

/** A view for a person at a terminal. */
export class TerminalView implements ChatView {
  readonly interactive = true;
  readonly holds = true;
  readonly #line: PromptLine;
  readonly #times: TimeColumn;
  readonly #presence: PresenceFold;
  readonly #pending = new PendingLines();
  #drafts = new Map<string, EditorState>();
  #status = noStatus;
  #question: string | null = null;
  #told = new Set<string>();
  #toTell: [room: string, what: string, ring: string][] = [];
  #waiting: ((line: IteratorResult<Entered>) => void) | null = null;
  #typed: Entered[] = [];
  #ended = false;
  #cancelTick: () => void = () => {};

  constructor(private readonly parts: TerminalParts) {
    const { tty, clock, history, person } = parts;
    this.#times = this.#newTimes();
    this.#presence = new PresenceFold(clock, (text) => this.#print(text));
    this.#line = new PromptLine("> ", { tty, clock, history, limitBytes: maxTextBytes }, {
      line: (text) => {
        if (text.trim() !== "") person.entered(text);
        this.#give(text);
      },
      say: (texts) => {
        person.entered(texts.join("\n"));
        this.#give({ texts });
      },
      interrupt: (again, cleared) => {
        if (!person.interrupt(again) && !cleared) this.#print(`${newsPrefix} Ctrl+C again leaves.`);
      },
      end: () => {
        this.#ended = true;
        this.#waiting?.({ value: undefined, done: true });
        this.#waiting = null;
      },
      complete: (before) => person.complete(before),
      switchTo: (number) => person.switchTo(number),
      pages: () => this.#pages(),
      mayEnter: (text) => this.#mayEnter(text),
      refused: (why) => this.warning(why),
    });
  }

  /** A line typed too early may be the password that is about to be asked for. */
  #mayEnter(text: string): boolean {
    const isIn = this.#status.room !== "" || this.#question !== null;
    if (isIn || !this.parts.person.says(text)) return true;
    this.notice("You are not in yet: Enter sends the line when the prompt shows the room.");
    return false;
  }

  #give(line: Entered): void {
    if (this.#question !== null && typeof line === "string") this.#print(this.#question + sanitizeLine(line));
    if (this.#waiting) this.#waiting({ value: line, done: false });
    else this.#typed.push(line);
    this.#waiting = null;
  }

  lines(): AsyncIterable<Entered> {
    const next = (): Promise<IteratorResult<Entered>> =>
      new Promise((resolve) => {
        const line = this.#typed.shift();
        if (line !== undefined) resolve({ value: line, done: false });
        else if (this.#ended) resolve({ value: undefined, done: true });
        else this.#waiting = resolve;
      });
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  // ---- what is shown

  event(event: RoomEvent): void {
    if (this.#pending.take(event)) this.#draw();
    if (event.type === "held") return this.#tellOfHeld(event);
    if (this.#presence.take(event)) return;
    const paint = this.parts.colours ? nameColour : undefined;
    const shown = event.type === "message" ? this.#times.before(event.timeMs) : null;
    const line = lineOf(event, { room: this.#shownRoom, paint, time: () => shown!.time });
    if (!line) return;
    const day = shown?.day ?? null;
    const ring = rings(event, this.parts.bell, this.parts.name) ? "\x07" : "";
    const text = line.kind === "warning" ? this.#warned(line.text) : line.text;
    this.#print(...(day === null ? [] : [day]), text + ring);
  }

  #newTimes(): TimeColumn {
    const { clock, time, tty } = this.parts;
    return new TimeColumn(clock, time, () => tty.size().columns);
  }

  recalled(title: string, lines: readonly KeptMessage[]): void {
    this.#print(keptTitle(title), ...this.#kept(lines, this.parts.colours ? dim : asIs));
  }

  #kept(lines: readonly KeptMessage[], look: (text: string) => string): string[] {
    const times = this.#newTimes();
    return lines.flatMap((line) => {
      const { day, time } = times.before(line.timeMs);
      const text = look(keptLine(line, this.#shownRoom, time));
      return day === null ? [text] : [look(day), text];
    });
  }

  #pages(): Pages | null | Promise<Pages | null> {
    const { person } = this.parts;
    const linesOf = (n: number, kept: Kept): PageLines => {
      return { lines: this.#kept(kept ?? [], asIs), isAll: (kept?.length ?? 0) < n };
    };
    const pagesOf = (kept: Kept): Pages | null => {
      if (kept?.length === 0) this.notice(`Nothing of ${this.#shownRoom} is kept here.`);
      if (!kept || kept.length === 0) return null;
      return {
        title: `${this.#shownRoom}, kept here`,
        first: linesOf(firstMessages, kept),
        last: (n) => {
          const more = person.kept(n);
          return more instanceof Promise ? more.then((later) => linesOf(n, later)) : linesOf(n, more);
        },
      };
    };
    const kept = person.kept(firstMessages);
    return kept instanceof Promise ? kept.then(pagesOf) : pagesOf(kept);
  }

  get #shownRoom(): string {
    return this.#status.room || this.parts.room;
  }

  /** The prompt counts what waits in other rooms; what is for us alone is worth a line, once. */
  #tellOfHeld({ room, message }: RoomEvent & { type: "held" }): void {
    const { bell, name } = this.parts;
    const ring = rings(message, bell, name) ? "\x07" : "";
    // For a direct room the notice of the first message is enough.
    const isNew = !this.#status.rooms.some(({ label }) => label === room);
    const isForUs = rings(message, "mentions", name);
    if (!isForUs || isNew || this.#told.has(room)) {
      if (ring !== "") this.parts.tty.write(ring);
      return;
    }
    this.#told.add(room);
    const what = room.startsWith("@") ? "has written to you alone" : `speaks of you in ${room}`;
    // The next status shows the count and the room's number.
    this.#toTell.push([room, `${message.from} ${what}`, ring]);
  }

  #tell(): void {
    for (const [room, what, ring] of this.#toTell.splice(0)) {
      const number = this.#status.rooms.findIndex(({ label }) => label === room) + 1;
      const how = number >= 1 && number <= 9 ? `Alt+${number} or /switch ${room}` : `/switch ${room}`;
      this.#print(`${newsPrefix} ${what}: ${how} shows it.${ring}`);
    }
  }

  #warned(text: string): string {
    return this.parts.colours ? text.replace(warningPrefix, bold) : text;
  }
  #print(...lines: string[]): void {
    const { columns } = this.parts.tty.size();
    this.#line.print(...lines.map((line) => wrap(line, columns)));
  }
  progress(text: string): void {
    this.#print(`${newsPrefix} ${text}`);
  }
  notice(text: string): void {
    this.#print(`${newsPrefix} ${sanitize(text)}`);
  }
  warning(text: string): void {
    this.#print(this.#warned(`${warningPrefix} ${sanitize(text)}`));
  }
  answer(lines: readonly string[]): void {
    const { columns } = this.parts.tty.size();
    const shown = lines.map(sanitize);
    this.#line.print(...shown.map((line) => isInviteLine(line) ? line : wrap(line, columns)));
  }
  clear(): void {
    this.#line.clear();
  }

  // ---- the prompt

  status(status: Status): void {
    const before = this.#status.room;
    this.#status = status;
    for (const { label, unread } of status.rooms) if (unread === 0) this.#told.delete(label);
    if (before !== "" && before !== status.room) this.#changeRoom(before, status);
    this.#tell();
    this.#draw();
  }

  #changeRoom(before: string, { room, rooms }: Status): void {
    const draft = this.#line.exchange(this.#drafts.get(room) ?? null);
    this.#drafts.delete(room);
    if (draft.text === "" && !draft.held) this.#drafts.delete(before);
    else if (rooms.some(({ label }) => label === before)) this.#drafts.set(before, draft);
    else this.notice(`What you had begun to type in ${before}: ${draft.text}`);
    if (room !== "") this.#print(`${newsPrefix} ---- ${room} ----`);
  }

  question(text: string | null): void {
    if (text !== null) this.#line.closePager();
    this.#question = text;
    this.#draw();
  }

  #draw(): void {
    const { clock } = this.parts;
    const { offline } = this.#status;
    this.#line.set(
      this.#question ?? promptOf(this.#status, clock.now()),
      this.#pending.rows(this.#shownRoom),
    );
    this.#cancelTick();
    // The countdown, and nothing else, moves by itself.
    if (offline?.retryMs != null && !this.#ended) this.#cancelTick = clock.after(tickMs, () => this.#draw());
  }

  secret(question: string): Promise<string | null> {
    // Text typed before the first question may be its answer (a passphrase): never send it to the room.
    if (this.#status.room === "") this.#line.exchange(null);
    return this.#line.secret(question);
  }
  close(): void {
    this.#ended = true;
    this.#cancelTick();
    this.#presence.close();
    this.#line.close();
  }
  forgetTyped(): void {
    this.#line.forgetHistory();
  }
}
