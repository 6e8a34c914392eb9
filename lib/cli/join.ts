/** `chat join`: talks in a room, by itself or through the program that holds the profile already. */

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
import { kept } from "../client/commands/recall.ts";
import { dialTcp, dialTls } from "../client/connection/dial.ts";
import { InputHistory } from "../client/profile/input_history.ts";
import { openProfile, type Profile } from "../client/profile/profile.ts";
import type { Seat } from "../client/seat.ts";
import { ServerNotAccepted } from "../client/trust/known_keys.ts";
import { ChatError, exitCodes, inWords } from "../errors.ts";
import { isName } from "../protocol/identity/name.ts";
import { profilesDir } from "../storage/home.ts";
import { InUse, Lock } from "../storage/lock.ts";
import { JsonView } from "../ui/json/json_view.ts";
import { LinesView } from "../ui/lines_view.ts";
import { ResumableView } from "../ui/resumable_view.ts";
import { type Person, TerminalView } from "../ui/terminal/terminal_view.ts";
import { version } from "../version.ts";
import { readCertificates } from "./certificates.ts";
import { readConfig, withConfig } from "./config_file.ts";
import { debugLog } from "./debug_log.ts";
import { bellOf, coloursOf, isForPerson, optionsOf, timeOf } from "./join_options.ts";
import type { Parsed } from "./options.ts";
import type { Process } from "./process.ts";
import { openWithPassphrase, readSecretFile } from "./secrets.ts";
import { userName } from "./user_name.ts";

/** Runs it until the person goes. @returns the exit code @throws ChatError */
export async function join(given: Parsed, process: Process): Promise<number> {
  const hasInvite = given.positionals.length > 0 || given.values["invite-file"] !== undefined;
  const file = readConfig(given.values.home, process.env);
  // What a pipe keeps is said for that pipe.
  const config = isForPerson(given, process) ? file : { ...file, history: undefined };
  const parsed = { ...given, values: withConfig(given.values, config, hasInvite) };
  if (!parsed.switches.has("json")) return await joinWith(parsed, process, null);
  const view = new JsonView(process, parsed.switches.has("raw-tokens"));
  try {
    // A program is asked nothing, whatever terminal it was started from.
    return await joinWith(parsed, Object.create(process, { inputIsTerminal: { value: false } }), view);
  } catch (error) {
    view.failed(error);
    throw error;
  }
}

async function joinWith(parsed: Parsed, process: Process, program: JsonView | null): Promise<number> {
  const { values } = parsed;
  const options = optionsOf(parsed, process);
  const name = userName(values.user ?? await askName(parsed, process), process.env);
  // Read in any case, so that a wrong path is noticed.
  const secret = values["passphrase-file"] === undefined
    ? null
    : readSecretFile(values["passphrase-file"], process);
  const run = new Run({
    name,
    options,
    secret,
    authorities: values["tls-ca"] === undefined ? [] : [readCertificates(values["tls-ca"])],
    profiles: profilesDir(values.home, process.env),
    process,
    makeView: (own, typed, person) => program ?? viewFor(parsed, process, own, options, typed, person),
  });
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

interface RunParts {
  readonly name: string;
  readonly options: ChatOptions & EntryOptions;
  /** The passphrase, from a file. */
  readonly secret: string | null;
  /** For TLS, in PEM. */
  readonly authorities: readonly string[];
  /** The folder of all profiles. */
  readonly profiles: string;
  readonly process: Process;
  /** Makes the view. @param own the name on the card @param typed earlier lines */
  makeView(own: string, typed: readonly string[], person: Person): ChatView;
}

/** Nobody's lines: one thing is said, and that is all. */
async function* noLines(): AsyncGenerator<Entered> {}

/** What a person at the view drives: a seat here, or one in the program that holds the profile. */
interface Driven {
  complete: Person["complete"];
  kept: Person["kept"];
  switchTo(number: number): void;
  remember(line: string): void;
  /** @returns whether there was a question */
  cancelQuestion(): boolean;
  /** Whether a room is on the screen. */
  readonly hasRoom: boolean;
  quit(): void;
}

/** One run: the view stays, whoever holds the profile. */
class Run {
  #view: ChatView | null = null;
  #output: ResumableView | null = null;
  #lines: LineSource | null = null;
  #driven: Driven | null = null;
  #interrupted = false;
  #stopped = new AbortController();
  /** What is said by -m: once. */
  #message: string | null;

  constructor(private readonly parts: RunParts) {
    this.#message = parts.options.message;
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
      this.parts.options.message === null ? view.lines() : noLines(),
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
      seams: { clock, random, onBug: (error) => debug?.fault(error), onFrame: debug?.watch() },
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
      takeLines(seat, entry, { ...options, message: this.#takeMessage() });
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
    }, { clock, random });
  }

  #drivenHere(seat: Seat, typed: InputHistory, view: ChatOutput): Driven {
    let warned = false;
    return {
      complete: (before) => completion(before, wordsOf(seat.conversation)),
      kept: (n) => kept(seat.conversation, n),
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

  // ---- the person

  readonly #person: Person = {
    interrupt: (again) => this.#interrupt(again),
    says: (line) => parseLine(line).kind === "say",
    complete: (before) => this.#driven?.complete(before) ?? null,
    switchTo: (number) => this.#driven?.switchTo(number),
    kept: (n) => this.#driven?.kept(n) ?? null,
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

/** With --register the name is asked for; Enter takes the login name. */
async function askName({ values, switches }: Parsed, process: Process): Promise<string | undefined> {
  const asks = switches.has("register") && process.inputIsTerminal && values.message === undefined;
  const login = process.env("USER") ?? process.env("LOGNAME") ?? "";
  if (!asks) return undefined;
  return (await process.ask(isName(login) ? `Name [${login}]:` : "Name:"))?.trim() || undefined;
}

function viewFor(
  parsed: Parsed,
  process: Process,
  name: string,
  { room }: ChatOptions & EntryOptions,
  history: readonly string[],
  person: Person,
): ChatView {
  const { values, switches } = parsed;
  const { clock, env, tty } = process;
  const interactive = isForPerson(parsed, process);
  const bell = bellOf(values.bell);
  const time = timeOf(values.time);
  if (!interactive || switches.has("plain") || env("TERM") === "dumb") {
    const columns = process.outputIsTerminal ? () => tty.size().columns : undefined;
    return new LinesView(Object.create(process, { columns: { value: columns } }), {
      room,
      interactive,
      clock,
      name,
      bell,
      time,
      says: values.message === undefined ? "all" : "nothing",
      news: switches.has("quiet") ? "warnings" : "all",
    });
  }
  const colours = coloursOf(values.colours) ?? (env("NO_COLOR") ?? "") === "";
  return new TerminalView({ room, tty, clock, name, bell, colours, time, history, person });
}
