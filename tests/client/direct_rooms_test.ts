/** Direct messages (protocol §7.5), over real sockets. */

import { assertEquals } from "@std/assert";
import { until } from "../fakes/until.ts";
import { worldTest } from "../fakes/world.ts";

worldTest("/msg reaches one person alone, and the answer comes back; others see nothing", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const dana = await world.enter("dana");
  ira.view.type("/msg sahnawaz between us");
  await sam.view.until((e) => e.type === "message" && e.text === "between us" && e.room === "@ira");
  sam.view.type("/query ira", "understood");
  await ira.view.until((e) => e.type === "message" && e.text === "understood" && e.room === "@sahnawaz");
  ira.view.type("/msg sahnawaz again");
  await sam.view.until((e) => e.type === "message" && e.text === "again");
  ira.view.type("for all");
  await dana.view.hears("ira: for all");
  assertEquals(dana.view.said, ["ira: for all"]);
  for (const { view } of [ira, sam, dana]) assertEquals(view.warnings, []);
});

worldTest("a direct message to somebody who is away waits, and is read on return", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  sam.view.type("EXIT");
  await sam.done;
  ira.view.type("/msg sahnawaz while you were away");
  await ira.view.until((e) => e.type === "message" && e.own && e.room === "@sahnawaz");
  ira.view.type("EXIT");
  await ira.done;
  const back = await world.enter("sahnawaz");
  await back.view.until((e) => e.type === "message" && e.text === "while you were away");
  back.view.type("/msg ira thanks");
  await back.view.until((e) => e.type === "message" && e.own);
  const again = await world.enter("ira");
  await again.view.until((e) => e.type === "message" && e.text === "thanks" && e.room === "@sahnawaz");
  assertEquals([...again.view.warnings, ...back.view.warnings], []);
});

worldTest("both begin at once: one room, and nothing is lost", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  ira.view.type("/msg sahnawaz from ira");
  sam.view.type("/msg ira from sam");
  for (const { view } of [ira, sam]) {
    await view.until((e) => e.type === "message" && e.text === "from ira");
    await view.until((e) => e.type === "message" && e.text === "from sam");
  }
  assertEquals(world.server.rooms.all().filter((room) => room.name === "").length, 1);
  assertEquals([...ira.view.warnings, ...sam.view.warnings], []);
});

worldTest("many begin at once with each other: each pair has one room, and all is read", async (world) => {
  const names = ["ira", "sahnawaz", "dana", "erin"];
  const people = await Promise.all(names.map((name) => world.enter(name)));
  for (const [i, { view }] of people.entries()) {
    for (const other of names.filter((_, k) => k !== i)) view.type(`/msg ${other} ${names[i]} to ${other}`);
  }
  for (const [i, { view }] of people.entries()) {
    for (const other of names.filter((_, k) => k !== i)) {
      await view.until((e) => e.type === "message" && e.text === `${other} to ${names[i]}`);
    }
  }
  assertEquals(world.server.rooms.all().filter((room) => room.name === "").length, 6);
});

worldTest("a program sends a direct message and ends with 0 once it is stored", async (world) => {
  const ira = await world.enter("ira");
  const bot = await world.join("dana", {}, false);
  bot.view.type("/msg ira done");
  bot.view.end();
  assertEquals(await bot.done, 0);
  await ira.view.until((e) => e.type === "message" && e.text === "done" && e.room === "@dana");
});

worldTest("a server restart between direct messages loses and doubles nothing", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  ira.view.type("/query sahnawaz", "one");
  await sam.view.until((e) => e.type === "message" && e.text === "one");
  await world.server.stop();
  ira.view.type("two");
  await world.startServer();
  await sam.view.until((e) => e.type === "message" && e.text === "two");
  ira.view.type("three");
  await sam.view.until((e) => e.type === "message" && e.text === "three");
  assertEquals(sam.view.said, ["ira: one", "ira: two", "ira: three"]);
});

worldTest("a direct room cannot be left, closed or extended", async (world) => {
  const ira = await world.enter("ira");
  await world.enter("sahnawaz");
  ira.view.type("/msg sahnawaz hi", "/query sahnawaz");
  await until("shown", () => ira.view.room === "@sahnawaz");
  for (const line of ["/leave", "/close", "/kick sahnawaz", "/invite dana"]) {
    const before = ira.view.warnings.length;
    ira.view.type(line);
    await until(line, () => ira.view.warnings.length > before);
  }
});
