/** Several rooms at once. */

import { assertEquals } from "@std/assert";
import { headIn, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

worldTest("/join, /switch and /rooms: each line goes to the room on the screen", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  ira.view.type("/join work");
  await until("there", () => ira.view.room === "work");
  await ira.view.until((e) => e.type === "entered" && e.room === "work");
  sam.view.type("/join work");
  await sam.view.until((e) => e.type === "entered" && e.room === "work");
  ira.view.type("at work", "/switch lobby", "in the lobby");
  await sam.view.until((e) => e.type === "message" && e.room === "work" && e.text === "at work");
  await sam.view.until((e) => e.type === "message" && e.room === "lobby" && e.text === "in the lobby");
  ira.view.type("/rooms");
  await until("listed", () => ira.view.answers.length === 2);
  assertEquals(ira.view.answers.map((line) => line.slice(0, 10)), ["* 1 lobby ", "  2 work  "]);
});

worldTest(
  "a reconnection comes back into all rooms, and shows the one that was on the screen",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    for (const { view } of [ira, sam]) {
      view.type("/join work");
      await view.until((e) => e.type === "entered" && e.room === "work");
    }
    await world.server.stop();
    ira.view.type("typed while away");
    await world.startServer();
    await sam.view.until((e) => e.type === "message" && e.room === "work" && e.text === "typed while away");
    assertEquals(ira.view.room, "work");
    ira.view.type("/switch lobby", "and here");
    await sam.view.until((e) => e.type === "message" && e.room === "lobby" && e.text === "and here");
  },
);

worldTest("leaving a second room goes back to another one; the chat goes on", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  for (const { view } of [ira, sam]) {
    view.type("/join work");
    await view.until((e) => e.type === "entered" && e.room === "work");
  }
  sam.view.type("/leave");
  await until("back", () => sam.view.room === "lobby");
  await ira.view.until((e) => e.type === "removed" && e.room === "work" && e.left);
  sam.view.type("still here");
  await ira.view.until((e) => e.type === "message" && e.room === "lobby" && e.text === "still here");
});

worldTest(
  "put out of one room, a person stays in the others, and does not go back by a reconnection",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    for (const { view } of [ira, sam]) {
      view.type("/join work");
      await view.until((e) => e.type === "entered" && e.room === "work");
    }
    sam.view.type("/switch lobby");
    await until("in the lobby", () => sam.view.room === "lobby");
    ira.view.type("/switch lobby", "/kick sahnawaz");
    await until(
      "elsewhere",
      () => sam.view.notices.some((text) => text.startsWith("You are no longer in lobby")),
    );
    sam.view.type("begun for the lobby");
    await until("held back", () => sam.view.warnings.some((text) => text.includes("the line was not sent")));
    sam.cut();
    sam.view.type("still at work");
    await ira.view.until((e) => e.type === "message" && e.room === "work" && e.text === "still at work");
    assertEquals(headIn(ira)!.roster.map((m) => m.name), ["ira"]);
  },
);

worldTest("a change asked for just before leaving is waited for", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  ira.view.type("/kick sahnawaz", "EXIT");
  assertEquals(await ira.done, 0);
  assertEquals((await sam.done) instanceof Error, true);
});

worldTest("an admin of a closed room is told who waits, and /open lets them in", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("/close");
  await until("closed", () => headIn(ira)?.policy === 1);
  const dana = await world.join("dana");
  await until("told", () => ira.view.notices.includes("dana asks to be let in: /invite dana"));
  ira.view.type("/open");
  await dana.view.until((e) => e.type === "entered");
});

worldTest("a program whose line was not sent does not send it later", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("/close");
  await until("closed", () => headIn(ira)?.policy === 1);
  const bot = await world.join("dana", { message: "deploy done", joinTimeoutMs: 500 }, false);
  assertEquals((await bot.done) instanceof Error, true);
  ira.view.type("/invite dana");
  await until("in", () => headIn(ira)!.roster.length === 2);
  const again = await world.join("dana", { message: "deploy done" }, false);
  assertEquals(await again.done, 0);
  await ira.view.hears("dana: deploy done");
  assertEquals(ira.view.said, ["dana: deploy done"]);
});
