/** What each parser and each writer refuses, by the check that is there for it: taken out, it would pass as another. */

import { assertEquals, assertThrows } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { concat } from "../../lib/crypto/bytes.ts";
import { fixed, trailing } from "../../lib/protocol/codec/layout.ts";
import { Reader, Writer } from "../../lib/protocol/codec/wire.ts";
import { boxBytes, parseBox } from "../../lib/protocol/group/box.ts";
import { maxTextBytes } from "../../lib/protocol/group/content.ts";
import {
  openKeyFileMessage,
  parseKeyFileMessage,
  sealKeyFileMessage,
} from "../../lib/protocol/group/key_file_message.ts";
import {
  encodeHeader,
  maxMessageBytes,
  type MessageHeader,
  messageKinds,
  parseMessage,
} from "../../lib/protocol/group/sealed_message.ts";
import { makeCard, parseCard } from "../../lib/protocol/identity/card.ts";
import { decodeName } from "../../lib/protocol/identity/name.ts";
import { encodePassword, isPassword } from "../../lib/protocol/identity/password.ts";
import { parsePrekey } from "../../lib/protocol/identity/prekey.ts";
import { unhex, vectors } from "../fakes/vectors.ts";
import { person } from "../fakes/people.ts";
import { test } from "../fakes/test.ts";
import { unsigned } from "../fakes/site.ts";

const ira = await person("ira");
const zeros = (length: number): Bytes => new Uint8Array(length);
const ascii = (text: string): Bytes => new TextEncoder().encode(text);

const header: MessageHeader = {
  kind: messageKinds.ordinary,
  room: zeros(32),
  epoch: 0,
  commit: zeros(16),
  sender: ira.card.id,
  n: 0,
  view: unsigned(0, zeros(32)),
  salt: zeros(16),
};
/** A message whose header is bent; its signature is nobody's. */
function message(bend: Partial<MessageHeader>, sealedBytes = 64): Bytes {
  const head = encodeHeader({ ...header, ...bend });
  return concat(new Writer().raw(head).vec32(zeros(sealedBytes)).done(), zeros(64));
}
const keyFile = { kind: messageKinds.keyFile };

test("what is bent below is a message when it is not bent", () => {
  assertEquals(parseMessage(message({})).kind, messageKinds.ordinary);
  assertEquals(parseKeyFileMessage(message(keyFile)).kind, messageKinds.keyFile);
});

const refused: [what: string, why: string, act: () => unknown][] = [
  ["a box a byte too long", "wrong size", () => parseBox(concat(Uint8Array.of(1), zeros(boxBytes)))],
  ["a message that is too long", "too long", () => parseMessage(message({}, maxMessageBytes))],
  ["a message of an unknown kind", "unknown kind", () => parseMessage(message({ kind: 3 }))],
  ["a message without a tag", "no tag", () => parseMessage(message({}, 31))],
  ["an ordinary message in a key-file room", "not a message of", () => parseKeyFileMessage(message({}))],
  [
    "a key-file message with an epoch",
    "epoch, a commit or a salt",
    () => parseKeyFileMessage(message({ ...keyFile, epoch: 1 })),
  ],
  [
    "a key-file message with a salt",
    "epoch, a commit or a salt",
    () => parseKeyFileMessage(message({ ...keyFile, salt: zeros(16).fill(1) })),
  ],
  ["a text in a token that is too long", "text is too long", () => {
    const { room, sender, n, view } = header;
    const text = "x".repeat(maxTextBytes + 1);
    const sealed = sealKeyFileMessage(
      { room, sender, n, view },
      text,
      zeros(32),
      1,
      zeros(16),
      ira.identity.signing,
    );
    openKeyFileMessage(parseKeyFileMessage(sealed), zeros(32));
  }],
  ["a card of an unknown role", "unknown role", () => parseCard(makeCard(ira.identity, 3, "ira", 1))],
  ["a prekey that lives another time", "exactly 30 days", () => {
    const bytes = unhex(vectors("prekey").made.bytes);
    bytes[52] ^= 1; // the last of notAfter
    parsePrekey(bytes);
  }],
  ["a name with a blank", "no name may have", () => decodeName(ascii("ira 2"))],
  ["a name that is too long", "no name may have", () => decodeName(ascii("x".repeat(25)))],
  ["a short password", "at least", () => encodePassword("1234567")],
  ["a password of blanks", "blanks alone", () => encodePassword(" ".repeat(12))],
  ["a password that is too long", "at most", () => encodePassword("x".repeat(2000))],
  ["a list of one too many", "list is too long", () => trailing(2, fixed(1)).read(new Reader(zeros(3)))],
  ["a field of another length", "3 bytes where 4 belong", () => fixed(4).write(new Writer(), zeros(3))],
  ["256 bytes with a one-byte length", "at most 255", () => new Writer().vec8(zeros(256))],
  ["65 536 bytes with a two-byte length", "at most 65535", () => new Writer().vec16(zeros(65_536))],
  ["padding to less than there is", "longer than 2", () => new Writer().raw(zeros(3)).padTo(2)],
];
for (const [what, why, act] of refused) {
  test(`${what} is refused, and that is why`, () => void assertThrows(act, Error, why));
}

test("bytes of a peer are a password only in the form and the length that encodePassword gives", () => {
  const good = encodePassword("correct horse");
  assertEquals(isPassword(good), true);
  assertEquals(isPassword(ascii("1234567")), false);
  assertEquals(isPassword(ascii("x".repeat(2000))), false);
  assertEquals(isPassword(new TextEncoder().encode("cafe\u0301 noir".repeat(2))), false, "not NFC");
  assertEquals(isPassword(Uint8Array.of(...good, 0xff)), false, "not UTF-8");
});
