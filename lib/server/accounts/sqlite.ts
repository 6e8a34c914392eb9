/**
 * Accounts in an SQLite file: the embedded store.
 *
 * The file is the server's own, so SQLite cannot refuse it anything by rights; triggers make the tables append-only
 * all the same. The write-ahead log lets `--audit` read while a server runs.
 */

import { DatabaseSync } from "node:sqlite";
import { trouble } from "../../storage/file_trouble.ts";
import { createPrivateFile } from "../../storage/private_file.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { newestVersion, sqliteDialect, statementsOf, tables, versionTable } from "./schema.ts";
import {
  KeyTaken,
  ParentMissing,
  type Row,
  type SqlDatabase,
  type Statement,
  type Value,
} from "./sql_accounts.ts";
import { AccountsUnavailable } from "./store.ts";

const magic = "SQLite format 3\0";
const busyMs = 100; // the server stands still meanwhile; whoever wants in is told to try again

/** One file, opened by one process or a few. */
export class SqliteDatabase implements SqlDatabase {
  readonly place: string;
  #db: DatabaseSync;

  /**
   * Opens or makes the file, readable by its owner only, and brings its schema up to date.
   *
   * @param version of the schema; tests begin with an older one
   * @throws AccountsUnavailable
   */
  constructor(path: string, version = newestVersion) {
    this.place = `"${path}"`;
    try {
      refuseOthers(path);
      createPrivateFile(path);
      this.#db = new DatabaseSync(path);
      this.#db.exec(
        `PRAGMA busy_timeout = ${busyMs}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;`,
      );
      this.#migrate(version);
    } catch (error) {
      throw this.#failure(error, exitCodes.failed);
    }
  }

  #migrate(newest: number): void {
    const exists = this.#db.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(versionTable);
    const version = exists
      ? Number(this.#db.prepare(`SELECT max(version) AS version FROM ${versionTable}`).get()!.version)
      : 0;
    if (version > newest) throw new Error("it was written by a newer version of this program");
    for (let next = version + 1; next <= newest; next++) {
      const steps = statementsOf(next, sqliteDialect).join(";\n");
      this.#db.exec(`BEGIN IMMEDIATE;\n${steps};\nCOMMIT;`);
    }
    for (const name of [...tables, versionTable]) {
      if (!this.#db.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(name)) continue;
      for (const change of ["UPDATE", "DELETE"]) {
        this.#db.exec(
          `CREATE TRIGGER IF NOT EXISTS no_${change.toLowerCase()}_${name} BEFORE ${change} ON ${name} ` +
            "BEGIN SELECT raise(ABORT, 'rows are only added'); END",
        );
      }
    }
  }

  check(): Promise<string[]> {
    return Promise.resolve([]);
  }

  all(sql: string, ...values: Value[]): Promise<Row[]> {
    return this.#attempt(() => this.#db.prepare(sql).all(...values) as Row[]);
  }

  async *stream(sql: string): AsyncGenerator<Row> {
    try {
      for (const row of this.#db.prepare(sql).iterate()) yield row as Row;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  transaction(statements: readonly Statement[]): Promise<void> {
    return this.#attempt(() => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        for (const [sql, ...values] of statements) this.#db.prepare(sql).run(...values);
        this.#db.exec("COMMIT");
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  #attempt<T>(act: () => T): Promise<T> {
    try {
      return Promise.resolve(act());
    } catch (error) {
      return Promise.reject(this.#failure(error));
    }
  }

  close(): Promise<void> {
    this.#db.close();
    return Promise.resolve();
  }

  #failure(error: unknown, exitCode?: number): Error {
    const code = (error as { errcode?: number }).errcode ?? 0;
    if (code === 1555 || code === 2067) return new KeyTaken();
    if (code === 787) return new ParentMissing();
    if (error instanceof ChatError) return error;
    const why = error instanceof Error ? error.message : String(error);
    return new AccountsUnavailable(this.place, why, hintFor(why), exitCode);
  }
}

/** What is no database must not be made private for one. */
function refuseOthers(path: string): void {
  let isFolder: boolean;
  const start = new Uint8Array(magic.length);
  try {
    isFolder = Deno.statSync(path).isDirectory;
    if (!isFolder) {
      using file = Deno.openSync(path);
      if ((file.readSync(start) ?? 0) === 0) return;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw trouble("read", path, error);
  }
  if (isFolder) throw new Error("it is a folder");
  if (new TextDecoder().decode(start) !== magic) throw new Error("it is not a database of accounts");
}

function hintFor(why: string): string {
  if (/full|space/i.test(why)) return "free some space on that disk";
  if (/readonly|read-only/i.test(why)) return "make the file writable";
  if (/newer version/.test(why)) return "use that version";
  if (/not a database|a folder/i.test(why)) return "give another file with --accounts sqlite:FILE";
  if (/locked|busy/i.test(why)) return "another program uses the file: end it, or wait";
  return "check the file and its directory";
}
