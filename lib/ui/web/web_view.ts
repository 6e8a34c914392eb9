/**
 * WebView: a chat for a person at a browser: the page shows and types, and this program keeps what is shown, so that a
 * page that is loaded anew shows the same. The terminal meanwhile tells the link, and is where secrets are typed.
 */

import type { ChatView, Entered } from "../../client/chat_view.ts";
import type { RoomPeople } from "../../client/commands/people_here.ts";
import type { Clock } from "../../clock.ts";
import type { KeptMessage, MessageEvent, RoomEvent } from "../../client/room_events.ts";
import { noStatus, type Status } from "../../client/status.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError } from "../../errors.ts";
import { sanitize, sanitizeLine } from "../../sanitize.ts";
import { sizeInWords } from "../../size_in_words.ts";
import { lineOf, newsPrefix, warningPrefix } from "../lines.ts";
import { PresenceFold } from "../presence_fold.ts";
import type { Person } from "../terminal/terminal_view.ts";
import { progressRow } from "../transfer_text.ts";
import type { FromPage, LogItem, MovingFile, Snapshot, WaitingLine } from "./page_messages.ts";
import { PageServer } from "./page_server.ts";
import { RoomLogs } from "./room_logs.ts";

/** People are asked for once things have come to rest. */
const peopleMs = 30;
/** More are not held in a page. */
const maxKept = 5_000;

/** Somebody at a browser. */
export interface PageOwner extends Person {
  /** Who is in the room on the screen. */
  people(): RoomPeople | null | Promise<RoomPeople | null>;
}

/** A copy of a file that was dropped on the page. */
export interface DroppedCopy {
  /** Where it is. */
  readonly path: string;
  /** Adds what follows. */
  add(bytes: Uint8Array): Promise<void>;
  /** It is whole. @returns why it is not */
  finish(): Promise<ChatError | null>;
  /** Takes it away. */
  discard(): void;
}

/** What a view is made of. */
export interface WebParts {
  /** Our name. */
  readonly name: string;
  /** 0: any port that is free. */
  readonly port: number;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** The terminal that it was started in: tells, takes `/quit`, and asks for secrets. */
  readonly terminal: Pick<ChatView, "lines" | "progress" | "notice" | "secret" | "close">;
  /** Shows a link. */
  tellLink(link: string): void;
  /** Stays when the terminal's input has ended. */
  readonly staysAlone: boolean;
  /** Who sits there. */
  readonly person: PageOwner;
  /** Begins a copy of a file. */
  beginCopy(): DroppedCopy;
}

/** A view for a person at a browser. */
export class WebView implements ChatView {
  readonly interactive = true;
  readonly holds = true;
  #server: PageServer;
  #logs = new RoomLogs();
  #status: Status = noStatus;
  #people: RoomPeople = { room: "", changed: null, people: [] };
  #waiting = new Map<string, WaitingLine>();
  #moving = new Map<string, MovingFile>();
  #saved = new Set<string>();
  #question: string | null = null;
  #questionN = 0;
  #about: readonly string[] = [];
  #secret: string | null = null;
  #lastNotice = "";
  #presence: PresenceFold;
  /** What was asked for by a line that a page has sent: it is shown beside the log. */
  #isAskedFor = false;
  #cancelPeople: () => void = () => {};
  #isPeopleDue = false;
  #entered: Entered[] = [];
  #wake: (() => void) | null = null;
  #isOver = false;
  #failure = "chat has ended; close this page, or start it again in the terminal";

  /** @param parts of it @throws ChatError when the port is taken */
  constructor(private readonly parts: WebParts) {
    const { clock, random, port } = parts;
    this.#presence = new PresenceFold(clock, (text) => this.#add(this.#room, "notice", text));
    this.#server = new PageServer({
      port,
      clock,
      random,
      snapshot: () => this.#snapshot(),
      said: (message) => this.#said(message),
      dropped: (room, name, body) => this.#dropped(room, name, body),
      connected: (isThere) => {
        parts.terminal.notice(
          isThere ? "A page is connected." : "The page has gone; Enter prints a new link.",
        );
        if (isThere) this.#peopleChanged();
      },
    });
    void this.#readTerminal();
    this.#tellLink();
  }

  get #room(): string {
    return this.#status.room;
  }

  #snapshot(): Snapshot {
    return {
      name: this.parts.name,
      status: this.#status,
      people: this.#people,
      logs: this.#logs.all,
      waiting: [...this.#waiting.values()],
      moving: [...this.#moving.values()],
      saved: [...this.#saved],
      question: this.#question,
      questionN: this.#questionN,
      about: this.#about,
      secret: this.#secret,
    };
  }

  // ---- the terminal

  #tellLink(): void {
    this.parts.tellLink(this.#server.newLink());
  }

  async #readTerminal(): Promise<void> {
    const { terminal, person, staysAlone } = this.parts;
    for await (const line of terminal.lines()) {
      if (this.#isOver) return;
      const text = typeof line === "string" ? line.trim() : "";
      if (text === "") this.#tellLink();
      else if (/^(\/quit|exit|quit)$/i.test(text)) this.#enter("/quit");
      else if (person.says(text)) {
        terminal.notice("Nothing is said from here: type in the page. /quit ends it.");
      } else terminal.notice("Commands are typed in the page; /quit ends it from here.");
    }
    if (!staysAlone) this.#end();
  }

  // ---- what is entered

  async *lines(): AsyncGenerator<Entered> {
    for (;;) {
      const next = this.#entered.shift();
      if (next !== undefined) yield next;
      else if (this.#isOver) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #enter(entered: Entered): void {
    this.#entered.push(entered);
    this.#wake?.();
  }

  #end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  #said(message: FromPage): void {
    const { person } = this.parts;
    switch (message.type) {
      case "line":
        if (message.line.trim() === "") return;
        if (!this.#mayEnter(message.line)) return;
        this.#isAskedFor = /^\s*\/(history|search)\b/i.test(message.line);
        this.#about = [];
        person.entered(message.line);
        return this.#enter(message.line);
      case "say":
        if (!this.#mayEnter(message.text)) return;
        person.entered(message.text);
        return this.#enter({ texts: [message.text], room: message.room, refused: (e) => this.#refused(e) });
      case "answer":
        // A second click, or one that comes late, answers nothing: it would be said in the room.
        if (this.#question === null || message.n !== this.#questionN) return;
        this.question(null);
        if (message.yes) this.#enter("yes");
        else if (!person.interrupt(false)) this.#enter("no");
        return;
      case "switch":
        this.#isAskedFor = false;
        return this.#enter(`/switch ${message.room}`);
      case "get":
      case "cancel":
        return this.#enter({ wish: message.type, id: message.id, refused: (error) => this.#refused(error) });
      case "complete":
        return void this.#complete(message.n, message.before);
      case "older":
        return void this.#older(message.n);
    }
  }

  /** A line typed too early may be meant for something else. */
  #mayEnter(text: string): boolean {
    const isIn = this.#room !== "" || this.#question !== null;
    if (isIn || !this.parts.person.says(text)) return true;
    this.notice("You are not in yet: it can be said once the room is on the screen.");
    return false;
  }

  #refused({ message, hint }: ChatError): void {
    this.warning(hint === "" ? message : `${message}; ${hint}`);
  }

  async #complete(n: number, before: string): Promise<void> {
    const completion = await this.parts.person.complete(before);
    const { from, words } = completion ?? { from: before.length, words: [] };
    this.#server.send({ type: "completed", n, from, words: words.slice(0, 50) });
  }

  async #older(wanted: number): Promise<void> {
    const room = this.#room;
    const n = Math.min(Math.max(1, Math.trunc(wanted)), maxKept);
    const kept = await this.parts.person.kept(n);
    if (room !== this.#room) return; // they are another room's
    const items = kept?.map((line) => this.#keptItem(line)) ?? [];
    // What cannot be read now may be asked for again.
    const isAll = kept !== null && (kept.length < n || n === maxKept);
    this.#server.send({ type: "older", room, items, isAll });
  }

  async #dropped(room: string, name: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    if (room !== this.#room && !this.#status.rooms.some(({ label }) => label === room)) {
      throw new ChatError("You are in no such room", "");
    }
    const copy = this.parts.beginCopy();
    try {
      await copy.add(new Uint8Array(0)); // an empty file is one, too
      for await (const bytes of body) await copy.add(bytes);
    } catch (error) {
      copy.discard();
      throw error;
    }
    const trouble = await copy.finish();
    if (trouble) throw trouble;
    this.#enter({
      texts: [""],
      room,
      file: copy.path,
      fileName: name,
      isSpooled: true,
      discardCopy: () => copy.discard(),
      refused: (error) => this.#refused(error),
    });
  }

  // ---- what is shown

  event(event: RoomEvent): void {
    this.#follow(event);
    if (["entered", "added", "removed", "presence"].includes(event.type)) this.#peopleChanged();
    if (event.type === "message") return this.#message(event);
    if (event.type === "unread") return this.#put(event.room, { kind: "unread" });
    if (event.type === "held" || this.#presence.take(event)) return;
    const line = lineOf(event, { room: event.room });
    if (!line || line.kind === "message") return;
    this.#add(event.room, event.type === "warning" ? "alarm" : line.kind, line.text);
  }

  /** Own lines that wait, and files on their way. */
  #follow(event: RoomEvent): void {
    switch (event.type) {
      case "pending": {
        const { msgId: id, room, text, action } = event;
        const shown = sanitize(action ? `/me ${text}` : text);
        this.#waiting.set(id, { id, room, text: shown, failed: false });
        return this.#tellWaiting();
      }
      case "failed": {
        const line = this.#waiting.get(event.msgId);
        if (line) this.#waiting.set(event.msgId, { ...line, failed: true });
        this.#moved(event.msgId);
        return this.#tellWaiting();
      }
      case "withdrawn":
      case "message":
        if (event.type === "message" && !event.own) return;
        this.#moved(event.msgId);
        if (this.#waiting.delete(event.msgId)) this.#tellWaiting();
        return;
      case "progress": {
        const { id, room, name, way, done, size } = event;
        this.#moving.set(id, { id, room, name, way, done, size, text: progressRow(event) });
        return this.#server.send({ type: "moving", moving: [...this.#moving.values()] });
      }
      case "saved":
        this.#saved.add(event.id);
        this.#server.send({ type: "saved", id: event.id });
        return this.#moved(event.id);
      case "download failed":
      case "cancelled":
        return this.#moved(event.id);
    }
  }

  #tellWaiting(): void {
    this.#server.send({ type: "waiting", waiting: [...this.#waiting.values()] });
  }

  #moved(id: string): void {
    if (this.#moving.delete(id)) this.#server.send({ type: "moving", moving: [...this.#moving.values()] });
  }

  #message(event: MessageEvent): void {
    const { room, msgId } = event;
    if (!event.answer && this.#logs.has(room, msgId)) return;
    this.#put(room, messageItem(event, false));
  }

  #add(room: string, kind: "notice" | "warning" | "alarm", text: string): void {
    const bare = text.startsWith(newsPrefix) || text.startsWith(warningPrefix) ? text.slice(4) : text;
    this.#put(room, { kind, text: bare });
  }

  /** Into the log of a room; what is no room's goes into the one on the screen. */
  #put(room: string, item: LogItem): void {
    const into = room === "" ? this.#room : room;
    this.#logs.add(into, item);
    this.#server.send({ type: "item", room: into, item });
  }

  /** Steps on the way in are for whoever watches the terminal. */
  progress(text: string): void {
    this.parts.terminal.progress(text);
  }
  notice(text: string): void {
    // The digits of a server that is met stand beside the question.
    if (isDigits(text)) this.#about = [this.#lastNotice, text];
    this.#lastNotice = text;
    this.#add("", "notice", sanitize(text));
    this.#peopleChanged(); // it may be that somebody is verified now
  }
  warning(text: string): void {
    this.#isAskedFor = false;
    this.#add("", "warning", sanitize(text));
  }
  answer(lines: readonly string[]): void {
    this.#isAskedFor = false;
    const shown = lines.map((line) => sanitize(line));
    this.#about = shown;
    this.#server.send({ type: "answer", lines: shown });
  }
  recalled(title: string, lines: readonly KeptMessage[]): void {
    if (this.#isAskedFor) {
      this.#isAskedFor = false;
      const items = lines.map((line) => ({ room: line.room, item: this.#keptItem(line) }));
      return this.#server.send({ type: "found", title: sanitizeLine(title), items });
    }
    // A room that was on the screen before has its log still.
    const fresh = lines.filter(({ room }) => !this.#logs.hasMessages(room));
    for (const line of fresh) this.#put(line.room, this.#keptItem(line));
  }
  #keptItem(line: KeptMessage): LogItem {
    return messageItem(
      { ...line, own: this.#people.people.some(({ own, id }) => own && id === line.fromId) },
      true,
    );
  }
  status(status: Status): void {
    const isOther = status.room !== this.#room;
    this.#status = status;
    this.#server.send({ type: "status", status });
    // What was told before there was a room belongs to the first one.
    const early = isOther ? this.#logs.all[""] ?? [] : [];
    if (early.length > 0 && status.room !== "") {
      this.#logs.clear("");
      for (const item of early) this.#put(status.room, item);
    }
    this.#peopleChanged();
  }

  /** Soon, and not again and again later: who makes it change often must not keep it from being told. */
  #peopleChanged(): void {
    if (this.#isPeopleDue) return;
    this.#isPeopleDue = true;
    this.#cancelPeople = this.parts.clock.after(peopleMs, () => {
      this.#isPeopleDue = false;
      void this.#tellPeople();
    });
  }
  async #tellPeople(): Promise<void> {
    const people = await this.parts.person.people();
    if (!people || this.#isOver || JSON.stringify(people) === JSON.stringify(this.#people)) return;
    this.#people = people;
    this.#server.send({ type: "people", people });
  }

  question(text: string | null): void {
    this.#question = text === null ? null : text.replace(/ \(yes or no\) $/, "");
    if (text === null) this.#about = [];
    else this.#questionN++;
    this.#server.send({ type: "question", n: this.#questionN, text: this.#question, about: this.#about });
  }
  async secret(question: string): Promise<string | null> {
    this.#tellSecret(question);
    const typed = await this.parts.terminal.secret(question);
    this.#tellSecret(null);
    return typed;
  }
  #tellSecret(text: string | null): void {
    this.#secret = text;
    this.#server.send({ type: "secret", text });
  }
  clear(): void {
    this.#logs.clear(this.#room);
    this.#server.send({ type: "clear", room: this.#room });
  }
  forgetTyped(): void {
    this.#logs.clearAll();
    this.#server.send({ type: "forgotten" });
  }

  /** What ends it: told to the page as well. */
  failed(error: unknown): void {
    if (error instanceof ChatError) this.#failure = `${error.message}. ${error.hint}`;
  }

  close(): void {
    void this.closed();
  }
  /** Resolves when nobody listens any more. */
  closed(): Promise<void> {
    return this.#closing ??= this.#close();
  }
  #closing: Promise<void> | null = null;

  async #close(): Promise<void> {
    this.#end();
    this.#cancelPeople();
    this.#presence.close();
    await this.#server.close(this.#failure);
    this.parts.terminal.close();
  }
}

function messageItem(message: KeptMessage & Partial<MessageEvent>, isKept: boolean): LogItem {
  const { msgId: id, from, fromId, timeMs, text, action, file } = message;
  return {
    kind: "message",
    id,
    from,
    fromId,
    own: message.own ?? false,
    timeMs,
    text: harmless(text),
    action,
    answer: message.answer ?? false,
    address: sanitizeLine(message.address ?? ""),
    isKept,
    ...(file ? { file: { name: file.name, size: sizeInWords(file.size), untilMs: file.untilMs } } : {}),
  };
}

/** A fingerprint, as it is read aloud. */
function isDigits(text: string): boolean {
  return /^\s*(\d{5}\s+){5,}\d{5}\s*$/.test(text);
}

/** Lines as they are, without what a terminal needs before each. */
function harmless(text: string): string {
  return sanitize(text).replaceAll("\n    ", "\n");
}
