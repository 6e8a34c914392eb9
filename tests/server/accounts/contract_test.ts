/** One contract, every account store: memory, SQLite and a real MariaDB. Numbers are those of store.ts. */

import { test } from "../../fakes/test.ts";
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { sha256 } from "../../../lib/crypto/hash.ts";
import type { Bytes } from "../../../lib/crypto/bytes.ts";
import { auditLine } from "../../../lib/server/accounts/audit.ts";
import { MemoryAccounts } from "../../../lib/server/accounts/memory.ts";
import { newestVersion } from "../../../lib/server/accounts/schema.ts";
import { SqlAccounts } from "../../../lib/server/accounts/sql_accounts.ts";
import { SqliteDatabase } from "../../../lib/server/accounts/sqlite.ts";
import {
  type AccountStore,
  AccountsUnavailable,
  type Registration,
} from "../../../lib/server/accounts/store.ts";
import { FileExposed } from "../../../lib/storage/private_file.ts";
import { hasMariadb, Mariadb } from "../../fakes/mariadb.ts";
import { databasePassword, openAs, setUp } from "../../fakes/restricted_user.ts";

const bytes = (n: number, length = 32): Bytes => new Uint8Array(length).fill(n);
const credential = (n: number) => ({
  salt: bytes(n, 16),
  hash: bytes(n + 1),
  memoryKiB: 19_456,
  passes: 2,
  lanes: 1,
});

function registration(name: string, over: Partial<Registration> = {}): Registration {
  return {
    name,
    skeleton: name.toLowerCase().replaceAll(/[i1]/g, "l").replaceAll("0", "o"),
    credential: credential(1),
    identity: bytes(7),
    address: "192.0.2.1",
    atMs: 1_000,
    tokenHash: null,
    ...over,
  };
}

async function trailOf(store: AccountStore): Promise<string[]> {
  const lines = [];
  for await (const row of store.audit()) lines.push(auditLine(row).slice("2026-11-21 09:35:24  ".length));
  return lines;
}

interface Kind {
  readonly kind: string;
  readonly ignore: boolean;
  /** An empty store; the second one of a pair sees what the first one adds. */
  open(): Promise<{ store: AccountStore; again: () => Promise<AccountStore>; close(): Promise<void> }>;
}

let shared: Promise<Mariadb> | null = null;
let databases = 0;

const kinds: Kind[] = [
  {
    kind: "memory",
    ignore: false,
    open() {
      const store = new MemoryAccounts();
      return Promise.resolve({ store, again: () => Promise.resolve(store), close: () => store.close() });
    },
  },
  {
    kind: "SQLite",
    ignore: false,
    open() {
      const dir = Deno.makeTempDirSync();
      const opened: AccountStore[] = [];
      const open = () => {
        opened.push(new SqlAccounts(new SqliteDatabase(`${dir}/accounts.db`)));
        return opened.at(-1)!;
      };
      return Promise.resolve({
        store: open(),
        again: () => Promise.resolve(open()),
        async close() {
          for (const store of opened) await store.close();
          Deno.removeSync(dir, { recursive: true });
        },
      });
    },
  },
  {
    kind: "MariaDB",
    ignore: !hasMariadb,
    async open() {
      const db = await (shared ??= Mariadb.start());
      const url = await setUp(db, `chat${++databases}`);
      const opened: AccountStore[] = [];
      const open = async () => {
        opened.push(await openAs(url));
        return opened.at(-1)!;
      };
      return {
        store: await open(),
        again: open,
        async close() {
          for (const store of opened) await store.close();
        },
      };
    },
  },
];

for (const { kind, ignore, open } of kinds) {
  const contract = (
    name: string,
    act: (store: AccountStore, again: () => Promise<AccountStore>) => Promise<void>,
  ) =>
    test({
      name: `${kind} accounts: ${name}`,
      ignore,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const { store, again, close } = await open();
        try {
          await act(store, again);
        } finally {
          await close();
        }
      },
    });

  contract(
    "1. of 20 registrations of one name at once exactly one makes an account",
    async (store, again) => {
      const other = await again();
      const outcomes = await Promise.all(
        Array.from(
          { length: 20 },
          (_, i) => (i % 2 ? store : other).register(registration("ira", { identity: bytes(i) })),
        ),
      );
      assertEquals(outcomes.toSorted(), ["made", ...Array(19).fill("taken")]);
      const winner = outcomes.indexOf("made");
      assertEquals((await store.find("lra"))?.binding, { revision: 1, identity: bytes(winner) });
      assertEquals(await trailOf(store), ["registered  ira  from 192.0.2.1"]);
    },
  );
  contract("1. of two names that look alike, at once, one makes an account", async (store, again) => {
    const other = await again();
    for (let round = 0; round < 10; round++) {
      const names = [`Mill0${round}`, `mi11o${round}`];
      const outcomes = await Promise.all([
        store.register(registration(names[0])),
        other.register(registration(names[1])),
      ]);
      assertEquals(outcomes.toSorted(), ["made", "taken"]);
      const account = await other.find(registration(names[0]).skeleton);
      assertEquals(account?.name, names[outcomes.indexOf("made")]);
    }
    assertEquals((await store.accounts()).length, 10);
  });
  contract(
    "2. a token admits one registration, also of 10 at once; a loser keeps nothing",
    async (store, again) => {
      const other = await again();
      const tokenHash = sha256(bytes(1));
      assertEquals(await store.hasToken(tokenHash), false);
      assertEquals(await store.register(registration("early", { tokenHash })), "token refused");
      await store.addToken(tokenHash, { by: "operator", atMs: 500 });
      assertEquals([await store.hasToken(tokenHash), await other.hasToken(sha256(bytes(2)))], [true, false]);
      const outcomes = await Promise.all(
        Array.from(
          { length: 10 },
          (_, i) => (i % 2 ? store : other).register(registration(`n${i}`, { tokenHash })),
        ),
      );
      assertEquals(outcomes.toSorted(), ["made", ...Array(9).fill("token refused")]);
      assertEquals(await store.hasToken(tokenHash), false);
      assertEquals(
        (await store.accounts()).map(({ name }) => name),
        [`n${outcomes.indexOf("made")}`],
      );
      assertEquals((await trailOf(store)).length, 2);
      // A name that is taken does not use a token up.
      const second = sha256(bytes(3));
      await store.addToken(second, { by: "operator", atMs: 600 });
      const taken = `n${outcomes.indexOf("made")}`;
      assertEquals(await store.register(registration(taken, { tokenHash: second })), "taken");
      assertEquals(await store.hasToken(second), true);
      assertEquals(await store.register(registration("early", { tokenHash: second })), "made");
    },
  );
  contract("3. the newest credential, binding and ban count; the earlier rows stay", async (store, again) => {
    await store.register(registration("ira"));
    const first = (await store.find("lra"))!;
    assertEquals(first, {
      skeleton: "lra",
      name: "ira",
      atMs: 1_000,
      credential: { ...credential(1), revision: 1 },
      binding: { revision: 1, identity: bytes(7) },
      ban: { revision: 0, disabled: false },
    });
    const act = (atMs: number) => ({ by: "operator", atMs });
    assertEquals(await store.setCredential(first, credential(50), act(2_000)), true);
    assertEquals(await store.setBinding(first, null, act(3_000)), true);
    assertEquals(await store.setDisabled(first, true, act(4_000)), true);
    const other = await again();
    const second = (await other.find("lra"))!;
    assertEquals(second.credential, { ...credential(50), revision: 2 });
    assertEquals([second.binding, second.ban], [{ revision: 2, identity: null }, {
      revision: 1,
      disabled: true,
    }]);
    assertEquals(await other.setBinding(second, bytes(9), act(5_000)), true);
    assertEquals(await other.setDisabled(second, false, act(6_000)), true);
    const third = (await store.find("lra"))!;
    assertEquals([third.binding.identity, third.ban.disabled], [bytes(9), false]);
    assertEquals((await trailOf(store)).map((line) => line.split("  ")[0]), [
      "registered",
      "password changed",
      "released",
      "disabled",
      "bound to a key",
      "enabled",
    ]);
  });
  contract("4. of two changes that rest on the same state one is added", async (store, again) => {
    const other = await again();
    await store.register(registration("ira"));
    const seen = (await store.find("lra"))!;
    const act = { by: "operator", atMs: 2_000 };
    const outcomes = await Promise.all([
      store.setBinding(seen, bytes(1), act),
      other.setBinding(seen, bytes(2), act),
      store.setCredential(seen, credential(3), act),
      other.setCredential(seen, credential(4), act),
      store.setDisabled(seen, true, act),
      other.setDisabled(seen, false, act),
    ]);
    const now = (await store.find("lra"))!;
    for (const pair of [0, 2, 4]) assertEquals(outcomes.slice(pair, pair + 2).toSorted(), [false, true]);
    assertEquals(now.binding.identity, bytes(outcomes[0] ? 1 : 2));
    assertEquals(now.credential.salt, bytes(outcomes[2] ? 3 : 4, 16));
    assertEquals(now.ban.disabled, outcomes[4]);
    assertEquals((await trailOf(store)).length, 4);
  });
  contract("5. what was added is there for whoever opens the store next", async (store, again) => {
    await store.register(registration("ira"));
    await store.noteLogin({
      name: "ira",
      skeleton: "lra",
      identity: bytes(7),
      address: "192.0.2.9",
      atMs: 9_000,
      outcome: "logged in",
    });
    const next = await again();
    assertEquals((await next.accounts()).map(({ name, lastLoginMs }) => [name, lastLoginMs]), [[
      "ira",
      9_000,
    ]]);
  });
  contract("6. text and bytes come back as they went in: nothing in them is a statement", async (store) => {
    const hostile = [
      "x'; DROP TABLE accounts;",
      '" OR 1=1 -- ',
      "\\'; DELETE FROM bans;#",
      "ab\n\t%_\\",
      "名前 🙂 ı İ ß",
      "' UNION SELECT 1,2,3 --",
    ].map((text) => text.slice(0, 22));
    for (const [i, text] of hostile.entries()) {
      const all = Uint8Array.from({ length: 32 }, (_, b) => (b * 8 + i) & 0xff);
      const one = registration(text, { skeleton: text, address: text, identity: all });
      assertEquals(await store.register(one), "made");
      assertEquals(
        await store.register({ ...one, skeleton: text.toUpperCase() + "x" }),
        "made",
        "no folding",
      );
      const account = (await store.find(text))!;
      assertEquals([account.name, account.skeleton, account.binding.identity], [text, text, all]);
      await store.setDisabled(account, true, { by: text, atMs: 5 });
      await store.addToken(all, { by: text, atMs: 6 });
      await store.noteLogin({
        name: text,
        skeleton: text,
        identity: all,
        address: text,
        atMs: 7,
        outcome: "refused",
      });
    }
    assertEquals((await store.accounts()).length, 2 * hostile.length);
    assertEquals(await store.find("' OR '1'='1"), null);
    const rows = [];
    for await (const row of store.audit()) rows.push(row);
    for (const text of hostile) {
      assertEquals(rows.filter(({ by, what }) => by === text && what === "disabled").length, 1);
      assertEquals(
        rows.some(({ name, what, detail }) =>
          name === text && what === "login refused" && detail === `from ${text}`
        ),
        true,
      );
    }
    for (const row of rows) assertEquals(/[\n]/.test(auditLine(row)), false);
  });
  contract("8. the audit trail tells who did what and when, oldest first", async (store) => {
    await store.addToken(sha256(bytes(1)), { by: "operator root", atMs: 10_000 });
    await store.register(registration("ira", { tokenHash: sha256(bytes(1)), atMs: 20_000 }));
    const account = (await store.find("lra"))!;
    await store.setBinding(account, null, { by: "operator root", atMs: 70_000 });
    await store.setDisabled(account, true, { by: "operator root", atMs: 50_000 });
    await store.setCredential(account, credential(3), { by: "(server)", atMs: 40_000 });
    const event = { name: "Ira", skeleton: "lra", identity: bytes(8), address: "192.0.2.9" };
    await store.noteLogin({ ...event, atMs: 30_000, outcome: "logged in" });
    await store.noteLogin({ ...event, atMs: 60_000, outcome: "in use" });
    await store.noteLogin({ ...event, atMs: 80_000, outcome: "door closed" });
    await store.noteLogin({ ...event, atMs: 90_000, outcome: "refused" });
    assertEquals(await trailOf(store), [
      "token made  by operator root",
      "registered with a token  ira  from 192.0.2.1",
      "logged in  Ira  from 192.0.2.9",
      "password hashed anew  ira  by (server)",
      "disabled  ira  by operator root",
      "login refused: in use  Ira  from 192.0.2.9",
      "released  ira  by operator root",
      "login refused: too many failures  Ira  from 192.0.2.9",
      "login refused  Ira  from 192.0.2.9",
    ]);
  });
}

const mariadbTest = (name: string, act: (db: Mariadb) => Promise<void>) =>
  test({
    name,
    ignore: !hasMariadb,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => await act(await (shared ??= Mariadb.start())),
  });

mariadbTest(
  "the user of --print-schema may not UPDATE, DELETE, DROP, CREATE, ALTER or read elsewhere",
  async (db) => {
    await setUp(db, "rights");
    const store = await openAs(`mysql://chat@127.0.0.1:${db.port}/rights`);
    await store.register(registration("ira"));
    const refused: [string, string][] = [
      ["UPDATE accounts SET name = 'x'", "UPDATE command denied"],
      ["DELETE FROM login_events", "DELETE command denied"],
      ["DROP TABLE bans", "DROP command denied"],
      ["TRUNCATE TABLE bans", "DROP command denied"],
      ["CREATE TABLE more (id INT)", "CREATE command denied"],
      ["CREATE TEMPORARY TABLE more (id INT)", "Access denied"],
      ["ALTER TABLE accounts ADD COLUMN x INT", "ALTER command denied"],
      ["CREATE INDEX i ON accounts (name)", "INDEX command denied"],
      ["REPLACE INTO accounts VALUES ('lra', 'x', 1, '')", "DELETE command denied"],
      [
        "INSERT INTO accounts VALUES ('lra','x',1,'') ON DUPLICATE KEY UPDATE name = 'x'",
        "UPDATE command denied",
      ],
      ["INSERT INTO schema_versions VALUES (99)", "INSERT command denied"],
      ["SELECT * FROM mysql.user", "denied"],
      ["GRANT ALL ON rights.* TO chat@localhost", "denied"],
      ["SELECT 1 INTO OUTFILE '/tmp/chat-outfile'", "denied"],
    ];
    for (const [sql, words] of refused) {
      const { ok, text } = await db.asUser("chat", databasePassword, "rights", sql);
      assertEquals([sql, ok], [sql, false]);
      assertStringIncludes(text, words);
    }
    assertEquals((await store.find("lra"))?.name, "ira");
    await store.close();
  },
);
mariadbTest("--print-schema may be run again, and then changes nothing that is there", async (db) => {
  const url = await setUp(db, "twice");
  const store = await openAs(url);
  await store.register(registration("ira"));
  await setUp(db, "twice");
  assertEquals((await store.find("lra"))?.name, "ira");
  await store.close();
});
mariadbTest(
  "a database without tables, of an older and of a newer version is refused with what to do",
  async (db) => {
    const url = await setUp(db, "versions");
    const cases: [string, string, string][] = [
      [
        "DELETE FROM versions.schema_versions WHERE version > 1",
        "its schema is of version 1",
        "--print-schema",
      ],
      [
        `INSERT INTO versions.schema_versions VALUES (${newestVersion + 1})`,
        "newer version",
        "use that version",
      ],
      ["DROP TABLE versions.schema_versions", "no tables yet", "--print-schema"],
      ["DROP DATABASE versions", "no such database", "--print-schema"],
    ];
    for (const [sql, why, hint] of cases) {
      await db.asAdmin(sql);
      const error = await assertRejects(() => openAs(url), AccountsUnavailable, why);
      assertStringIncludes(error.hint, hint);
      assertEquals(error.exitCode, 1);
    }
  },
);
mariadbTest("a user with more rights than needed is pointed out", async (db) => {
  const url = await setUp(db, "excess");
  const store = await openAs(url);
  assertEquals(await store.check(), []);
  await db.asAdmin("GRANT UPDATE, DROP ON excess.* TO 'chat'@'localhost', 'chat'@'127.0.0.1'");
  const [warning] = await store.check();
  assertStringIncludes(warning, "UPDATE, DROP");
  await db.asAdmin("REVOKE UPDATE, DROP ON excess.* FROM 'chat'@'localhost', 'chat'@'127.0.0.1'");
  // Rights on other databases, as a new MariaDB gives everybody on `test`, are none of ours.
  await db.asAdmin("GRANT UPDATE ON `test\\\\_%`.* TO 'chat'@'localhost', 'chat'@'127.0.0.1'");
  assertEquals(await store.check(), []);
  await db.asAdmin("GRANT DELETE ON `exc%`.* TO 'chat'@'localhost', 'chat'@'127.0.0.1'");
  assertStringIncludes((await store.check())[0], "(DELETE)");
  await db.asAdmin("REVOKE DELETE ON `exc%`.* FROM 'chat'@'localhost', 'chat'@'127.0.0.1'");
  await store.close();
});

test("SQLite accounts: rows can only be added, whoever asks", () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/accounts.db`;
  new SqliteDatabase(path);
  const db = new DatabaseSync(path);
  db.exec("INSERT INTO accounts VALUES ('lra', 'ira', 1, '')");
  for (const sql of ["UPDATE accounts SET name = 'x'", "DELETE FROM accounts"]) {
    let said = "";
    try {
      db.exec(sql);
    } catch (error) {
      said = (error as Error).message;
    }
    assertEquals(said, "rows are only added");
  }
  db.close();
  Deno.removeSync(dir, { recursive: true });
});
test("SQLite accounts: a folder or another file is told as such, and not touched", () => {
  const dir = Deno.makeTempDirSync();
  const opened = (path: string) => () => new SqliteDatabase(path);
  assertThrows(opened(dir), AccountsUnavailable, "it is a folder");
  Deno.writeTextFileSync(`${dir}/note`, "buy milk", { mode: 0o644 });
  assertThrows(opened(`${dir}/note`), AccountsUnavailable, "not a database of accounts");
  assertEquals(Deno.readTextFileSync(`${dir}/note`), "buy milk");
  Deno.removeSync(dir, { recursive: true });
});
test("SQLite accounts: a file of an older version is brought up to date, a newer one is refused", async () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/accounts.db`;
  const old = new SqlAccounts(new SqliteDatabase(path, 1));
  await old.register(registration("ira"));
  await old.close();
  const now = new SqlAccounts(new SqliteDatabase(path));
  await now.addToken(bytes(1), { by: "operator", atMs: 1 });
  assertEquals([(await now.find("lra"))?.name, await now.hasToken(bytes(1))], ["ira", true]);
  await now.close();
  assertEquals((await assertRejects(() => open(path, 1), AccountsUnavailable, "newer version")).exitCode, 1);
  Deno.removeSync(dir, { recursive: true });
});
test("SQLite accounts: the file is private, and refused when it is not or is none", async () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/accounts.db`;
  const store = await open(path);
  await store.register(registration("ira"));
  for (const { name } of Deno.readDirSync(dir)) {
    assertEquals([name, Deno.statSync(`${dir}/${name}`).mode! & 0o777], [name, 0o600]);
  }
  await store.close();
  Deno.chmodSync(path, 0o644);
  await assertRejects(() => open(path), FileExposed);
  Deno.chmodSync(path, 0o600);
  Deno.writeTextFileSync(path, "no database at all, but long enough to look like one".repeat(100));
  await assertRejects(() => open(path), AccountsUnavailable, "not a database");
  await assertRejects(() => open(`${dir}/nowhere/x.db`), Error, "there is no such");
  Deno.removeSync(dir, { recursive: true });
});

function open(path: string, version?: number): Promise<AccountStore> {
  return Promise.resolve().then(() => new SqlAccounts(new SqliteDatabase(path, version)));
}

Deno.test.afterAll(async () => {
  await (await shared)?.stop();
  shared = null;
});
