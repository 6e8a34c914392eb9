/**
 * Attachment: a program that works through the one that holds the profile: what is entered goes there, and what happens
 * comes from there. When that one ends, nothing is lost: what was entered and is not known to be stored is given back,
 * each line under its id, so that it is said once.
 */

import type { Clock } from "../../clock.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError, exitCodes, inWords } from "../../errors.ts";
import type { ChatOptions } from "../chat_options.ts";
import { pathsOf } from "../commands/file_commands.ts";
import { commands, parseLine } from "../commands/commands.ts";
import { commandBefore, type Completion, completion } from "../commands/completion.ts";
import { pathsFrom } from "../commands/path_completion.ts";
import type { RoomPeople } from "../commands/people_here.ts";
import { FileSource } from "../files/file_source.ts";
import type { ChatOutput, Entered, Said } from "../chat_view.ts";
import type { KeptMessage } from "../room_events.ts";
import {
  AttachLink,
  attachProtocol,
  type EnteredItem,
  type FromGuest,
  type FromHolder,
} from "./attach_messages.ts";
import type { LineSource } from "./line_source.ts";
import { LinesOnTheirWay } from "./lines_on_their_way.ts";
import type { Attached } from "./reach_holder.ts";

/** Of a file, in one message. */
const partBytes = 256 * 1024;
const pingMs = 2_000;
/** A holder that has much to do may be late. */
const silentMs = 10_000;
const leaveMs = 3_000;

/** What runs over an attachment. */
export interface AttachmentParts {
  /** The other end. */
  readonly attached: Attached;
  /** Where to go, and how. */
  readonly options: ChatOptions;
  /** Authorities for TLS, in PEM. */
  readonly authorities: readonly string[];
  /** Say this and go. */
  readonly message: string | null;
  /** Files to be sent instead of what is entered, by their whole paths. */
  readonly send: readonly string[];
  /** Makes a path whole. */
  pathOf(path: string): string;
  /** Stay when the input has ended. */
  readonly listen: boolean;
  /** Of this program. */
  readonly version: string;
  /** Shows; and the last position that it has shown, by room. */
  readonly view: ChatOutput & {
    readonly seen: Readonly<Record<string, number>>;
    readonly room: string | null;
  };
  /** What is entered. */
  readonly lines: LineSource;
  /** Time. */
  readonly clock: Clock;
  /** For ids of lines. */
  readonly random: RandomSource;
}

/** One attachment. */
export class Attachment {
  #link: AttachLink<FromHolder, FromGuest>;
  #over = new AbortController();
  #onTheirWay = new LinesOnTheirWay();
  #replies = new Map<number, (value: unknown) => void>();
  #count = 0;
  #hasQuestion = false;
  #hasRoom = false;
  #isSilent = false;
  /** The person has asked to go. */
  #isLeaving = false;
  /** What is being entered; a file is copied first. */
  #entering = new Set<Promise<void>>();
  /** Files that are being copied. */
  #copying = new Map<number, Said>();
  /** Why what is said by -m, or a file of --send, was refused: it ends with that. */
  #refusal: ChatError | null = null;
  #heardMs: number;

  /** @param parts of it */
  constructor(private readonly parts: AttachmentParts) {
    this.#link = parts.attached.link;
    this.#heardMs = parts.clock.now();
  }

  /** Runs it. @returns the exit code; null when the holder is gone @throws ChatError with another code */
  async run(): Promise<number | null> {
    const { attached, options, authorities, listen, version, view } = this.parts;
    const { interactive, holds, isBlind = false } = view;
    this.#link.send({
      t: "hello",
      version,
      protocol: attachProtocol,
      options,
      authorities,
      listen,
      seen: view.seen,
      room: view.room,
      view: { interactive, holds, isBlind },
    });
    const forwarded = this.#forward();
    this.#ping();
    try {
      for (;;) {
        const { value, done } = await attached.messages.next();
        if (done) return this.#isLeaving ? this.#left() : null;
        this.#heard();
        if (value.t === "end") return this.#ended(value.code);
        if (value.t === "fail") throw this.#refusal ?? new ChatError(value.message, value.hint, value.code);
        this.#show(value);
      }
    } finally {
      this.#over.abort();
      this.#link.close();
      for (const reply of this.#replies.values()) reply(null);
      await forwarded; // what it has taken belongs to what is unfinished
    }
  }

  /** What was entered and is not known to be stored, oldest first: to be entered again elsewhere. */
  get unfinished(): Entered[] {
    const { options, view } = this.parts;
    return this.#onTheirWay.unfinished(options.to !== null && !view.interactive);
  }

  /** The seat there is over: what was still being copied is not sent. */
  #ended(code: number): number {
    for (const said of this.#copying.values()) {
      this.parts.view.warning(`Not sent: ${said.fileName ?? said.file} was still being copied.`);
      said.discardCopy?.();
    }
    return code;
  }

  /** The holder is gone, or does not answer, and the person has asked to go. */
  #left(): number {
    const open = this.unfinished.filter((each) =>
      typeof each === "object" && !("line" in each && isGoing(each.line))
    );
    if (open.length > 0) {
      const lines = open.length === 1 ? "One line may" : `${open.length} lines may`;
      this.parts.view.warning(`${lines} not have been sent: the chat that holds the profile did not say.`);
    }
    return exitCodes.done;
  }

  // ---- what is entered

  async #forward(): Promise<void> {
    const { message, lines, send } = this.parts;
    if (send.length > 0) {
      for (const [i, file] of send.entries()) {
        await this.#enter({ texts: [i === 0 ? message ?? "" : ""], file });
      }
    } else if (message !== null) await this.#enter({ texts: [message] });
    for await (const entered of lines.taken(this.#over.signal)) {
      for (const each of this.#wholePaths(entered)) {
        const entering = this.#enter(each).finally(() => this.#entering.delete(entering));
        this.#entering.add(entering);
        // A person goes on while a file is copied; what a program says keeps its order.
        if (!this.parts.view.interactive) await entering;
      }
    }
    await Promise.all(this.#entering);
    if (!this.#over.signal.aborted) this.#link.send({ t: "input over" });
  }

  async #enter(entered: Entered): Promise<void> {
    const n = ++this.#count;
    const item = this.#itemOf(n, entered);
    if (isSaid(entered) && entered.file !== undefined) {
      this.#copying.set(n, entered);
      const isCopied = await this.#copy(n, entered.file, entered);
      this.#copying.delete(n);
      if (!isCopied) return;
    }
    this.#onTheirWay.add(entered, item, this.parts.view.room);
    this.#link.send({ t: "enter", item });
    // What a program has said before it goes is carried out by whoever comes next.
    if (this.parts.view.interactive && item.line !== undefined && isGoing(item.line)) this.#leaveSoon();
  }

  /** What the holder sends is a copy: the file may be where it cannot look. @returns false when it cannot be read */
  async #copy(n: number, path: string, said: Said): Promise<boolean> {
    try {
      const source = await FileSource.open(path);
      try {
        const buffer = new Uint8Array(partBytes);
        this.#link.send({ t: "part", n, bytes: new Uint8Array(0) }); // an empty file is one, too
        for (let length; !this.#over.signal.aborted && (length = await source.read(buffer)) > 0;) {
          this.#link.send({ t: "part", n, bytes: buffer.slice(0, length) });
          await this.#link.flushed();
        }
      } finally {
        source.close();
      }
      return true;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      said.discardCopy?.();
      if (said.refused) said.refused(error);
      else if (this.parts.send.length > 0) this.#refusal = error;
      else this.parts.view.warning(inWords(error));
      this.#link.send({ t: "enter", item: { n, room: null, msgIds: [] } }); // it counts as one that was not sent
      return false;
    }
  }

  /** A path is whole before it goes to another program: that one was started elsewhere. */
  #wholePaths(entered: Entered): Entered[] {
    const { pathOf } = this.parts;
    if (typeof entered !== "string") {
      if (entered instanceof ChatError) return [entered];
      if ("wish" in entered && entered.dir !== undefined) return [{ ...entered, dir: pathOf(entered.dir) }];
      const isFile = "texts" in entered && entered.file !== undefined;
      return [isFile ? { ...entered, file: pathOf(entered.file!) } : entered];
    }
    const meaning = parseLine(entered);
    if (meaning.kind !== "command" || meaning.command.name !== "send" || meaning.rest === "") {
      return [entered];
    }
    return pathsOf(meaning.rest, pathOf).map((file) => ({
      texts: [""],
      file,
      room: this.parts.view.room ?? undefined,
    }));
  }

  #itemOf(n: number, entered: Entered): EnteredItem {
    const { random } = this.parts;
    // Where it goes is for the holder to say: a command before it may lead elsewhere.
    if (entered instanceof ChatError) return { n, room: null, msgIds: [] };
    if (typeof entered === "string") return { n, line: entered, room: null, msgIds: [random(16)] };
    if ("line" in entered) return { n, line: entered.line, room: entered.room, msgIds: [entered.msgId] };
    if ("wish" in entered) {
      const { wish, id, dir } = entered;
      return { n, wish: { wish, id, ...(dir === undefined ? {} : { dir }) }, room: null, msgIds: [] };
    }
    const { texts, action, isToken, file: path, room, to, msgIds = texts.map(() => random(16)) } = entered;
    const file = entered.fileName ?? path;
    return { n, said: { texts, action, isToken, file, room, to }, room: null, msgIds };
  }

  // ---- what happens

  #show(message: Exclude<FromHolder, { t: "end" | "fail" }>): void {
    const { view } = this.parts;
    switch (message.t) {
      case "event":
        this.#onTheirWay.stored(message.event);
        return view.event(message.event);
      case "progress":
      case "notice":
      case "warning":
        return view[message.t](message.text);
      case "answer":
        return view.answer(message.lines);
      case "recalled":
        return view.recalled(message.title, message.lines);
      case "status":
        this.#hasRoom = message.status.room !== "";
        return view.status(message.status);
      case "question":
        this.#hasQuestion = message.text !== null;
        return view.question(message.text);
      case "secret":
        return void view.secret(message.question).then((typed) =>
          this.#link.send({ t: "secret typed", n: message.n, typed })
        );
      case "clear":
        return view.clear();
      case "forget typed":
        return view.forgetTyped();
      case "taken":
        return this.#onTheirWay.taken(message.n, message.ids);
      case "refused": {
        const entered = this.#onTheirWay.entered(message.n);
        const error = new ChatError(message.message, message.hint);
        if (entered && typeof entered === "object" && "refused" in entered) entered.refused?.(error);
        else if (this.parts.message !== null || this.parts.send.length > 0) this.#refusal = error;
        else view.warning(inWords(error));
        return;
      }
      case "reply":
        this.#replies.get(message.n)?.(message.value);
        this.#replies.delete(message.n);
        return;
      case "hello":
      case "pong":
        return;
    }
  }

  // ---- a holder that is stopped

  #ping(): void {
    if (this.#over.signal.aborted) return;
    const { clock, view } = this.parts;
    if (!this.#isSilent && clock.now() - this.#heardMs > silentMs) {
      this.#isSilent = true;
      view.warning(
        "The chat that holds the profile does not answer: it may have been stopped with Ctrl+Z. What you enter waits.",
      );
    }
    this.#link.send({ t: "ping" });
    clock.after(pingMs, () => this.#ping());
  }
  #heard(): void {
    this.#heardMs = this.parts.clock.now();
    if (this.#isSilent) this.parts.view.notice("The chat that holds the profile answers again.");
    this.#isSilent = false;
  }

  // ---- what the person does beside entering lines

  /** Whether a room is on the screen. */
  get hasRoom(): boolean {
    return this.#hasRoom;
  }
  /** Takes a question back. @returns whether there was one */
  cancelQuestion(): boolean {
    const had = this.#hasQuestion;
    if (had) this.#link.send({ t: "cancel" });
    return had;
  }
  /** Shows a room by its number. */
  switchTo(number: number): void {
    this.#link.send({ t: "switch", number });
  }
  /** A line can be had back with the arrow keys. */
  remember(line: string): void {
    this.#link.send({ t: "remember", line });
  }
  /** What the word before the cursor may become. */
  async complete(before: string): Promise<Completion | null> {
    // Paths are those of this program: the other one may have been started elsewhere.
    if (commandBefore(before, commands).command?.takes === "path") {
      const paths = (begun: string) => pathsFrom(begun, this.parts.pathOf);
      return completion(before, { commands, people: [], rooms: [], paths });
    }
    return await this.#ask("complete", before) as Completion | null;
  }
  /** The last `n` lines of the room on the screen that are kept. */
  async kept(n: number): Promise<readonly KeptMessage[] | null> {
    return await this.#ask("kept", n) as readonly KeptMessage[] | null;
  }
  /** Who is in the room on the screen; null when the holder has gone. */
  async people(): Promise<RoomPeople | null> {
    return await this.#ask("people", "") as RoomPeople | null;
  }
  #ask(what: Extract<FromGuest, { t: "ask" }>["what"], about: string | number): Promise<unknown> {
    const n = ++this.#count;
    this.#link.send({ t: "ask", n, what, about });
    return new Promise((resolve) => this.#replies.set(n, resolve));
  }
  /** Goes. */
  quit(): void {
    if (this.#isLeaving) return this.#link.close(); // asked for twice
    this.#link.send({ t: "quit" });
    this.#leaveSoon();
  }

  /** A holder that is stopped keeps nobody. */
  #leaveSoon(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.parts.clock.after(leaveMs, () => {
      if (this.parts.clock.now() - this.#heardMs >= leaveMs) this.#link.close();
    });
  }
}

function isSaid(entered: Entered): entered is Said {
  return typeof entered === "object" && "texts" in entered;
}

/** Whether somebody goes by that line. */
function isGoing(line: string): boolean {
  const meaning = parseLine(line);
  return meaning.kind === "quit" || (meaning.kind === "command" && meaning.command.name === "quit");
}
