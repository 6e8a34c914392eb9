/** Carried frames (protocol §6.2): chunks travel in them and nowhere else, in order with all that is said. */

import { assertEquals } from "@std/assert";
import { concat, u32 } from "../../lib/crypto/bytes.ts";
import { sha256 } from "../../lib/crypto/hash.ts";
import { tagBytes } from "../../lib/crypto/seal.ts";
import { carry } from "../../lib/protocol/channel/carried.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import type { Established } from "../../lib/protocol/channel/handshake.ts";
import { Link } from "../../lib/protocol/channel/link.ts";
import { encodeMessage, type LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { RecordOpener, RecordSealer } from "../../lib/protocol/channel/records.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";
import { memoryConnPair } from "../fakes/memory_conn.ts";
import { test } from "../fakes/test.ts";

const [up, down] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const file = new Uint8Array(16).fill(9);
const put = (index: number, bytes = 61_488): LinkMessage => ({
  type: "BLOB_PUT",
  ref: index + 1,
  file,
  index,
  chunk: new Uint8Array(bytes).fill(index),
});
const ping: LinkMessage = { type: "NAME_GET", ref: 7, name: new Uint8Array(3) };

/** A server's link, and what a client that the test plays writes to it. */
function toServer() {
  const [a, b] = memoryConnPair();
  const ends = { sealer: new RecordSealer(down), opener: new RecordOpener(up) } as Established;
  const server = new Link(b, new FrameReader(b), ends, "server", new FakeClock());
  const got: LinkMessage[] = [];
  const over = server.run((messages) => void got.push(...messages.map((m) => structuredClone(m))));
  const sealer = new RecordSealer(up);
  const carried = (message: Uint8Array, flag = 0x4000_0000) => {
    const shared = concat(u32((flag | message.length) >>> 0), message);
    const wire = new Uint8Array(shared.length + tagBytes);
    sealer.putTransit({ shared, digest: sha256(shared) }, wire);
    return wire;
  };
  return { a, got, over, sealer, carried };
}

test("chunks and lines come in the order they were sent, each whole", async () => {
  const [a, b] = memoryConnPair();
  const ends = (send: Uint8Array, receive: Uint8Array) =>
    ({ sealer: new RecordSealer(send), opener: new RecordOpener(receive) }) as Established;
  const client = new Link(a, new FrameReader(a), ends(up, down), "client", new FakeClock());
  const server = new Link(b, new FrameReader(b), ends(down, up), "server", new FakeClock());
  const got: LinkMessage[] = [];
  void server.run((messages) => void got.push(...messages.map((m) => structuredClone(m))));
  const back: LinkMessage[] = [];
  void client.run((messages) => void back.push(...messages.map((m) => structuredClone(m))));
  const sent = [put(0), ping, put(1, 300), put(2), ping, ping];
  for (const message of sent) client.send(message);
  server.send({ type: "BLOB", ref: 1, chunk: new Uint8Array(61_488).fill(5) });
  await settle(40);
  assertEquals(got.map((m) => structuredClone(m)), sent);
  assertEquals(back, [{ type: "BLOB", ref: 1, chunk: new Uint8Array(61_488).fill(5) }]);
});

const broken: readonly [what: string, wire: (s: ReturnType<typeof toServer>) => Uint8Array][] = [
  ["a chunk in a record", ({ sealer }) => sealer.seal(encodeMessage(put(0, 300)))],
  ["a line in a carried frame", ({ carried }) => carried(encodeMessage(ping))],
  [
    "two chunks in one frame",
    ({ carried }) => carried(concat(encodeMessage(put(0, 300)), encodeMessage(put(1, 300)))),
  ],
  ["an empty frame", ({ carried }) => carried(new Uint8Array(0))],
  ["half a chunk", ({ carried }) => carried(encodeMessage(put(0, 300)).slice(0, 100))],
  ["what only a server says", ({ carried }) => carried(encodeMessage({ type: "BLOB", ref: 1, chunk: file }))],
  ["a transit frame of a client", ({ carried }) => carried(encodeMessage(put(0, 300)), 0x8000_0000)],
  ["both flags at once", ({ carried }) => carried(encodeMessage(put(0, 300)), 0xc000_0000)],
  ["one that is longer than a frame may be", ({ carried }) => carried(new Uint8Array(65_537))],
];
for (const [what, wire] of broken) {
  test(`${what} ends the link, and nothing of it is handed on`, async () => {
    const server = toServer();
    await server.a.write(wire(server));
    assertEquals([await server.over, server.got], [{ how: "fault" }, []]);
  });
}

test("every bit of a carried frame counts, and none can be repeated", async () => {
  const length = carry(put(0, 20)).shared.length + tagBytes;
  for (let bit = 32; bit < length * 8; bit += 7) { // the length is another matter: it decides how much is waited for
    const server = toServer();
    const wire = server.carried(encodeMessage(put(0, 20)));
    wire[bit >> 3] ^= 1 << (bit & 7);
    await server.a.write(wire);
    assertEquals([await server.over, server.got], [{ how: "fault" }, []], `bit ${bit}`);
  }
  const server = toServer();
  const wire = server.carried(encodeMessage(put(0, 20)));
  await server.a.write(wire);
  await server.a.write(wire);
  assertEquals([(await server.over).how, server.got.length], ["fault", 1]);
});
