/** A live stream whose peer does not keep up goes back to the log: it misses nothing, and neither does anybody else. */

import { assertEquals, assertGreater } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { signKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import { closeReasons, roomKinds, table } from "../../lib/protocol/channel/link_messages.ts";
import { StoreFailed } from "../../lib/server/store/store.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { until } from "../fakes/until.ts";
import { type World, worldTest } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

const limits = { sendBurst: 2000, sendsPerSecond: 2000, commitEveryMs: 10 };

/** Makes the server believe that much waits for somebody, until `readsAgain`; tells which messages it was sent. */
function slow(world: World, name: string) {
  const peer = world.server.rooms.peerNamed(name)!;
  const [room] = world.server.rooms.all();
  const stream = peer.subscriptions.get(room.key)!;
  Object.defineProperty(peer.link, "waitingBytes", { get: () => 2_000_000, configurable: true });
  const sent: string[] = [];
  const sendEncoded = peer.link.sendEncoded.bind(peer.link);
  peer.link.sendEncoded = (message) => {
    sent.push(Object.entries(table).find(([, [code]]) => code === message[0])![0]);
    sendEncoded(message);
  };
  const readsAgain = () => {
    delete (peer.link as { waitingBytes?: number }).waitingBytes;
    peer.link.onDrain();
  };
  return { peer, room, stream, sent, readsAgain };
}

worldTest(
  "what was said while behind comes in order when there is room again; presence and rooms go on",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const s = slow(world, "sahnawaz");
    ira.view.type("one", "two");
    await until("behind", () => !s.stream.live);
    sam.view.type("of sam");
    ira.view.type("three");
    await ira.view.hears("ira: three");
    const dana = await world.enter("dana");
    s.readsAgain();
    dana.view.type("four");
    await sam.view.hears("dana: four");
    await until("live", () => s.stream.live);
    assertEquals(sam.view.said.length, 5);
    assertEquals(sam.view.warnings, []);
    assertEquals(new Set(sam.view.said).size, 5);
    await until("stored", () => sam.chat.conversation.room!.lines.unsent.length === 0);
  },
  { limits },
);

worldTest("a room that is retired meanwhile says so once the stream is live again", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const s = slow(world, "sahnawaz");
  ira.view.type("hello");
  await until("behind", () => !s.stream.live);
  await world.server.rooms.propose({ kind: "retire", room: s.room.id });
  s.readsAgain();
  await until("live", () => s.stream.live);
  assertEquals(s.sent.filter((type) => type === "ROOM_INFO").length, 1);
  await until("told", () => sam.chat.conversation.room!.state.retired === true);
}, { limits });

worldTest(
  "a newcomer who came while the only member was behind is let in as soon as she is not",
  async (world) => {
    const ira = await world.enter("ira");
    const s = slow(world, "ira");
    const other = await RawClient.open(world.port, "dana");
    ira.view.type("hello");
    await until("stored", () => s.room.last === 2);
    s.stream.deliver({ entries: [{ pos: 99 }], end: 100, bytes: 1 } as never, null); // a gap counts as being behind
    const sam = await world.join("sahnawaz");
    await until("waits", () => world.server.rooms.store.joins(s.room.id).length > 0);
    s.readsAgain();
    await sam.view.until((event) => event.type === "entered");
    other.close();
  },
  { limits },
);

worldTest("somebody removed while behind hears no news of the room any more", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const s = slow(world, "sahnawaz");
  ira.view.type("hello");
  await until("behind", () => !s.stream.live);
  ira.view.type("/kick sahnawaz");
  await until("removed", () => s.room.head.roster.length === 1);
  s.sent.length = 0;
  const dana = await world.enter("dana");
  dana.view.type("EXIT");
  await dana.done;
  assertEquals(s.sent, []);
  s.readsAgain();
  await until(
    "told",
    () => sam.chat.conversation.room === null || sam.chat.conversation.room.state.status === "gone",
  );
}, { limits });

worldTest(
  "a disk that cannot be read ends the link of whoever reads from it; the others' streams have no hole",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const dana = await world.enter("dana");
    const s = slow(world, "sahnawaz");
    const { store } = world.server.rooms;
    const { entries } = store;
    ira.view.type("one");
    await until("behind", () => !s.stream.live);
    let reads = 0;
    store.entries = () => {
      reads++;
      throw new StoreFailed("rooms.db", "disk I/O error");
    };
    delete (s.peer.link as { waitingBytes?: number }).waitingBytes;
    ira.view.type("two");
    await dana.view.hears("ira: two");
    await until("it was tried", () => reads > 0);
    store.entries = entries;
    ira.view.type("three");
    for (const { view } of [dana, sam]) await view.hears("ira: three");
    assertEquals(dana.view.warnings, []);
    assertEquals(sam.view.said, ["ira: one", "ira: two", "ira: three"]);
    assertEquals(world.log.some((line) => line.includes("disk I/O error")), true);
  },
  { limits },
);

worldTest("who asks without end while behind is put off: answers that wait are bounded", async (world) => {
  const ira = await world.enter("ira");
  const s = slow(world, "ira");
  s.stream.deliver({ entries: [{ pos: 99 }], end: 100, bytes: 1 } as never, null);
  for (let ref = 1; ref < 3000 && !s.peer.link.isOver; ref++) {
    s.stream.answer(1000, { type: "DONE", ref, info: 0 });
  }
  assertEquals(s.peer.link.isOver, true);
  await until("ended", () => s.peer.link.end !== null);
  assertEquals(s.peer.link.end, { how: "closed", reason: closeReasons.tooSlow });
  await ira.view.until((event) => event.type === "entered");
}, { limits });

worldTest("of two busy rooms the transit keys may come in any order", async (world) => {
  const [a, b] = [5, 6].map((fill) => new Uint8Array(32).fill(fill));
  const join = (client: RawClient, room: Bytes) =>
    client.ask((ref) => ({ type: "JOIN", ref, room, kind: roomKinds.keyFile, pos: 0 }), "DONE");
  const ira = await RawClient.open(world.port, "ira");
  const sam = await RawClient.open(world.port, "sahnawaz");
  for (const client of [ira, sam]) for (const room of [a, b]) await join(client, room);
  const { identity, card } = await person("ira");
  let n = 0;
  const say = async (room: Bytes) => {
    const header = { room, sender: card.id, n: n++, view: unsigned(0, new Uint8Array(32)) };
    const message = signKeyFileMessage(
      header,
      new TextEncoder().encode("x".repeat(100)) as Bytes,
      identity.signing,
    );
    await ira.inStream((ref) => ({ type: "SEND", ref, message }));
  };
  await say(a);
  await say(b);
  const dana = await RawClient.open(world.port, "dana");
  for (const room of [a, b]) await join(dana, room);
  for (const room of [b, a, b, a]) await say(room);
  await until("all", () => dana.types().filter((type) => type === "ENTRY").length === 6 || dana.ended);
  assertEquals(dana.ended, false);
  assertGreater(n, 0);
  for (const client of [ira, sam, dana]) client.close();
}, { limits: { ...limits, transitFrom: 2 } });
