/** `chat serve --accounts`: opens the accounts, prints their schema or their audit trail. */

import { encodeBase64Url } from "@std/encoding/base64url";
import { ChatError, exitCodes } from "../../errors.ts";
import { Accounts, type RegistrationMode } from "../../server/accounts/accounts.ts";
import { type AccountsUrl, parseAccountsUrl } from "../../server/accounts/accounts_url.ts";
import { auditLine } from "../../server/accounts/audit.ts";
import { openAccounts, sqliteFile } from "../../server/accounts/open_accounts.ts";
import { Passwords } from "../../server/accounts/passwords.ts";
import { printedSchema } from "../../server/accounts/printed_schema.ts";
import { exists, writeAtomically } from "../../storage/private_file.ts";
import { type Parsed, UsageError } from "../options.ts";
import type { Process } from "../process.ts";
import { readCertificates } from "../certificates.ts";
import { readSecretFile } from "../secrets.ts";

const passwordBytes = 24;

/** What the command line says of accounts. */
export interface AccountsOptions {
  /** Where they are. */
  readonly url: AccountsUrl;
  /** Who may register. */
  readonly registration: RegistrationMode;
  /** A file with the database user's password. */
  readonly passwordFile: string | undefined;
  /** A file with the database's authority. */
  readonly caFile: string | undefined;
  /** Without TLS. */
  readonly insecure: boolean;
}

/** Reads the flags. @returns null without accounts @throws UsageError, BadAccountsUrl */
export function accountsOptions({ values, switches }: Parsed): AccountsOptions | null {
  const { accounts, registration = "open" } = values;
  if (accounts === undefined) {
    const alone = ["registration", "accounts-password-file", "accounts-ca"].find((name) =>
      values[name] !== undefined
    ) ??
      ["accounts-insecure", "print-schema", "audit"].find((name) => switches.has(name));
    if (alone === undefined) return null;
    throw new UsageError(`--${alone} is for accounts, and there are none`, "add --accounts sqlite:");
  }
  if (registration !== "open" && registration !== "token" && registration !== "closed") {
    throw new UsageError(`--registration cannot be "${registration}"`, "give open, token or closed");
  }
  if (switches.has("print-schema") && switches.has("audit")) {
    throw new UsageError("--print-schema and --audit contradict each other", "give one of them");
  }
  const url = parseAccountsUrl(accounts);
  const onlyForMysql = ["accounts-password-file", "accounts-ca"].find((name) => values[name] !== undefined) ??
    ["accounts-insecure"].find((name) => switches.has(name));
  if (url.kind !== "mysql" && onlyForMysql !== undefined) {
    throw new UsageError(
      `--${onlyForMysql} is for a mysql: database, and this is ${url.kind}:`,
      "leave it out",
    );
  }
  return {
    url,
    registration,
    passwordFile: values["accounts-password-file"],
    caFile: values["accounts-ca"],
    insecure: switches.has("accounts-insecure"),
  };
}

/** `--print-schema`. @returns the exit code @throws ChatError */
export function printSchema(options: AccountsOptions, process: Process): number {
  const { url, passwordFile } = options;
  if (url.kind === "mysql" && passwordFile !== undefined && !exists(passwordFile)) {
    writeAtomically(
      passwordFile,
      new TextEncoder().encode(`${encodeBase64Url(process.random(passwordBytes))}\n`),
    );
    process.err(`[+] Made "${passwordFile}" with a new password\n`);
  }
  const password = url.kind === "mysql" ? databasePassword(options, process) : null;
  const isShown = process.outputIsTerminal && password !== null;
  process.out(printedSchema(url, isShown ? null : password));
  if (isShown) {
    process.err("[+] The password is not shown on a terminal: send the output to the database instead\n");
  } else if (url.kind === "mysql" && password === null) {
    process.err(
      "[+] No password is given: put one into the statements, or add --accounts-password-file FILE\n",
    );
  }
  return exitCodes.done;
}

/** `--audit`. @returns the exit code @throws ChatError */
export async function printAudit(options: AccountsOptions, dir: string, process: Process): Promise<number> {
  const { url } = options;
  if (url.kind === "memory") {
    throw new UsageError(
      "Accounts in memory end with their server: there is no trail of them",
      "use sqlite:",
    );
  }
  const file = url.kind === "sqlite" ? sqliteFile(url, dir) : null;
  if (file !== null && !exists(file)) {
    throw new ChatError(
      `There are no accounts yet: "${file}" does not exist`,
      "start a server with them first",
    );
  }
  const { store } = await open(options, dir, process);
  try {
    for await (const row of store.audit()) process.out(`${auditLine(row)}\n`);
  } finally {
    await store.close();
  }
  return exitCodes.done;
}

/** For a server that runs. @throws ChatError */
export async function accountsFor(
  options: AccountsOptions,
  dir: string,
  process: Process,
): Promise<Accounts> {
  const { store, warnings } = await open(options, dir, process);
  for (const warning of warnings) process.err(`warning: ${warning}\n`);
  const { clock, random } = process;
  const { registration } = options;
  return new Accounts({ store, passwords: new Passwords(random), registration, clock, random });
}

function open(options: AccountsOptions, dir: string, process: Process) {
  const { url, caFile, insecure } = options;
  return openAccounts(url, {
    dir,
    password: url.kind === "mysql" ? databasePassword(options, process) : null,
    ca: caFile === undefined ? null : readCertificates(caFile),
    insecure,
    clock: process.clock,
  });
}

function databasePassword({ passwordFile }: AccountsOptions, process: Process): string | null {
  if (passwordFile !== undefined) {
    return readSecretFile(passwordFile, process);
  }
  return process.env("CHAT_ACCOUNTS_PASSWORD") ?? null;
}
