/** How many chunks may be on their way: as many as were answered in the last quarter of a second, one to sixteen. */

import { assertEquals } from "@std/assert";
import { TransferWindow } from "../../lib/client/files/transfer_window.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";
import { test } from "../fakes/test.ts";

test("it opens with the answers, to sixteen at most, and closes to one when they stop", async () => {
  const clock = new FakeClock();
  const window = new TransferWindow(clock);
  assertEquals(window.size, 1);
  for (let n = 1; n <= 20; n++) {
    await window.take();
    window.answered();
    assertEquals(window.size, Math.min(16, n));
    clock.advance(10);
  }
  clock.advance(150);
  assertEquals(window.size, 9); // those of the last 250 ms
  clock.advance(250);
  assertEquals(window.size, 1);
});
test("on a slow link one is on its way, and the next one waits for its answer", async () => {
  const clock = new FakeClock();
  const window = new TransferWindow(clock);
  await window.take();
  let isNext = false;
  void window.take().then(() => isNext = true);
  clock.advance(10_000);
  await settle();
  assertEquals(isNext, false);
  window.answered();
  await settle();
  assertEquals(isNext, true);
});
test("a clock that was set back does not count answers for ever", async () => {
  const clock = new FakeClock();
  const window = new TransferWindow(clock);
  for (let n = 0; n < 16; n++) {
    await window.take();
    window.answered();
  }
  clock.set(clock.now() - 3_600_000);
  assertEquals(window.size, 1);
});
