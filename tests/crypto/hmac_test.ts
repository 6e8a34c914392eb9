import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { hmac as nobleHmac } from "@noble/hashes/hmac";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2";
import { plain } from "../../lib/crypto/bytes.ts";
import { labelledHash, sha256 } from "../../lib/crypto/hash.ts";
import { hmac, HmacKey } from "../../lib/crypto/hmac.ts";
import { maxShortBytes } from "../../lib/crypto/short_sha256.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const most = maxShortBytes + 70; // on both sides of the runtime's turn
const bytes = (maxLength: number) => fc.uint8Array({ minLength: 0, maxLength });
const runtimeHash = (text: Uint8Array) => plain(createHash("sha256").update(text).digest());
const runtimeHmac = (key: Uint8Array, text: Uint8Array) => {
  return plain(createHmac("sha256", key).update(text).digest());
};

for (const { key, data, mac } of vectors("kdf").hmac) {
  if (key.length > 128) continue;
  test(`a kept key gives the RFC 4231 case of key ${key.slice(0, 8)}…`, () =>
    assertEquals(encodeHex(new HmacKey(unhex(key)).tagOf(unhex(data))), mac));
}
test("hashes of every short length are those of the runtime and of @noble/hashes", () => {
  for (let length = 0; length <= most; length++) {
    const text = new Uint8Array(length).fill(length);
    assertEquals(sha256(text), runtimeHash(text));
    assertEquals(sha256(text), plain(nobleSha256(text)));
    assertEquals(hmac(text, text), runtimeHmac(text, text));
    assertEquals(hmac(text, text), plain(nobleHmac(nobleSha256, text, text)));
  }
});
test("an HMAC is the runtime's for every length of key and text, in parts, whatever came before", () => {
  fc.assert(
    fc.property(
      bytes(64),
      fc.array(fc.array(bytes(most), { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
      (key, texts) => {
        const kept = new HmacKey(key);
        for (const parts of texts) {
          const text = Uint8Array.from(parts.flatMap((part) => [...part]));
          assertEquals(kept.tagOf(...parts), runtimeHmac(key, text));
          assertEquals(hmac(key, ...parts), runtimeHmac(key, text));
          assertEquals(sha256(...parts), runtimeHash(text));
        }
      },
    ),
    { numRuns: 500 },
  );
});
test("a labelled hash is that of its parts with their lengths, short or long", () => {
  fc.assert(fc.property(fc.array(bytes(most), { maxLength: 4 }), (parts) => {
    const u32 = (n: number) => [n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255];
    const label = [..."chat2 test"].map((c) => c.charCodeAt(0));
    const text = [0, label.length, ...label, ...parts.flatMap((part) => [...u32(part.length), ...part])];
    assertEquals(labelledHash("chat2 test", ...parts), runtimeHash(Uint8Array.from(text)));
  }));
});
test("a kept key of more than a block is refused", () => {
  assertThrows(() => new HmacKey(new Uint8Array(65)), Error);
});
