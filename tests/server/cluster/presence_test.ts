/** Who is where, and what operators and sign-ins ask of other servers: three servers on a real NATS. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { exitCodes } from "../../../lib/errors.ts";
import { Console } from "../../../lib/server/operator/console.ts";
import { clusterTest, serverOn } from "../../fakes/cluster.ts";
import { encodeHex } from "../../../lib/hex.ts";
import { dialNats } from "../../../lib/server/cluster/nats_connection.ts";
import { JumpingClock } from "../../fakes/jumping_clock.ts";
import { person } from "../../fakes/people.ts";
import { natsTest } from "../../fakes/nats.ts";
import { until } from "../../fakes/until.ts";
import type { World } from "../../fakes/world.ts";

const places = ["chat://a:1", "chat://b:1", "chat://c:1"].map((place) => ({ place }));

const consoleOf = ({ server }: World) =>
  new Console({ server, invite: (room) => `invite ${room}`, now: () => Date.now() });
const says = async (world: World, line: string) => {
  const { lines, later } = consoleOf(world).enter(line);
  return [...lines, ...await later ?? []].join("\n");
};
const seesElsewhere = (world: World, count: number) =>
  until("presence", () => [...world.server.rooms.others.links()].length === count);

clusterTest(
  "a newcomer at one server is let in at once by a member at another; who comes and goes is told everywhere",
  async ({ worlds: [a, b] }) => {
    const ira = await a.enter("ira");
    await seesElsewhere(b, 1);
    const dana = await b.enter("dana");
    await ira.view.until((event) => event.type === "added" && event.who === "dana");
    assertEquals(dana.view.notices.filter((text) => text.includes("by yourself")), []);
    dana.view.type("/who");
    await until("listed", () => dana.view.answers.length > 0);
    assertEquals(dana.view.answers.join("\n").match(/away/g), null);
    ira.chat.quit();
    await ira.done;
    await until(
      "gone",
      () => dana.view.events.some((event) => event.type === "presence" && event.who === "ira" && !event.here),
    );
  },
  places,
);

clusterTest("WHO, STATS, NOTICE, KICK and BAN reach all servers", async ({ worlds: [a, b, c] }) => {
  const ira = await a.enter("ira");
  const dana = await b.enter("dana");
  await seesElsewhere(c, 2);
  const who = await says(c, "WHO");
  for (const part of ["ira", "at chat://a:1", "dana"]) assertStringIncludes(who, part);
  assertStringIncludes(await says(a, "STATS"), "1 connected");
  assertStringIncludes(await says(c, "NOTICE tea at four"), "Shown to 2 people");
  await Promise.all(
    [ira, dana].map(({ view }) =>
      until("told", () => view.notices.some((text) => text.includes("tea at four")))
    ),
  );
  assertStringIncludes(await says(c, "KICK ira"), "put out at");
  const error = await ira.done as Error & { exitCode: number };
  assertEquals(error.exitCode, exitCodes.login);
  assertStringIncludes(await says(c, "KICK nobody"), "not connected");
  assertStringIncludes(await says(c, "BAN dana"), "put out: dana at");
  assertEquals((await dana.done as Error & { exitCode: number }).exitCode, exitCodes.login);
  const again = await b.join("dana");
  assertEquals((await again.done as Error & { exitCode: number }).exitCode, exitCodes.login);
}, places);

clusterTest(
  "whoever comes in elsewhere ends the link before, and is not let in twice",
  async ({ worlds: [a, b] }) => {
    const first = await a.enter("ira");
    await seesElsewhere(b, 1);
    // The same identity from another machine: its profile holds the same keys.
    const second = await b.enter("ira");
    const error = await first.done as Error & { exitCode: number };
    assertStringIncludes(error.message, "has connected from elsewhere");
    await until("one link", () => a.server.linked === 0 && b.server.linked === 1);
    second.view.type("still here");
    await second.view.hears("ira: still here");
  },
  places,
);

clusterTest(
  "a link that was over before it came to the log ends nobody's who is in",
  async ({ servers, worlds: [a] }) => {
    const ira = await a.enter("ira");
    const { id } = ira.profile.card;
    await servers[1].cluster.journal.propose({ kind: "link", id, link: new Uint8Array(16).fill(7) });
    await servers[0].cluster.journal.caughtUp();
    ira.view.type("still here");
    await ira.view.hears("ira: still here");
    assertEquals(a.server.linked, 1);
  },
  places,
);

clusterTest(
  "a server that ends says so, and its people are away at once",
  async ({ servers, worlds: [a, b, c] }) => {
    const dana = await b.enter("dana");
    const ira = await a.enter("ira");
    await dana.view.until((event) => event.type === "added" && event.who === "ira");
    await seesElsewhere(b, 1);
    assertEquals(servers[0].cluster.others.servers().length, 2);
    await c.server.stop();
    await until("c said goodbye", () => servers[0].cluster.others.servers().length === 1);
    const gone = a.server.stop();
    const isGone = () =>
      dana.view.events.some((event) => event.type === "presence" && event.who === "ira" && !event.here);
    await until("she is gone", isGone);
    await gone;
    ira.chat.quit();
  },
  places,
);

natsTest(
  "a server that is gone without a word is forgotten after fifteen seconds, with its people",
  async (nats) => {
    const clock = new JumpingClock();
    const { world, cluster } = await serverOn(nats, { clock });
    const connection = await dialNats({ servers: [nats.address], tls: null, isUnsafe: false });
    try {
      const dana = await world.enter("dana");
      const ira = await person("ira");
      const run = "ab".repeat(16);
      const links = [[encodeHex(ira.card.id), "cd".repeat(16), "192.0.2.1:1", []]];
      const here = {
        name: "x:1",
        kind: "here",
        links,
        gone: [],
        linked: 1,
        messages: 0,
        seq: 0,
        digest: "00".repeat(16),
      };
      connection.publish(`chat.here.${run}`, JSON.stringify(here));
      await until("heard of", () => cluster.others.servers().length === 1);
      assertEquals([...cluster.others.links()].map(({ server }) => server), ["x:1"]);
      await until("forgotten", () => {
        clock.jump(1_000);
        return cluster.others.servers().length === 0;
      });
      assertEquals([...cluster.others.links()], []);
      dana.view.type("nobody else is here");
      await dana.view.hears("dana: nobody else is here");
    } finally {
      await connection.close();
      await world.close();
    }
  },
);
