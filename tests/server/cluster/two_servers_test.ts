/** Two servers on one log in NATS, each with a view of its own: people at either are in one room. */

import { assertEquals } from "@std/assert";
import { clusterTest } from "../../fakes/cluster.ts";
import { until } from "../../fakes/until.ts";

clusterTest(
  "people at two servers make one room, let each other in, and hear each other once and in order",
  async ({ worlds: [one, two] }) => {
    const ira = await one.enter("ira");
    const dana = await two.enter("dana");
    await ira.view.until((e) => e.type === "added" && e.who === "dana");
    for (let i = 0; i < 10; i++) {
      ira.view.type(`one ${i}`);
      dana.view.type(`two ${i}`);
    }
    const all = 20;
    await until("all at both", () => ira.view.said.length === all && dana.view.said.length === all);
    assertEquals(ira.view.said, dana.view.said);
    const sam = await one.enter("sahnawaz");
    await dana.view.until((e) => e.type === "added" && e.who === "sahnawaz");
    sam.view.type("and I");
    await dana.view.hears("sahnawaz: and I");
    assertEquals([ira.view.warnings, dana.view.warnings, sam.view.warnings], [[], [], []]);
  },
);
