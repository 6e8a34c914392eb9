import { test } from "../fakes/test.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { signingKey, signLabelled, verifyingKey, verifyLabelled } from "../../lib/crypto/ed25519.ts";
import { KeyRefused } from "../../lib/crypto/key_refused.ts";
import { decapsulate, encapsulate, generateMlkem } from "../../lib/crypto/mlkem.ts";
import { checkRsaSpki, importRsaPublic, oaepDecrypt, oaepEncrypt, oaepLabel } from "../../lib/crypto/oaep.ts";
import { generateX25519, x25519 } from "../../lib/crypto/x25519.ts";
import { person } from "../fakes/people.ts";
import { hasTool, run } from "../fakes/tools.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const ira = await person("ira");
const good = ira.secrets.rsaSpki;

const recorded: { what: string; spki: string }[] = vectors("refused_rsa").keys;
const spki = (what: string) => unhex(recorded.find((key) => key.what === what)!.spki);
const at = (i: number, value: number) => good.map((b, k) => k === i ? value : b);

const refusedRsa: [string, () => Uint8Array, string][] = [
  ["512 bits", () => spki("512 bits"), "3072"],
  ["2048 bits", () => spki("2048 bits"), "3072"],
  ["4096 bits", () => spki("4096 bits"), "3072"],
  ["e = 3", () => spki("e = 3"), "exponent"],
  ["e = 65539, of the same length", () => at(421, 3), "exponent"],
  ["an even modulus", () => at(416, good[416] & 0xfe), "even"],
  ["a modulus of 3071 bits", () => at(33, good[33] & 0x7f), "fewer"],
  ["another algorithm identifier", () => at(16, 2), "encoded"],
  ["a trailing byte", () => Uint8Array.from([...good, 0]), "3072"],
];
for (const [what, make, says] of refusedRsa) {
  test(`an RSA key with ${what} is refused, and the error says so`, async () => {
    assertThrows(() => checkRsaSpki(make()), KeyRefused, says);
    await assertRejects(() => importRsaPublic(make()), KeyRefused);
  });
}
test("an RSA key that keeps every rule is taken", () => checkRsaSpki(good));

// The eight points whose order divides 8, in every encoding that the field allows (y < p or y ≥ p).
const smallOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];
for (const point of smallOrder) {
  test(`an Ed25519 key ${point.slice(0, 8)}…${point.slice(-2)} of small order is refused`, () => {
    assertThrows(() => verifyingKey(unhex(point)), KeyRefused);
  });
}
test("an Ed25519 key with y ≥ p is refused", () => {
  assertThrows(
    () => verifyingKey(unhex("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")),
    KeyRefused,
    "canonical",
  );
});

test("an Ed25519 key that is no point of the curve is refused", () => {
  assertThrows(() => verifyingKey(unhex("02" + "00".repeat(31))), KeyRefused, "no point");
});

test("Ed25519 gives RFC 8032 §7.1 test 1 as plain signatures, and labels change what is signed", () => {
  const key = signingKey(unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  assertEquals(key.publicKey, unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  const message = new TextEncoder().encode("m");
  const signature = signLabelled(key, "chat2 card", message);
  const verifying = verifyingKey(key.publicKey);
  assertEquals(verifyLabelled(verifying, "chat2 card", message, signature), true);
  assertEquals(verifyLabelled(verifying, "chat2 prekey", message, signature), false);
});

test("an Ed25519 signature with S ≥ L is refused", () => {
  const key = signingKey(new Uint8Array(32).fill(1));
  const message = new Uint8Array(3);
  const signature = signLabelled(key, "x", message);
  // S + L, little-endian: the same equation holds modulo L.
  const l = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = l;
  for (let i = 0; i < 32; i++) s += BigInt(signature[32 + i]) << BigInt(8 * i);
  for (let i = 0; i < 32; i++) signature[32 + i] = Number((s >> BigInt(8 * i)) & 0xffn);
  assertEquals(verifyLabelled(verifyingKey(key.publicKey), "x", message, signature), false);
});

for (
  const point of [
    "00".repeat(32),
    "01" + "00".repeat(31),
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff".repeat(30) + "7f",
    "ed" + "ff".repeat(30) + "7f",
    "ee" + "ff".repeat(30) + "7f",
  ]
) {
  test(`an X25519 key ${point.slice(0, 8)}… of small order is refused`, async () => {
    const { privateKey } = await generateX25519();
    await assertRejects(() => x25519(privateKey, unhex(point)));
  });
}

test("an ML-KEM key with unreduced coefficients is refused when it is used", async () => {
  await assertRejects(() => encapsulate(new Uint8Array(1184).fill(0xff)));
});
test("a wrong ML-KEM ciphertext gives another secret, not an error", async () => {
  const { publicKey, privateKey } = await generateMlkem();
  const { shared, ciphertext } = await encapsulate(publicKey);
  assertEquals(await decapsulate(privateKey, ciphertext), shared);
  ciphertext[0] ^= 1;
  const other = await decapsulate(privateKey, ciphertext);
  assertEquals(other.length, 32);
  assertEquals(other.some((b, i) => b !== shared[i]), true);
});
test("OAEP opens under the label it was sealed with, and no other", async () => {
  const key = await importRsaPublic(good);
  const secret = new Uint8Array(32).fill(5);
  const ct = await oaepEncrypt(key, oaepLabel("chat2 box", secret), secret);
  assertEquals(await oaepDecrypt(ira.identity.rsa, oaepLabel("chat2 box", secret), ct), secret);
  await assertRejects(() => oaepDecrypt(ira.identity.rsa, oaepLabel("chat2 link to client", secret), ct));
});

test({
  name: "property 21: OAEP with a label goes through OpenSSL, both ways",
  ignore: !hasTool("openssl"),
  async fn() {
    const dir = Deno.makeTempDirSync();
    try {
      const label = oaepLabel("chat2 box", new Uint8Array(32).fill(9));
      const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
      Deno.writeFileSync(`${dir}/private.der`, ira.secrets.rsaPkcs8);
      Deno.writeFileSync(`${dir}/public.der`, good);
      const options = [
        "rsa_padding_mode:oaep",
        "rsa_oaep_md:sha256",
        "rsa_mgf1_md:sha256",
        `rsa_oaep_label:${encodeHex(label)}`,
      ]
        .flatMap((option) => ["-pkeyopt", option]);
      const sealed = await run("openssl", [
        "pkeyutl",
        "-encrypt",
        "-pubin",
        "-keyform",
        "DER",
        "-inkey",
        `${dir}/public.der`,
        ...options,
      ], secret);
      assertEquals(await oaepDecrypt(ira.identity.rsa, label, sealed.out as Bytes), secret);
      const ours = await oaepEncrypt(await importRsaPublic(good), label, secret);
      const opened = await run("openssl", [
        "pkeyutl",
        "-decrypt",
        "-keyform",
        "DER",
        "-inkey",
        `${dir}/private.der`,
        ...options,
      ], ours);
      assertEquals([...opened.out], [...secret], opened.text);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});
