/** User name: from -u, else the login name, held against the rules for names. */

import { BadName, isName } from "../protocol/identity/name.ts";
import type { Environment } from "../storage/home.ts";
import { UsageError } from "./options.ts";

/** The name to use. @throws BadName, UsageError when there is none */
export function userName(given: string | undefined, env: Environment): string {
  if (given !== undefined) {
    if (given === "NAME") {
      throw new UsageError('"NAME" stands for your own name', "put it there, as in -u ira");
    }
    if (!isName(given)) throw new BadName("name", given);
    return given;
  }
  const login = env("USER") ?? env("LOGNAME") ?? env("USERNAME") ?? "";
  if (isName(login)) return login;
  const why = login === ""
    ? "there is no login name"
    : `the login name "${login.slice(0, 40)}" cannot be one`;
  throw new UsageError(`No name is given, and ${why}`, "choose a name with -u NAME");
}
