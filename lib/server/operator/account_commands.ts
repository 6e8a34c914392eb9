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
}

type AccountCommand = (signIn: SignIn, rest: string, by: string) => Promise<string[]>;

/** Runs one, on a server that has accounts; what goes wrong is told. */
export function onAccounts(
  act: AccountCommand,
): (context: AccountsContext, rest: string) => string[] | Promise<string[]> {
  return ({ signIn, operator }, rest) => {
    if (!signIn) return ["error: This server has no accounts", "hint: start it with --accounts sqlite:"];
    return act(signIn, rest, operator).catch((error) => {
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
    const isOut = signIn.putOut(account.skeleton);
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
    const isOut = signIn.putOut(account.skeleton);
    return [`[+] ${account.name} is disabled${isOut ? ", and put out" : ""}`];
  });

/** ENABLE: lets in again. */
export const enableAccount: AccountCommand = (signIn, name, by) =>
  withAccount(name, () => signIn.accounts.setDisabled(name, false, by), (account) => [
    `[+] ${account.name} may log in again`,
  ]);

/** TOKEN: allows one registration. */
export const mintToken: AccountCommand = async ({ accounts }, _rest, by) => {
  const token = await accounts.mintToken(by);
  const lines = [`[+] For one registration: ${token}`];
  if (accounts.registration === "token") return lines;
  return [...lines, `[+] It is of no use while --registration is ${accounts.registration}`];
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
