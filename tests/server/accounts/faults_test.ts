/** A real MariaDB that is absent, killed, restarted, hung, read-only, full or slow. */

import { test } from "../../fakes/test.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { systemRandom } from "../../../lib/crypto/random.ts";
import { ChatError } from "../../../lib/errors.ts";
import { parseAccountsUrl } from "../../../lib/server/accounts/accounts_url.ts";
import { openAccounts, tlsOf } from "../../../lib/server/accounts/open_accounts.ts";
import { type AccountStore, AccountsUnavailable } from "../../../lib/server/accounts/store.ts";
import { systemClock } from "../../../lib/clock.ts";
import { hasMariadb, Mariadb } from "../../fakes/mariadb.ts";
import { databasePassword, openAs, setUp, urlOf } from "../../fakes/restricted_user.ts";
import { SlowProxy } from "../../fakes/slow_proxy.ts";
import { logsIn, registers, testAccounts } from "../../fakes/test_accounts.ts";
import { type Client, inWorld, type World } from "../../fakes/world.ts";
import { until } from "../../fakes/until.ts";

const password = "correct horse battery";

function faultTest(
  name: string,
  act: (db: Mariadb, world: World, open: (port?: number) => Promise<AccountStore>) => Promise<void>,
  options: string[] = [],
): void {
  test({
    name: `MariaDB ${name}`,
    ignore: !hasMariadb,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const db = await Mariadb.start(...options);
      try {
        await setUp(db);
        await inWorld(async (world) => {
          const open = async (port?: number) => {
            const store = await openAs(urlOf(db, "chat", port));
            await world.server.stop();
            await world.startServer({ accounts: testAccounts({ store }) });
            return store;
          };
          await act(db, world, open);
        });
      } finally {
        await db.stop();
      }
    },
  });
}

const endOf = async ({ done }: Client): Promise<[string, number]> => {
  const end = await done;
  return end instanceof ChatError ? [`${end.message}: ${end.hint}`, end.exitCode] : ["", end as number];
};
const later: [string, number] = [
  "The server cannot keep anything, or check logins, at the moment: try again in a minute",
  3,
];

/** Two who are in, and one who has an account. */
async function people(world: World) {
  const ira = await world.enter("ira", registers(password));
  const sam = await world.enter("sahnawaz", registers(password));
  const dana = await world.enter("dana", registers(password));
  dana.chat.quit();
  await dana.done;
  return { ira, sam };
}
async function talk(from: Client, to: Client, text: string): Promise<void> {
  from.view.type(text);
  await to.view.hears(`${from.profile.name}: ${text}`);
}

faultTest(
  "is killed and comes back: who is in talks on, who comes is told to try again, then gets in",
  async (db, world, open) => {
    const store = await open();
    const { ira, sam } = await people(world);
    await db.down();
    await talk(ira, sam, "without a database");
    assertEquals(await endOf(await world.join("dana", logsIn(password))), later);
    assertEquals(world.log.filter((line) => line.startsWith("[!] Cannot use the accounts")).length, 1);
    assertEquals(await endOf(await world.join("erin", registers(password))), later);
    // Who was in and is cut off comes back by itself, once the database does.
    sam.cut();
    await until("tried", () => sam.view.warnings.some((text) => text.includes("or check logins")));
    await db.up();
    await talk(ira, sam, "it is back");
    const dana = await world.enter("dana", logsIn(password));
    await talk(dana, ira, "me too");
    assertEquals(world.log.filter((line) => line === "[+] The accounts can be used again").length, 1);
    assertEquals(world.log.filter((line) => line.startsWith("[!] Cannot use the accounts")).length, 1);
    const names = (await store.accounts()).map(({ name }) => name);
    assertEquals(
      names,
      ["dana", "ira", "sahnawaz"],
      "5. what was added survives a kill, and nothing half done is there",
    );
  },
);
faultTest("hangs: nobody who is in notices, and a login ends with an answer", async (db, world, open) => {
  await open();
  const { ira, sam } = await people(world);
  db.hang();
  const waiting = await world.join("dana", logsIn(password));
  for (let i = 0; i < 5; i++) await talk(ira, sam, `line ${i}`);
  assertEquals(await endOf(waiting), later);
  db.goOn();
  await world.enter("dana", logsIn(password));
});
faultTest(
  "hangs: the server can be stopped all the same",
  async (db, world, open) => {
    await open();
    await people(world);
    db.hang();
    void world.join("dana", logsIn(password));
    await world.server.stop();
    db.goOn();
  },
);
faultTest(
  "takes 5 s per query: logins succeed in the end, messages are not delayed by it",
  async (db, world, open) => {
    const proxy = new SlowProxy(db.port);
    await open(proxy.port);
    const { ira, sam } = await people(world);
    proxy.delayMs = 5_000;
    const dana = await world.join("dana", logsIn(password));
    const order: string[] = [];
    const loggedIn = until("logged in", () => dana.chat.conversation.hasAccount === true, {
      timeoutMs: 60_000,
    }).then(() => order.push("login"));
    for (let i = 0; i < 5; i++) await talk(ira, sam, `line ${i}`);
    order.push("five lines");
    await loggedIn;
    assertEquals(order, ["five lines", "login"]);
    proxy.delayMs = 0;
    proxy.close();
  },
);
faultTest(
  "is read-only: nothing is added, logins are told to try again, and work again afterwards",
  async (db, world, open) => {
    const store = await open();
    const { ira, sam } = await people(world);
    await db.asAdmin("SET GLOBAL read_only = 1");
    await talk(ira, sam, "read-only");
    assertEquals(await endOf(await world.join("dana", logsIn(password))), later);
    assertEquals(await endOf(await world.join("erin", registers(password))), later);
    assertEquals(world.log.some((line) => line.includes("it is read-only")), true);
    await db.asAdmin("SET GLOBAL read_only = 0");
    assertEquals(await store.find("erin"), null, "7. a call that fails has added nothing");
    await world.enter("dana", logsIn(password));
    await world.enter("erin", registers(password));
  },
);
faultTest(
  "is out of space: nothing is added, logins are told to try again, and work again afterwards",
  async (db, world, open) => {
    const store = await open();
    const { ira, sam } = await people(world);
    await db.asAdmin("CREATE TABLE chat.ballast (x LONGBLOB) ENGINE=InnoDB");
    // Until not even one more row goes in anywhere.
    for (const size of [1_000_000, 100_000, 10_000]) {
      while (
        await db.asAdmin(`INSERT INTO chat.ballast VALUES (REPEAT('x', ${size}))`).then(
          () => true,
          () => false,
        )
      );
    }
    const event = {
      name: "x",
      skeleton: "x",
      identity: systemRandom(32),
      address: "",
      atMs: 0,
      outcome: "refused" as const,
    };
    while (await store.noteLogin(event).then(() => true, () => false));
    await talk(ira, sam, "full");
    const before = await store.accounts();
    assertEquals(await endOf(await world.join("dana", logsIn(password))), later);
    assertEquals(world.log.some((line) => line.includes("it is out of space")), true);
    assertEquals(await store.accounts(), before);
    await db.down();
    await db.up("--innodb-data-file-path=ibdata1:24M;ibdata2:24M");
    await world.enter("dana", logsIn(password));
  },
  ["--innodb-data-file-path=ibdata1:24M", "--innodb-file-per-table=0"],
);

faultTest("is absent, refuses the password, or is not one at all: an error and what to do", async (db) => {
  const access = { dir: "", ca: null, insecure: false, clock: systemClock };
  const cases: [string, string, number, string, number][] = [
    ["gone", databasePassword, 1, "nothing answers there", 3],
    ["wrong password", "not it", db.port, "it refuses the user or the password", 1],
  ];
  for (const [, typed, port, why, code] of cases) {
    const url = parseAccountsUrl(urlOf(db, "chat", port));
    const error = await assertRejects(
      () => openAccounts(url, { ...access, password: typed }),
      AccountsUnavailable,
    );
    assertStringIncludes(error.message, why);
    assertEquals([error.exitCode, error.hint === "", error.message.includes(typed)], [code, false, false]);
  }
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const conn of listener) {
      await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")).catch(() => {});
      conn.close();
    }
  })().catch(() => {});
  const url = parseAccountsUrl(urlOf(db, "chat", (listener.addr as Deno.NetAddr).port));
  const error = await assertRejects(
    () => openAccounts(url, { ...access, password: databasePassword }),
    AccountsUnavailable,
  );
  assertEquals(error.exitCode, 3);
  listener.close();
});

test("TLS is used wherever a network may be between, unless the operator says otherwise", () => {
  const access = { dir: "", password: "", ca: null, insecure: false, clock: systemClock };
  const of = (host: string, over = {}) => {
    const url = parseAccountsUrl(`mysql://chat@${host}/chat`);
    return url.kind === "mysql" ? tlsOf(url, { ...access, ...over }) : null;
  };
  for (const host of ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"]) {
    assertEquals([host, of(host)], [host, "none"]);
  }
  for (
    const host of ["db.example.org", "10.0.0.1", "0.0.0.0", "127.evil.org", "localhost.evil.org", "[::2]"]
  ) {
    assertEquals([host, of(host), of(host, { insecure: true })], [host, "system", "none"]);
    assertEquals(of(host, { ca: "PEM" }), { ca: "PEM" });
  }
  assertEquals(of("localhost", { ca: "PEM" }), { ca: "PEM" });
});

faultTest(
  "gives deadlock after deadlock: that is unavailability, and no fault of ours",
  async (db, _world, open) => {
    const store = await open();
    await db.asAdmin(
      "CREATE TRIGGER chat.deadlock BEFORE INSERT ON chat.registration_tokens FOR EACH ROW " +
        "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'",
    );
    await assertRejects(
      () => store.addToken(systemRandom(32), { by: "operator", atMs: 1 }),
      AccountsUnavailable,
    );
  },
);
