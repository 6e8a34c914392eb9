import { test } from "../fakes/test.ts";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { labelledHash } from "../../lib/crypto/hash.ts";
import { hmac } from "../../lib/crypto/hmac.ts";
import { expand, extract, kdf } from "../../lib/crypto/kdf.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const v = vectors("kdf");
const long = new Uint8Array(70_000).fill(0x5a);
const part = (text: string) => text === "70000 x 5a" ? long : unhex(text);

for (const [i, { key, data, mac }] of v.hmac.entries()) {
  test(`HMAC gives RFC 4231 case ${i + 1}`, () =>
    assertEquals(encodeHex(hmac(unhex(key), unhex(data))), mac));
}
for (const [i, c] of v.hkdf.entries()) {
  test(`HKDF gives RFC 5869 case ${i + 1}`, () => {
    const prk = extract(unhex(c.salt), unhex(c.ikm));
    assertEquals(encodeHex(prk), c.prk);
    assertEquals(encodeHex(expand(prk, [unhex(c.info)], c.okm.length / 2)), c.okm);
  });
}
test("labelled hashes are the frozen ones", () => {
  for (const { label, parts, hash } of v.hash) {
    assertEquals(encodeHex(labelledHash(label, ...parts.map(part))), hash);
  }
});
test("derived keys are the frozen ones", () => {
  for (const { prk, label, context, length, out } of v.kdf) {
    assertEquals(encodeHex(kdf(unhex(prk), label, part(context), length)), out);
  }
});
test("no two ways of cutting the same bytes have one labelled hash", () => {
  const [a, b, ab] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(1, 2)];
  assertNotEquals(labelledHash("x", a, b), labelledHash("x", ab));
  assertNotEquals(labelledHash("x", ab), labelledHash("xy", ab));
});
test("expand() refuses more than 255 blocks", () =>
  void assertThrows(() => expand(long.slice(0, 32), [long], 8161), Error));
