/** Whose views cover what, held against the plain way to find it out. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Confirmations } from "../../lib/client/rooms/confirmations.ts";
import type { RoomState } from "../../lib/client/rooms/room_state.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const people = [1, 2, 3].map((n) => new Uint8Array(32).fill(n));

test("property: an attest is due just when something of others waits for a view, however it came", () => {
  const step = fc.record({
    kind: fc.constantFrom("said", "said", "viewed"),
    who: fc.nat(2),
    back: fc.nat(8),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const clock = new FakeClock();
    const state: Pick<RoomState, "confirmed"> = {};
    let attests = 0;
    const confirmations = new Confirmations({
      context: { clock, random: (n: number) => new Uint8Array(n), card: { id: people[0] } },
      state,
      canSpeak: true,
      attest: () => void attests++,
    });
    let waiting: { pos: number; who: number }[] = [];
    let pos = 0, confirmed = 0;
    for (const { kind, who, back } of steps) {
      const view = Math.max(0, pos - back);
      if (kind === "said") {
        waiting.push({ pos: ++pos, who });
        confirmations.needs(pos, people[who], pos * 1000);
      } else {
        waiting = waiting.filter((each) => each.pos > view || each.who === who);
        confirmations.seen(people[who], { pos: view, hash: people[0] });
        if (who !== 0 && view > confirmed) confirmed = view;
      }
    }
    assertEquals([state.confirmed?.pos ?? 0, state.confirmed?.timeMs ?? 0], [confirmed, confirmed * 1000]);
    clock.advance(130_000);
    assertEquals(attests > 0, waiting.some(({ who }) => who !== 0));
  }));
});
