/** Snapshots of views in a real NATS, the log that is purged behind them, and servers that begin with them. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { BegunAnew } from "../../../lib/server/cluster/begun_anew.ts";
import { serverOn } from "../../fakes/cluster.ts";
import { natsTest } from "../../fakes/nats.ts";
import { until } from "../../fakes/until.ts";
import { World } from "../../fakes/world.ts";

natsTest(
  "what a snapshot has is purged from the log; a server that comes then has all of it, and people go on there",
  async (nats) => {
    const one = await serverOn(nats);
    const { world } = one;
    const ira = await world.enter("ira");
    const say = async (text: string) => {
      ira.view.type(text);
      await ira.view.hears(`ira: ${text}`);
    };
    for (const text of ["first", "second"]) await say(text);
    await one.cluster.keeper.take();
    await say("third");
    await one.cluster.keeper.take();
    await say("fourth");
    const two = await serverOn(nats); // from nothing
    try {
      assert((await one.cluster.range()).first > 1, "the log is purged up to the snapshot before the last");
      const rooms = ({ world: { server } }: typeof one) =>
        server.rooms.all().map(({ name, last, key }) => [name, last, key]);
      assertEquals(rooms(two), rooms(one));
      const [stored] = two.world.server.rooms.all();
      const head = (each: typeof one) => each.world.server.rooms.all()[0].viewAt(stored.last);
      assertEquals(head(two), head(one));
      ira.chat.quit();
      await ira.done;
      const again = await two.world.elsewhereWith(world, "ira");
      again.view.type("fifth");
      await again.view.hears("ira: fifth");
      await until("applied at both", () => rooms(one)[0][1] === rooms(two)[0][1]);
      assertEquals(again.view.warnings, []);
    } finally {
      await one.world.close();
      await two.world.close();
    }
  },
);

natsTest(
  "a server that was alone takes its rooms and people along; who was there notices nothing",
  async (nats) => {
    const world = await World.open();
    const ira = await world.enter("ira");
    ira.view.type("said alone");
    await ira.view.hears("ira: said alone");
    ira.chat.quit();
    await ira.done;
    await world.server.stop();
    const one = await serverOn(nats, {}, world);
    const two = await serverOn(nats);
    try {
      const again = await world.enter("ira");
      again.view.type("said with others");
      await again.view.hears("ira: said with others");
      assertEquals(again.view.warnings, []);
      await until(
        "at both",
        () => two.world.server.rooms.all()[0]?.last === one.world.server.rooms.all()[0].last,
      );
      const dana = await two.world.enter("dana");
      dana.view.type("and I");
      await again.view.hears("dana: and I");
    } finally {
      await world.close();
      await two.world.close();
    }
  },
);

natsTest(
  "a log that is an old copy: one server begins anew for all; those that run stop, and people come back to another run",
  async (nats) => {
    const [one, two] = [await serverOn(nats), await serverOn(nats)];
    try {
      const ira = await one.world.enter("ira");
      ira.view.type("before");
      await ira.view.hears("ira: before");
      const before = one.cluster.view.runId;
      const third = await serverOn(nats);
      await third.cluster.beginAnew();
      await until("the others stop", () => one.stopped.length + two.stopped.length === 2);
      for (const { stopped } of [one, two]) assert(stopped[0] instanceof BegunAnew);
      await one.world.server.stop();
      ira.chat.quit();
      await ira.done;
      const again = await serverOn(nats, {}, one.world);
      assertNotEquals(again.cluster.view.runId, before);
      assertEquals(again.world.server.rooms.all(), []);
      assert(again.cluster.view.card(ira.profile.card.id), "people stay");
      const dana = await again.world.enter("dana");
      dana.view.type("in another run", "and again");
      await dana.view.hears("dana: and again");
      await third.world.close();
    } finally {
      await one.world.close();
      await two.world.close();
    }
  },
);
