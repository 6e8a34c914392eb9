import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { WriteScheduler } from "../../lib/protocol/channel/write_scheduler.ts";
import { settle } from "../fakes/fake_clock.ts";

test("links write in the order of the line, some in each turn of the event loop", async () => {
  const later: (() => void)[] = [];
  const scheduler = new WriteScheduler((act) => void later.push(act));
  const wrote: number[] = [];
  for (let i = 0; i < 150; i++) scheduler.add(() => void wrote.push(i));
  assertEquals(wrote, []);
  await settle();
  assertEquals([wrote.length, later.length], [64, 1]);
  scheduler.add(() => void wrote.push(150));
  while (later.length > 0) later.shift()!();
  assertEquals(wrote, Array.from({ length: 151 }, (_, i) => i));
  scheduler.add(() => void wrote.push(151));
  await settle();
  assertEquals(wrote.length, 152);
});
