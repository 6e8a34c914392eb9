/** JoinOptions: what the command line of `chat join` says, and what somebody meant who says it otherwise. */

import { canonicalHost } from "../canonical_host.ts";
import type { ChatOptions } from "../client/chat_options.ts";
import type { EntryOptions } from "../client/commands/line_entry.ts";
import type { LoginOptions } from "../client/connection/login.ts";
import { parseKeptDays } from "../client/profile/history_choice.ts";
import type { Bytes } from "../crypto/bytes.ts";
import { type Address, hostPort, maxAddresses, splitHostPort } from "../host_port.ts";
import { command } from "../program.ts";
import { maxTokenBytes } from "../protocol/channel/handshake.ts";
import {
  BadInvite,
  hasInvite,
  type Invite,
  parseAddresses,
  parseInvite,
} from "../protocol/identity/invite.ts";
import { BadName, isName } from "../protocol/identity/name.ts";
import { encodePassword } from "../protocol/identity/password.ts";
import { isStandardInput } from "../storage/secret_file.ts";
import { type Bell, bells } from "../ui/bell.ts";
import { type TimeStyle, timeStyles } from "../ui/time_column.ts";
import { join, resolve } from "@std/path";
import { bytesOf } from "./byte_size.ts";
import { type Parsed, parsePort, UsageError } from "./options.ts";
import type { Process } from "./process.ts";
import { readRoomKey, readSecretFile, readTextFile } from "./secrets.ts";

/** Whether somebody reads along and types. */
export function isForPerson({ values, switches }: Parsed, process: Process): boolean {
  if (values.web !== undefined) return true;
  const isThere = process.inputIsTerminal && process.outputIsTerminal;
  return isThere && values.message === undefined && values.send === undefined && !switches.has("json");
}

/** `--web[=PORT]`: 0 is any port that is free; null: no page. @throws UsageError */
export function webPortOf({ values, switches, positionals }: Parsed): number | null {
  const { web } = values;
  if (web === undefined) return null;
  if (web === "" && /^\d{1,5}$/.test(positionals[0] ?? "")) {
    throw new UsageError(
      `--web takes its port after an equals sign, and "${positionals[0]}" stands apart`,
      `write --web=${positionals[0]}`,
    );
  }
  const against = ["message", "send"].find((name) => values[name] !== undefined) ??
    ["json", "plain", "listen"].find((name) => switches.has(name));
  if (against !== undefined) {
    throw new UsageError(`--web and --${against} contradict each other`, "leave one of them out");
  }
  return web === "" ? 0 : parsePort(web);
}

/** Reads the command line of join. @throws UsageError and what the files on it say */
export function optionsOf(parsed: Parsed, process: Process): ChatOptions & EntryOptions {
  const { values, switches, positionals } = parsed;
  refuseSharedInput(parsed);
  // First: a flag that has swallowed the next one is told as such.
  const days = values.history === undefined ? null : parseKeptDays(values.history);
  bellOf(values.bell);
  timeOf(values.time);
  coloursOf(values.colours);
  const invite = inviteOf(values, positionals, process);
  if (invite && (values.server !== undefined || values.port !== undefined || values.room !== undefined)) {
    throw new UsageError("An invite says host, port and room already", "leave out -s, -p and --room");
  }
  const room = invite?.room ?? roomOf(values.room);
  const tls = invite?.tls === true || switches.has("tls");
  if (values["tls-ca"] !== undefined && !tls) {
    throw new UsageError("--tls-ca is for a server behind TLS", "add --tls, or leave it out");
  }
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
  const [first, ...others] = invite ? [invite, ...invite.others] : addressesOf(values.server, values.port);
  const timeout = Number(values["join-timeout"] ?? 60);
  if (!(timeout > 0 && timeout <= 86_400)) {
    throw new UsageError(
      `"${values["join-timeout"]}" is not a number of seconds`,
      "give --join-timeout a number from 1 to 86400",
    );
  }
  return {
    host: first.host,
    port: first.port,
    others: others.map(({ host, port }) => ({ host, port })),
    tls,
    room,
    token: readToken(values["token-file"], process),
    expectServer: invite?.serverId ?? null,
    acceptNew: switches.has("accept-new"),
    trust: values.trust === undefined ? null : trusted(values.trust),
    joinTimeoutMs: Math.ceil(timeout * 1000),
    message: values.message ?? null,
    to: personOf(values.to),
    roomKey: values.key === undefined ? null : readRoomKey(values.key, process),
    fernetKey: values.fernet === undefined ? null : readRoomKey(values.fernet, process),
    pins: invite?.pins ?? null,
    login: loginOf(values, switches, process),
    send: values.send === undefined ? [] : [wholePath(values.send, process)],
    downloadDir: downloadDirOf(values, process),
    take: takeOf(values),
    listen: switches.has("listen"),
    history: {
      days,
      isPersons: isForPerson(parsed, process),
    },
  };
}

/** Against where the program was started; `~` as a shell has it. */
export function wholePath(path: string, process: Pick<Process, "env">): string {
  const home = homeOf(process);
  const isHome = path === "~" || path.startsWith("~/");
  return resolve(isHome && home !== undefined ? join(home, path.slice(2)) : path);
}

function homeOf({ env }: Pick<Process, "env">): string | undefined {
  return env("HOME") ?? env("USERPROFILE");
}

/** `--download-dir`; else the folder that the system has for it, if there is one. */
function downloadDirOf(values: Parsed["values"], process: Process): string | null {
  const given = values["download-dir"];
  if (given !== undefined) return wholePath(given, process);
  if (homeOf(process) === undefined) return null;
  const usual = wholePath("~/Downloads", process);
  try {
    return Deno.statSync(usual).isDirectory ? usual : null;
  } catch {
    return null;
  }
}

/** `--take` and `--take-total`. @throws UsageError */
function takeOf({ take, "take-total": total, "download-dir": dir }: Parsed["values"]): ChatOptions["take"] {
  if (take === undefined) {
    if (total === undefined) return null;
    throw new UsageError("--take-total is for --take", "add --take SIZE, or leave it out");
  }
  if (dir === undefined) {
    throw new UsageError("--take needs a folder of its own", "add --download-dir DIR");
  }
  const sizeOf = (flag: string, text: string) => {
    const bytes = bytesOf(text);
    if (bytes >= 1) return bytes;
    throw new UsageError(`--${flag} cannot be "${text}"`, "give a size as 500K, 20M or 1G");
  };
  return { each: sizeOf("take", take), total: sizeOf("take-total", total ?? "1G") };
}

/** `--room`. @throws BadName, UsageError */
export function roomOf(name = "lobby"): string {
  if (!isName(name)) throw new BadName("room name", name);
  refusePlaceholder(name, "ROOM", "the name of a room");
  return name;
}

/** `--to`. @throws BadName */
function personOf(name: string | undefined): string | null {
  if (name === undefined) return null;
  if (!isName(name)) throw new BadName("name", name);
  refusePlaceholder(name, "NAME", "the name of a person");
  return name;
}

/** A page's word for what everybody has another of. @throws UsageError */
function refusePlaceholder(given: string, placeholder: string, what: string): void {
  if (given === placeholder) {
    throw new UsageError(`${placeholder} stands for ${what}`, "put that in its place");
  }
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
  if (first.includes("://")) throw new BadInvite();
  const place = splitHostPort(first);
  if (place && canonicalHost(place.host) !== null && !second) {
    throw new UsageError(
      `"${first}" is not an invite`,
      `to join at that address: ${command(`join -s ${place.host} -p ${place.port}`)}`,
    );
  }
  if (values.message !== undefined) {
    throw new UsageError(
      `"${first}" does not belong to what is said`,
      `put it in quotes: -m "${[values.message, ...positionals].join(" ")}"`,
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

/** `-s HOST[:PORT],…` and `-p`, which is for those that name none. @throws UsageError */
export function addressesOf(text: string | undefined, port: string | undefined): readonly Address[] {
  const usual = parsePort(port);
  if (text === undefined) return [{ host: "127.0.0.1", port: usual }];
  if (hasInvite(text)) {
    throw new UsageError(
      "-s takes a host, and that is an invite",
      `give it alone: ${command("join INVITE")}`,
    );
  }
  refusePlaceholder(text, "HOST", "the name or address of the server");
  const addresses = parseAddresses(text, usual);
  if (addresses) {
    if (new Set(addresses.map(({ host, port }) => hostPort(host, port))).size === addresses.length) {
      return addresses;
    }
    throw new UsageError(`-s names one address twice: "${text}"`, "name each once");
  }
  const each = text.split(",");
  if (each.length > maxAddresses) {
    throw new UsageError(`-s names ${each.length} addresses`, `give at most ${maxAddresses}`);
  }
  for (const one of each) { // a port that is none is told as that
    const place = splitHostPort(one);
    if (place && canonicalHost(place.host) !== null) parsePort(place.port);
  }
  throw new UsageError(
    `"${text}" is not a host name or address`,
    "give HOST or HOST:PORT ([::1]:9443 for IPv6); several servers that share their rooms with commas between",
  );
}

/** A name, or a server as pins have it. */
function trusted(text: string): string {
  const place = splitHostPort(text);
  const host = place && canonicalHost(place.host);
  return host ? hostPort(host, Number(place.port)) : text;
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

/** `--bell`. @throws UsageError */
export function bellOf(text = "mentions"): Bell {
  const bell = bells.find((each) => each === text);
  if (bell) return bell;
  throw new UsageError(`--bell cannot be "${text}"`, `give ${bells.join(", ")}`);
}

/** `--colours`; null for as the terminal and NO_COLOR have it. @throws UsageError */
export function coloursOf(text = "auto"): boolean | null {
  if (text === "auto") return null;
  if (text === "on" || text === "off") return text === "on";
  throw new UsageError(`--colours cannot be "${text}"`, "give on, off or auto");
}

/** `--time`. @throws UsageError */
export function timeOf(text: string | undefined): TimeStyle | null {
  const style = timeStyles.find((each) => each === text);
  if (style || text === undefined) return style ?? null;
  throw new UsageError(`--time cannot be "${text}"`, `give ${timeStyles.join(", ")}`);
}

function readToken(path: string | undefined, process: Process): Bytes {
  const token = new TextEncoder().encode(path === undefined ? "" : readSecretFile(path, process)) as Bytes;
  if (token.length <= maxTokenBytes) return token;
  throw new UsageError(`The access token in "${path}" is too long`, `it has at most ${maxTokenBytes} bytes`);
}
