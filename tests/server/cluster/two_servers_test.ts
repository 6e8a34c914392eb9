/** Two servers on one log in NATS, each with a view of its own: people at either are in one room. */

import { assertEquals } from "@std/assert";
import { systemClock } from "../../../lib/clock.ts";
import { systemRandom } from "../../../lib/crypto/random.ts";
import { NatsLog } from "../../../lib/server/cluster/nats_log.ts";
import { SharedJournal } from "../../../lib/server/cluster/shared_journal.ts";
import { hasNats, Nats } from "../../fakes/nats.ts";
import { test } from "../../fakes/test.ts";
import { until } from "../../fakes/until.ts";
import { World } from "../../fakes/world.ts";

async function serverOn(nats: Nats): Promise<World> {
  const log = await NatsLog.open({
    servers: [nats.address],
    replicas: 1,
    clock: systemClock,
    fault: (error) => {
      throw error;
    },
  });
  return await World.open({
    journal: (store, defer) =>
      new SharedJournal({
        log,
        store,
        clock: systemClock,
        proposer: systemRandom(16),
        events: { tell() {} },
        defer,
        stop: (error) => {
          throw error;
        },
      }),
  });
}

test({
  name: "people at two servers make one room, let each other in, and hear each other once and in order",
  ignore: !hasNats,
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  const nats = await Nats.start();
  const [one, two] = [await serverOn(nats), await serverOn(nats)];
  try {
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
  } finally {
    await one.close();
    await two.close();
    await nats.close();
  }
});
