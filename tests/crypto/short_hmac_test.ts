import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import { hmac } from "../../lib/crypto/kdf.ts";
import { maxShortTextBytes, ShortHmac } from "../../lib/crypto/short_hmac.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const fitting = vectors("kdf").hmac.filter(({ key, data }: { key: string; data: string }) =>
  key.length <= 128 && data.length <= maxShortTextBytes * 2
);
for (const { key, data, mac } of fitting) {
  test(`a short HMAC gives the RFC 4231 case of key ${key.slice(0, 8)}…`, () =>
    assertEquals(encodeHex(new ShortHmac(unhex(key)).tagOf(unhex(data))), mac));
}
test("a short HMAC is the runtime's for every length of key and text, whatever came before", () => {
  const bytes = (most: number) => fc.uint8Array({ minLength: 0, maxLength: most });
  fc.assert(
    fc.property(
      bytes(64),
      fc.array(bytes(maxShortTextBytes), { minLength: 1, maxLength: 4 }),
      (key, texts) => {
        const kept = new ShortHmac(key);
        for (const text of texts) assertEquals(kept.tagOf(text), hmac(key, text));
      },
    ),
    { numRuns: 500 },
  );
  for (let length = 0; length <= maxShortTextBytes; length++) {
    const text = new Uint8Array(length).fill(length);
    assertEquals(new ShortHmac(text).tagOf(text), hmac(text, text));
  }
});
test("a short HMAC refuses what does not fit", () => {
  assertThrows(() => new ShortHmac(new Uint8Array(65)), Error);
  assertThrows(() => new ShortHmac(new Uint8Array(32)).tagOf(new Uint8Array(56)), Error);
});
