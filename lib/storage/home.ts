/**
 * Home: where profiles and the server's data live: `--home`, else `$CHAT_HOME`, else the
 * platform's directories.
 */

import { dirname, join } from "@std/path";
import { ChatError } from "../errors.ts";

/** The environment, passed in. */
export type Environment = (name: string) => string | undefined;

/** The directory that holds one folder per name. @param home `--home`, if given */
export function profilesDir(home: string | undefined, env: Environment, os: string = Deno.build.os): string {
  const root = home ?? chatHome(env);
  if (root) return join(root, "profiles");
  if (os === "windows") return join(need(env("APPDATA"), "APPDATA"), "chat", "profiles");
  if (os === "darwin") {
    return join(need(env("HOME"), "HOME"), "Library", "Application Support", "chat", "profiles");
  }
  const config = env("XDG_CONFIG_HOME");
  return join(
    config && config.startsWith("/") ? config : join(need(env("HOME"), "HOME"), ".config"),
    "chat",
    "profiles",
  );
}

/** `config.toml`, beside the profiles. @param home `--home`, if given */
export function configPath(home: string | undefined, env: Environment, os: string = Deno.build.os): string {
  return join(dirname(profilesDir(home, env, os)), "config.toml");
}

/** The server's data directory. @param home `--home`, if given */
export function serverDir(home: string | undefined, env: Environment, os: string = Deno.build.os): string {
  const root = home ?? chatHome(env);
  if (root) return join(root, "server");
  if (os === "windows") return join(need(env("LOCALAPPDATA"), "LOCALAPPDATA"), "chat", "server");
  if (os === "darwin") {
    return join(need(env("HOME"), "HOME"), "Library", "Application Support", "chat", "server");
  }
  const data = env("XDG_DATA_HOME");
  return join(
    data && data.startsWith("/") ? data : join(need(env("HOME"), "HOME"), ".local", "share"),
    "chat",
    "server",
  );
}

/** `CHAT_HOME`: a service file or an .env has no shell that would know `~`. */
function chatHome(env: Environment): string | undefined {
  const [root, own] = [env("CHAT_HOME"), env("HOME")];
  return root !== undefined && own !== undefined && /^~(\/|$)/.test(root) ? own + root.slice(1) : root;
}

function need(value: string | undefined, name: string): string {
  if (value) return value;
  throw new ChatError(
    `Cannot tell where to keep files: ${name} is not set`,
    "set CHAT_HOME, or give --home DIR",
  );
}
