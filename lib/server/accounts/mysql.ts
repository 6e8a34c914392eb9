/**
 * Accounts in MySQL or MariaDB, as a user who may SELECT and INSERT and nothing else.
 *
 * The database is somebody else's and may vanish, hang or refuse at any time: each call has a deadline, a connection
 * that a call failed on is not used again, and the next call dials anew.
 */

import { connect, type Socket } from "node:net";
import type { PoolConnection, PoolOptions } from "mysql2/promise";
import { createPool, type Pool } from "mysql2/promise";
import { type Clock, sleep } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { exitCodes } from "../../errors.ts";
import type { MysqlUrl } from "./accounts_url.ts";
import { newestVersion, versionTable } from "./schema.ts";
import {
  KeyTaken,
  ParentMissing,
  type Row,
  type SqlDatabase,
  type Statement,
  type Value,
} from "./sql_accounts.ts";
import { AccountsUnavailable } from "./store.ts";

const connections = 4;
const connectMs = 8_000;
/** Longest time for one call of the store: three slow statements. */
const callMs = 20_000;
const deadlockTries = 5;
const goodbyeMs = 1_000;

/** How to reach the database. */
export interface MysqlConfig {
  /** Host, port, user and database. */
  readonly url: MysqlUrl;
  /** The database user's password. */
  readonly password: string;
  /** TLS: none; verified against the system's authorities; or against these certificates (PEM). */
  readonly tls: "none" | "system" | { readonly ca: string };
  /** Time. */
  readonly clock: Clock;
}

/** A pool of connections. */
export class MysqlDatabase implements SqlDatabase {
  readonly place: string;
  #pool: Pool;
  #clock: Clock;
  #database: string;

  /** Dials nothing yet. */
  constructor(config: MysqlConfig) {
    const { url, tls } = config;
    this.place = `${url.user}@${url.host}:${url.port}/${url.database}`;
    this.#clock = config.clock;
    this.#database = url.database;
    this.#pool = createPool(poolOptions(config, tls));
  }

  async check(): Promise<string[]> {
    const [row] = await this.#checked(() => this.all(`SELECT max(version) AS version FROM ${versionTable}`));
    const version = Number(row?.version ?? 0);
    if (version < newestVersion) {
      throw this.#refusal(
        `its schema is of version ${version}, and this program needs ${newestVersion}`,
        schemaHint,
      );
    }
    if (version > newestVersion) {
      throw this.#refusal("its schema is of a newer version of this program", "use that version");
    }
    const grants = (await this.all("SHOW GRANTS")).map((grant) => String(Object.values(grant)[0]));
    const excess = excessOf(grants, this.#database);
    return excess.length === 0 ? [] : [
      `The database user may do more than it needs (${
        excess.join(", ")
      }); --print-schema shows what is enough`,
    ];
  }

  /** At the start, what an administrator has to mend is an error of its own. */
  async #checked<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const cause = error instanceof AccountsUnavailable ? error.cause as { code?: string } : undefined;
      if (cause?.code === "ER_NO_SUCH_TABLE") throw this.#refusal("it has no tables yet", schemaHint);
      throw error;
    }
  }

  #refusal(why: string, hint: string): AccountsUnavailable {
    return new AccountsUnavailable(this.place, why, hint, exitCodes.failed);
  }

  all(sql: string, ...values: Value[]): Promise<Row[]> {
    return this.#withConnection(async (connection) => {
      const [rows] = await connection.execute(sql, values);
      return (rows as Row[]).map(plainRow);
    });
  }

  async *stream(sql: string): AsyncGenerator<Row> {
    let connection: PoolConnection | null = null;
    try {
      connection = await this.#pool.getConnection();
      // The driver's promise API has no streams; the connection below it has.
      const { connection: wrapped } = connection as unknown as { connection: Streaming };
      for await (const row of wrapped.query(sql).stream()) yield plainRow(row);
    } catch (error) {
      connection?.destroy();
      throw this.#failure(error);
    }
    connection.release();
  }

  async transaction(statements: readonly Statement[]): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#withConnection(async (connection) => {
          // A single statement needs no explicit transaction, which saves three round trips.
          if (statements.length > 1) await connection.beginTransaction();
          for (const [sql, ...values] of statements) await connection.execute(sql, values);
          if (statements.length > 1) await connection.commit();
        });
      } catch (error) {
        // Two transactions waited for each other, and the database chose one: it may simply try again.
        if (!(error instanceof Deadlock)) throw error;
        if (attempt === deadlockTries) {
          throw new AccountsUnavailable(this.place, "its transactions block each other", "try again");
        }
      }
    }
  }

  async #withConnection<T>(act: (connection: PoolConnection) => Promise<T>): Promise<T> {
    let late = false;
    let connection: PoolConnection | null = null;
    const work = (async () => {
      connection = await this.#pool.getConnection();
      if (late) throw new Error("too late");
      return await act(connection);
    })();
    let cancel = () => {};
    const deadline = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(callMs, () => {
        late = true;
        reject(new Error("it does not answer: timed out"));
      });
    });
    try {
      const result = await Promise.race([work, deadline]);
      connection!.release();
      return result;
    } catch (error) {
      // The database rolls back an open transaction when the connection ends.
      (connection as PoolConnection | null)?.destroy();
      work.catch(() => connection?.destroy());
      throw this.#failure(error);
    } finally {
      cancel();
    }
  }

  async close(): Promise<void> {
    // A hanging database would never answer a clean close.
    const patience = new AbortController();
    const ended = this.#pool.end().catch(() => {}).then(() => patience.abort());
    await Promise.race([ended, sleep(this.#clock, goodbyeMs, patience.signal)]);
  }

  #failure(error: unknown): Error {
    if (error instanceof AccountsUnavailable) return error;
    const { code = "", message = String(error) } = error as { code?: string; message?: string };
    if (code === "ER_DUP_ENTRY") return new KeyTaken();
    if (code === "ER_NO_REFERENCED_ROW_2" || code === "ER_NO_REFERENCED_ROW") return new ParentMissing();
    if (code === "ER_LOCK_DEADLOCK") return new Deadlock("deadlock", { cause: error });
    const known = reasons[code];
    const why = known?.[0] ?? (code === "" || code.startsWith("ER_") ? message : `${code}: ${message}`);
    const unavailable = new AccountsUnavailable(
      this.place,
      why,
      known?.[1] ?? "check the database and the network between",
      known?.[2] ?? exitCodes.unreachable,
    );
    unavailable.cause = error;
    return unavailable;
  }
}

class Deadlock extends Error {}

interface Streaming {
  query(sql: string): { stream(): AsyncIterable<Row> };
}

const schemaHint = "as its administrator, run what --print-schema prints, with the same --accounts";
const { failed } = exitCodes;

/** What the codes that an operator meets mean, what to do, and with which exit code a start ends. */
const reasons: Record<string, [why: string, hint: string, exitCode?: number]> = {
  ECONNREFUSED: ["nothing answers there", "check host and port, and that the database runs"],
  ETIMEDOUT: ["it does not answer: timed out", "check host and port, and that no firewall is between"],
  ENOTFOUND: ["there is no such host", "check the spelling, or give its address"],
  EAI_AGAIN: ["the host name cannot be resolved now", "check the name service, or give an address"],
  ECONNRESET: ["the connection was cut", "check that the database runs"],
  PROTOCOL_CONNECTION_LOST: ["the connection was cut", "check that the database runs"],
  ER_SERVER_SHUTDOWN: ["the database is shutting down", "start it again"],
  ER_CON_COUNT_ERROR: ["it has too many connections", "raise max_connections there, or wait"],
  ER_ACCESS_DENIED_ERROR: [
    "it refuses the user or the password",
    "check both; --print-schema shows how the user is made",
    failed,
  ],
  ER_DBACCESS_DENIED_ERROR: ["the user may not use this database", schemaHint, failed],
  ER_BAD_DB_ERROR: ["there is no such database", schemaHint, failed],
  ER_NO_SUCH_TABLE: ["a table is missing", schemaHint, failed],
  ER_TABLEACCESS_DENIED_ERROR: ["the user lacks SELECT or INSERT on a table", schemaHint, failed],
  ER_OPTION_PREVENTS_STATEMENT: ["it is read-only", "make it writable, or use its primary"],
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: ["it is read-only", "make it writable, or use its primary"],
  ER_RECORD_FILE_FULL: ["it is out of space", "free some space there"],
  ER_DISK_FULL: ["it is out of space", "free some space there"],
  ER_LOCK_WAIT_TIMEOUT: ["a lock was not given in time", "look what else uses these tables"],
  HANDSHAKE_NO_SSL_SUPPORT: [
    "it offers no TLS, and the password and the logins would cross the network in clear",
    "set up TLS there; --accounts-insecure goes on without",
    failed,
  ],
  HANDSHAKE_SSL_ERROR: [
    "its TLS certificate is not valid for this host",
    "give the authority that signed it with --accounts-ca FILE",
    failed,
  ],
};

function poolOptions({ url, password }: MysqlConfig, tls: MysqlConfig["tls"]): PoolOptions {
  const { host, port, user, database } = url;
  return {
    host,
    port,
    user,
    database,
    password,
    connectionLimit: connections,
    connectTimeout: connectMs,
    charset: "utf8mb4_bin",
    stream: () => dial(host, port),
    disableEval: true,
    multipleStatements: false,
    flags: ["-LOCAL_FILES"],
    ...(tls === "none" ? {} : {
      ssl: {
        rejectUnauthorized: true,
        verifyIdentity: true,
        minVersion: "TLSv1.2",
        ...(tls === "system" ? {} : { ca: tls.ca }),
      },
    }),
  };
}

/**
 * For an address, the driver gives TLS no name to hold the certificate against, which then is held against
 * "localhost": TLS takes the socket's `_host` first.
 */
function dial(host: string, port: number): Socket {
  const socket = connect(port, host);
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return Object.assign(socket, { _host: host });
}

/** Rights beyond SELECT and INSERT that reach a database, as SHOW GRANTS words them. */
function excessOf(grants: string[], database: string): string[] {
  const rights = grants.flatMap((grant) => {
    const [, some, place] = /^GRANT (.+?) ON (.+?)\.\S+ TO /.exec(grant) ?? [];
    return some !== undefined && reaches(place, database) ? some.split(", ") : [];
  });
  return [...new Set(rights)].filter((right) => !["USAGE", "SELECT", "INSERT"].includes(right));
}

/** Whether the database of a grant, in which % and _ stand for others unless escaped, is this one. */
function reaches(place: string, database: string): boolean {
  if (place === "*") return true;
  const parts = place.replace(/^`|`$/g, "").match(/\\.|[^]/g) ?? [];
  const pattern = parts.map((part) => {
    if (part === "%") return ".*";
    if (part === "_") return ".";
    return RegExp.escape(part.at(-1)!);
  }).join("");
  return new RegExp(`^${pattern}$`, "i").test(database);
}

/** The driver's Buffers share memory that it uses again. */
function plainRow(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      value instanceof Uint8Array ? new Uint8Array(value) as Bytes : value,
    ]),
  );
}
