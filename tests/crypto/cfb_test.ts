import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { cfb as nobleCfb } from "@noble/ciphers/aes";
import fc from "fast-check";
import { CfbDecryptor, CfbEncryptor, encryptBlocks } from "../../lib/crypto/cfb.ts";
import { sha256 } from "../../lib/crypto/hash.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { hasTool, run } from "../fakes/tools.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const { nist, cases, seed } = vectors("cfb");

test("CFB gives NIST SP 800-38A F.3.17", () => {
  const encrypted = new CfbEncryptor(unhex(nist.key)).encrypt(unhex(nist.iv), unhex(nist.plaintext));
  assertEquals(encodeHex(encrypted), nist.ciphertext);
  const opened = new CfbDecryptor(unhex(nist.key)).decrypt(unhex(nist.iv), unhex(nist.ciphertext));
  assertEquals(encodeHex(opened), nist.plaintext);
});

test("CFB gives what OpenSSL gave for every length of the table", () => {
  const random = seededRandom(seed);
  for (const { length, key, iv, ciphertext } of cases) {
    const [k, v, plaintext] = [random(32), random(16), random(length)];
    assertEquals([encodeHex(k), encodeHex(v)], [key, iv]);
    const got = new CfbEncryptor(k).encrypt(v, plaintext);
    assertEquals(
      ciphertext.hex ?? ciphertext.sha256,
      encodeHex(ciphertext.hex === undefined ? sha256(got) : got),
    );
    assertEquals(new CfbDecryptor(k).decrypt(v, got), plaintext);
  }
});

test({ name: "CFB agrees with openssl enc -aes-256-cfb", ignore: !hasTool("openssl") }, async () => {
  const random = seededRandom("openssl now");
  for (const length of [1, 16, 33, 5000]) {
    const [key, iv, plaintext] = [random(32), random(16), random(length)];
    const { out } = await run(
      "openssl",
      ["enc", "-aes-256-cfb", "-K", encodeHex(key), "-iv", encodeHex(iv)],
      plaintext,
    );
    assertEquals(new CfbEncryptor(key).encrypt(iv, plaintext), out as Uint8Array<ArrayBuffer>);
  }
});

test("CFB agrees with @noble/ciphers for any key, IV and text", () => {
  const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
  fc.assert(
    fc.property(bytes(32), bytes(16), fc.uint8Array({ maxLength: 400 }), (key, iv, text) => {
      const ours = new CfbEncryptor(key).encrypt(iv, text);
      if (text.length > 0) assertEquals(encodeHex(ours), encodeHex(nobleCfb(key, iv).encrypt(text)));
      assertEquals(encodeHex(new CfbDecryptor(key).decrypt(iv, ours)), encodeHex(text));
    }),
    { numRuns: 300 },
  );
});

test("a kept cipher object gives what a fresh one gives, whatever came before", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ maxLength: 70 }))),
      (texts) => {
        const key = new Uint8Array(32).fill(3);
        const kept = new CfbEncryptor(key);
        const keptOpener = new CfbDecryptor(key);
        for (const [iv, text] of texts) {
          const once = new CfbEncryptor(key).encrypt(iv, text);
          assertEquals(kept.encrypt(iv, text), once);
          assertEquals(keptOpener.decrypt(iv, once), new Uint8Array(text));
        }
      },
    ),
  );
});

test("single blocks are AES-256 in ECB (FIPS 197 C.3)", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const block = unhex("00112233445566778899aabbccddeeff");
  assertEquals(encodeHex(encryptBlocks(key, block)), "8ea2b7ca516745bfeafc49904b496089");
});
