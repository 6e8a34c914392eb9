/** A clock that jumps under a running server and its clients: links may be made anew, nothing else is felt. */

import { assertEquals } from "@std/assert";
import { clockTest } from "../fakes/world.ts";

const hour = 3_600_000;

for (
  const [what, jumps] of [
    ["forward by an hour", [hour]],
    ["back by an hour", [-hour]],
    ["a day forward and a day back, again and again", [24 * hour, -24 * hour, 24 * hour, -24 * hour]],
  ] as const
) {
  clockTest(
    `a clock that is set ${what} loses nothing, doubles nothing and warns nobody`,
    async (world, clock) => {
      const ira = await world.enter("ira");
      const sam = await world.enter("sahnawaz");
      const texts: string[] = [];
      const talk = async (text: string) => {
        texts.push(text);
        ira.view.type(text);
        await sam.view.hears(`ira: ${text}`);
      };
      await talk("before");
      for (const [i, ms] of jumps.entries()) {
        clock.set(ms);
        await talk(`after jump ${i}`);
        await talk(`and again ${i}`);
      }
      assertEquals(sam.view.said, texts.map((text) => `ira: ${text}`));
      for (const { view } of [ira, sam]) {
        assertEquals(view.warnings.filter((text) => !/connection|silent|clock/i.test(text)), []);
      }
    },
  );
}
