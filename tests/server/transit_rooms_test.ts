/** Transit frames as real rooms use them: when there is a key, who has it, and when there must be another. */

import { assertEquals, assertGreater } from "@std/assert";
import { Link } from "../../lib/protocol/channel/link.ts";
import { TransitSealer } from "../../lib/protocol/channel/transit.ts";
import { until } from "../fakes/until.ts";
import { worldTest } from "../fakes/world.ts";

const limits = { transitFrom: 3, sendBurst: 2000, sendsPerSecond: 2000 };

/** Counts keys that are handed out and frames that leave, while `act` runs. */
async function watched(
  act: (counts: { keys: Set<number>; handovers: number; frames: number }) => Promise<void>,
) {
  const counts = { keys: new Set<number>(), handovers: 0, frames: 0 };
  const { sendTransit } = Link.prototype;
  const handover = Object.getOwnPropertyDescriptor(TransitSealer.prototype, "handover")!;
  Link.prototype.sendTransit = function (frame) {
    counts.frames++;
    return sendTransit.call(this, frame);
  };
  Object.defineProperty(TransitSealer.prototype, "handover", {
    ...handover,
    get(this: TransitSealer) {
      counts.handovers++;
      counts.keys.add(this.key);
      return handover.get!.call(this);
    },
  });
  try {
    await act(counts);
  } finally {
    Link.prototype.sendTransit = sendTransit;
    Object.defineProperty(TransitSealer.prototype, "handover", handover);
  }
}

worldTest(
  "the first message brings the key, the next ones come as frames; the author gets STORED as ever",
  async (world) => {
    await watched(async (counts) => {
      const ira = await world.enter("ira");
      const sam = await world.enter("sahnawaz");
      const dana = await world.enter("dana");
      const all = [ira, sam, dana];
      ira.view.type("one");
      for (const { view } of [sam, dana]) await view.hears("ira: one");
      assertEquals([counts.keys.size, counts.handovers, counts.frames], [1, 3, 0]);
      for (const text of ["two", "three", "four"]) {
        ira.view.type(text);
        for (const { view } of [sam, dana]) await view.hears(`ira: ${text}`);
      }
      assertEquals([counts.keys.size, counts.frames], [1, 6]);
      sam.view.type("five");
      for (const { view } of [ira, dana]) await view.hears("sahnawaz: five");
      assertEquals([counts.keys.size, counts.frames], [1, 8]);
      await until("stored", () => all.every(({ chat }) => chat.conversation.room!.lines.unsent.length === 0));
      for (const { view } of all) assertEquals(view.warnings, []);
    });
  },
  { limits },
);

worldTest(
  "a commit, and a stream that ends, make another key; below the limit there are no frames",
  async (world) => {
    await watched(async (counts) => {
      const ira = await world.enter("ira");
      const sam = await world.enter("sahnawaz");
      const dana = await world.enter("dana");
      const erin = await world.enter("erin");
      const say = async (text: string, to = [sam, dana, erin]) => {
        ira.view.type(text);
        for (const { view } of to) await view.hears(`ira: ${text}`);
      };
      await say("one");
      await say("two");
      assertEquals([counts.keys.size, counts.frames], [1, 3]);
      ira.view.type("/rekey");
      await until("new keys", () => world.server.rooms.all()[0].last >= 7);
      await say("three");
      assertEquals([counts.keys.size, counts.frames], [2, 3]);
      await say("four");
      assertEquals([counts.keys.size, counts.frames], [2, 6]);
      erin.cut();
      await until("erin is gone", () => world.server.linked === 3);
      await say("five", [sam, dana]);
      assertEquals(counts.keys.size, 3);
      await erin.view.hears("ira: five");
      sam.view.type("EXIT");
      await sam.done;
      dana.view.type("EXIT");
      await dana.done;
      await until("both are gone", () => world.server.linked === 2);
      const { frames } = counts;
      await say("six", [erin]);
      await say("seven", [erin]);
      assertEquals(counts.frames, frames);
      for (const { view } of [ira, erin]) {
        assertEquals(view.warnings.filter((text) => !/connection/i.test(text)), []);
      }
    });
  },
  { limits },
);

worldTest("many messages at once share frames, and each one is heard once and in order", async (world) => {
  await watched(async (counts) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const dana = await world.enter("dana");
    const texts = Array.from({ length: 200 }, (_, i) => `number ${i}`);
    ira.view.type(...texts);
    for (const { view } of [sam, dana]) {
      await view.hears("ira: number 199");
      assertEquals(view.said.filter((line) => line.includes("number")), texts.map((text) => `ira: ${text}`));
    }
    assertGreater(counts.frames, 0);
    assertGreater(400, counts.frames);
  });
}, { limits });
