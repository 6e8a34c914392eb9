/** `chat join`: talks in a room. */

import { debugLog } from "./debug_log.ts";
import { Chat } from "../client/chat.ts";
import type { ChatOptions } from "../client/chat_options.ts";
import { type EntryOptions, talk } from "../client/commands/line_entry.ts";
import { dialTcp, dialTls } from "../client/connection/dial.ts";
import { ServerNotAccepted } from "../client/trust/known_keys.ts";
import type { LoginOptions } from "../client/connection/login.ts";
import { openProfile } from "../client/profile/profile.ts";
import type { ChatView } from "../client/chat_view.ts";
import type { Bytes } from "../crypto/bytes.ts";
import { InputHistory } from "../client/profile/input_history.ts";
import { completion } from "../client/commands/completion.ts";
import { parseLine, wordsOf } from "../client/commands/commands.ts";
import { kept } from "../client/commands/recall.ts";
import { parseKeptDays } from "../client/profile/history_choice.ts";
import { ChatError, exitCodes, inWords } from "../errors.ts";
import { BadName, isName } from "../protocol/identity/name.ts";
import { encodePassword } from "../protocol/identity/password.ts";
import { maxTokenBytes } from "../protocol/channel/handshake.ts";
import { profilesDir } from "../storage/home.ts";
import { JsonView } from "../ui/json/json_view.ts";
import { LinesView } from "../ui/lines_view.ts";
import { type Bell, bells } from "../ui/bell.ts";
import { type TimeStyle, timeStyles } from "../ui/time_column.ts";
import { type Person, TerminalView } from "../ui/terminal/terminal_view.ts";
import { canonicalHost } from "../canonical_host.ts";
import { hostPort } from "../host_port.ts";
import { command } from "../program.ts";
import { BadInvite, hasInvite, type Invite, parseInvite } from "../protocol/identity/invite.ts";
import { type Parsed, parsePort, UsageError } from "./options.ts";
import type { Process } from "./process.ts";
import { isStandardInput } from "../storage/secret_file.ts";
import { readCertificates } from "./certificates.ts";
import { existingPassphrase, readRoomKey, readSecretFile, readTextFile } from "./secrets.ts";
import { userName } from "./user_name.ts";

/** Runs it until the person goes. @returns the exit code @throws ChatError */
export async function join(parsed: Parsed, process: Process): Promise<number> {
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
  refuseSharedInput(parsed);
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
    complete: (before) => completion(before, wordsOf(chat.conversation)),
    switchTo: (number) => chat.conversation.switchToNumber(number),
    kept: (n) => kept(chat.conversation, n),
    entered: (line) => keepTyped(line),
  };
  const view = program ?? viewFor(parsed, process, profile.name, options, typed, person);
  const chat: Chat = new Chat(profile, options, view, {
    clock,
    random,
    dial: options.tls ? dialTls(authorities(values["tls-ca"])) : dialTcp,
    typed,
    onBug: (error) => debug?.fault(error),
    onFrame: debug?.watch(),
  });
  let interrupted = false;
  const stop = () => {
    interrupted = true;
    chat.quit();
  };
  const interrupt = (again: boolean) => {
    if (again) stop();
    else if (!chat.conversation.questions.cancel()) return false;
    else interrupted = chat.conversation.room === null; // no to the first question of all ends the program
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
    const code = await talk(chat, view, options);
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

function optionsOf(
  { values, switches, positionals }: Parsed,
  process: Process,
): ChatOptions & EntryOptions {
  const invite = inviteOf(values, positionals, process);
  if (invite && (values.server !== undefined || values.port !== undefined || values.room !== undefined)) {
    throw new UsageError("An invite says host, port and room already", "leave out -s, -p and --room");
  }
  const room = invite?.room ?? values.room ?? "lobby";
  if (!isName(room)) throw new BadName("room name", room);
  if (values.key !== undefined && values.fernet !== undefined) {
    throw new UsageError(
      "--key and --fernet contradict each other",
      "--key FILE mixes a key file into an ordinary room; --fernet FILE enters a room of everybody who has it",
    );
  }
  if (switches.has("raw-tokens") && !(switches.has("json") && values.fernet !== undefined)) {
    throw new UsageError(
      "--raw-tokens is for programs in a key-file room",
      "add --json and --fernet FILE",
    );
  }
  const timeout = Number(values["join-timeout"] ?? 60);
  if (!(timeout > 0 && timeout <= 86_400)) {
    throw new UsageError(
      `"${values["join-timeout"]}" is not a number of seconds`,
      "give --join-timeout a number from 1 to 86400",
    );
  }
  return {
    host: invite?.host ?? hostOf(values.server),
    tls: invite?.tls === true || switches.has("tls"),
    port: invite?.port ?? parsePort(values.port),
    room,
    token: readToken(values["token-file"], process),
    expectServer: invite?.serverId ?? null,
    acceptNew: switches.has("accept-new"),
    trust: values.trust === undefined ? null : trusted(values.trust),
    joinTimeoutMs: timeout * 1000,
    message: values.message ?? null,
    roomKey: values.key === undefined ? null : readRoomKey(values.key, process),
    fernetKey: values.fernet === undefined ? null : readRoomKey(values.fernet, process),
    pins: invite?.pins ?? null,
    login: loginOf(values, switches, process),
    listen: switches.has("listen"),
    history: {
      days: values.history === undefined ? null : parseKeptDays(values.history),
      isPersons: isForPerson(values, process) && !switches.has("json"),
    },
  };
}

/** The invite on the command line, whole or in the pieces that a shell makes of it; null without one. */
function inviteOf(
  values: Parsed["values"],
  positionals: readonly string[],
  process: Process,
): Invite | null {
  const file = values["invite-file"];
  if (file !== undefined) {
    if (positionals.length > 0) {
      throw new UsageError("There is an invite file, and an argument beside it", "give one of them");
    }
    return parseInvite(readTextFile(file, process));
  }
  if (positionals.length === 0) return null;
  const text = positionals.join(" ");
  if (hasInvite(text)) return parseInvite(text);
  const [first, second] = positionals;
  if (values.message !== undefined) {
    throw new UsageError(
      `"${first}" does not belong to what is said`,
      `put it in quotes: -m "${[values.message, ...positionals].join(" ")}"`,
    );
  }
  const place = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(first);
  if (place && !second) {
    throw new UsageError(
      `"${first}" is not an invite`,
      `to join at that address: ${command(`join -s ${place[1].replace(/^\[|\]$/g, "")} -p ${place[2]}`)}`,
    );
  }
  if (isName(first) && !second) {
    throw new UsageError(
      `"${first}" is not an invite`,
      `as your name: ${command(`join -u ${first}`)}; as a room: ${command(`join --room ${first}`)}`,
    );
  }
  if (canonicalHost(first) !== null && first.includes(".") && !second) {
    throw new UsageError(
      `"${first}" is not an invite`,
      `to join at that address: ${command(`join -s ${first}`)}`,
    );
  }
  throw new BadInvite();
}

/** A host in its one spelling. @throws UsageError */
function hostOf(text: string | undefined): string {
  if (text === undefined) return "127.0.0.1";
  if (hasInvite(text)) {
    throw new UsageError(
      "-s takes a host, and that is an invite",
      `give it alone: ${command("join INVITE")}`,
    );
  }
  const place = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text);
  if (place) {
    throw new UsageError(
      `"${text}" is a host and a port`,
      `give them apart: -s ${place[1].replace(/^\[|\]$/g, "")} -p ${place[2]}`,
    );
  }
  const host = canonicalHost(text);
  if (host !== null) return host;
  throw new UsageError(
    `"${text}" is not a host name or address`,
    "give the host alone, and the port with -p",
  );
}

/** A name, or a server as pins have it. */
function trusted(text: string): string {
  const place = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text);
  const host = place && canonicalHost(place[1]);
  return host ? hostPort(host, Number(place[2])) : text;
}

/** Standard input cannot be a secret and what is said. */
function refuseSharedInput({ values, switches }: Parsed): void {
  const flag = secretFlags.find((name) => values[name] !== undefined && isStandardInput(values[name]));
  if (flag === undefined || values.message !== undefined || switches.has("listen")) return;
  throw new UsageError(
    `--${flag} is to be read from standard input, from which what you say comes`,
    "put the secret into a file; or say one thing with -m, or nothing with --listen",
  );
}
const secretFlags = [
  "token-file",
  "passphrase-file",
  "password-file",
  "registration-token-file",
  "key",
  "fernet",
  "invite-file",
];

function loginOf(
  values: Parsed["values"],
  switches: Parsed["switches"],
  process: Process,
): LoginOptions {
  const { "password-file": passwordFile, "registration-token-file": tokenFile } = values;
  if (tokenFile !== undefined && !switches.has("register")) {
    throw new UsageError("--registration-token-file is for --register", "add --register, or leave it out");
  }
  const password = passwordFile === undefined ? null : readSecretFile(passwordFile, process);
  if (password !== null) encodePassword(password);
  return {
    register: switches.has("register"),
    password,
    registrationToken: tokenFile === undefined ? null : readSecretFile(tokenFile, process),
  };
}

/** Whether somebody reads along and types. */
function isForPerson({ message }: Parsed["values"], process: Process): boolean {
  return process.inputIsTerminal && process.outputIsTerminal && message === undefined;
}

function viewFor(
  { values, switches }: Parsed,
  process: Process,
  name: string,
  { room }: ChatOptions & EntryOptions,
  { all: history }: InputHistory,
  person: Person,
): ChatView {
  const { clock, env, tty } = process;
  const interactive = isForPerson(values, process);
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
  const colours = (env("NO_COLOR") ?? "") === "";
  return new TerminalView({ room, tty, clock, name, bell, colours, time, history, person });
}

function bellOf(text = "mentions"): Bell {
  const bell = bells.find((each) => each === text);
  if (bell) return bell;
  throw new UsageError(`--bell cannot be "${text}"`, `give ${bells.join(", ")}`);
}

function timeOf(text: string | undefined): TimeStyle | null {
  const style = timeStyles.find((each) => each === text);
  if (style || text === undefined) return style ?? null;
  throw new UsageError(`--time cannot be "${text}"`, `give ${timeStyles.join(", ")}`);
}

function readToken(path: string | undefined, process: Process): Bytes {
  const token = new TextEncoder().encode(path === undefined ? "" : readSecretFile(path, process)) as Bytes;
  if (token.length <= maxTokenBytes) return token;
  throw new UsageError(`The access token in "${path}" is too long`, `it has at most ${maxTokenBytes} bytes`);
}
