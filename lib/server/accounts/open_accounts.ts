/** Opens the accounts that `--accounts` names. */

import { join } from "@std/path";
import type { Clock } from "../../clock.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { isLoopback } from "../../loopback.ts";
import type { AccountsUrl, MysqlUrl } from "./accounts_url.ts";
import { MemoryAccounts } from "./memory.ts";
import { SqlAccounts } from "./sql_accounts.ts";
import { SqliteDatabase } from "./sqlite.ts";
import type { AccountStore } from "./store.ts";

/** What it may take beside the URL. */
export interface AccountsAccess {
  /** The data directory. */
  readonly dir: string;
  /** The database user's password; null for none given. */
  readonly password: string | null;
  /** PEM of the authorities that may have signed the database's certificate; null for the system's. */
  readonly ca: string | null;
  /** Cross the network without TLS. */
  readonly insecure: boolean;
  /** Time. */
  readonly clock: Clock;
}

/** Opens and checks. @returns warnings for the operator, too @throws AccountsUnavailable */
export async function openAccounts(
  url: AccountsUrl,
  access: AccountsAccess,
): Promise<{ store: AccountStore; warnings: string[] }> {
  const store = await storeOf(url, access);
  try {
    return { store, warnings: await store.check() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function storeOf(url: AccountsUrl, access: AccountsAccess): Promise<AccountStore> {
  if (url.kind === "memory") return new MemoryAccounts();
  if (url.kind === "sqlite") {
    return new SqlAccounts(new SqliteDatabase(sqliteFile(url, access.dir)));
  }
  if (access.password === null) {
    throw new ChatError(
      `The database user "${url.user}" needs a password`,
      "give it with --accounts-password-file FILE, or in CHAT_ACCOUNTS_PASSWORD",
      exitCodes.usage,
    );
  }
  // Imported here, so that a server without MySQL does not load the driver.
  const { MysqlDatabase } = await import("./mysql.ts");
  const tls = tlsOf(url, access);
  return new SqlAccounts(new MysqlDatabase({ url, password: access.password, tls, clock: access.clock }));
}

/** Where accounts in SQLite are. @param dir the data directory */
export function sqliteFile(url: { readonly file: string | null }, dir: string): string {
  return url.file ?? join(dir, "accounts.db");
}

/** TLS wherever a network may be between, unless the operator says otherwise. */
export function tlsOf(
  { host }: MysqlUrl,
  { ca, insecure }: AccountsAccess,
): "none" | "system" | { ca: string } {
  if (insecure) return "none";
  if (ca !== null) return { ca };
  return isLoopback(host) ? "none" : "system";
}
