/**
 * JoinRun: one run of `chat join`. The view stays while the profile changes hands: this program holds it, or works
 * through another that does, and takes over when that one ends.
 */

import { join as joinPath } from "@std/path";
import { Attachment } from "../client/attach/attachment.ts";
import { attach, type Attached } from "../client/attach/reach_holder.ts";
import { Holding } from "../client/attach/holding.ts";
import { LineSource } from "../client/attach/line_source.ts";
import type { ChatOptions } from "../client/chat_options.ts";
import type { ChatOutput, ChatView, Entered } from "../client/chat_view.ts";
import { completion } from "../client/commands/completion.ts";
import { parseLine, wordsOf } from "../client/commands/commands.ts";
import { type EntryOptions, takeLines } from "../client/commands/line_entry.ts";
import { peopleHere } from "../client/commands/people_here.ts";
import { kept } from "../client/commands/recall.ts";
import { dialTcp, dialTls } from "../client/connection/dial.ts";
import { InputHistory } from "../client/profile/input_history.ts";
import { openProfile, type Profile } from "../client/profile/profile.ts";
import type { Seat } from "../client/seat.ts";
import { ServerNotAccepted } from "../client/trust/known_keys.ts";
import { ChatError, exitCodes, inWords } from "../errors.ts";
import { InUse, Lock } from "../storage/lock.ts";
import { ResumableView } from "../ui/resumable_view.ts";
import type { PageOwner } from "../ui/web/web_view.ts";
import { version } from "../version.ts";
import { debugLog } from "./debug_log.ts";
import { wholePath } from "./join_options.ts";
import type { Process } from "./process.ts";
import { openWithPassphrase } from "./secrets.ts";

/** What a run needs. */
export interface RunParts {
  /** Of the profile. */
  readonly name: string;
  /** Of the command line. */
  readonly options: ChatOptions & EntryOptions;
  /** The passphrase, from a file. */
  readonly secret: string | null;
  /** For TLS, in PEM. */
  readonly authorities: readonly string[];
  /** The folder of all profiles. */
  readonly profiles: string;
  /** Ours. */
  readonly process: Process;
  /** Makes the view. @param own the name on the card @param typed earlier lines */
  makeView(own: string, typed: readonly string[], person: PageOwner): ChatView;
}

/** Nobody's lines: one thing is said, and that is all. */
async function* noLines(): AsyncGenerator<Entered> {}

/** What a person at the view drives: a seat here, or one in the program that holds the profile. */
interface Driven {
  complete: PageOwner["complete"];
  kept: PageOwner["kept"];
  people: PageOwner["people"];
  switchTo(number: number): void;
  remember(line: string): void;
  /** @returns whether there was a question */
  cancelQuestion(): boolean;
  /** Whether a room is on the screen. */
  readonly hasRoom: boolean;
  quit(): void;
}

/** One run: the view stays, whoever holds the profile. */
export class JoinRun {
  #view: ChatView | null = null;
  #output: ResumableView | null = null;
  #lines: LineSource | null = null;
  #driven: Driven | null = null;
  #interrupted = false;
  #stopped = new AbortController();
  /** What is said by -m: once. */
  #message: string | null;
  /** What is sent by --send: once. */
  #files: string[];

  /** @param parts of it */
  constructor(private readonly parts: RunParts) {
    this.#message = parts.options.message;
    this.#files = [...parts.options.send];
    parts.process.onStop(() => this.#stop());
  }

  /** @returns the exit code @throws ChatError */
  async run(): Promise<number> {
    try {
      for (;;) {
        const code = await this.#asHolder() ?? await this.#asGuest();
        if (code !== null) return this.#interrupted ? exitCodes.interrupted : code;
        // The holder is gone: this one takes its place, or follows another that does.
        if (this.#interrupted) return exitCodes.interrupted;
        this.#output?.resume();
      }
    } finally {
      const lost = this.#lines?.waiting ?? 0;
      if (lost > 0) {
        this.#output?.warning(lost === 1 ? "One line was not sent." : `${lost} lines were not sent.`);
      }
    }
  }

  /** Gives the terminal back. */
  close(): void {
    this.#view?.close();
  }

  get #dir(): string {
    return joinPath(this.parts.profiles, this.parts.name);
  }

  #viewFor(own: string, typed: readonly string[]): { view: ResumableView; lines: LineSource } {
    const view = this.#view ??= this.parts.makeView(own, typed, this.#person);
    const lines = this.#lines ??= new LineSource(
      this.parts.options.message === null && this.parts.options.send.length === 0 ? view.lines() : noLines(),
    );
    return { view: this.#output ??= new ResumableView(view), lines };
  }

  // ---- with the profile

  /** Runs with the profile in hand. @returns null when another process has it */
  async #asHolder(): Promise<number | null> {
    let profile: Profile;
    try {
      profile = await this.#open();
    } catch (error) {
      if (error instanceof InUse && Deno.build.os !== "windows") return null;
      throw error;
    }
    const { options, authorities, process } = this.parts;
    const { clock, random } = process;
    const typed = new InputHistory(profile.files);
    const debug = debugLog(process);
    const holding = new Holding({
      profile,
      dir: this.#dir,
      typed,
      version,
      pid: Deno.pid,
      seams: {
        clock,
        random,
        pathOf: (path) => wholePath(path, process),
        onBug: (error) => debug?.fault(error),
        onFrame: debug?.watch(),
      },
      dial: (to, by) => to.tls ? dialTls(by) : dialTcp,
    });
    const { view, lines } = this.#viewFor(profile.name, typed.all);
    try {
      if (Deno.build.os !== "windows") holding.listen((text) => view.warning(text));
      const chat = holding.chat(options, authorities);
      const seat = chat.seat(view, options, { seen: view.seen, room: view.room });
      this.#driven = this.#drivenHere(seat, typed, view);
      if (this.#interrupted) seat.quit();
      const over = new AbortController();
      seat.ended.catch(() => {}).finally(() => over.abort());
      const entry = { interactive: view.interactive, lines: () => lines.taken(over.signal) };
      takeLines(seat, entry, { ...options, message: this.#takeMessage(), send: this.#takeFiles() });
      holding.run(chat).catch((error) => seat.fail(error)); // a fault of ours ends it, and is told as one
      return await seat.ended;
    } catch (error) {
      if (!this.#interrupted || !(error instanceof ServerNotAccepted)) throw error;
      process.err("Nothing about you was sent.\n");
      return exitCodes.interrupted;
    } finally {
      await holding.close();
    }
  }

  #open(): Promise<Profile> {
    const { process, profiles, name, secret } = this.parts;
    const { clock, random } = process;
    return openProfile(profiles, name, {
      passphrase: async (open) => {
        if (secret !== null) return open(secret);
        // A view that is there has the terminal: it asks.
        const askSecret = (question: string) => this.#view!.secret(question);
        const err = (text: string) => this.#output?.notice(text.trim());
        const asked = this.#view
          ? Object.create(process, {
            askSecret: { value: askSecret },
            inputIsTerminal: { value: this.#view.interactive },
            err: { value: err },
          })
          : process;
        return await openWithPassphrase(asked, undefined, name, open);
      },
      making() {
        process.err("Making your keys; this takes a moment.\n");
        return secret;
      },
      moved: (words) => process.err(`[!] ${words}\n`),
    }, { clock, random });
  }

  #drivenHere(seat: Seat, typed: InputHistory, view: ChatOutput): Driven {
    let warned = false;
    return {
      complete: (before) => completion(before, wordsOf(seat.conversation)),
      kept: (n) => kept(seat.conversation, n),
      people: () => peopleHere(seat.conversation),
      switchTo: (number) => seat.conversation.switchToNumber(number),
      remember(line) {
        try {
          typed.add(line);
        } catch (error) {
          if (!(error instanceof ChatError)) throw error;
          if (!warned) view.warning(inWords(error));
          warned = true;
        }
      },
      cancelQuestion: () => seat.questions.cancel(),
      get hasRoom() {
        return seat.rooms.shown !== null;
      },
      quit: () => seat.quit(),
    };
  }

  // ---- through another process

  /** Works through whoever has the profile. @returns null when that one is gone @throws ChatError */
  async #asGuest(): Promise<number | null> {
    const { clock, random } = this.parts.process;
    const patience = this.#driven && {
      signal: this.#stopped.signal,
      waits: () =>
        this.#output?.notice(
          "Waiting for the program that has the profile now; it may be asking for the passphrase there. What you enter waits too.",
        ),
    };
    const attached: Attached | null = await attach(
      this.#dir,
      version,
      clock,
      () => isFree(this.#dir),
      patience,
    );
    if (!attached) return null;
    const { options, authorities } = this.parts;
    const { view, lines } = this.#viewFor(attached.name, attached.typed);
    const attachment = new Attachment({
      attached,
      options,
      authorities,
      message: this.#takeMessage(),
      send: this.#takeFiles(),
      pathOf: (path) => wholePath(path, this.parts.process),
      listen: options.listen,
      version,
      view,
      lines,
      clock,
      random,
    });
    this.#driven = {
      complete: (before) => attachment.complete(before),
      kept: (n) => attachment.kept(n),
      people: () => attachment.people(),
      switchTo: (number) => attachment.switchTo(number),
      remember: (line) => attachment.remember(line),
      cancelQuestion: () => attachment.cancelQuestion(),
      get hasRoom() {
        return attachment.hasRoom;
      },
      quit: () => attachment.quit(),
    };
    if (this.#interrupted) attachment.quit();
    const code = await attachment.run();
    if (code === null) lines.giveBack(attachment.unfinished);
    return code;
  }

  #takeMessage(): string | null {
    const message = this.#message;
    this.#message = null;
    return message;
  }

  #takeFiles(): readonly string[] {
    return this.#files.splice(0);
  }

  // ---- the person

  readonly #person: PageOwner = {
    interrupt: (again) => this.#interrupt(again),
    says: (line) => parseLine(line).kind === "say",
    complete: (before) => this.#driven?.complete(before) ?? null,
    switchTo: (number) => this.#driven?.switchTo(number),
    kept: (n) => this.#driven?.kept(n) ?? null,
    people: () => this.#driven?.people() ?? null,
    entered: (line) => this.#driven?.remember(line),
  };

  #stop(): void {
    this.#interrupted = true;
    this.#stopped.abort();
    this.#driven?.quit();
  }

  #interrupt(again: boolean): boolean {
    if (again) this.#stop();
    else if (!this.#driven?.cancelQuestion()) return false;
    else this.#interrupted = !this.#driven.hasRoom; // no to the first question of all ends the program
    return true;
  }
}

/** Whether nobody holds the profile, at the moment. */
function isFree(dir: string): boolean {
  try {
    Lock.take(joinPath(dir, "lock"), "", "").release();
    return true;
  } catch (error) {
    if (error instanceof InUse) return false;
    throw error;
  }
}
