/**
 * Attachment: a program that works through the one that holds the profile: what is entered goes there, and what happens
 * comes from there. When that one ends, nothing is lost: what was entered and is not known to be stored is given back,
 * each line under its id, so that it is said once.
 */

import { encodeHex } from "@std/encoding/hex";
import { type Clock, sleep } from "../../clock.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError, exitCodes, inWords } from "../../errors.ts";
import type { ChatOptions } from "../chat_options.ts";
import { parseLine } from "../commands/commands.ts";
import type { ChatOutput, Entered, Said, Typed } from "../chat_view.ts";
import type { KeptMessage, RoomEvent } from "../room_events.ts";
import {
  AttachLink,
  attachProtocol,
  type EnteredItem,
  type FromGuest,
  type FromHolder,
} from "./attach_messages.ts";
import { type Holder, readHolder } from "./holder_file.ts";
import type { LineSource } from "./line_source.ts";

const answerMs = 2_000;
const againMs = 50;
const pingMs = 2_000;
/** A holder that has much to do may be late. */
const silentMs = 10_000;
const leaveMs = 3_000;

/** The holder does not do for us. */
export class HolderTrouble extends ChatError {}

/** A holder that answers. */
export interface Attached {
  /** The name on the card. */
  readonly name: string;
  /** Lines that were typed before. */
  readonly typed: readonly string[];
  /** The socket. */
  readonly link: AttachLink<FromHolder, FromGuest>;
  /** What comes over it. */
  readonly messages: AsyncIterator<FromHolder>;
}

/** Somebody who was attached before, and would lose what is on its way. */
export interface Patience {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** It takes long: whoever takes over may be asking for a passphrase. */
  waits(): void;
}

/**
 * Reaches whoever holds a profile.
 *
 * @param patience of somebody who waits for as long as it takes
 * @param dir the profile's folder @param version of this program @param isFree whether nobody holds it any more
 * @returns null when nobody does @throws HolderTrouble when it does not answer in 2 s, or is of another version
 */
export async function attach(
  dir: string,
  version: string,
  clock: Clock,
  isFree: () => boolean,
  patience: Patience | null = null,
): Promise<Attached | null> {
  const until = clock.now() + answerMs;
  let last: Holder | null = null;
  let isTold = false;
  for (;;) {
    if (isFree() || patience?.signal.aborted) return null;
    last = readHolder(dir) ?? last;
    if (last && last.version !== version) throw otherVersion(last, version);
    const attached = last && await hello(last, clock, Math.max(answerMs / 4, until - clock.now()));
    if (attached && typeof attached === "object") return attached;
    if (clock.now() >= until) {
      if (!patience) break;
      if (!isTold) patience.waits();
      isTold = true;
    }
    await sleep(clock, againMs, patience?.signal ?? new AbortController().signal);
  }
  const who = last ? ` (process ${last.pid})` : "";
  throw new HolderTrouble(
    `The profile is in use by another chat${who}, which does not answer`,
    "it may have been stopped with Ctrl+Z, or ask for its passphrase: go on there (fg), or end it",
  );
}

async function hello(holder: Holder, clock: Clock, ms: number): Promise<Attached | "gone" | "silent"> {
  let conn: Deno.Conn;
  try {
    conn = await Deno.connect({ transport: "unix", path: holder.socket });
  } catch {
    return "gone";
  }
  const link = new AttachLink<FromHolder, FromGuest>(conn);
  const messages = link.messages();
  const late = new AbortController();
  const first = await Promise.race([
    messages.next(),
    sleep(clock, Math.max(1, ms), late.signal).then(() => "silent" as const),
  ]);
  late.abort();
  if (first === "silent" || first.done) {
    link.close();
    return first === "silent" ? "silent" : "gone";
  }
  const { value } = first;
  if (value.t !== "hello" || value.protocol !== attachProtocol) {
    link.close();
    throw otherVersion(holder, "");
  }
  return { name: value.name, typed: value.typed, link, messages };
}

function otherVersion({ version, pid }: Holder, own: string): HolderTrouble {
  return new HolderTrouble(
    `The profile is held by chat ${version} (process ${pid}), and this is chat ${own}`,
    "end the other one, or use the same version in both",
  );
}

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

interface OnItsWay {
  readonly entered: Entered;
  readonly item: EnteredItem;
  /** The room that was on the screen; null before there was one. */
  readonly room: string | null;
  /** What of it is not known to be stored; null before it was taken. */
  unstored: Set<string> | null;
}

/** One attachment. */
export class Attachment {
  #link: AttachLink<FromHolder, FromGuest>;
  #over = new AbortController();
  #onItsWay = new Map<number, OnItsWay>();
  #replies = new Map<number, (value: unknown) => void>();
  #count = 0;
  #hasQuestion = false;
  #hasRoom = false;
  #isSilent = false;
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
        if (value.t === "end") return value.code;
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
    const again: Entered[] = [];
    const { options, view } = this.parts;
    const isToOne = options.to !== null && !view.interactive; // whatever is on the screen
    // After a command that may lead elsewhere a line belongs where that leads.
    let hasMoved = false;
    for (const { entered, item, unstored, room: here } of this.#onItsWay.values()) {
      if (unstored?.size === 0) continue;
      const { line, said, msgIds } = item;
      const room = hasMoved ? null : here;
      if (line !== undefined) {
        hasMoved ||= mayMove(line);
        again.push({ line, msgId: msgIds[0], room, taken: () => {} } satisfies Typed);
      } else if (said) {
        const where = said.room ?? (isToOne || said.to !== undefined ? undefined : room ?? undefined);
        again.push({ ...(entered as Said), room: where, msgIds } satisfies Said);
      }
    }
    return again;
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
    const { message, lines } = this.parts;
    if (message !== null) this.#enter({ texts: [message] });
    for await (const entered of lines.taken(this.#over.signal)) this.#enter(entered);
    if (!this.#over.signal.aborted) this.#link.send({ t: "input over" });
  }

  #enter(entered: Entered): void {
    const n = ++this.#count;
    const item = this.#itemOf(n, entered);
    this.#onItsWay.set(n, { entered, item, room: item.room ?? this.parts.view.room, unstored: null });
    for (const id of item.msgIds) this.#byId.set(encodeHex(id), n);
    this.#link.send({ t: "enter", item });
    // What a program has said before it goes is carried out by whoever comes next.
    if (this.parts.view.interactive && item.line !== undefined && isGoing(item.line)) this.#leaveSoon();
  }

  #itemOf(n: number, entered: Entered): EnteredItem {
    const { random } = this.parts;
    // Where it goes is for the holder to say: a command before it may lead elsewhere.
    if (entered instanceof ChatError) return { n, room: null, msgIds: [] };
    if (typeof entered === "string") return { n, line: entered, room: null, msgIds: [random(16)] };
    if ("line" in entered) return { n, line: entered.line, room: entered.room, msgIds: [entered.msgId] };
    const { texts, action, isToken, room, to, msgIds = texts.map(() => random(16)) } = entered;
    return { n, said: { texts, action, isToken, room, to }, room: null, msgIds };
  }

  // ---- what happens

  #show(message: Exclude<FromHolder, { t: "end" | "fail" }>): void {
    const { view } = this.parts;
    switch (message.t) {
      case "event":
        this.#stored(message.event);
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
        return this.#taken(message.n, message.ids);
      case "refused": {
        const { entered } = this.#onItsWay.get(message.n) ?? {};
        const error = new ChatError(message.message, message.hint);
        if (entered && typeof entered === "object" && "refused" in entered) entered.refused?.(error);
        else if (this.parts.message !== null) this.#refusal = error; // it ends with that
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

  #taken(n: number, ids: readonly string[]): void {
    const line = this.#onItsWay.get(n);
    if (!line) return;
    const { entered } = line;
    if (typeof entered === "object" && "pending" in entered) { for (const id of ids) entered.pending?.(id); }
    line.unstored = new Set(ids.filter((id) => !this.#storedEarly.delete(id)));
    for (const id of line.unstored) this.#byId.set(id, n);
    if (line.unstored.size === 0) this.#done(n);
  }

  #done(n: number): void {
    for (const id of this.#onItsWay.get(n)?.item.msgIds ?? []) this.#byId.delete(encodeHex(id));
    this.#onItsWay.delete(n);
  }

  #byId = new Map<string, number>();
  /** Stored before the holder has said that it was taken. */
  #storedEarly = new Set<string>();

  #stored(event: RoomEvent): void {
    const isDone = (event.type === "message" && event.own) || event.type === "failed" ||
      event.type === "withdrawn";
    const n = isDone ? this.#byId.get(event.msgId) : undefined;
    const line = n === undefined ? undefined : this.#onItsWay.get(n);
    if (!isDone || n === undefined || !line) return;
    if (!line.unstored) return void this.#storedEarly.add(event.msgId);
    line.unstored.delete(event.msgId);
    if (line.unstored.size === 0) this.#done(n);
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
  async complete(before: string): Promise<{ from: number; words: readonly string[] } | null> {
    return await this.#ask("complete", before) as { from: number; words: readonly string[] } | null;
  }
  /** The last `n` lines of the room on the screen that are kept. */
  async kept(n: number): Promise<readonly KeptMessage[] | null> {
    return await this.#ask("kept", n) as readonly KeptMessage[] | null;
  }
  #ask(what: "complete" | "kept", about: string | number): Promise<unknown> {
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
  #isLeaving = false;
  #refusal: ChatError | null = null;
}

/** Whether somebody goes by that line. */
function isGoing(line: string): boolean {
  const meaning = parseLine(line);
  return meaning.kind === "quit" || (meaning.kind === "command" && meaning.command.name === "quit");
}

/** Whether a line may put another room on the screen. */
function mayMove(line: string): boolean {
  const meaning = parseLine(line);
  return meaning.kind === "command" && meaning.command.says === undefined;
}
