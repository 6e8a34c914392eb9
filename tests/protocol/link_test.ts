import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import type { Established } from "../../lib/protocol/channel/handshake.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import { defaultQueue, Link, pingAfterMs, silentMs } from "../../lib/protocol/channel/link.ts";
import { closeReasons, encodeMessage, type LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { maxRecordBytes, RecordOpener, RecordSealer } from "../../lib/protocol/channel/records.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";
import { memoryConnPair } from "../fakes/memory_conn.ts";

const [up, down] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];

function pair() {
  const clock = new FakeClock();
  const [a, b] = memoryConnPair();
  const ends = (send: Uint8Array, receive: Uint8Array) =>
    ({ sealer: new RecordSealer(send), opener: new RecordOpener(receive) }) as Established;
  const client = new Link(a, new FrameReader(a), ends(up, down), "client", clock);
  const server = new Link(b, new FrameReader(b), ends(down, up), "server", clock);
  const got: { client: LinkMessage[]; server: LinkMessage[] } = { client: [], server: [] };
  const over = {
    client: client.run((m) => void got.client.push(...m)),
    server: server.run((m) => void got.server.push(...m)),
  };
  return { clock, a, b, client, server, got, over };
}
const stored = (pos: number): LinkMessage => ({ type: "STORED", ref: 1, room: new Uint8Array(32), pos });

test("all that is sent in one turn shares one record and one write", async () => {
  const { b, server, got } = pair();
  for (let i = 1; i <= 20; i++) server.send(stored(i));
  await settle();
  assertEquals(b.written.length, 1);
  assertEquals(
    got.client.map((m) => m.type === "STORED" && m.pos),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
});
test("what is sent while a write is in flight shares the next record, at most 64 KiB of it", async () => {
  const { b, server, got } = pair();
  b.stalled = true;
  server.send(stored(0));
  await settle();
  for (let i = 1; i <= 3000; i++) server.send(stored(i));
  b.resume();
  await settle(40);
  assertEquals(b.written.length, 1 + Math.ceil(3000 * encodeMessage(stored(1)).length / 65_536));
  assertEquals(got.client.length, 3001);
});
test("a PING is answered by a PONG that repeats it, and neither is handed on", async () => {
  const { a, client, got } = pair();
  client.send({ type: "PING", any: 77 });
  await settle();
  assertEquals(a.written.length, 1);
  assertEquals([got.client, got.server], [[], []]);
});
test("the client pings after 30 s of silence; the server does not", async () => {
  const { a, b, clock, client, server } = pair();
  clock.advance(pingAfterMs);
  server.tick();
  await settle();
  assertEquals(b.written.length, 0);
  client.tick();
  await settle();
  assertEquals([a.written.length, b.written.length], [1, 1]);
});
test("a side that received nothing for 90 s drops the link", async () => {
  const { clock, server, over, a } = pair();
  a.tamper = () => null;
  clock.advance(silentMs);
  server.tick();
  assertEquals(await over.server, { how: "silent" });
});
test("over 4 MiB waiting ends the link with reason 8", async () => {
  const { b, server, over } = pair();
  b.stalled = true;
  server.send(stored(0));
  await settle();
  const big = encodeMessage({
    type: "ENTRY",
    room: new Uint8Array(32),
    pos: 1,
    time: 1,
    kind: 2,
    address: "",
    bytes: new Uint8Array(30_000),
  });
  for (let sent = 0; sent <= defaultQueue.maxBytes; sent += big.length) server.sendEncoded(big);
  assertEquals(server.isOver, true);
  assertEquals(server.waitingBytes < 100, true);
  b.resume();
  assertEquals(await over.client, { how: "peer closed", reason: closeReasons.tooSlow });
});
test("30 s waiting ends the link, even when the peer never reads again", async () => {
  const { b, clock, server, over } = pair();
  b.stalled = true;
  server.send(stored(0));
  await settle();
  server.send(stored(1));
  clock.advance(defaultQueue.maxMs);
  server.tick();
  clock.advance(2_000);
  assertEquals(await over.server, { how: "closed", reason: closeReasons.tooSlow });
});
test("CLOSE is the last message: what came before it is handed on, what follows is not", async () => {
  const { server, got, over } = pair();
  server.send(stored(1));
  server.close(closeReasons.shutdown);
  server.send(stored(2));
  assertEquals(await over.client, { how: "peer closed", reason: closeReasons.shutdown });
  assertEquals(got.client.length, 1);
});
test("a TCP end without CLOSE is a cut", async () => {
  const { b, over } = pair();
  b.close();
  assertEquals(await over.client, { how: "cut" });
});

const hostile: [string, (sealer: RecordSealer) => Uint8Array][] = [
  ["a changed byte", (s) => s.seal(encodeMessage(stored(1))).map((x, i) => i === 9 ? x ^ 1 : x)],
  ["a length of zero", () => new Uint8Array(40)],
  [
    "a message of the wrong direction",
    (s) => s.seal(encodeMessage({ type: "ACK", room: new Uint8Array(32), pos: 1 })),
  ],
  ["an unknown type", (s) => s.seal(Uint8Array.of(0x99, 0, 0, 0, 0))],
  ["a message that crosses its record", (s) => s.seal(encodeMessage(stored(1)).slice(0, -1))],
  ["half a message header", (s) => s.seal(Uint8Array.of(0x03, 0))],
  ["a body with a byte too many", (s) => s.seal(Uint8Array.of(0x03, 0, 0, 0, 5, 0, 0, 0, 0, 0))],
];
for (const [what, make] of hostile) {
  test(`${what} ends the link at once, and nothing is said`, async () => {
    const { a, b, got, over } = pair();
    b.inject(make(new RecordSealer(down)));
    assertEquals(await over.client, { how: "fault" });
    assertEquals([a.written.length, got.client.length], [0, 0]);
  });
}
test("a message larger than a record is a fault of ours: it ends the link instead of looping", async () => {
  const { server, over } = pair();
  server.send(stored(1));
  server.sendEncoded(new Uint8Array(maxRecordBytes + 1));
  assertEquals(await over.server, { how: "fault" });
  assertEquals(server.fault?.message, "a message is larger than a record");
});
test("what fails in handing over more ends that link as a fault, and nothing else", async () => {
  const { server, over } = pair();
  server.onDrain = () => {
    throw new Error("the disk cannot be read");
  };
  server.send(stored(1));
  assertEquals(await over.server, { how: "fault" });
  assertEquals(server.fault?.message, "the disk cannot be read");
});
