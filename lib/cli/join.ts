/** `chat join`: talks in a room. */

import type { ChatOptions } from "../client/chat_options.ts";
import type { ChatView } from "../client/chat_view.ts";
import { Chat } from "../client/chat.ts";
import { completion } from "../client/commands/completion.ts";
import { parseLine, wordsOf } from "../client/commands/commands.ts";
import { type EntryOptions, takeLines } from "../client/commands/line_entry.ts";
import { kept } from "../client/commands/recall.ts";
import { dialTcp, dialTls } from "../client/connection/dial.ts";
import { InputHistory } from "../client/profile/input_history.ts";
import { openProfile } from "../client/profile/profile.ts";
import type { Seat } from "../client/seat.ts";
import { ServerNotAccepted } from "../client/trust/known_keys.ts";
import { ChatError, exitCodes, inWords } from "../errors.ts";
import { isName } from "../protocol/identity/name.ts";
import { profilesDir } from "../storage/home.ts";
import { JsonView } from "../ui/json/json_view.ts";
import { LinesView } from "../ui/lines_view.ts";
import { type Person, TerminalView } from "../ui/terminal/terminal_view.ts";
import { readCertificates } from "./certificates.ts";
import { readConfig, withConfig } from "./config_file.ts";
import { debugLog } from "./debug_log.ts";
import { bellOf, coloursOf, isForPerson, optionsOf, timeOf } from "./join_options.ts";
import type { Parsed } from "./options.ts";
import type { Process } from "./process.ts";
import { existingPassphrase, readSecretFile } from "./secrets.ts";
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
  const name = userName(values.user ?? await askName(parsed, process), process.env);
  const options = optionsOf(parsed, process);
  const { clock, random } = process;
  // Read in any case, so that a wrong path is noticed.
  const newSecret = values["passphrase-file"] === undefined
    ? null
    : readSecretFile(values["passphrase-file"], process);
  const profile = await openProfile(profilesDir(values.home, process.env), name, {
    passphrase: () =>
      newSecret === null ? existingPassphrase(process, undefined, name) : Promise.resolve(newSecret),
    making() {
      process.err("Making your keys; this takes a moment.\n");
      return newSecret;
    },
  }, { clock, random });
  const debug = debugLog(process);
  const typed = new InputHistory(profile.files);
  const person: Person = {
    interrupt: (again) => interrupt(again),
    says: (line) => parseLine(line).kind === "say",
    complete: (before) => completion(before, wordsOf(seat.conversation)),
    switchTo: (number) => seat.conversation.switchToNumber(number),
    kept: (n) => kept(seat.conversation, n),
    entered: (line) => keepTyped(line),
  };
  const view = program ?? viewFor(parsed, process, profile.name, options, typed, person);
  const chat = new Chat(profile, options, {
    clock,
    random,
    dial: options.tls ? dialTls(authorities(values["tls-ca"])) : dialTcp,
    typed,
    onBug: (error) => debug?.fault(error),
    onFrame: debug?.watch(),
  });
  const seat: Seat = chat.seat(view);
  let interrupted = false;
  const stop = () => {
    interrupted = true;
    seat.quit();
  };
  const interrupt = (again: boolean) => {
    if (again) stop();
    else if (!seat.questions.cancel()) return false;
    else interrupted = seat.rooms.shown === null; // no to the first question of all ends the program
    return true;
  };
  let warned = false;
  const keepTyped = (line: string) => {
    try {
      typed.add(line);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      if (!warned) view.warning(inWords(error));
      warned = true;
    }
  };
  process.onStop(stop);
  try {
    takeLines(seat, view, options);
    await chat.run();
    const code = await seat.ended;
    return interrupted ? exitCodes.interrupted : code;
  } catch (error) {
    if (interrupted && error instanceof ServerNotAccepted) {
      process.err("Nothing about you was sent.\n");
      return exitCodes.interrupted;
    }
    throw error;
  } finally {
    view.close();
    profile.close();
  }
}

/** `--tls-ca`: authorities beside those of the system. @throws FileTrouble, UsageError */
function authorities(path: string | undefined): string[] {
  return path === undefined ? [] : [readCertificates(path)];
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
  { all: history }: InputHistory,
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
    });
  }
  const colours = coloursOf(values.colours) ?? (env("NO_COLOR") ?? "") === "";
  return new TerminalView({ room, tty, clock, name, bell, colours, time, history, person });
}
