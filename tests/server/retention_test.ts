/** Retention (protocol §10) under load: what is being shown is not taken away, and boxes count. */

import { assertEquals } from "@std/assert";
import { defaultLimits } from "../../lib/server/limits.ts";
import { sealKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { headIn, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";
import { unsigned } from "../fakes/site.ts";

const limits = { ...defaultLimits, sendBurst: 1000, commitEveryMs: 1, memberCommits: 1000 };
const retention = { seconds: 86_400, bytes: 256 * 1024 };

worldTest(
  "more than is kept, in one batch: everybody sees every message, and all are confirmed",
  async (world) => {
    const key = systemRandom(32);
    const room = systemRandom(32);
    const names = ["ira", "sahnawaz", "dana"];
    const watcher = await RawClient.open(world.port, "erin");
    await watcher.ask((ref) => ({ type: "JOIN", ref, room, kind: 2, pos: 0 }), "DONE");
    const senders = await Promise.all(names.map((name) => RawClient.open(world.port, name)));
    const answers: Promise<string>[] = [];
    for (const [k, raw] of senders.entries()) {
      const { identity, card } = await person(names[k]);
      await raw.ask((ref) => ({ type: "JOIN", ref, room, kind: 2, pos: 0 }), "DONE");
      for (let n = 0; n < 20; n++) {
        const header = { room, sender: card.id, n, view: unsigned(0, room) };
        const message = sealKeyFileMessage(
          header,
          "x".repeat(15_000),
          key,
          1,
          systemRandom(16),
          identity.signing,
        );
        answers.push(raw.inStream((ref) => ({ type: "SEND", ref, message })));
      }
    }
    const stored = await Promise.all(answers);
    assertEquals(stored.every((answer) => answer.startsWith("STORED")), true, stored.join());
    const positions = () => watcher.received.flatMap((m) => m.type === "ENTRY" ? [m.pos] : []);
    await until("all seen", () => positions().length === 60);
    assertEquals(positions(), Array.from({ length: 60 }, (_, i) => i + 1));
    assertEquals(world.log.filter((line) => line.includes("fault")), []);
    const [log] = world.server.rooms.keyFileRooms();
    const kept = () => log.read(1, 100).reduce((sum, e) => sum + (e.bytes?.length ?? 0), 0);
    await until("the oldest are gone", () => log.firstKept > 1 && kept() <= retention.bytes);
    for (const raw of [watcher, ...senders]) raw.close();
  },
  { limits, retention },
);

worldTest(
  "boxes weigh as messages do: those of old epochs go, those of the current one stay",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const rooms = world.server.rooms;
    const [room] = rooms.all();
    const boxOf = () => room.head.roster.find((m) => m.boxHash.some((byte) => byte !== 0))!.boxHash;
    const first = boxOf();
    for (let epoch = room.head.epoch; epoch < 200; epoch++) {
      const client = epoch % 2 ? ira : sam;
      client.view.type("/rekey");
      await until("a new epoch", () => headIn(client)!.epoch > epoch);
    }
    await until("the old boxes are gone", () => rooms.store.box(first) === null);
    assertEquals(rooms.store.box(boxOf()) !== null, true);
    ira.view.type("all is well");
    await sam.view.hears("ira: all is well");
  },
  { limits, retention },
);

worldTest("nobody can take the id of the room of two others", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const { directIdWith } = await import("../../lib/client/rooms/direct_rooms.ts");
  const id = directIdWith(ira.chat.conversation.context, sam.profile.card.id);
  const dana = await RawClient.open(world.port, "dana");
  assertEquals(await dana.ask((ref) => ({ type: "JOIN", ref, room: id, kind: 2, pos: 0 }), "DONE"), "DONE 0");
  ira.view.type("/msg sahnawaz all the same");
  await sam.view.until((e) => e.type === "message" && e.text === "all the same");
  await world.server.stop();
  await world.startServer();
  sam.view.type("/msg ira over a restart");
  await ira.view.until((e) => e.type === "message" && e.text === "over a restart");
  dana.close();
}, { limits });
