/**
 * Accounts in a database that speaks SQL: one set of statements for SQLite and MySQL, so that the two cannot drift
 * apart. Values reach the database as parameters only.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { auditOf } from "./audit.ts";
import type { Credential } from "./passwords.ts";
import type {
  Account,
  AccountListed,
  AccountStore,
  Act,
  AuditRow,
  LoginEvent,
  Registration,
} from "./store.ts";

/** What a statement takes. */
export type Value = string | number | Bytes | null;
/** A row by column; bytes come as Uint8Array. */
export type Row = Record<string, unknown>;
/** One statement with its values. */
export type Statement = readonly [sql: string, ...values: Value[]];

/** A row with this key is there already. */
export class KeyTaken extends Error {}
/** A row refers to one that is not there. */
export class ParentMissing extends Error {}

/** What the statements need of a database. Everything but KeyTaken and ParentMissing is AccountsUnavailable. */
export interface SqlDatabase {
  /** Where it is, for messages. */
  readonly place: string;
  /** Whether it can be used. @returns warnings */
  check(): Promise<string[]>;
  /** Reads. */
  all(sql: string, ...values: Value[]): Promise<Row[]>;
  /** Reads row by row, however many there are. */
  stream(sql: string): AsyncIterable<Row>;
  /**
   * Runs all of them or none; durable when it returns.
   *
   * @throws KeyTaken, ParentMissing
   */
  transaction(statements: readonly Statement[]): Promise<void>;
  /** Lets go. */
  close(): Promise<void>;
}

const newest = (table: string, short: string) =>
  `${short}.account = a.skeleton AND ${short}.turn = (SELECT max(turn) FROM ${table} WHERE account = a.skeleton)`;

const selectAccount = "SELECT a.skeleton, a.name, a.at_ms, c.turn AS credential_revision, c.salt, c.hash, " +
  "c.memory_kib, c.passes, c.lanes, b.turn AS binding_revision, b.identity, d.turn AS ban_revision, d.disabled";
const fromAccount = ` FROM accounts a JOIN credentials c ON ${newest("credentials", "c")} ` +
  `JOIN bindings b ON ${newest("bindings", "b")} LEFT JOIN bans d ON ${newest("bans", "d")}`;

/** One account store. */
export class SqlAccounts implements AccountStore {
  readonly place: string;

  /** @param db open, with the schema of schema.ts */
  constructor(private readonly db: SqlDatabase) {
    this.place = db.place;
  }

  check(): Promise<string[]> {
    return this.db.check();
  }

  async find(skeleton: string): Promise<Account | null> {
    const [row] = await this.db.all(`${selectAccount}${fromAccount} WHERE a.skeleton = ?`, skeleton);
    return row ? asAccount(row) : null;
  }

  async register(r: Registration): Promise<"made" | "taken" | "token refused"> {
    const { skeleton, atMs, name, tokenHash, credential } = r;
    try {
      await this.db.transaction([
        ["INSERT INTO accounts VALUES (?, ?, ?, ?)", skeleton, name, atMs, r.address],
        ...(tokenHash
          ? [["INSERT INTO token_uses VALUES (?, ?, ?)", tokenHash, skeleton, atMs] as const]
          : []),
        credentialRow(skeleton, 1, credential, { by: name, atMs }),
        ["INSERT INTO bindings VALUES (?, 1, ?, ?, ?)", skeleton, atMs, name, r.identity],
      ]);
      return "made";
    } catch (error) {
      if (error instanceof ParentMissing) return "token refused";
      if (!(error instanceof KeyTaken)) throw error;
      // The conflict is about the name or the token: look which one is taken.
      return await this.find(skeleton) ? "taken" : "token refused";
    }
  }

  async hasToken(hash: Bytes): Promise<boolean> {
    const sql = "SELECT 1 FROM registration_tokens t LEFT JOIN token_uses u ON u.hash = t.hash " +
      "WHERE t.hash = ? AND u.hash IS NULL";
    return (await this.db.all(sql, hash)).length > 0;
  }

  async noteLogin({ atMs, skeleton, name, identity, address, outcome }: LoginEvent): Promise<void> {
    const sql = "INSERT INTO login_events (at_ms, account, name, identity, address, outcome) " +
      "VALUES (?, ?, ?, ?, ?, ?)";
    await this.db.transaction([[sql, atMs, skeleton, name, identity, address, outcome]]);
  }

  setCredential(
    { skeleton, credential: { revision } }: Account,
    next: Credential,
    act: Act,
  ): Promise<boolean> {
    return this.#change(credentialRow(skeleton, revision + 1, next, act));
  }

  setBinding(
    { skeleton, binding: { revision } }: Account,
    identity: Bytes | null,
    act: Act,
  ): Promise<boolean> {
    const sql = "INSERT INTO bindings VALUES (?, ?, ?, ?, ?)";
    return this.#change([sql, skeleton, revision + 1, act.atMs, act.by, identity]);
  }

  setDisabled({ skeleton, ban: { revision } }: Account, disabled: boolean, act: Act): Promise<boolean> {
    const sql = "INSERT INTO bans VALUES (?, ?, ?, ?, ?)";
    return this.#change([sql, skeleton, revision + 1, act.atMs, act.by, disabled ? 1 : 0]);
  }

  /** Adds the row that follows what the caller has seen. @returns false when another one does */
  async #change(row: Statement): Promise<boolean> {
    try {
      await this.db.transaction([row]);
      return true;
    } catch (error) {
      if (error instanceof KeyTaken) return false;
      throw error;
    }
  }

  async addToken(hash: Bytes, { by, atMs }: Act): Promise<void> {
    const sql = "INSERT INTO registration_tokens VALUES (?, ?, ?)";
    await this.db.transaction([[sql, hash, atMs, by]]);
  }

  async accounts(): Promise<AccountListed[]> {
    // One GROUP BY instead of a query per name: failed logins are many and have no index.
    const logins = " LEFT JOIN (SELECT account, max(at_ms) AS last_login FROM login_events " +
      "WHERE outcome = 'logged in' GROUP BY account) l ON l.account = a.skeleton";
    const rows = await this.db.all(
      `${selectAccount}, l.last_login${fromAccount}${logins} ORDER BY a.skeleton`,
    );
    return rows.map((row) => ({
      ...asAccount(row),
      lastLoginMs: Math.max(Number(row.at_ms), Number(row.last_login ?? 0)),
    }));
  }

  async *audit(): AsyncGenerator<AuditRow> {
    for await (const row of this.db.stream(trail)) yield asAuditRow(row);
  }

  close(): Promise<void> {
    return this.db.close();
  }
}

function credentialRow(skeleton: string, revision: number, c: Credential, { atMs, by }: Act): Statement {
  const sql = "INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
  return [sql, skeleton, revision, atMs, by, c.salt, c.hash, c.memoryKiB, c.passes, c.lanes];
}

function asAccount(row: Row): Account {
  return {
    skeleton: String(row.skeleton),
    name: String(row.name),
    atMs: Number(row.at_ms),
    credential: {
      revision: Number(row.credential_revision),
      salt: row.salt as Bytes,
      hash: row.hash as Bytes,
      memoryKiB: Number(row.memory_kib),
      passes: Number(row.passes),
      lanes: Number(row.lanes),
    },
    binding: { revision: Number(row.binding_revision), identity: row.identity as Bytes | null },
    ban: { revision: Number(row.ban_revision ?? 0), disabled: Number(row.disabled ?? 0) === 1 },
  };
}

/** The rows of all tables; what comes with a registration (revision 1) is told by the account's own row. */
const trail = [
  "SELECT a.at_ms, 'account' AS kind, a.name AS by_whom, a.name, a.address AS text, u.hash AS bytes, 0 AS flag " +
  "FROM accounts a LEFT JOIN token_uses u ON u.account = a.skeleton",
  "SELECT c.at_ms, 'credential', c.by_whom, a.name, '', NULL, 0 " +
  "FROM credentials c JOIN accounts a ON a.skeleton = c.account WHERE c.turn > 1",
  "SELECT b.at_ms, 'binding', b.by_whom, a.name, '', b.identity, 0 " +
  "FROM bindings b JOIN accounts a ON a.skeleton = b.account WHERE b.turn > 1",
  "SELECT d.at_ms, 'ban', d.by_whom, a.name, '', NULL, d.disabled " +
  "FROM bans d JOIN accounts a ON a.skeleton = d.account",
  "SELECT t.at_ms, 'token', t.by_whom, '', '', NULL, 0 FROM registration_tokens t",
  "SELECT e.at_ms, e.outcome, e.name, e.name, e.address, NULL, 0 FROM login_events e",
].join(" UNION ALL ") + " ORDER BY 1";

function asAuditRow(row: Row): AuditRow {
  const act = { by: String(row.by_whom), atMs: Number(row.at_ms) };
  const name = String(row.name), text = String(row.text), kind = String(row.kind);
  const bytes = row.bytes as Bytes | null;
  switch (kind) {
    case "account":
      return auditOf.registered({ name, atMs: act.atMs, address: text, tokenHash: bytes });
    case "credential":
      return auditOf.credential(name, act);
    case "binding":
      return auditOf.binding(name, bytes, act);
    case "ban":
      return auditOf.ban(name, Number(row.flag) === 1, act);
    case "token":
      return auditOf.token(act);
    default:
      return auditOf.login({ atMs: act.atMs, name, address: text, outcome: kind as LoginEvent["outcome"] });
  }
}
