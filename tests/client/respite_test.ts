/** A while in which something is not tried again. */

import { assertEquals } from "@std/assert";
import { Respite } from "../../lib/client/rooms/respite.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { test } from "../fakes/test.ts";

function bench() {
  const clock = new FakeClock();
  let over = 0;
  const respite = new Respite(clock, () => void over++);
  return { clock, respite, over: () => over };
}

test("a respite lasts as long as it was to, a part of a millisecond included, and tells of its end once", () => {
  const { clock, respite, over } = bench();
  assertEquals(respite.isOn, false);
  respite.begin(350.7);
  clock.advance(350);
  clock.advance(1);
  assertEquals([respite.isOn, over()], [false, 1]);
  clock.advance(1_000);
  assertEquals(over(), 1);
});
test("a respite that begins anew lasts from then on; one that is ended early tells nobody", () => {
  const { clock, respite, over } = bench();
  respite.begin(100);
  clock.advance(90);
  respite.begin(100);
  clock.advance(90);
  assertEquals([respite.isOn, over()], [true, 0]);
  respite.end();
  clock.advance(1_000);
  assertEquals([respite.isOn, over()], [false, 0]);
});
