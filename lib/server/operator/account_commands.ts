/** Account commands of the console: what the operator can do about who may enter. */

import { sanitizeLine } from "../../sanitize.ts";
import { ChatError } from "../../errors.ts";
import { isName } from "../../protocol/identity/name.ts";
import { timestamp } from "../../timestamp.ts";
import { shortKey } from "../accounts/audit.ts";
import type { Account } from "../accounts/store.ts";
import type { SignIn } from "../gate/sign_in.ts";

/** What the commands work on. */
export interface AccountsContext {
  /** Logins; null on a server without accounts. */
  readonly signIn: SignIn | null;
  /** Who types, for the audit trail. */
  readonly operator: string;
  /** Where tokens go. */
  readonly keepTokens: KeepTokens;
}

/** Puts tokens where only the operator reads them. @returns the path; null when they may be printed */
export type KeepTokens = (tokens: readonly string[]) => string | null;

type AccountCommand = (
  signIn: SignIn,
  rest: string,
  by: string,
  keepTokens: KeepTokens,
) => Promise<string[]>;

/** Runs one, on a server that has accounts; what goes wrong is told. */
export function onAccounts(
  act: AccountCommand,
): (context: AccountsContext, rest: string) => string[] | Promise<string[]> {
  return ({ signIn, operator, keepTokens }, rest) => {
    if (!signIn) return ["error: This server has no accounts", "hint: start it with --accounts sqlite:"];
    return act(signIn, rest, operator, keepTokens).catch((error) => {
      if (!(error instanceof ChatError)) throw error;
      return [`error: ${sanitizeLine(error.message)}`, `hint: ${error.hint}`];
    });
  };
}

/** ACCOUNTS: all of them. */
export const listAccounts: AccountCommand = async ({ accounts }) => {
  const all = await accounts.list();
  if (all.length === 0) return ["There are no accounts yet."];
  return all.map(({ name, atMs, lastLoginMs, binding, ban }) => {
    const key = binding.identity ? `key ${shortKey(binding.identity)}` : "released";
    const last = lastLoginMs === null ? "" : `, last login ${timestamp(lastLoginMs)}`;
    return sanitizeLine(
      `${name.padEnd(24)} since ${timestamp(atMs)}${last}, ${key}${ban.disabled ? ", DISABLED" : ""}`,
    );
  });
};

/** RELEASE: unbinds a lost key. */
export const releaseAccount: AccountCommand = (signIn, name, by) =>
  withAccount(name, () => signIn.accounts.release(name, by), (account) => {
    const isOut = signIn.putOutEverywhere(account);
    return [
      `[+] ${account.name} is released${
        isOut ? ", and put out" : ""
      }: the next login with the password binds it to its key`,
      `[+] Rooms still have the old key as ${account.name}: an admin there has to /kick it first, and then to /trust ${account.name}`,
      "[+] Where it was the only admin, RETIRE the room and begin a new one",
    ];
  });

/** DISABLE: lets nobody in any more. */
export const disableAccount: AccountCommand = (signIn, name, by) =>
  withAccount(name, () => signIn.accounts.setDisabled(name, true, by), (account) => {
    const isOut = signIn.putOutEverywhere(account);
    return [`[+] ${account.name} is disabled${isOut ? ", and put out" : ""}`];
  });

/** ENABLE: lets in again. */
export const enableAccount: AccountCommand = (signIn, name, by) =>
  withAccount(name, () => signIn.accounts.setDisabled(name, false, by), (account) => [
    `[+] ${account.name} may log in again`,
  ]);

const maxTokens = 1000;

/** TOKEN: allows one registration each. */
export const mintTokens: AccountCommand = async ({ accounts }, rest, by, keepTokens) => {
  const count = rest === "" ? 1 : Number(rest);
  if (!Number.isInteger(count) || count < 1 || count > maxTokens) {
    return [
      `error: "${sanitizeLine(rest).slice(0, 40)}" is no number of tokens`,
      `hint: TOKEN 30; at most ${maxTokens}`,
    ];
  }
  const tokens: string[] = [];
  for (let i = 0; i < count; i++) tokens.push(await accounts.mintToken(by));
  const path = keepTokens(tokens);
  const each = count === 1 ? "For one registration" : `For ${count} registrations, one each`;
  const lines = path === null
    ? count === 1 ? [`[+] ${each}: ${tokens[0]}`] : [`[+] ${each}:`, ...tokens]
    : [`[+] ${each}: added to "${path}"`];
  if (accounts.registration === "token") return lines;
  const they = count === 1 ? "It is" : "They are";
  return [...lines, `[+] ${they} of no use while --registration is ${accounts.registration}`];
};

async function withAccount(
  name: string,
  change: () => Promise<Account | null>,
  tell: (account: Account) => string[],
): Promise<string[]> {
  const account = isName(name) ? await change() : null;
  if (account) return tell(account);
  return [`error: There is no account "${sanitizeLine(name).slice(0, 40)}"`, "hint: ACCOUNTS shows all"];
}
