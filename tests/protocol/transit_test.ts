import { test } from "../fakes/test.ts";
import { assertEquals, assertInstanceOf, assertNotEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { cfb, ecb } from "@noble/ciphers/aes";
import { CfbEncryptor } from "../../lib/crypto/cfb.ts";
import { concat } from "../../lib/crypto/bytes.ts";
import { sha256 } from "../../lib/crypto/hash.ts";
import { hmac } from "../../lib/crypto/hmac.ts";
import { kdf } from "../../lib/crypto/kdf.ts";
import { TagMismatch } from "../../lib/crypto/seal.ts";
import { Malformed } from "../../lib/errors.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import type { Established } from "../../lib/protocol/channel/handshake.ts";
import { Link } from "../../lib/protocol/channel/link.ts";
import { encodeMessage, type LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { RecordOpener, RecordSealer } from "../../lib/protocol/channel/records.ts";
import { framesPerKey, TransitOpener, TransitSealer } from "../../lib/protocol/channel/transit.ts";
import { countedDecrypts } from "../fakes/counted_decrypts.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";
import { memoryConnPair } from "../fakes/memory_conn.ts";

const [up, down] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const room = new Uint8Array(32).fill(7);
const secret = new Uint8Array(32).fill(9);
const entry = (pos: number, over: { room?: Uint8Array<ArrayBuffer>; kind?: number } = {}) =>
  encodeMessage({
    type: "ENTRY",
    room,
    pos,
    time: 1,
    kind: 2,
    address: "",
    bytes: new Uint8Array(300).fill(pos),
    ...over,
  });
const stored: LinkMessage = { type: "STORED", ref: 1, room, pos: 1 };

function wireOf(sealer: RecordSealer, frame: ReturnType<TransitSealer["seal"]>) {
  const wire = new Uint8Array(frame.shared.length + 32);
  sealer.putTransit(frame, wire);
  return wire;
}

test("a transit frame is what protocol §6 says, by other implementations of its parts", () => {
  const key = new TransitSealer(room, 5, secret);
  const sealer = new RecordSealer(down);
  sealer.seal(Uint8Array.of(1)); // record 0
  key.seal(entry(1)); // counter 0, for others
  const wire = wireOf(sealer, key.seal(entry(2)));
  const derived = kdf(secret, "transit", concat(room, Uint8Array.of(0, 0, 0, 5)), 64);
  const counter = new Uint8Array(16);
  counter[15] = 1;
  const iv = ecb(derived.subarray(32), { disablePadding: true }).encrypt(counter);
  const ct = cfb(derived.subarray(0, 32), iv).encrypt(entry(2));
  const length = entry(2).length;
  const head = Uint8Array.of(0x80, 0, length >> 8, length & 0xff, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1);
  const text = concat(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1), head.subarray(0, 4), sha256(head, ct));
  const tag = hmac(kdf(down, "transit tag", new Uint8Array(0), 32), text);
  assertEquals(encodeHex(wire), encodeHex(concat(head, ct, tag)));
});

/** A server's link and a client's; the client has the key, and then gets what `send` sends. */
async function deliver(
  send: (server: Link, key: TransitSealer) => void,
  tamper: (wire: Uint8Array) => Uint8Array | null = (wire) => wire,
) {
  const clock = new FakeClock();
  const [a, b] = memoryConnPair();
  const ends = (s: Uint8Array, r: Uint8Array) =>
    ({ sealer: new RecordSealer(s), opener: new RecordOpener(r) }) as Established;
  const client = new Link(a, new FrameReader(a), ends(up, down), "client", clock);
  const server = new Link(b, new FrameReader(b), ends(down, up), "server", clock);
  const got: LinkMessage[] = [];
  const over = client.run((messages) => void got.push(...messages));
  const key = new TransitSealer(room, 1, secret);
  server.send(key.handover);
  await settle();
  b.tamper = tamper;
  send(server, key);
  await settle(40);
  return { got: () => got.map((m) => m.type === "ENTRY" ? m.pos : m.type), over, server, client, a, b, key };
}

test("frames and records arrive in the order in which they were sent, in one write", async () => {
  const { got, b } = await deliver((server, key) => {
    server.sendTransit(key.seal(entry(1)));
    server.send(stored);
    server.sendTransit(key.seal(concat(entry(2), entry(3))));
    server.sendTransit(key.seal(entry(4)));
    server.send(stored);
  });
  assertEquals(got(), [1, "STORED", 2, 3, 4, "STORED"]);
  assertEquals(b.written.length, 2);
});

const own = new TransitSealer(room, 1, secret);
const attacks: [string, (frames: Uint8Array[]) => Uint8Array[]][] = [
  ["a dropped", ([, b]) => [b]],
  ["a replayed", ([a, b]) => [a, a, b]],
  ["a reordered", ([a, b, c]) => [b, a, c]],
  ["a frame after the record that it came before, and so a reordered", ([a, b, c]) => [a, c, b]],
  ["a shortened", ([a]) => [Uint8Array.from([...a.slice(0, 20), ...a.slice(21)])]],
  // Whoever is in the room has its key, and so can make all of a frame but the tag.
  ["a forged", () => [wireOf(new RecordSealer(new Uint8Array(32).fill(3)), own.seal(entry(1)))]],
  ["another member's copy of the same", () => [wireOf(new RecordSealer(up), own.seal(entry(1)))]],
];
for (const [what, change] of attacks) {
  test(`property 7: ${what} transit frame ends the link at once, and nothing of it is handed on`, async () => {
    const wires: Uint8Array[] = [];
    const { got, over, b } = await deliver((server, key) => {
      server.sendTransit(key.seal(entry(1)));
      queueMicrotask(() => server.sendTransit(key.seal(entry(2))));
      void settle().then(() => server.send(stored));
    }, (wire) => void wires.push(wire) as unknown as null);
    // What is on the wire together is cut apart first.
    const frames = wires.flatMap(cutFrames);
    assertEquals(frames.length, 3);
    b.tamper = (wire) => wire;
    const changed = change(frames);
    const intact = changed.findIndex((wire, i) => wire !== frames[i]);
    for (const wire of changed) b.inject(wire);
    b.close(); // a frame that was cut short would be waited for
    const { how } = await over;
    assertEquals(how, "fault");
    assertEquals(got(), [1, 2, "STORED"].slice(0, Math.max(0, intact)));
  });
}
function cutFrames(wire: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < wire.length;) {
    const length = (wire[at + 2] << 8 | wire[at + 3]) + (wire[at] & 0x80 ? 16 : 4) + 32;
    frames.push(wire.slice(at, at += length));
  }
  return frames;
}
test("any changed byte of a transit frame fails its tag", () => {
  const wire = wireOf(new RecordSealer(down), new TransitSealer(room, 1, secret).seal(entry(1)));
  for (let at = 0; at < wire.length; at++) {
    const changed = wire.slice();
    changed[at] ^= 1;
    assertThrows(() => new RecordOpener(down).checkTransit(changed), TagMismatch);
  }
});
for (
  const [what, at] of [["ciphertext", 16], ["last byte of the ciphertext", -33], ["tag", -32], [
    "last byte",
    -1,
  ]] as const
) {
  test(`property 9: a link decrypts nothing of a transit frame whose ${what} was changed`, () =>
    countedDecrypts(async (calls) => {
      let before = -1;
      const { got, over } = await deliver(
        (server, key) => {
          before = calls(); // the key's own record is open
          server.sendTransit(key.seal(entry(1)));
        },
        (wire) => wire.map((byte, i) => i === (at + wire.length) % wire.length ? byte ^ 1 : byte),
      );
      assertEquals([(await over).how, calls() - before, got().length], ["fault", 0, 0]);
    }));
}

const key = (number: number) => new TransitSealer(room, number, secret);
const sealed = (sealer: TransitSealer, plaintext = entry(1)) =>
  concat(sealer.seal(plaintext).shared, new Uint8Array(32));
const refused: [string, (opener: TransitOpener) => void][] = [
  ["a key that was there before", (o) => o.take(key(1).handover)],
  ["a frame of a key that it has not", (o) => o.open(sealed(key(2)))],
  ["a frame of a key that another has replaced", (o) => {
    o.take(key(2).handover);
    o.open(sealed(key(1)));
  }],
  ["a counter that does not grow", (o) => {
    o.open(sealed(key(1)));
    o.open(sealed(key(1)));
  }],
  ["anything but entries", (o) => o.open(sealed(key(1), encodeMessage(stored)))],
  ["a commit", (o) => o.open(sealed(key(1), entry(1, { kind: 1 })))],
  ["an entry of another room", (o) => o.open(sealed(key(1), entry(1, { room: new Uint8Array(32) })))],
];
for (const [what, act] of refused) {
  test(`a transit opener refuses ${what}`, () => {
    const opener = new TransitOpener();
    opener.take(key(1).handover);
    assertThrows(() => act(opener), Malformed);
  });
}
test("a frame that comes before any key ends the link", async () => {
  const [a, b] = memoryConnPair();
  const ends = { sealer: new RecordSealer(up), opener: new RecordOpener(down) } as Established;
  const link = new Link(a, new FrameReader(a), ends, "client", new FakeClock());
  const over = link.run(() => {});
  b.inject(wireOf(new RecordSealer(down), key(1).seal(entry(1))));
  assertEquals((await over).how, "fault");
  assertInstanceOf(link.fault, Malformed);
});
test("a server takes no transit frame: the top bit of a length is a length out of bounds", async () => {
  const [a, b] = memoryConnPair();
  const ends = { sealer: new RecordSealer(down), opener: new RecordOpener(up) } as Established;
  const over = new Link(b, new FrameReader(b), ends, "server", new FakeClock()).run(() => {});
  a.inject(wireOf(new RecordSealer(up), key(1).seal(entry(1))));
  assertEquals((await over).how, "fault");
});
test("property 8: a key makes 65 536 frames, no two with one IV, and then no more", () => {
  const encrypt = CfbEncryptor.prototype.encrypt;
  const ivs = new Set<string>();
  CfbEncryptor.prototype.encrypt = function (iv, text) {
    ivs.add(encodeHex(iv));
    return encrypt.call(this, iv, text);
  };
  try {
    const sealer = key(1);
    for (let i = 0; i < framesPerKey; i++) sealer.seal(Uint8Array.of(0));
    assertEquals([ivs.size, sealer.framesLeft], [framesPerKey, 0]);
    assertThrows(() => sealer.seal(Uint8Array.of(0)), Error);
  } finally {
    CfbEncryptor.prototype.encrypt = encrypt;
  }
  assertNotEquals(encodeHex(sealed(key(1))), encodeHex(sealed(key(2))));
});
test("frames take the numbers of records across the rekey boundary 65 535 → 0", () => {
  const [sealer, opener] = [new RecordSealer(down), new RecordOpener(down)];
  const transit = key(1);
  for (let n = 0; n < 65_536 + 600; n++) {
    if (n % 3 === 0) opener.checkTransit(wireOf(sealer, transit.seal(entry(1))));
    else assertEquals(opener.open(sealer.seal(Uint8Array.of(n & 0xff))), Uint8Array.of(n & 0xff));
  }
});
