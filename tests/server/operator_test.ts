/** What the operator can do from the console, over real sockets. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ChatError, exitCodes } from "../../lib/errors.ts";
import { addressKey } from "../../lib/server/address_key.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { banOf, Bans } from "../../lib/server/rooms/bans.ts";
import { Console } from "../../lib/server/operator/console.ts";
import { type Client, clockTest, type World, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

function consoleOf(world: World): (line: string) => Promise<string[]> {
  const console = new Console({
    server: world.server,
    invite: (room) => `invite ${room}`,
    now: () => world.clockNow(),
  });
  return async (line) => {
    const { lines, later } = console.enter(line);
    return later ? await later : lines;
  };
}
const endOf = async (client: Client) => {
  const error = await client.done;
  return error instanceof ChatError ? [error.message, error.exitCode] : error;
};

worldTest("NOTICE is shown to everybody as the operator's words", async (world) => {
  const enter = consoleOf(world);
  assertStringIncludes((await enter("NOTICE nobody hears"))[0], "Nobody is connected");
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  assertEquals(await enter("notice back at noon"), ["[+] Shown to 2 people"]);
  for (const { view } of [ira, sam]) {
    await until("shown", () => view.notices.includes("The server says: back at noon"));
  }
  assertEquals(await enter("NOTICE"), ["error: NOTICE needs more", "hint: NOTICE TEXT"]);
});

worldTest("KICK ends a connection, and says so; the person may come back", async (world) => {
  const enter = consoleOf(world);
  const ira = await world.enter("ira");
  await world.enter("sahnawaz");
  assertStringIncludes((await enter("KICK nobody"))[0], "not connected");
  await enter("KICK IRA");
  assertEquals(await endOf(ira), ["The operator has put you out", exitCodes.login]);
  const again = await world.enter("ira");
  again.view.type("back");
  await again.view.hears("ira: back");
});

worldTest("BAN by name keeps out in any spelling, over a restart, until UNBAN", async (world) => {
  const enter = consoleOf(world);
  const ira = await world.enter("ira");
  await world.enter("sahnawaz");
  assertStringIncludes((await enter("BAN 1RA"))[0], "put out: ira");
  assertEquals(await endOf(ira), ["The operator has put you out", exitCodes.login]);
  assertEquals(await endOf(await world.join("ira")), ["The operator has put you out", exitCodes.login]);
  await world.server.stop();
  await world.startServer();
  assertEquals(await endOf(await world.join("ira")), ["The operator has put you out", exitCodes.login]);
  const again = consoleOf(world);
  assertEquals(await again("BAN"), ["1RA"]);
  assertStringIncludes((await again("UNBAN dana"))[0], "not banned");
  assertStringIncludes((await again("UNBAN ira"))[0], "may come in again");
  await world.enter("ira");
});

worldTest("BAN by address keeps everybody from there out", async (world) => {
  const enter = consoleOf(world);
  const ira = await world.enter("ira");
  assertStringIncludes((await enter("BAN 127.0.0.1"))[0], "put out: ira");
  assertEquals(await endOf(ira), ["The operator has put you out", exitCodes.login]);
  assertEquals(await endOf(await world.join("dana")), ["The operator has put you out", exitCodes.login]);
  await enter("UNBAN 127.0.0.1");
  await world.enter("ira");
  await world.enter("dana");
  for (const bad of ["BAN not,a,name", "BAN 127.0.0"]) {
    assertStringIncludes((await enter(bad))[0], "neither a name");
  }
});

worldTest("RETIRE asks once, tells the members, takes nothing more and frees the name", async (world) => {
  const enter = consoleOf(world);
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  assertStringIncludes((await enter("RETIRE nowhere"))[0], "There is no room");
  assertStringIncludes((await enter("RETIRE lobby"))[0], "Type RETIRE lobby again");
  assertStringIncludes((await enter("WHO"))[0], "ira");
  assertStringIncludes((await enter("RETIRE lobby"))[0], "Type RETIRE lobby again");
  assertStringIncludes((await enter("RETIRE lobby"))[0], "is retired");
  for (const { view } of [ira, sam]) {
    await until("told", () => view.warnings.some((text) => text.includes("room has ended")));
  }
  const before = ira.view.warnings.length;
  ira.view.type("anybody?");
  await until("refused", () => ira.view.warnings.length > before);
  assertStringIncludes(ira.view.warnings.at(-1)!, "nothing more can be said");
  for (const client of [ira, sam]) {
    client.view.type("EXIT");
    assertEquals(await client.done, 0);
  }
  // The name is free, but whoever knew the old room must say that another one is meant.
  const dana = await world.enter("dana");
  const wary = await endOf(await world.join("ira"));
  assertStringIncludes(String(wary), "not the one you knew");
  const again = await world.enter("ira", { trust: "lobby" });
  again.view.type("a new beginning");
  await dana.view.hears("ira: a new beginning");
});

worldTest("RETIRE lasts over a restart of the server", async (world) => {
  const ira = await world.enter("ira");
  const enter = consoleOf(world);
  await enter("RETIRE lobby");
  await enter("RETIRE lobby");
  ira.view.type("EXIT");
  await ira.done;
  await world.server.stop();
  await world.startServer();
  assertStringIncludes(String(await endOf(await world.join("ira"))), "does not know the room");
  const made = await world.enter("ira", { trust: "lobby" });
  made.view.type("new");
  await made.view.hears("ira: new");
});

worldTest("--show-addresses: each line has its sender's address, and WELCOME says so", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  ira.view.type("hi");
  const event = await sam.view.until((e) => e.type === "message" && e.text === "hi");
  assertEquals(event.type === "message" && /^127\.0\.0\.1:\d+$/.test(event.address), true);
}, { showAddresses: true });

worldTest("BAN takes an address as WHO shows it, and nothing that is none", async (world) => {
  const enter = consoleOf(world);
  const ira = await world.enter("ira");
  const shown = (await enter("WHO"))[0].split(/\s+/)[1];
  assertMatch(shown, /^127\.0\.0\.1:\d+$/);
  assertStringIncludes((await enter(`BAN ${shown}`))[0], "put out: ira");
  await ira.done;
  for (const bad of ["10.0.0.01", "999.1.1.1", "1.2.3", "::g", "[::1", "1.2.3.4:port"]) {
    assertStringIncludes((await enter(`BAN ${bad}`))[0], "neither a name nor an address");
  }
});

const sameBans: [string, string][] = [
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::ffff:c000:0207", "192.0.2.7"],
  ["2001:DB8:0:0:1::5", "2001:db8::/64"],
  ["[2001:db8::7]:5000", "2001:db8::/64"],
];
for (const [typed, value] of sameBans) {
  test(`a ban of ${typed} is the one of ${value}`, () => {
    const expected = value.includes("/") ? banOf("2001:db8::1")!.value : value;
    assertEquals(banOf(typed)!.value, expected);
  });
}

worldTest("a member of a retired room has the place back, and asks for nothing there", async (world) => {
  const enter = consoleOf(world);
  const ira = await world.enter("ira");
  await enter("RETIRE lobby");
  await enter("RETIRE lobby");
  await until("told", () => ira.view.warnings.length > 0);
  ira.view.type("/join next");
  await ira.view.until((e) => e.type === "entered" && e.room === "next");
}, { limits: { roomsPerUser: 1 } });

worldTest("RETIRE ends a key-file room by the digits that ROOMS shows", async (world) => {
  const enter = consoleOf(world);
  const ira = await world.enter("ira", { fernetKey: new Uint8Array(32).fill(3) });
  const digits = /\(key file ([0-9a-f]{8})\)/.exec((await enter("ROOMS")).join())![1];
  assertStringIncludes((await enter(`RETIRE ${digits}`))[0], "Type RETIRE");
  assertStringIncludes((await enter(`RETIRE ${digits}`))[0], "is retired");
  await until("told", () => ira.view.warnings.some((text) => text.includes("room has ended")));
});

const inRange: [range: string, inside: string[], outside: string[]][] = [
  ["192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "192.0.1.255", "2001:db8::/64"]],
  ["192.0.2.77/24", ["192.0.2.1"], ["192.0.3.1"]],
  ["0.0.0.0/0", ["1.2.3.4", "255.255.255.255"], ["2001:db8::/64"]],
  ["192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6"]],
  ["::ffff:192.0.2.7/120", ["192.0.2.1"], ["192.0.3.1"]],
  ["2001:db8::/32", [addressKey("2001:db8::1"), addressKey("2001:db8:ffff:1::9")], [
    addressKey("2001:db9::1"),
  ]],
  ["2001:DB8:0:0:1::/64", [addressKey("2001:db8::1")], [addressKey("2001:db8:0:1::1")]],
];
for (const [range, inside, outside] of inRange) {
  test(`a ban of ${range} is one of that range and of nothing else`, () => {
    const bans = new Bans(new MemoryStore(systemRandom), new FakeClock(), () => Promise.resolve(true));
    void bans.add(banOf(range)!);
    for (const address of inside) assertEquals(bans.has("x", address), true, address);
    for (const address of outside) assertEquals(bans.has("x", address), false, address);
  });
}
test("what is no range, or less than a person's /64, is no ban", () => {
  for (
    const bad of [
      "::ffff:10.1.2.3/24",
      "192.0.2.7:5000/24",
      "[2001:db8::1]:5/48",
      "192.0.2.0/33",
      "192.0.2/24",
      "2001:db8::/65",
      "x/8",
      "1.2.3.4/",
      "/8",
    ]
  ) {
    assertEquals(banOf(bad), null, bad);
  }
});
clockTest(
  "BAN --for ends by itself, has a reason, outlasts a restart, and UNBAN takes it back",
  async (world, clock) => {
    const enter = consoleOf(world);
    const ira = await world.enter("ira");
    assertMatch(
      (await enter("BAN ira --for 7d spam, again"))[0],
      /^\[\+\] ira is banned until .*; put out: ira$/,
    );
    await ira.done;
    assertMatch((await enter("BAN"))[0], /^ira, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, spam, again$/);
    await world.server.stop();
    await world.startServer();
    const again = consoleOf(world);
    assertMatch((await again("BAN"))[0], /spam, again$/);
    assertEquals(await endOf(await world.join("ira")), ["The operator has put you out", exitCodes.login]);
    clock.jump(7 * 86_400_000 + 1000);
    assertEquals(await again("BAN"), ["Nobody is banned."]);
    await world.enter("ira");
    await again("BAN 127.0.0.0/24 --for=12h");
    assertStringIncludes((await again("UNBAN 127.0.0.9/24"))[0], "may come in again");
    assertStringIncludes((await again("BAN sam --for"))[0], "--for needs a time");
    for (const bad of ["--for 0d", "--for 7", "--for 1y"]) {
      assertStringIncludes((await again(`BAN sam ${bad}`))[0], "no time to ban for");
    }
  },
);
worldTest("a very wide BAN is asked about, and one of the proxy is refused", async (world) => {
  const enter = consoleOf(world);
  assertStringIncludes((await enter("BAN 0.0.0.0/0"))[0], "Type BAN 0.0.0.0/0 again");
  assertEquals(await enter("BAN"), ["Nobody is banned."]);
  assertStringIncludes((await enter("BAN 10.0.0.0/8"))[0], "very wide");
  assertStringIncludes((await enter("BAN 10.0.0.0/8"))[0], "is banned");
  assertStringIncludes((await enter("BAN 127.0.0.1"))[0], "is the proxy");
  assertStringIncludes((await enter("BAN 127.0.0.0/24"))[0], "holds the proxy");
}, { proxies: new Set(["127.0.0.1"]) });
