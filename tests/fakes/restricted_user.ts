/** A database set up as the README says: what --print-schema prints, run by an administrator. */

import { parseAccountsUrl } from "../../lib/server/accounts/accounts_url.ts";
import { openAccounts } from "../../lib/server/accounts/open_accounts.ts";
import { printedSchema } from "../../lib/server/accounts/printed_schema.ts";
import type { AccountStore } from "../../lib/server/accounts/store.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Mariadb } from "./mariadb.ts";

export const databasePassword = "it's a \\ database password";

/** `mysql://…` of a database of ours. */
export function urlOf(db: Mariadb, database = "chat", port = db.port, host = "127.0.0.1"): string {
  return `mysql://chat@${host}:${port}/${database}`;
}

/** Runs the printed schema. @returns the URL to give to the server */
export async function setUp(db: Mariadb, database = "chat"): Promise<string> {
  const url = urlOf(db, database);
  await db.asAdmin(printedSchema(parseAccountsUrl(url), databasePassword));
  return url;
}

/** Opens it as the restricted user. */
export async function openAs(url: string): Promise<AccountStore> {
  const access = {
    dir: "/nowhere",
    password: databasePassword,
    ca: null,
    insecure: false,
    clock: systemClock,
  };
  return (await openAccounts(parseAccountsUrl(url), access)).store;
}
