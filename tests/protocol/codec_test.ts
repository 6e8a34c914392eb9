import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { ChatError, Malformed } from "../../lib/errors.ts";
import { boxBytes, parseBox } from "../../lib/protocol/group/box.ts";
import { parseUse } from "../../lib/protocol/group/pass.ts";
import { formatInvite, parseInvite } from "../../lib/protocol/identity/invite.ts";
import { parseCard } from "../../lib/protocol/identity/card.ts";
import { commitHow, makeLeave, parseCommit } from "../../lib/protocol/group/commit.ts";
import { contentTypes, decodeContent, encodeContent } from "../../lib/protocol/group/content.ts";
import { decodeClientHello, decodeServerHello } from "../../lib/protocol/channel/handshake.ts";
import {
  decodeMessages,
  encodeMessage,
  type LinkMessage,
  type MessageOf,
  newestEpoch,
  table,
} from "../../lib/protocol/channel/link_messages.ts";
import { parseMessage } from "../../lib/protocol/group/sealed_message.ts";
import { isName, skeleton } from "../../lib/protocol/identity/name.ts";
import {
  isPrekeyUsable,
  makePrekey,
  parsePrekey,
  prekeyBytes,
  verifyPrekey,
} from "../../lib/protocol/identity/prekey.ts";
import { Reader, Writer } from "../../lib/protocol/codec/wire.ts";
import { decodePrivatePem, decodePublicPem } from "../../lib/crypto/identity_pem.ts";
import { decodeRoomKey } from "../../lib/crypto/room_key.ts";
import { genesis, headOf, successor } from "../fakes/commits.ts";
import { person } from "../fakes/people.ts";
import { unhex, vectors } from "../fakes/vectors.ts";
import fc from "fast-check";

const ira = await person("ira");
const prekey = vectors("prekey");

test("numbers are big-endian, and writers grow without losing any", () => {
  const w = new Writer(1);
  for (let i = 0; i < 100; i++) w.u8(i).u16(i * 600).u32(i * 40_000_000).u64(i * 2 ** 46);
  const r = new Reader(w.done());
  for (let i = 0; i < 100; i++) {
    assertEquals([r.u8(), r.u16(), r.u32(), r.u64()], [i, i * 600, i * 40_000_000, i * 2 ** 46]);
  }
  r.end();
  assertEquals(encodeHex(new Writer().u32(0x01020304).vec16(Uint8Array.of(9)).done()), "01020304000109");
});
test("WELCOME without a place ends before it; a place that is empty, cut or no text is refused", () => {
  const whole = [...encodeMessage(welcome)];
  const read = (...more: number[]) => {
    const bytes = Uint8Array.from([...whole, ...more]);
    new DataView(bytes.buffer).setUint32(1, bytes.length - 5);
    return decodeMessages(bytes, "server");
  };
  assertEquals(read(), [welcome]);
  assertEquals(read(0, 1, 0x63), [{ ...welcome, place: "c" }]);
  // u16 length, then text
  for (const more of [[0, 0], [0], [0, 2, 0x63], [0, 1, 0xff], [0, 1, 0x63, 0]]) {
    assertThrows(() => read(...more), Malformed, undefined, `${more}`);
  }
});
test("a reader refuses u64 above 2^53 − 1, missing bytes, trailing bytes and padding that is not zero", () => {
  assertThrows(() => new Reader(unhex("0020000000000000")).u64(), Malformed);
  assertEquals(new Reader(unhex("001fffffffffffff")).u64(), Number.MAX_SAFE_INTEGER);
  assertThrows(() => new Reader(unhex("0005aa")).vec16(), Malformed);
  assertThrows(() => new Reader(unhex("00")).end(), Malformed);
  assertThrows(() => new Reader(unhex("0001")).zeros(), Malformed);
});

const id = ira.card.id;
const welcome: MessageOf<"WELCOME"> = {
  type: "WELCOME",
  time: 1,
  runId: new Uint8Array(16),
  flags: 1,
  messageBytes: 2,
  textBytes: 3,
  members: 4,
  rooms: 5,
  burst: 6,
  rate: 7,
  fileBytes: 8,
  blobBytes: 9,
  retainSeconds: 10,
  place: "",
};
const samples: LinkMessage[] = [
  { type: "HELLO", runId: new Uint8Array(16), rooms: [{ room: id, kind: 1, pos: 7 }] },
  welcome,
  { ...welcome, place: "chat://chat.example.org:9443" },
  { type: "PING", any: 1 },
  { type: "PONG", any: 2 },
  { type: "CLOSE", reason: 3 },
  { type: "ERROR", ref: 1, code: 2 },
  { type: "LOGIN", ref: 1, name: new Uint8Array(3), password: new Uint8Array(10) },
  {
    type: "REGISTER",
    ref: 1,
    name: new Uint8Array(3),
    password: new Uint8Array(10),
    token: new Uint8Array(2),
  },
  { type: "PASSWORD", ref: 1, old: new Uint8Array(10), next: new Uint8Array(9) },
  { type: "RELEASE", ref: 1, password: new Uint8Array(10) },
  { type: "ACCEPTED", ref: 4 },
  { type: "DONE", ref: 1, info: 2 },
  { type: "CARD_GET", ref: 1, ids: [id, id] },
  { type: "CARD", ref: 1, cards: [ira.card.bytes, new Uint8Array(0)] },
  { type: "PREKEY_PUT", ref: 1, prekey: new Uint8Array(prekeyBytes) },
  { type: "PREKEY_GET", ref: 1, ids: [id] },
  { type: "PREKEY", ref: 1, prekeys: [new Uint8Array(5)] },
  { type: "NAME_GET", ref: 1, name: new Uint8Array(3) },
  { type: "ROOM_FIND", ref: 1, name: new Uint8Array(5) },
  {
    type: "ROOM_INFO",
    ref: 0,
    room: id,
    kind: 1,
    policy: 0,
    flags: 3,
    last: 9,
    start: 0,
    startHash: id,
    name: new Uint8Array(5),
  },
  { type: "JOIN", ref: 1, room: id, kind: 1, pos: 0 },
  { type: "ADMIT", room: id, ids: [] },
  { type: "LEAVE", ref: 1, room: id, epoch: 2, signature: new Uint8Array(64) },
  { type: "BOX_PUT", ref: 1, box: new Uint8Array(boxBytes) },
  { type: "BOX_GET", ref: 1, hash: id },
  { type: "BOX", ref: 1, box: new Uint8Array(boxBytes) },
  { type: "COMMIT", ref: 1, commit: new Uint8Array(9) },
  { type: "SEND", ref: 1, message: new Uint8Array(9) },
  { type: "ENTRY", room: id, pos: 1, time: 2, kind: 2, address: "127.0.0.1:9", bytes: new Uint8Array(5) },
  { type: "HASHES", room: id, first: 2, digests: [id, id] },
  { type: "STORED", ref: 1, room: id, pos: 3 },
  { type: "ACK", room: id, pos: 3 },
  { type: "ANSWER", room: id, pos: 0, message: new Uint8Array(4) },
  { type: "NOTICE", text: "hällo" },
  { type: "LEAVING", room: id, id, epoch: 1, signature: new Uint8Array(64) },
  { type: "PRESENCE", room: id, what: 1, ids: [id] },
  { type: "TRANSIT", room: id, key: 7, secret: id },
  { type: "HEAD", room: id, pos: 3, signature: new Uint8Array(64) },
  { type: "BLOB_PUT", ref: 7, file: new Uint8Array(16), index: 9, chunk: new Uint8Array(300) },
  { type: "BLOB_GET", ref: 7, file: new Uint8Array(16), index: 9 },
  { type: "BLOB", ref: 7, chunk: new Uint8Array(300) },
  { type: "BLOB_NEW", ref: 7, room: id, file: new Uint8Array(16), chunks: 2, lastBytes: 61_440 },
  { type: "BLOB_AT", ref: 7, next: 1, until: 9 },
  { type: "BLOB_DROP", ref: 7, file: new Uint8Array(16) },
  { type: "CHAIN_GET", ref: 7, room: id, epoch: newestEpoch, use: new Uint8Array(96) },
  { type: "CHAIN", ref: 7, pos: 9, hash: id, signature: new Uint8Array(64), commit: new Uint8Array(300) },
];
const direction = (bytes: Uint8Array) => {
  try {
    decodeMessages(bytes, "client");
    return "client" as const;
  } catch {
    return "server" as const;
  }
};
test("every type of message has a sample here", () => {
  const sampled = new Set(samples.map(({ type }) => type));
  assertEquals(Object.keys(table).filter((type) => !sampled.has(type as LinkMessage["type"])), []);
});
for (const message of samples) {
  test(`${message.type} survives its encoding, and its every truncation is refused`, () => {
    const bytes = encodeMessage(message);
    const from = direction(bytes);
    assertEquals(decodeMessages(bytes, from), [message]);
    for (let n = 1; n < bytes.length; n++) {
      assertThrows(() => decodeMessages(bytes.slice(0, n), from), Malformed);
    }
    const longer = Uint8Array.from([...bytes, 0]);
    new DataView(longer.buffer).setUint32(1, bytes.length - 4);
    const open = ["COMMIT", "SEND", "ENTRY", "ANSWER", "CHAIN", "BLOB_PUT", "BLOB"].includes(message.type);
    if (!open) assertThrows(() => decodeMessages(longer, from), Malformed);
  });
}
test("the bytes of a message are those of the protocol's table", () => {
  assertEquals(encodeHex(encodeMessage({ type: "PING", any: 0x01020304 })), "030000000401020304");
  assertEquals(encodeHex(encodeMessage({ type: "ERROR", ref: 7, code: 2 })), "0600000006000000070002");
  assertEquals(encodeHex(encodeMessage({ type: "NOTICE", text: "hi" })), "2f0000000400026869");
});
for (const type of ["CARD_GET", "SEND", "JOIN"] as const) {
  test(`a ${type} with ref 0 is refused`, () => {
    const message = samples.find((s) => s.type === type)!;
    assertThrows(
      () => decodeMessages(encodeMessage({ ...message, ref: 0 } as LinkMessage), "client"),
      Malformed,
    );
  });
}
test("a HELLO of more than 1024 rooms is refused", () => {
  const rooms = Array(1025).fill({ room: id, kind: 1, pos: 0 });
  assertThrows(
    () => decodeMessages(encodeMessage({ type: "HELLO", runId: new Uint8Array(16), rooms }), "client"),
    Malformed,
  );
});

const unknownKinds: LinkMessage[] = [
  { type: "JOIN", ref: 1, room: id, kind: 3, pos: 0 },
  { type: "HELLO", runId: new Uint8Array(16), rooms: [{ room: id, kind: 0, pos: 0 }] },
  { type: "ENTRY", room: id, pos: 1, time: 2, kind: 3, address: "", bytes: new Uint8Array(5) },
  { type: "PRESENCE", room: id, what: 2, ids: [id] },
];
for (const message of unknownKinds) {
  test(`a ${message.type} of an unknown kind is refused`, () => {
    const from = ["ENTRY", "PRESENCE"].includes(message.type) ? "server" : "client";
    assertThrows(() => decodeMessages(encodeMessage(message), from), Malformed, "kind");
  });
}

test("names: skeletons are one for look-alikes, and odd names are refused", () => {
  for (const [a, b] of [["Ira", "1RA"], ["I", "l"], ["O0o", "ooo"], ["Bill", "BI11"]]) {
    assertEquals(skeleton(a), skeleton(b));
  }
  for (const bad of ["", "-a", "_a", "a b", "ä", "a".repeat(25), "a\n", "іra"]) {
    assertEquals(isName(bad), false, bad);
  }
  for (const good of ["a", "0", "a-b_c", "a".repeat(24)]) assertEquals(isName(good), true);
});

test("prekeys: the frozen ones verify; another owner, a changed byte, a wrong life and wrong times do not", async () => {
  const parsed = parsePrekey(unhex(prekey.made.bytes));
  assertEquals([parsed.prekeyId, parsePrekey(unhex(prekey.rising.bytes)).prekeyId], [
    1_700_000_000,
    1_800_000_001,
  ]);
  assertEquals(verifyPrekey(parsed, ira.card.verifying), true);
  assertEquals(verifyPrekey(parsed, (await person("dana")).card.verifying), false);
  for (let at = 1; at < prekeyBytes; at += 7) {
    const changed = unhex(prekey.made.bytes);
    changed[at] ^= 1;
    try {
      assertEquals(verifyPrekey(parsePrekey(changed), ira.card.verifying), false, `byte ${at}`);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
  const start = 1_700_000_000, life = 30 * 86_400;
  for (
    const [now, usable] of [[start, true], [start - 600, true], [start - 601, false], [
      start + life - 1,
      true,
    ], [start + life, false]] as const
  ) {
    assertEquals(isPrekeyUsable(parsed, now), usable);
  }
  const again = await makePrekey(ira.identity.id, ira.identity.signing, 5, 3);
  assertEquals(again.prekeyId, 6);
});

test("content is padded to a power of two, the smallest that fits", () => {
  const content = (n: number) => ({
    type: contentTypes.text,
    msgId: new Uint8Array(16),
    timeMs: 5,
    body: new Uint8Array(n).fill(97),
  });
  for (const [n, size] of [[0, 128], [99, 128], [100, 256], [16_384, 32_768]]) {
    assertEquals(encodeContent(content(n)).length, size);
    assertEquals(decodeContent(encodeContent(content(n))), content(n));
  }
  assertThrows(() => encodeContent(content(32_768)), Error);
});
const badContents: [string, () => Uint8Array][] = [
  ["an odd size", () => new Uint8Array(200)],
  ["64 KiB", () => new Uint8Array(65_536)],
  [
    "padding that is not zero",
    () =>
      encodeContent({ type: 1, msgId: new Uint8Array(16), timeMs: 1, body: new Uint8Array(1).fill(65) }).map((
        b,
        i,
      ) => i === 127 ? 1 : b),
  ],
  [
    "a text that is not UTF-8",
    () => encodeContent({ type: 1, msgId: new Uint8Array(16), timeMs: 1, body: Uint8Array.of(0xff) }),
  ],
  [
    "a text over 16 KiB",
    () =>
      encodeContent({ type: 1, msgId: new Uint8Array(16), timeMs: 1, body: new Uint8Array(16_385).fill(65) }),
  ],
  [
    "an attest with a body",
    () => encodeContent({ type: 3, msgId: new Uint8Array(16), timeMs: 1, body: Uint8Array.of(1) }),
  ],
];
for (const [what, make] of badContents) {
  test(`content with ${what} is refused`, () => void assertThrows(() => decodeContent(make()), Malformed));
}

/** With a leave and a ban: no part of it is empty. */
const wholeCommit = successor(headOf(genesis(ira), 1), ira, {
  leaves: [makeLeave(ira.card.id, id, 0, ira.identity.signing)],
  passes: [{ key: id, until: 1_700_000_000, name: "dana" }, { key: id, until: 0, name: "" }],
  bans: [id],
}).bytes;
const entryByPass = successor(headOf(genesis(ira), 1), ira, {
  how: commitHow.pass,
  use: { key: id, signature: new Uint8Array(64) },
}).bytes;
const invite = (bytes: Uint8Array) => parseInvite(new TextDecoder().decode(bytes));
const passInvite = formatInvite({
  host: "localhost",
  port: 9443,
  tls: false,
  others: [],
  room: "lobby",
  serverId: id,
  pins: { roomId: id, inviterId: id, pass: { seed: id, epoch: 7 } },
});

// Property 23: whatever comes in, only the typed error comes out.
const parsers: [string, (bytes: Uint8Array) => unknown, Uint8Array][] = [
  ["card", parseCard, ira.card.bytes],
  ["prekey", parsePrekey, unhex(prekey.made.bytes)],
  ["ClientHello", decodeClientHello, unhex(vectors("link").steps[0].wire)],
  ["ServerHello", decodeServerHello, unhex(vectors("link").steps[1].wire)],
  ["commit", parseCommit, wholeCommit],
  ["entry by pass", parseCommit, entryByPass],
  ["use of a pass", (b) => parseUse(b.slice()), new Uint8Array(96)],
  ["invite", invite, new TextEncoder().encode(passInvite)],
  ["message", (b) => parseMessage(b.slice()), unhex(vectors("message").bytes)],
  ["box", parseBox, unhex(vectors("box").bytes)],
  [
    "content",
    decodeContent,
    encodeContent({ type: 1, msgId: new Uint8Array(16), timeMs: 1, body: Uint8Array.of(65) }),
  ],
  ["room key file", decodeRoomKey, new Uint8Array(44).fill(65)],
  [
    "private key file",
    (b) => decodePrivatePem(new TextDecoder().decode(b), null),
    new TextEncoder().encode(ira.privatePem),
  ],
  [
    "public key file",
    (b) => decodePublicPem(new TextDecoder().decode(b)),
    new TextEncoder().encode(vectors("keys").people[0].publicPem),
  ],
  ...samples.map((message): [string, (bytes: Uint8Array) => unknown, Uint8Array] => {
    const bytes = encodeMessage(message);
    return [message.type, (b) => decodeMessages(b, direction(bytes)), bytes];
  }),
];
for (const [what, parse, sample] of parsers) {
  test(`property 23: the parser of a ${what} is total`, () => {
    const total = (bytes: Uint8Array) => {
      try {
        parse(bytes);
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), total), { numRuns: 200 });
    const edit = fc.tuple(fc.nat(sample.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 4 }), fc.nat(sample.length), (edits, cut) => {
        const changed = sample.slice();
        for (const [at, value] of edits) changed[at] = value;
        total(changed);
        total(changed.slice(0, cut));
      }),
      { numRuns: what.includes("key file") ? 50 : 200 },
    );
  });
}
