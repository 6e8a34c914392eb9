/** Coming in by oneself (protocol §7.6): open rooms, invites with a pass, and servers that show a false chain. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ChatError, exitCodes } from "../../lib/errors.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import type { LinkMessage, MessageOf } from "../../lib/protocol/channel/link_messages.ts";
import { newestEpoch } from "../../lib/protocol/channel/link_messages.ts";
import type { InvitePins } from "../../lib/protocol/identity/invite.ts";
import { skeleton } from "../../lib/protocol/identity/name.ts";
import { entryKinds } from "../../lib/protocol/group/history.ts";
import { genesis } from "../fakes/commits.ts";
import { hostileTest } from "../fakes/hostile_server.ts";
import { invited } from "../fakes/invited.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { until } from "../fakes/until.ts";
import { clockTest, headIn, quits, rosterIn, stateIn, type World, worldTest } from "../fakes/world.ts";

worldTest(
  "nobody is at home: somebody comes in, is read later, and all see how she came in",
  async (world) => {
    const ira = await world.enter("ira");
    await quits(ira);
    const dana = await world.join("dana", { message: "build 1" }, false, true);
    assertEquals(await dana.done, exitCodes.done);
    const back = await world.enter("ira");
    await back.view.hears("dana: build 1");
    const added = back.view.events.find((event) => event.type === "added");
    assertEquals(added, { type: "added", room: "lobby", by: "dana", who: "dana", verified: false });
    assertEquals(rosterIn(back), "ira,dana");
  },
);

clockTest(
  "a member who is there and lets nobody in is waited for no longer than five seconds",
  async (world, clock) => {
    const ira = await RawClient.open(world.port, "ira");
    await ira.publishPrekey("ira");
    const first = genesis(await person("ira"));
    assertEquals(await ira.inStream((ref) => ({ type: "COMMIT", ref, commit: first.bytes })), "STORED 1");
    const dana = await world.join("dana");
    await until("asked", () => dana.view.notices.some((text) => text.includes("is asked to let you in")));
    clock.jump(2_000);
    await until("asked again", () => ira.types().includes("ADMIT"));
    assertEquals(rosterIn(dana), "");
    clock.jump(4_000);
    await dana.view.until((event) => event.type === "entered");
    assertEquals(rosterIn(dana), "ira,dana");
    ira.close();
  },
);

worldTest(
  "many come in at once to a room where nobody is: each is in, and hears the others",
  async (world) => {
    await quits(await world.enter("ira"));
    const people = await Promise.all(["dana", "erin", "sahnawaz"].map((name) => world.join(name)));
    for (const { view } of people) await view.until((event) => event.type === "entered");
    await until("all in", () => people.every((each) => headIn(each)!.roster.length === 4));
    people[0].view.type("hello all");
    for (const { view } of people) await view.hears("dana: hello all");
  },
  { limits: { commitEveryMs: 50 } },
);

worldTest("an invite with a pass lets one person in to a closed room, once", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("/close");
  const pins = await invited(ira, "/invite --pass");
  assertEquals(headIn(ira)!.passes.length, 1);
  await quits(ira);
  const dana = await world.enter("dana", { pins });
  assertEquals([rosterIn(dana), headIn(dana)!.passes.length], ["ira,dana", 0]);
  assertEquals(stateIn(dana).inviter, null, "she was shown what the inviter has signed");
  const erin = await (await world.join("erin", { pins })).done;
  assert(erin instanceof ChatError);
  assertStringIncludes(erin.message, "lets nobody in any more");
  // The same invite again finds her in.
  await quits(dana);
  await world.enter("dana", { pins });
}, { limits: { commitEveryMs: 50 } });

worldTest("an invite for a name lets nobody else in, and one that is taken back nobody", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("/close");
  const pins = await invited(ira, "/invite dana"); // who has never been here
  const erin = await (await world.join("erin", { pins })).done;
  assertStringIncludes((erin as Error).message, "lets nobody in any more");
  ira.view.type("/invite --revoke erin");
  await until("nothing to take back", () => ira.view.warnings.some((text) => text.includes('is for "erin"')));
  ira.view.type("/invite --revoke");
  await until("taken back", () => headIn(ira)!.passes.length === 0);
  const dana = await (await world.join("dana", { pins })).done;
  assertStringIncludes((dana as Error).message, "lets nobody in any more");
}, { limits: { commitEveryMs: 50 } });

worldTest("in an open room an invite that was used is an invite all the same", async (world) => {
  const ira = await world.enter("ira");
  const pins = await invited(ira, "/invite --pass");
  await quits(ira);
  await quits(await world.enter("dana", { pins }));
  assertEquals(rosterIn(await world.enter("erin", { pins })), "ira,dana,erin");
}, { limits: { commitEveryMs: 50 } });

worldTest("a name that is taken in the room, with another key, keeps one out and is told", async (world) => {
  await quits(await world.enter("dana"));
  world.keysOf.set("DANA", "erin");
  const profile = await world.profile("DANA");
  world.server.rooms.store.giveName(skeleton("DANA"), profile.card.id); // as an account may
  profile.close();
  const other = await world.join("DANA");
  await until("told", () => other.view.notices.some((text) => text.includes("already, with another key")));
  assertEquals(headIn(other), null);
});

worldTest(
  "a member whose known key is another one keeps the door shut until the person has decided",
  async (world) => {
    const ira = await world.enter("ira");
    await quits(ira);
    const dana = await world.profile("dana");
    dana.known.pinUser(ira.chat.conversation.room!.context.serverId, "ira", (await person("erin")).card.id);
    dana.close();
    const asked = await world.join("dana");
    await until(
      "asked",
      () => asked.view.warnings.some((text) => text.includes("The key of ira has changed")),
    );
    assertEquals(headIn(asked), null);
    asked.view.type("/trust ira");
    await asked.view.until((event) => event.type === "entered");
    assertEquals(rosterIn(asked), "ira,dana");
  },
);

// ---- servers that lie

/** Whether an answer is a CHAIN. */
const isChain = (message: LinkMessage): message is MessageOf<"CHAIN"> => message.type === "CHAIN";

/** A closed room with a pass that is listed after something else; ira is gone. */
async function closedRoom(
  world: World,
): Promise<{ pins: InvitePins; earlier: MessageOf<"CHAIN">["commit"] }> {
  const ira = await world.enter("ira");
  const { store } = world.server.rooms;
  const { id } = stateIn(ira);
  ira.view.type("/close");
  await until("closed", () => headIn(ira)!.policy === 1);
  const earlier = store.lastCommit(id)!.bytes;
  const pins = await invited(ira, "/invite --pass");
  ira.view.type("/rekey");
  await until("rekeyed", () => headIn(ira)!.epoch > pins.pass!.epoch);
  await quits(ira);
  return { pins, earlier };
}

const lies: [
  string,
  RegExp,
  (chain: MessageOf<"CHAIN">, earlier: MessageOf<"CHAIN">["commit"]) => LinkMessage,
][] = [
  ["a commit from before the pass", /another chain/, (chain, commit) => ({ ...chain, commit })],
  ["a head that it has not signed", /not signed where/, (chain) => ({ ...chain, pos: chain.pos + 1 })],
  ["what is no commit", /as a commit what is none/, (chain) => ({ ...chain, commit: systemRandom(300) })],
];
for (const [what, why, lie] of lies) {
  hostileTest(`a server that shows ${what} gets no commit from who enters`, async (world, server) => {
    const { pins, earlier } = await closedRoom(world);
    const commits: LinkMessage[] = [];
    const newest = new Set<number>();
    server.up = (message) => {
      if (message.type === "CHAIN_GET" && message.epoch === newestEpoch) newest.add(message.ref);
      if (message.type === "COMMIT") commits.push(message);
      return [message];
    };
    server.down = (
      message,
    ) => [isChain(message) && newest.has(message.ref) ? lie(message, earlier) : message];
    const dana = await world.join("dana", { pins, port: server.port });
    await until("told", () => dana.view.warnings.some((text) => why.test(text)));
    assertEquals(commits, []);
    dana.chat.quit();
  });
}

hostileTest(
  "a server that shows another commit in the place of the invite's: exit code 4",
  async (world, server) => {
    const { pins, earlier } = await closedRoom(world);
    const listing = new Set<number>();
    server.up = (message) => {
      if (message.type === "CHAIN_GET" && message.epoch === pins.pass!.epoch) listing.add(message.ref);
      return [message];
    };
    server.down = (
      message,
    ) => [isChain(message) && listing.has(message.ref) ? { ...message, commit: earlier } : message];
    const dana = await (await world.join("dana", { pins, port: server.port })).done;
    assert(dana instanceof ChatError);
    assertEquals(dana.exitCode, exitCodes.trust);
    assertMatch(dana.message, /does not fit/);
  },
);

hostileTest(
  "a server that holds back a commit between the pass and now gets no commit",
  async (world, server) => {
    const { pins } = await closedRoom(world);
    const commits: LinkMessage[] = [];
    server.up = (message) => {
      if (message.type === "COMMIT") commits.push(message);
      // What was asked for after the pass is answered with the newest.
      const isAfter = message.type === "CHAIN_GET" && message.epoch > pins.pass!.epoch;
      return [isAfter ? { ...message, epoch: newestEpoch } : message];
    };
    const ira = await world.enter("ira");
    await until("on the screen", () => headIn(ira) !== null);
    ira.view.type("/rekey");
    await until("rekeyed", () => headIn(ira)!.epoch > pins.pass!.epoch + 1);
    await quits(ira);
    const dana = await world.join("dana", { pins, port: server.port });
    await until("told", () => dana.view.warnings.some((text) => text.includes("not valid (rule 2")));
    assertEquals(commits, []);
    dana.chat.quit();
  },
);

hostileTest(
  "whoever was shown what no honest server keeps is let in anew by a later pass of an admin, and by no earlier one",
  async (world, server) => {
    const ira = await world.enter("ira");
    ira.view.type("/close");
    const early = await invited(ira, "/invite --pass");
    ira.view.type("/open");
    const dana = await world.enter("dana", { port: server.port });
    const { id } = stateIn(dana);
    // Her removal never reaches her: in its place stands what is no commit.
    server.down = (message, name) => {
      const isRemoval = name === "dana" && message.type === "ENTRY" && message.kind === entryKinds.commit;
      return [isRemoval ? { ...message, bytes: systemRandom(300) } : message];
    };
    ira.view.type("/kick --return dana");
    await until(
      "warned",
      () => dana.view.warnings.some((text) => text.includes("hides or changes something")),
    );
    await quits(dana);
    const late = await invited(ira, "/invite --pass dana");
    assert(late.pass!.epoch > early.pass!.epoch);

    const still = await world.join("dana", { pins: early });
    await until("told", () => still.view.notices.some((text) => text.includes("does not lift the warning")));
    await quits(still);

    const anew = await world.enter("dana", { pins: late });
    await until("in", () => rosterIn(anew).includes("dana") && stateIn(anew).alarm === null);
    anew.view.type("again");
    await ira.view.hears("dana: again");
    assertEquals(stateIn(anew).id, id);
  },
);
