import { test } from "../fakes/test.ts";
import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { generateX25519 } from "../../lib/crypto/x25519.ts";
import { TagMismatch } from "../../lib/crypto/seal.ts";
import { Malformed } from "../../lib/errors.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { oaepDecrypt } from "../../lib/crypto/oaep.ts";
import {
  boxBytes,
  boxDecryptor,
  boxHash,
  BoxUnreadable,
  openBox,
  sealBox,
} from "../../lib/protocol/group/box.ts";
import { chainStep, epochCheck, senderChains } from "../../lib/protocol/group/epoch.ts";
import { entryHash, History, historyKept, nextHistory } from "../../lib/protocol/group/history.ts";
import {
  isMessageSigned,
  type MessageHeader,
  openMessage,
  parseMessage,
  sealMessage,
} from "../../lib/protocol/group/sealed_message.ts";
import { makePrekey, parsePrekey } from "../../lib/protocol/identity/prekey.ts";
import { person } from "../fakes/people.ts";
import { unsigned } from "../fakes/site.ts";

const [ira, sam] = await Promise.all([person("ira"), person("sahnawaz")]);
const secrets = await makePrekey(sam.identity.id, sam.identity.signing, 0, 1_700_000_000);
const other = await makePrekey(sam.identity.id, sam.identity.signing, 5, 1_700_000_000);
const context = {
  room: new Uint8Array(32).fill(1),
  epoch: 4,
  prev: new Uint8Array(32).fill(2),
  author: ira.card.id,
};
const E = new Uint8Array(32).fill(0xee);
const box = await sealBox(
  E,
  context,
  await generateX25519(),
  parsePrekey(secrets.published),
  sam.secrets.rsaSpki,
  systemRandom,
);
const decrypt = boxDecryptor(sam.identity.rsa);
const find = (id: number) => id === secrets.prekeyId ? secrets : undefined;

test("a box opens for its recipient, and holds the epoch's secret", async () => {
  assertEquals(box.length, boxBytes);
  assertEquals(await openBox(box, boxHash(box), context, sam.card.id, find, decrypt), E);
});
const closed: [string, () => Promise<unknown>][] = [
  ["another room", () => openBox(box, boxHash(box), { ...context, room: E }, sam.card.id, find, decrypt)],
  ["another epoch", () => openBox(box, boxHash(box), { ...context, epoch: 5 }, sam.card.id, find, decrypt)],
  [
    "another commit before",
    () => openBox(box, boxHash(box), { ...context, prev: E }, sam.card.id, find, decrypt),
  ],
  ["another author", () => openBox(box, boxHash(box), { ...context, author: E }, sam.card.id, find, decrypt)],
  ["another recipient", () => openBox(box, boxHash(box), context, ira.card.id, find, decrypt)],
  [
    "another prekey",
    () =>
      openBox(
        box,
        boxHash(box),
        context,
        sam.card.id,
        () => ({ ...other, prekeyId: secrets.prekeyId }),
        decrypt,
      ),
  ],
  ["an erased prekey", () => openBox(box, boxHash(box), context, sam.card.id, () => undefined, decrypt)],
  [
    "another RSA key",
    () => openBox(box, boxHash(box), context, sam.card.id, find, boxDecryptor(ira.identity.rsa)),
  ],
  [
    "another RSA label",
    () =>
      openBox(
        box,
        boxHash(box),
        context,
        sam.card.id,
        find,
        (label, ct) => oaepDecrypt(sam.identity.rsa, label.slice(1), ct),
      ),
  ],
];
for (const [what, act] of closed) {
  test(`a box stays closed with ${what}`, async () => {
    await assertRejects(act, BoxUnreadable);
  });
}

test("property 6: no RSA decryption on a box whose hash is not the signed one, that is another's, or whose prekey is gone", async () => {
  let count = 0;
  const counting: typeof decrypt = (label, ct) => (count++, decrypt(label, ct));
  for (let at = 0; at < box.length; at += 13) {
    const changed = box.map((b, i) => i === at ? b ^ 1 : b);
    await assertRejects(
      () => openBox(changed, boxHash(box), context, sam.card.id, find, counting),
      BoxUnreadable,
    );
  }
  await assertRejects(() => openBox(box, boxHash(box), context, ira.card.id, find, counting), BoxUnreadable);
  await assertRejects(
    () => openBox(box, boxHash(box), context, sam.card.id, () => undefined, counting),
    BoxUnreadable,
  );
  assertEquals(count, 0);
});
test("property 18: a box of another secret does not fit the commit's check", () => {
  const roomKey = new Uint8Array(32);
  assertNotEquals(epochCheck(E, roomKey, context), epochCheck(E.map((b) => b ^ 1), roomKey, context));
  assertNotEquals(epochCheck(E, roomKey, context), epochCheck(E, roomKey.fill(1), context));
});

const commitHash = new Uint8Array(32).fill(7);
const [chain, otherChain] = senderChains(E, new Uint8Array(32), commitHash, [ira.card.id, sam.card.id]);
const header: MessageHeader = {
  kind: 1,
  room: context.room,
  epoch: 4,
  commit: commitHash.slice(0, 16),
  sender: ira.card.id,
  n: 0,
  view: unsigned(3, E),
  salt: new Uint8Array(16).fill(3),
};
const content = { type: 1, msgId: new Uint8Array(16), timeMs: 9, body: new TextEncoder().encode("Hi") };
const { messageKey, next } = chainStep(chain);
const sealed = sealMessage(header, content, messageKey, commitHash, ira.identity.signing);

test("every member has a chain of its own, and no step leads back", () => {
  assertNotEquals(chain, otherChain);
  assertNotEquals(next, chain);
  assertNotEquals(chainStep(next).messageKey, messageKey);
});
test("a message opens with the key of its place, under its sender's signature", () => {
  const message = parseMessage(sealed);
  assertEquals(isMessageSigned(message, commitHash, ira.card.verifying), true);
  assertEquals(openMessage(message, messageKey, commitHash).body, content.body);
});
test("property 12: a chain after a message does not open that message", () => {
  const message = parseMessage(sealed);
  for (let i = 0, c = next; i < 50; i++, c = chainStep(c).next) {
    assertThrows(() => openMessage(message, chainStep(c).messageKey, commitHash), TagMismatch);
  }
});
test("property 17: a message re-signed, moved to another epoch or sealed by another does not pass", () => {
  const message = parseMessage(sealed);
  assertEquals(isMessageSigned(message, commitHash, sam.card.verifying), false);
  assertEquals(isMessageSigned(message, E, ira.card.verifying), false);
  const forged = parseMessage(
    sealMessage(header, content, chainStep(otherChain).messageKey, commitHash, sam.identity.signing),
  );
  assertEquals(isMessageSigned(forged, commitHash, ira.card.verifying), false);
  const bent = parseMessage(
    sealMessage({ ...header, n: 1 }, content, messageKey, commitHash, ira.identity.signing),
  );
  const relabelled = { ...bent, header: message.header };
  assertThrows(() => openMessage(relabelled, messageKey, commitHash), TagMismatch);
});
test("every changed byte of a message breaks its form or its signature", () => {
  for (let at = 0; at < sealed.length; at++) {
    try {
      const changed = parseMessage(sealed.map((b, i) => i === at ? b ^ 1 : b));
      assertEquals(isMessageSigned(changed, commitHash, ira.card.verifying), false, `byte ${at}`);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
});
test("the server sees sizes in steps only", () => {
  const lengths = new Set<number>();
  for (const n of [1, 20, 50, 99]) {
    const body = new Uint8Array(n).fill(65);
    lengths.add(
      sealMessage(header, { ...content, body }, messageKey, commitHash, ira.identity.signing).length,
    );
  }
  assertEquals(lengths.size, 1);
});

test("history: L(0) is the room, each entry moves it, and any difference stays for ever", () => {
  const room = context.room;
  const start = new History({ pos: 0, hash: room });
  let [a, b] = [start, start];
  assertEquals(a.view, { pos: 0, hash: room });
  const entries = [0, 1, 2, 3].map((i) => entryHash(1 + (i & 1), Uint8Array.of(i)));
  for (const e of entries) a = a.after(e);
  for (const e of [entries[0], entries[2], entries[1], entries[3]]) b = b.after(e);
  assertEquals(a.at(1), b.at(1));
  for (const pos of [2, 3, 4]) assertNotEquals(a.at(pos), b.at(pos));
  assertEquals(a.at(4), nextHistory(a.at(3)!, entries[3]));
  assertEquals(start.view, { pos: 0, hash: room }, "the one before it has not changed");
  assertNotEquals(entryHash(1, E), entryHash(2, E));
});
test("history keeps at least 16 384 positions, and is bounded", () => {
  let h = new History({ pos: 0, hash: E });
  for (let i = 0; i < 3 * historyKept; i++) h = h.after(E);
  const { pos } = h.view;
  assertEquals(pos, 3 * historyKept);
  assertEquals(h.at(pos - historyKept + 1) !== null, true);
  assertEquals(h.at(pos - historyKept - 4096 - 1), null);
});
