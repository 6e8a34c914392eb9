/** One member who commits at every chance, and gives nobody the keys: the others go on all the same (protocol §12). */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { entryKinds } from "../../lib/protocol/group/history.ts";
import { HostileMember } from "../fakes/hostile_member.ts";
import { until } from "../fakes/until.ts";
import { clockTest, headIn } from "../fakes/world.ts";

clockTest(
  "garbage at every chance: others read and send, newcomers come in, the admin's /kick lands",
  async (world, clock) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const mallory = new HostileMember(await world.enter("mallory"));
    const { room } = mallory;
    await until("all are in", () => headIn(ira)?.roster.length === 3 && headIn(sam)?.roster.length === 3);
    const began = clock.now();
    const stored = () =>
      world.server.rooms.store.entries(room.state.id, 1, 10_000).filter(({ kind, sender }) =>
        kind === entryKinds.commit && String(sender) === String(room.context.card.id)
      ).length;
    let attacks = 0;
    /** A second in which she tries twice. */
    const second = async () => {
      for (let i = 0; i < 2 && room.state.status === "in"; i++) {
        attacks++;
        await mallory.commit({}, "garbage").catch(() => {}); // the link may be busy
        clock.jump(500);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const meanwhile = (what: string, holds: () => boolean) =>
      until(what, async () => {
        await second();
        return holds();
      }, { timeoutMs: 60_000 });

    for (let i = 0; i < 20; i++) await second();
    const most = () => 3 + Math.ceil((clock.now() - began) / 20_000);
    assertGreater(most() + 1, stored());
    sam.view.type("does anybody read me?");
    await meanwhile("ira reads sam", () => ira.view.said.includes("sahnawaz: does anybody read me?"));
    ira.view.type("I do");
    await meanwhile("sam reads ira", () => sam.view.said.includes("ira: I do"));
    const erin = await world.join("erin");
    await meanwhile("erin is in", () => erin.view.events.some(({ type }) => type === "entered"));
    ira.view.type("/kick mallory");
    await meanwhile("she is out", () => headIn(ira)!.roster.every(({ name }) => name !== "mallory"));
    assertGreater(most() + 1, stored());
    assertGreater(attacks, 40);
    // The culprit is named, and nobody is told of prekeys that were valid.
    const told = sam.view.warnings.filter((text) => /left you without a key/.test(text));
    assert(told.length > 0);
    for (const text of told) {
      assertEquals(
        /the box that mallory made for you does not open/.test(text),
        true,
        text,
      );
    }
    assertEquals(sam.view.notices.filter((text) => /no valid prekey/.test(text)), []);
  },
);
