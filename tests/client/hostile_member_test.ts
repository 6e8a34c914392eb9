/** What a member can do who has been let in and lies (protocol §1), with real clients on real sockets. */

import { assertEquals } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { HostileMember } from "../fakes/hostile_member.ts";
import { sharedWorldTest } from "../fakes/cluster.ts";
import { type Client, headIn, type ServerOptions, type World, worldTest } from "../fakes/world.ts";
import { sampled, some } from "../fakes/sampled.ts";
import { until } from "../fakes/until.ts";
import { unsigned } from "../fakes/site.ts";

const options = { limits: { ...defaultLimits, commitEveryMs: 1 } };

/** Of the tests below, those that run at three servers as well. */
const atThree = new Set(some(3, 16));
let count = 0;

/** On one server, and with everybody at another one of three that share their rooms. */
function memberTest(name: string, act: (world: World) => Promise<void>, of: ServerOptions = {}): void {
  worldTest(name, act, of);
  if (atThree.has(++count)) sharedWorldTest(`at three servers: ${name} (${sampled})`, act, of);
}

async function three(world: World): Promise<{ ira: Client; sam: Client; mallory: HostileMember }> {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const mallory = new HostileMember(await world.enter("mallory"));
  for (const client of [ira, sam]) await until("all in", () => headIn(client)!.roster.length === 3);
  return { ira, sam, mallory };
}

/** The two honest ones still talk, and hear each other once. */
async function stillTalk(ira: Client, sam: Client): Promise<void> {
  ira.view.type("still here");
  await sam.view.hears("ira: still here");
  sam.view.type("me too");
  await ira.view.hears("sahnawaz: me too");
}

for (const box of ["other secret", "garbage", "none"] as const) {
  memberTest(
    `property 18: a commit whose boxes are ${box} locks out for one epoch; one refresh mends it, no loop`,
    async (world) => {
      const { ira, sam, mallory } = await three(world);
      const { epoch } = headIn(ira)!;
      await mallory.commit({}, box);
      for (const client of [ira, sam]) {
        await until(
          "told by name",
          () =>
            [...client.view.notices, ...client.view.warnings].some((text) =>
              text.includes("mallory's commit left you without a key")
            ),
        );
      }
      await until("mended", () => [ira, sam].every((client) => headIn(client)!.epoch >= epoch + 2));
      for (let i = 0; i < 5; i++) await stillTalk(ira, sam);
      assertEquals(headIn(ira)!.epoch <= epoch + 3, true, "no loop of refreshes");
    },
    options,
  );
}

memberTest(
  "a member who lies about what it saw is named, once, and nothing stops: no alarm without the server's own signature",
  async (world) => {
    const { ira, sam, mallory } = await three(world);
    for (const text of ["lie", "another lie"]) {
      // Its own program is told of a message that it does not know, and comes back for it.
      await until("it can speak", () => mallory.room.canSpeak && !mallory.room.state.suspect);
      const { pos } = mallory.room.history!.view;
      mallory.send(mallory.message(text, { view: unsigned(pos, systemRandom(32)) }));
      for (const client of [ira, sam]) await client.view.hears(`mallory: ${text}`);
    }
    for (const { view } of [ira, sam]) {
      assertEquals(
        view.warnings.filter((text) => /mallory claims to have seen another history/.test(text)).length,
        1,
      );
      assertEquals(view.warnings.some((text) => /Nothing more is sent/.test(text)), false);
    }
    await stillTalk(ira, sam);
  },
  options,
);

memberTest("a message with a good signature and a wrong key is told, and moves nothing", async (world) => {
  const { ira, sam, mallory } = await three(world);
  mallory.send(mallory.message("unreadable", {}, (key) => key.map((byte) => byte ^ 1)));
  for (const { view } of [ira, sam]) {
    await until("told", () => view.warnings.includes("A message of mallory does not open."));
  }
  await stillTalk(ira, sam);
}, options);

const refused: [string, (m: HostileMember, sam: Client) => Promise<unknown> | void][] = [
  ["speaks as another", (m, sam) => m.send(m.message("as sam", { sender: sam.profile.card.id }))],
  ["speaks in another epoch", (m) => m.send(m.message("late", { epoch: 99 }))],
  ["skips numbers", (m) => m.send(m.message("skipped", { n: 50 }))],
  [
    "removes another without being admin",
    (m, sam) =>
      m.commit({ roster: m.room.state.head!.roster.filter((each) => each.name !== sam.profile.name) }),
  ],
  [
    "makes itself admin",
    (m) =>
      m.commit({
        roster: m.room.state.head!.roster.map((each) =>
          each.name === "mallory" ? { ...each, role: 1 } : each
        ),
      }),
  ],
  ["closes the room", (m) => m.commit({ policy: 1 })],
  [
    "renames another",
    (m) =>
      m.commit({
        roster: m.room.state.head!.roster.map((each) =>
          each.name === "ira" ? { ...each, name: "iris" } : each
        ),
      }),
  ],
  ["commits for a wrong place", (m) => m.commit({ prev: systemRandom(32) })],
];
for (const [what, act] of refused) {
  memberTest(
    `a member who ${what} is refused by the server, and the others see nothing of it`,
    async (world) => {
      const { ira, sam, mallory } = await three(world);
      const before = world.server.rooms.all()[0].last;
      const roster = headIn(ira)!.roster.map((m) => `${m.name} ${m.role}`);
      await act(mallory, sam);
      await stillTalk(ira, sam);
      assertEquals(headIn(ira)!.roster.map((m) => `${m.name} ${m.role}`), roster);
      assertEquals([ira.view.warnings, sam.view.warnings], [[], []]);
      assertEquals(world.server.rooms.all()[0].last >= before + 2, true);
      assertEquals(ira.view.said.length, 2);
    },
    options,
  );
}

memberTest("a flood by one member is refused, and the others talk on", async (world) => {
  const { ira, sam, mallory } = await three(world);
  for (let i = 0; i < 200; i++) mallory.send(mallory.message(`flood ${i}`));
  await stillTalk(ira, sam);
  const heard = ira.view.said.filter((line) => line.startsWith("mallory")).length;
  assertEquals(heard <= 40, true, `${heard} of 200 came through`);
});

for (const lifts of [true, false]) {
  memberTest(
    `whom an admin put out no plain member lets in again, ${
      lifts ? "and lifts the ban" : "the ban left as it is"
    }`,
    async (world) => {
      const { ira, sam, mallory } = await three(world);
      const dana = await world.enter("dana");
      await until("in", () => headIn(ira)!.roster.length === 4);
      const gone = headIn(ira)!.roster[3];
      ira.view.type("/kick dana");
      await dana.done;
      await until("kept out", () => headIn(mallory.client)!.bans.length === 1);
      const { epoch, roster, bans } = headIn(mallory.client)!;
      await mallory.commit({ roster: [...roster, { ...gone, since: epoch + 1 }], bans: lifts ? [] : bans });
      // Her next line is behind the answer, and would be refused as stale had her commit counted.
      mallory.send(mallory.message("I tried"));
      await ira.view.hears("mallory: I tried");
      assertEquals([headIn(ira)!.epoch, headIn(ira)!.roster.length], [epoch, 3]);
      await stillTalk(ira, sam);
    },
    options,
  );
}
