/** People who are away (protocol §10), and who confirms what (protocol §9), with time that jumps. */

import { assertEquals, assertMatch } from "@std/assert";
import { timestamp } from "../../lib/timestamp.ts";
import { clockTest, headIn } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

const day = 86_400_000;

clockTest("what was said while away is shown after a line where it begins", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  sam.view.type("EXIT");
  await sam.done;
  ira.view.type("one", "two");
  await ira.view.hears("ira: two");
  const back = await world.enter("sahnawaz");
  await back.view.hears("ira: two");
  const shown = back.view.events.map((e) => e.type === "message" ? e.text : e.type);
  assertEquals(shown.slice(shown.indexOf("unread")), ["unread", "one", "two", "entered"]);
  ira.view.type("three");
  await back.view.hears("ira: three");
  assertEquals(back.view.events.filter((e) => e.type === "unread").length, 1);
  back.view.type("EXIT");
  await back.done;
  const again = await world.enter("sahnawaz");
  assertEquals(again.view.events.filter((e) => e.type === "unread").length, 0);
});

clockTest(
  "expired messages come back as a gap; the history still fits, and nothing warns",
  async (world, clock) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    sam.view.type("EXIT");
    await sam.done;
    ira.view.type("old 1", "old 2");
    await ira.view.hears("ira: old 2");
    clock.jump(8 * day);
    await world.server.stop();
    await world.startServer();
    const again = await world.enter("ira").catch(() => null);
    const speaker = again ?? ira;
    speaker.view.type("new");
    await speaker.view.hears("ira: new");
    const back = await world.enter("sahnawaz");
    await back.view.hears("ira: new");
    assertEquals(back.view.said, ["ira: new"]);
    assertMatch(back.view.notices.join("\n"), /2 entries have expired, or are withheld/);
    assertEquals(back.view.notices.filter((text) => /missing/.test(text)), []);
    back.view.type("seen");
    await speaker.view.hears("sahnawaz: seen");
    const alarms = [...back.view.warnings, ...speaker.view.warnings].filter((text) =>
      /histor|backup/.test(text)
    );
    assertEquals(alarms, []);
  },
  { retention: { seconds: 7 * 86_400, bytes: 1 << 26 } },
);

clockTest("what is more than the bytes that are kept goes, oldest first", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  sam.view.type("EXIT");
  await sam.done;
  const long = "x".repeat(16_000);
  for (let i = 0; i < 24; i++) ira.view.type(`${i} ${long}`);
  await ira.view.hears(`ira: 23 ${long}`);
  const back = await world.enter("sahnawaz");
  await back.view.hears(`ira: 23 ${long}`);
  const heard = back.view.said.map((line) => Number(line.slice(5, 7)));
  assertEquals(heard, heard.map((_, i) => 24 - heard.length + i));
  assertEquals(heard.length > 8 && heard.length < 17, true, String(heard));
  assertEquals(back.view.warnings, []);
}, { retention: { seconds: 7 * 86_400, bytes: 256 * 1024 } });

clockTest(
  "after 31 days away, box-less: a new prekey, a refresh commit, and all goes on",
  async (world, clock) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    sam.view.type("EXIT");
    await sam.done;
    ira.view.type("EXIT");
    await ira.done;
    clock.jump(31 * day);
    await world.server.stop();
    await world.startServer();
    const alone = await world.enter("ira");
    alone.view.type("a month later");
    await alone.view.hears("ira: a month later");
    assertMatch(alone.view.notices.join("\n"), /sahnawaz has no valid prekey/);
    const back = await world.enter("sahnawaz");
    await until(
      "a refresh commit of the one who was away",
      () => {
        clock.jump(10); // she waits a moment of her own
        return headIn(back) !== null && headIn(back)!.epoch === headIn(alone)!.epoch &&
          headIn(back)!.epoch >= 3;
      },
    );
    assertMatch(back.view.notices.join("\n"), /left you without a key: you had no valid prekey then/);
    back.view.type("I am back");
    await alone.view.hears("sahnawaz: I am back");
    alone.view.type("welcome");
    await back.view.hears("ira: welcome");
    assertEquals(back.view.said, ["sahnawaz: I am back", "ira: welcome"]);
    assertEquals([...alone.view.warnings, ...back.view.warnings], []);
  },
);

clockTest(
  "a member who only reads attests after one to two minutes, and /who tells how far all agree",
  async (world, clock) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const dana = await world.enter("dana");
    ira.view.type("does anybody read this?");
    for (const { view } of [ira, sam, dana]) await view.hears("ira: does anybody read this?");
    const room = world.server.rooms.all()[0];
    const before = room.last;
    const saidAt = clock.now();
    ira.view.type("/who");
    await until("answered", () => ira.view.answers.length > 0);
    await clock.pass(50_000);
    assertEquals(room.last, before, "nobody attests before a minute is over");
    await clock.pass(80_000);
    await until("an attest", () => room.last > before);
    await clock.pass(300_000);
    assertEquals(
      room.last - before <= 2,
      true,
      `${room.last - before} attests: the others stay quiet, attests need none`,
    );
    ira.view.answers.length = 0;
    ira.view.type("/who");
    await until("answered", () => ira.view.answers.length > 0);
    const hhmm = timestamp(saidAt).slice(11, 16);
    assertMatch(
      ira.view.answers.join("\n"),
      new RegExp(`(sahnawaz|dana) has confirmed to see the same up to ${hhmm} `),
    );
    for (const { view } of [ira, sam, dana]) assertEquals([view.warnings, view.said.length], [[], 1]);
  },
);

clockTest("nobody attests alone, and nobody attests an attest", async (world, clock) => {
  const ira = await world.enter("ira");
  ira.view.type("alone");
  await ira.view.hears("ira: alone");
  const room = world.server.rooms.all()[0];
  const before = room.last;
  await clock.pass(400_000);
  assertEquals(room.last, before);
});

clockTest(
  "a key-file room in which nothing was said for long is given up, and goes on where it stood",
  async (world, clock) => {
    const fernetKey = new Uint8Array(32).fill(6);
    const ira = await world.enter("ira", { fernetKey });
    ira.view.type("old");
    await ira.view.hears("ira: old");
    const sam = await world.enter("sahnawaz", { fernetKey });
    await sam.view.hears("ira: old");
    ira.view.type("older than sam knows");
    await sam.view.hears("ira: older than sam knows");
    for (const { view, done } of [ira, sam]) {
      view.type("EXIT");
      await done;
    }
    clock.jump(20 * day);
    await world.server.stop();
    await world.startServer();
    await until("given up", () => world.server.rooms.keyFileRooms().length === 0);
    const dana = await world.enter("dana", { fernetKey });
    dana.view.type("hello");
    await dana.view.hears("dana: hello");
    assertEquals(world.server.rooms.keyFileRooms()[0].last, 3);
    const back = await world.enter("sahnawaz", { fernetKey });
    await back.view.hears("dana: hello");
    assertEquals([back.view.warnings, dana.view.warnings], [[], []]);
    back.view.type("I know where I was");
    await dana.view.hears("sahnawaz: I know where I was");
  },
  { retention: { seconds: 7 * 86_400, bytes: 1 << 26 } },
);

clockTest(
  "key-file rooms: expired messages are a gap, for who was there and for who comes",
  async (world, clock) => {
    const fernetKey = new Uint8Array(32).fill(5);
    const ira = await world.enter("ira", { fernetKey });
    const sam = await world.enter("sahnawaz", { fernetKey });
    sam.view.type("EXIT");
    await sam.done;
    ira.view.type("old");
    await ira.view.hears("ira: old");
    ira.view.type("EXIT");
    await ira.done;
    clock.jump(8 * day);
    await world.server.stop();
    await world.startServer();
    const again = await world.enter("ira", { fernetKey });
    again.view.type("new");
    await again.view.hears("ira: new");
    const back = await world.enter("sahnawaz", { fernetKey });
    const dana = await world.enter("dana", { fernetKey });
    for (const { view } of [back, dana]) {
      await view.hears("ira: new");
      assertEquals([view.said, view.warnings], [["ira: new"], []]);
    }
    assertMatch(back.view.notices.join("\n"), /1 entry has expired/);
    dana.view.type("mine");
    await back.view.hears("dana: mine");
    assertEquals([...back.view.warnings, ...again.view.warnings], []);
  },
  { retention: { seconds: 7 * 86_400, bytes: 1 << 26 } },
);
