import { test } from "../fakes/test.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ChatError } from "../../lib/errors.ts";
import fc from "fast-check";
import { digits, roomDigits, safetyDigits } from "../../lib/crypto/digits.ts";
import { fingerprint } from "../../lib/crypto/identity.ts";
import { decodePem, encodePem, MalformedPem } from "../../lib/crypto/pem.ts";
import { decodeRoomKey, encodeRoomKey } from "../../lib/crypto/room_key.ts";
import { knownAnswers, selfTest } from "../../lib/crypto/self_test.ts";
import { Malformed } from "../../lib/errors.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const { people, safety } = vectors("keys");

test("digits are twelve groups of five, the frozen ones", () => {
  for (const p of people) {
    assertEquals(fingerprint(unhex(p.id)), p.digits);
    assertEquals(/^(\d{5} ){11}\d{5}$/.test(p.digits), true);
  }
});
test("two people see the same digits, and another pair sees others", () => {
  const [a, b, c] = people.map((p: { id: string }) => unhex(p.id));
  assertEquals(safetyDigits(a, b), safety.digits);
  assertEquals(safetyDigits(b, a), safety.digits);
  assertEquals(safetyDigits(a, c) === safety.digits, false);
  assertEquals(roomDigits(a) === digits(a), false);
});
test("a room key file is what Python's Fernet.generate_key() writes", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
  const text = encodeRoomKey(key);
  assertEquals(text, "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA=\n");
  const bytes = (t: string) => new TextEncoder().encode(t);
  for (const form of [text, text.trim(), text.replace("=", "")]) {
    assertEquals(decodeRoomKey(bytes(form)), key);
  }
  assertEquals(decodeRoomKey(bytes(Array.from(key, (b) => b.toString(16).padStart(2, "0")).join(""))), key);
  assertEquals(decodeRoomKey(key), key);
});
for (const bad of ["", "abc", "A".repeat(44), "z".repeat(64), "A".repeat(300)]) {
  test(`a room key file of ${bad.length} bytes that is no key is refused`, () => {
    assertThrows(() => decodeRoomKey(new TextEncoder().encode(bad)), Malformed);
  });
}
test("PEM survives a round trip, and any text at all gives only the typed error", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (der) => {
    const [block] = decodePem(encodePem("TEST", der));
    assertEquals([...block.der], [...der]);
  }));
  const pieces = fc.constantFrom(
    "-----BEGIN A-----\n",
    "-----END A-----\n",
    "-----BEGIN B-----\n",
    "AAAA\n",
    "\n",
    "=",
    "x",
  );
  fc.assert(fc.property(fc.array(fc.oneof(pieces, fc.string())), (parts) => {
    try {
      decodePem(parts.join(""));
    } catch (error) {
      if (!(error instanceof MalformedPem)) throw error;
    }
  }));
});
test("this runtime passes the self-test", () => selfTest());
test("a primitive that gives another answer, or none, is named, and nothing runs", async () => {
  const known = knownAnswers();
  assertEquals(known.map(([name]) => name), [
    "ML-KEM-768",
    "RSA-OAEP",
    "AES-256-CFB",
    "HMAC-SHA-256",
    "Ed25519",
    "X25519",
  ]);
  for (const [i, [name, answer, expected]] of known.entries()) {
    const other = async () => (await answer()).map((byte) => byte ^ 1);
    const none = () => Promise.reject(new Error("not there"));
    for (const wrong of [other, none]) {
      await assertRejects(
        () => selfTest(known.with(i, [name, wrong, expected])),
        ChatError,
        `computes ${name} wrongly`,
      );
    }
  }
});
