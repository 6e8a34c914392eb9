/** ConfigFile: what a person wants every time, in `config.toml` beside the profiles; each key is the name of a flag. */

import { parse } from "@std/toml/parse";
import { ChatError } from "../errors.ts";
import { checkFlag } from "./join_options.ts";
import { didYouMean } from "../nearest.ts";
import { configPath, type Environment } from "../storage/home.ts";
import { trouble } from "../storage/private_file.ts";

/** All keys. */
export const configKeys = ["user", "server", "port", "room", "history", "bell", "time", "colours"] as const;
/** One of them. */
type ConfigKey = typeof configKeys[number];

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
      checkFlag(key as ConfigKey, text);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      throw new ChatError(`"${path}", ${key}: ${error.message}`, error.hint, error.exitCode);
    }
    return text;
  }
  throw new ChatError(`"${path}" has no text for ${key}`, `give one in quotes, as ${key} = "…"`);
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
