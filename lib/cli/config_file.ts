/** ConfigFile: what a person wants every time, in `config.toml` beside the profiles; each key is the name of a flag. */

import { parse } from "@std/toml/parse";
import { parseKeptDays } from "../client/profile/history_choice.ts";
import { ChatError } from "../errors.ts";
import { didYouMean } from "../nearest.ts";
import { BadName, isName } from "../protocol/identity/name.ts";
import { configPath, type Environment } from "../storage/home.ts";
import { trouble } from "../storage/file_trouble.ts";
import { addressesOf, bellOf, coloursOf, roomOf, timeOf } from "./join_options.ts";
import { parsePort } from "./options.ts";

/** All keys, and what their flags take: throws a ChatError for anything else. */
const checks = {
  user: chosenName,
  server: (text) => addressesOf(text, undefined),
  port: parsePort,
  room: roomOf,
  history: parseKeptDays,
  bell: bellOf,
  time: timeOf,
  colours: coloursOf,
} satisfies Record<string, (value: string) => unknown>;
type ConfigKey = keyof typeof checks;

/** All keys. */
export const configKeys = Object.keys(checks) as readonly ConfigKey[];

/** What the file says, as flags would. */
export type Config = Readonly<Partial<Record<ConfigKey, string>>>;

/** Reads it; without a file nothing is said. @throws ChatError naming file, line or key, FileTrouble */
export function readConfig(home: string | undefined, env: Environment): Config {
  const path = configPath(home, env);
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw trouble("read", path, error);
  }
  return configOf(path, text);
}

/** What a file's text says. @throws ChatError */
export function configOf(path: string, text: string): Config {
  let entries: Record<string, unknown>;
  try {
    entries = parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    throw new ChatError(
      `"${path}" is not TOML: ${why}`,
      'each line is a key and a value, as bell = "off"; a line that begins with # is a comment',
    );
  }
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, checked(path, key, value)]));
}

function checked(path: string, key: string, value: unknown): string {
  if (!(configKeys as readonly string[]).includes(key)) {
    throw new ChatError(
      `"${path}" has a key that means nothing: ${key}`,
      `${didYouMean(key, configKeys)}the keys are ${configKeys.join(", ")}`,
    );
  }
  const text = key === "port" && Number.isInteger(value) ? String(value) : value;
  if (typeof text === "string" && text !== "") {
    try {
      checks[key as ConfigKey](text);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      throw new ChatError(`"${path}", ${key}: ${error.message}`, error.hint, error.exitCode);
    }
    return text;
  }
  throw new ChatError(`"${path}" has no text for ${key}`, `give one in quotes, as ${key} = "…"`);
}

/** NAME stands in pages for a name of one's own. */
function chosenName(text: string): void {
  if (!isName(text) || text === "NAME") throw new BadName("name", text);
}

/** Flags, and what the file says where they say nothing: an invite, or another server, has its own place. */
export function withConfig(
  given: Readonly<Record<string, string | undefined>>,
  config: Config,
  hasInvite: boolean,
): Record<string, string | undefined> {
  const isElsewhere = hasInvite || given.server !== undefined || given.port !== undefined;
  const { server: _server, port: _port, room, ...rest } = config;
  const place = isElsewhere ? hasInvite ? {} : { room } : config;
  return { ...rest, ...place, ...given };
}
