/** Races across servers: names, rooms, changes of members, and logins by accounts that all of them share in MariaDB. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { ChatError, exitCodes } from "../../../lib/errors.ts";
import { defaultLimits } from "../../../lib/server/limits.ts";
import { Console } from "../../../lib/server/operator/console.ts";
import { type ClusterServer, serverOn, sharedWorldTest } from "../../fakes/cluster.ts";
import { hasMariadb, Mariadb } from "../../fakes/mariadb.ts";
import { hasNats, Nats } from "../../fakes/nats.ts";
import { openAs, setUp } from "../../fakes/restricted_user.ts";
import { logsIn, registers, testAccounts } from "../../fakes/test_accounts.ts";
import { test } from "../../fakes/test.ts";
import { until } from "../../fakes/until.ts";
import { type Client, headIn, rosterIn, type World } from "../../fakes/world.ts";

const codeOf = async ({ done }: Client) => {
  const end = await done;
  return end instanceof ChatError ? end.exitCode : end;
};

sharedWorldTest(
  "of three who take one name at three servers at once, one has it, and the others are told",
  async (world) => {
    const machines = ["ira", "dana", "erin"].map((keys, i) => machineOf(world, keys, i));
    const clients = await Promise.all(machines.map((away) => away.join("bo")));
    await until(
      "one is in",
      () => clients.some(({ view }) => view.events.some((event) => event.type === "entered")),
    );
    const inNow = clients.filter(({ view }) => view.events.some((event) => event.type === "entered"));
    assertEquals(inNow.length, 1);
    const refused = clients.filter((client) => client !== inNow[0]);
    assertEquals(await Promise.all(refused.map(codeOf)), [exitCodes.login, exitCodes.login]);
    for (const away of machines) {
      await away.leaveAll();
      await Deno.remove(away.dir, { recursive: true });
    }
  },
);

/** Another machine, with these keys under the name of all, whose people begin at the server of that number. */
function machineOf(world: World, keys: string, i: number): World {
  const away = world.elsewhere();
  away.keysOf.set("bo", keys);
  away.spread = [...world.spread.slice(i), ...world.spread.slice(0, i)];
  return away;
}

sharedWorldTest("a room of one name that three make at once is one room, with all three", async (world) => {
  const clients = await Promise.all(["ira", "dana", "erin"].map((name) => world.join(name)));
  await until("all in one", () => clients.every((client) => headIn(client)?.roster.length === 3));
  assertEquals(new Set(clients.map(rosterIn)).size, 1);
  assertEquals(world.server.rooms.all().length, 1);
  for (const { view } of clients) assertEquals(view.warnings, []);
});

sharedWorldTest("commits that race at three servers all come about, one after the other", async (world) => {
  const clients = [await world.enter("ira")];
  for (const name of ["dana", "erin"]) {
    clients.push(await world.enter(name));
    await until("in", () => clients.every((client) => headIn(client)?.roster.length === clients.length));
  }
  const before = headIn(clients[0])!.epoch;
  const rounds = 4;
  for (let round = 1; round <= rounds; round++) {
    for (const { view } of clients) view.type("/rekey");
    await until("a round", () => clients.every((client) => headIn(client)!.epoch >= before + 3 * round));
  }
  const epochs = clients.map((client) => headIn(client)!.epoch);
  assertEquals(epochs, clients.map(() => before + 3 * rounds));
  for (const { view } of clients) view.type("said by all");
  for (const { view } of clients) await until("heard", () => view.said.length === 3);
  for (const { view } of clients) assertEquals(view.warnings, []);
}, { limits: { ...defaultLimits, commitEveryMs: 10, memberCommits: 100 } });

test({
  name:
    "an account has one link over all servers: a second one is refused while the first lives, and takes its place when it does not",
  ignore: !hasNats || !hasMariadb,
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  const [nats, database] = await Promise.all([Nats.start(), Mariadb.start()]);
  const servers: ClusterServer[] = [];
  try {
    const url = await setUp(database);
    for (let i = 0; i < 2; i++) {
      servers.push(await serverOn(nats, { accounts: testAccounts({ store: await openAs(url) }) }));
    }
    const [a, b] = servers.map(({ world }) => world);
    const password = "a long password of hers";
    const ira = await a.enter("ira", registers(password));
    await until("known elsewhere", () => [...b.server.rooms.others.links()].length === 1);
    // The same key on another machine, by the same password.
    const again = await b.join("ira", logsIn(password));
    assertEquals(await codeOf(again), exitCodes.login);
    assertStringIncludes(String(await again.done), "logged in elsewhere");
    ira.view.type("still in");
    await ira.view.hears("ira: still in");
    const dana = await b.enter("dana", registers("another long password"));
    await ira.view.until((event) => event.type === "added" && event.who === "dana");
    // Her account is closed at one server, and she is at the other.
    await until("known elsewhere", () => [...a.server.rooms.others.links()].length === 1);
    const console = new Console({ server: a.server, invite: () => "", now: () => 0 });
    assertEquals(await console.enter("DISABLE dana").later, ["[+] dana is disabled, and put out"]);
    assertEquals(await codeOf(dana), exitCodes.login);
    // Whose link is dead makes room: it says nothing any more.
    const deaf = a.server.answers;
    a.server.answers = () => Promise.resolve(false);
    const third = await b.enter("ira", logsIn(password));
    assertEquals(await codeOf(ira), exitCodes.failed);
    a.server.answers = deaf;
    third.view.type("in her place");
    await third.view.hears("ira: in her place");
    assertEquals(servers.flatMap(({ stopped }) => stopped), []);
  } finally {
    for (const { world } of servers) await world.close();
    await nats.close();
    await database.stop();
  }
});
