import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { open, seal, TagMismatch } from "../../lib/crypto/seal.ts";
import { countedDecrypts } from "../fakes/counted_decrypts.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const cases = vectors("seal").cases;
const [c] = [cases[1]];
const [secret, salt, ad, plaintext, sealed] = [c.secret, c.salt, c.ad, c.plaintext, c.sealed].map(unhex);

test("seal() gives the frozen vectors, and open() reverses them", () => {
  for (const each of cases) {
    const [k, s, a, p] = [each.secret, each.salt, each.ad, each.plaintext].map(unhex);
    assertEquals(encodeHex(seal(k, each.label, s, a, p)), each.sealed);
    assertEquals(open(k, each.label, s, a, unhex(each.sealed)), p);
  }
});

test("open() refuses every single changed bit", () => {
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = sealed.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assertThrows(() => open(secret, c.label, salt, ad, changed), TagMismatch);
  }
});

test("open() refuses every truncation", () => {
  for (let n = 0; n < sealed.length; n++) {
    assertThrows(() => open(secret, c.label, salt, ad, sealed.slice(0, n)), TagMismatch);
  }
});

const other = (bytes: Uint8Array) => bytes.map((b, i) => i === 0 ? b ^ 1 : b);
const foreign = [
  ["another secret", () => open(other(secret), c.label, salt, ad, sealed)],
  ["another label", () => open(secret, "box", salt, ad, sealed)],
  ["another salt", () => open(secret, c.label, other(salt), ad, sealed)],
  ["other associated data", () => open(secret, c.label, salt, other(ad), sealed)],
  ["associated data moved into the ciphertext", () => open(secret, c.label, salt, ad.slice(0, -1), sealed)],
] as const;
for (const [what, act] of foreign) {
  test(`open() refuses ${what}`, () => void assertThrows(act, TagMismatch));
}

test("open() decrypts nothing before the whole tag holds", () =>
  countedDecrypts((calls) => {
    for (const at of [0, sealed.length - 32, sealed.length - 1]) {
      const changed = sealed.slice();
      changed[at] ^= 0x80;
      assertThrows(() => open(secret, c.label, salt, ad, changed), TagMismatch);
    }
    assertEquals(calls(), 0);
    assertEquals(open(secret, c.label, salt, ad, sealed), plaintext);
    assertEquals(calls(), 1);
  }));
