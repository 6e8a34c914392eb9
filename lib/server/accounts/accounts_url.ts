/** The value of `--accounts`: where accounts are kept. */

import { ChatError, exitCodes } from "../../errors.ts";

/** A MySQL or MariaDB database. */
export interface MysqlUrl {
  /** What it is. */
  readonly kind: "mysql";
  /** Name or address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** The database's user. */
  readonly user: string;
  /** Which of its databases. */
  readonly database: string;
}

/** What `--accounts` may say; `file` is null for the one in the data directory. */
export type AccountsUrl =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly file: string | null }
  | MysqlUrl;

/** It is none of them. */
export class BadAccountsUrl extends ChatError {
  /** Exit code 2. */
  constructor(message: string, hint = "give sqlite:, sqlite:FILE or mysql://USER@HOST:PORT/DATABASE") {
    super(message, hint, exitCodes.usage);
  }
}

const identifier = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,31}$/;

/** Reads it. @throws BadAccountsUrl, which never repeats a password */
export function parseAccountsUrl(text: string): AccountsUrl {
  if (text === "memory:") return { kind: "memory" };
  if (text.startsWith("sqlite:")) return { kind: "sqlite", file: text.slice("sqlite:".length) || null };
  const match = /^mysql:\/\/([^@/]*)@(\[[0-9A-Fa-f:.]+\]|[^:/[\]]+)(?::(\d{1,5}))?\/([^/?#]*)$/.exec(text);
  if (!match) {
    if (/:[^/].*@|:\/\/.*:.*@/.test(text)) throw passwordGiven();
    throw new BadAccountsUrl(`--accounts cannot be "${text}"`);
  }
  const [, user, host, port = "3306", database] = match;
  if (user.includes(":")) throw passwordGiven();
  for (const [what, name] of [["database user", user], ["database", database]]) {
    if (identifier.test(name)) continue;
    throw new BadAccountsUrl(
      `"${name}" cannot be the name of a ${what}`,
      "1 to 32 letters, digits, - and _: mysql://USER@HOST:PORT/DATABASE",
    );
  }
  if (Number(port) < 1 || Number(port) > 65_535) {
    throw new BadAccountsUrl(`"${port}" is not a port`, "give a number from 1 to 65535");
  }
  return { kind: "mysql", host: host.replace(/^\[|\]$/g, ""), port: Number(port), user, database };
}

/** Anyone who lists the processes of the machine could read it. */
function passwordGiven(): BadAccountsUrl {
  return new BadAccountsUrl(
    "A password does not belong into --accounts: everybody on this machine could read it",
    "leave it out, and give --accounts-password-file FILE; change the password, as it has been seen",
  );
}
