/**
 * The printed schema: what `--print-schema` prints for an administrator to run, once and again after an update.
 *
 * The user that the server then is may read and add rows of seven tables, and read the version: nothing else.
 */

import { isLoopback } from "../../loopback.ts";
import type { AccountsUrl, MysqlUrl } from "./accounts_url.ts";
import { mysqlDialect, newestVersion, sqliteDialect, statementsOf, tables, versionTable } from "./schema.ts";

/**
 * The statements, each ended by a semicolon.
 *
 * @param password of the database's user; null leaves its place open
 */
export function printedSchema(url: AccountsUrl, password: string | null): string {
  const dialect = url.kind === "mysql" ? mysqlDialect : sqliteDialect;
  const versions = Array.from({ length: newestVersion }, (_, i) => statementsOf(i + 1, dialect)).flat();
  const statements = [...new Set(versions)]; // each version begins with the table of versions
  if (url.kind !== "mysql") {
    return `-- The server makes these tables by itself; there is nothing to run.\n\n${ended(statements)}`;
  }
  return [
    "-- For an administrator of the database. It may be run again; nothing that is there is changed.",
    "",
    ended([
      "SET SESSION sql_mode = 'STRICT_TRANS_TABLES'", // backslash escapes, as the password below is written
      `CREATE DATABASE IF NOT EXISTS \`${url.database}\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
      `USE \`${url.database}\``,
      ...statements,
      ...userStatements(url, password),
    ]),
  ].join("\n");
}

function ended(statements: string[]): string {
  return statements.map((statement) => `${statement};\n`).join("\n");
}

/** The user, from wherever the server dials, and the rights on each table. */
function userStatements({ user, host, database }: MysqlUrl, password: string | null): string[] {
  // A database may know a client on its own machine by any of these.
  const hosts = isLoopback(host) ? ["localhost", "127.0.0.1", "::1"] : ["%"];
  const secret = password === null ? "<PUT THE PASSWORD HERE>" : quoted(password);
  return hosts.flatMap((from) => {
    const who = `'${user}'@'${from}'`;
    return [
      `CREATE USER IF NOT EXISTS ${who} IDENTIFIED BY ${secret}`,
      `ALTER USER ${who} IDENTIFIED BY ${secret}`,
      `GRANT SELECT ON \`${database}\`.\`${versionTable}\` TO ${who}`,
      ...tables.map((table) => `GRANT SELECT, INSERT ON \`${database}\`.\`${table}\` TO ${who}`),
    ];
  });
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
