/** Several rooms at once. */

import { assertEquals } from "@std/assert";
import { until, worldTest } from "../fakes/world.ts";

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
  assertEquals(ira.view.answers.map((line) => line.slice(0, 8)).sort(), ["  work  ", "* lobby "]);
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
