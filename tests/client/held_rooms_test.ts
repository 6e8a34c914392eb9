/** Several rooms, one screen: what is said elsewhere waits, is counted, survives, and is shown once. */

import { assertEquals } from "@std/assert";
import { type Client, memoryStore, type World, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

async function holding(world: World, name: string): Promise<Client> {
  const client = await world.join(name);
  client.view.holds = true;
  await client.view.until((event) => event.type === "entered");
  return client;
}
const unread = ({ view }: Client) => Object.fromEntries(view.shown.rooms.map((r) => [r.label, r.unread]));

const fast = { sendBurst: 2000, sendsPerSecond: 2000 };

/** Sam sits in the lobby, and is in the room "dev" too, where ira is. */
async function two(world: World): Promise<{ ira: Client; sam: Client }> {
  const ira = await world.enter("ira");
  const sam = await holding(world, "sahnawaz");
  ira.view.type("/join dev");
  await until("there", () => ira.view.room === "dev");
  sam.view.type("/join dev");
  await until("there too", () => sam.view.room === "dev" && sam.chat.conversation.room!.isCaughtUp);
  sam.view.type("/switch lobby");
  await until("back", () => sam.view.room === "lobby");
  return { ira, sam };
}

worldTest("what is said in another room waits, is counted, and is shown when the room is", async (world) => {
  const { ira, sam } = await two(world);
  ira.view.type("one", "two");
  await until("counted", () => unread(sam).dev === 2);
  assertEquals(sam.view.said, []);
  assertEquals(sam.view.events.filter((e) => e.type === "held").length, 2);
  sam.view.type("/switch dev");
  await sam.view.hears("ira: two");
  assertEquals(sam.view.said, ["ira: one", "ira: two"]);
  assertEquals(sam.view.events.filter((e) => e.type === "unread").length, 1);
  assertEquals(unread(sam), { lobby: 0, dev: 0 });
  ira.view.type("three");
  await sam.view.hears("ira: three");
});
worldTest("what waits survives the end of the program, and is shown once", async (world) => {
  const { ira, sam } = await two(world);
  ira.view.type("kept");
  await until("counted", () => unread(sam).dev === 1);
  sam.view.type("EXIT");
  await sam.done;
  ira.view.type("said while away");
  await ira.view.hears("ira: said while away");
  const back = await holding(world, "sahnawaz");
  await until("counted again", () => unread(back).dev === 2);
  back.view.type("/switch 2");
  await back.view.hears("ira: said while away");
  assertEquals(back.view.said, ["ira: kept", "ira: said while away"]);
  back.view.type("EXIT");
  await back.done;
  const third = await holding(world, "sahnawaz");
  await until("entered", () => third.view.shown.rooms.length === 2);
  assertEquals([unread(third), third.view.said], [{ lobby: 0, dev: 0 }, []]);
});
worldTest("where nothing is held, what had waited is shown at once", async (world) => {
  const { ira, sam } = await two(world);
  ira.view.type("kept");
  await until("counted", () => unread(sam).dev === 1);
  sam.view.type("EXIT");
  await sam.done;
  const back = await world.enter("sahnawaz");
  await back.view.hears("ira: kept");
  assertEquals(back.view.said, ["ira: kept"]);
});
worldTest("more than anybody looks at is shown as it comes: nothing waits without end", async (world) => {
  const { ira, sam } = await two(world);
  for (let i = 0; i < 205; i++) ira.view.type(`line ${i}`);
  await until("shown", () => sam.view.said.length >= 200);
  assertEquals(sam.view.said, Array.from({ length: 200 }, (_, i) => `ira: line ${i}`));
  await until("the rest waits", () => unread(sam).dev === 5);
}, { limits: fast });
worldTest("rooms have numbers; a number without a room is told", async (world) => {
  const { sam } = await two(world);
  sam.chat.conversation.switchToNumber(2);
  assertEquals(sam.view.room, "dev");
  sam.chat.conversation.switchToNumber(1);
  assertEquals(sam.view.room, "lobby");
  sam.chat.conversation.switchToNumber(7);
  assertEquals(sam.view.notices.at(-1), "There is no room 7; /rooms shows those you are in.");
});
worldTest("a direct message waits as well, and its room has a number", async (world) => {
  const { ira, sam } = await two(world);
  ira.view.type("/msg sahnawaz psst");
  await until("counted", () => unread(sam)["@ira"] === 1);
  assertEquals(sam.view.said, []);
  sam.chat.conversation.switchToNumber(3);
  await sam.view.hears("ira: psst");
});
worldTest("a room keeps its number in later runs, whatever is new before it", async (world) => {
  const { ira, sam } = await two(world);
  ira.view.type("/msg sahnawaz psst");
  await until("counted", () => unread(sam)["@ira"] === 1);
  const numbers = sam.view.shown.rooms.map(({ label }) => label);
  assertEquals(numbers, ["lobby", "dev", "@ira"]);
  sam.view.type("EXIT");
  await sam.done;
  const back = await holding(world, "sahnawaz");
  await until("all there", () => back.view.shown.rooms.length === 3);
  assertEquals(back.view.shown.rooms.map(({ label }) => label), numbers);
});
worldTest("what had waited of somebody who is ignored by now is not shown", async (world) => {
  const { ira, sam } = await two(world);
  ira.view.type("one", "two");
  await until("counted", () => unread(sam).dev === 2);
  sam.view.type("/ignore ira", "/switch dev");
  await until("looked", () => sam.view.room === "dev" && unread(sam).dev === 0);
  assertEquals(sam.view.said, []);
});
worldTest("put out of a room that is not on the screen, what waited there is shown", async (world) => {
  const { ira, sam } = await two(world);
  ira.view.type("one", "two");
  await until("counted", () => unread(sam).dev === 2);
  ira.view.type("/kick sahnawaz");
  await sam.view.until((e) => e.type === "removed" && e.room === "dev");
  assertEquals(sam.view.said, ["ira: one", "ira: two"]);
});
worldTest(
  "a memory-only server that begins anew: what waited in its rooms is shown, here and in the next run",
  async (world) => {
    const { ira, sam } = await two(world);
    ira.view.type("one");
    await until("counted", () => unread(sam).dev === 1);
    await world.crashServer();
    await world.startServer({ store: memoryStore() });
    await sam.view.hears("ira: one");
    assertEquals(sam.view.said, ["ira: one"]);
  },
  { store: memoryStore() },
);
worldTest(
  "a memory-only server that began anew while we were away: what waited is shown",
  async (world) => {
    const { ira, sam } = await two(world);
    ira.view.type("one");
    await until("counted", () => unread(sam).dev === 1);
    sam.view.type("EXIT");
    await sam.done;
    ira.view.type("EXIT");
    await ira.done;
    await world.crashServer();
    await world.startServer({ store: memoryStore() });
    const back = await holding(world, "sahnawaz");
    await back.view.hears("ira: one");
  },
  { store: memoryStore() },
);
