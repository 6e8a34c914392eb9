/**
 * The schema of the account stores, for SQLite and for MySQL or MariaDB from one description (protocol §8.4).
 *
 * Append-only: each change is a row with a `turn` of its own, and the primary key lets only one change follow
 * another. A later version adds tables and never alters one, so every statement can be run again.
 */

/** How a database writes the types and what it adds to a table. */
export interface Dialect {
  /** Text of so many characters, compared byte by byte. */
  text(characters: number): string;
  /** Bytes of a fixed length. */
  bytes(length: number): string;
  /** A whole number up to 2^53. */
  readonly number: string;
  /** A key that counts by itself. */
  readonly counter: string;
  /** Behind the closing bracket of a table. */
  readonly table: string;
  /** Adds a row unless its key is there. */
  readonly insertOnce: string;
}

/** SQLite: STRICT tables. */
export const sqliteDialect: Dialect = {
  text: () => "TEXT",
  bytes: () => "BLOB",
  number: "INTEGER",
  counter: "INTEGER PRIMARY KEY",
  table: "STRICT",
  insertOnce: "INSERT OR IGNORE",
};

/** MySQL 8 and MariaDB 10.5 or later. */
export const mysqlDialect: Dialect = {
  text: (characters) => `VARCHAR(${characters})`,
  bytes: (length) => `BINARY(${length})`,
  number: "BIGINT",
  counter: "BIGINT AUTO_INCREMENT PRIMARY KEY",
  table: "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
  insertOnce: "INSERT IGNORE",
};

/** The tables that the program reads and adds to, in the order in which they are made. */
export const tables = [
  "accounts",
  "credentials",
  "bindings",
  "bans",
  "login_events",
  "registration_tokens",
  "token_uses",
] as const;

/** Which versions there are; the program only reads it. */
export const versionTable = "schema_versions";

type Version = (d: Dialect) => string[];

/** What each version added. */
const versions: readonly Version[] = [
  (d) => [
    table(d, "accounts", [
      `skeleton ${d.text(24)} PRIMARY KEY`,
      `name ${d.text(24)} NOT NULL`,
      `at_ms ${d.number} NOT NULL`,
      `address ${d.text(64)} NOT NULL`,
    ]),
    changes(d, "credentials", [
      `salt ${d.bytes(16)} NOT NULL`,
      `hash ${d.bytes(32)} NOT NULL`,
      `memory_kib ${d.number} NOT NULL`,
      `passes ${d.number} NOT NULL`,
      `lanes ${d.number} NOT NULL`,
    ]),
    changes(d, "bindings", [`identity ${d.bytes(32)}`]),
    changes(d, "bans", [`disabled ${d.number} NOT NULL`]),
    table(d, "login_events", [
      `id ${d.counter}`,
      `at_ms ${d.number} NOT NULL`,
      `account ${d.text(24)} NOT NULL`,
      `name ${d.text(24)} NOT NULL`,
      `identity ${d.bytes(32)} NOT NULL`,
      `address ${d.text(64)} NOT NULL`,
      `outcome ${d.text(16)} NOT NULL`,
    ]),
  ],
  (d) => [
    table(d, "registration_tokens", [
      `hash ${d.bytes(32)} NOT NULL PRIMARY KEY`,
      `at_ms ${d.number} NOT NULL`,
      `by_whom ${d.text(64)} NOT NULL`,
    ]),
    table(d, "token_uses", [
      `hash ${d.bytes(32)} NOT NULL PRIMARY KEY`,
      `account ${d.text(24)} NOT NULL`,
      `at_ms ${d.number} NOT NULL`,
      "FOREIGN KEY (hash) REFERENCES registration_tokens (hash)",
      "FOREIGN KEY (account) REFERENCES accounts (skeleton)",
    ]),
  ],
];

/** The newest version. */
export const newestVersion = versions.length;

/** The statements that make one version, or bring the version before to it. @param version from 1 */
export function statementsOf(version: number, d: Dialect): string[] {
  return [
    table(d, versionTable, [`version ${d.number} PRIMARY KEY`]),
    ...versions[version - 1](d),
    `${d.insertOnce} INTO ${versionTable} (version) VALUES (${version})`,
  ];
}

function table(d: Dialect, name: string, columns: string[]): string {
  return `CREATE TABLE IF NOT EXISTS ${name} (\n  ${columns.join(",\n  ")}\n) ${d.table}`;
}

/** A table of changes to an account: whose, the how manieth, when, by whom, and what. */
function changes(d: Dialect, name: string, columns: string[]): string {
  return table(d, name, [
    `account ${d.text(24)} NOT NULL`,
    `turn ${d.number} NOT NULL`,
    `at_ms ${d.number} NOT NULL`,
    `by_whom ${d.text(64)} NOT NULL`,
    ...columns,
    "PRIMARY KEY (account, turn)",
    "FOREIGN KEY (account) REFERENCES accounts (skeleton)",
  ]);
}
