import { test } from "../fakes/test.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { pkcs8FromSeed } from "../../lib/crypto/ed25519.ts";
import {
  BadPassphrase,
  decodeForeignRsa,
  decodePrivatePem,
  decodePublicPem,
  encodePrivatePem,
  encodePublicPem,
  isEncryptedForeignPem,
  isEncryptedPem,
  OpenSshKey,
  PassphraseNeeded,
} from "../../lib/crypto/identity_pem.ts";
import { encodePem, MalformedPem } from "../../lib/crypto/pem.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { person } from "../fakes/people.ts";
import { hasTool, run } from "../fakes/tools.ts";
import { unhex, vectors } from "../fakes/vectors.ts";
import { KeyRefused } from "../../lib/crypto/key_refused.ts";

const v = vectors("keys");
const ira = await person("ira");
const openssl = { ignore: !hasTool("openssl") };

test("the frozen key files open, plain and encrypted, and give the frozen ids", () => {
  for (const p of v.people.slice(0, 2)) {
    const expected = { rsaPkcs8: unhex(p.rsaPkcs8), rsaSpki: unhex(p.rsaSpki), seed: unhex(p.seed) };
    assertEquals(decodePrivatePem(p.privatePem, null), expected);
    assertEquals(decodePrivatePem(p.encryptedPem, v.passphrase), expected);
    assertEquals(decodePublicPem(p.publicPem), { rsaSpki: expected.rsaSpki, edPublic: unhex(p.edPublic) });
  }
});
test("a wrong passphrase, and none, are told apart", () => {
  const { encryptedPem } = v.people[0];
  assertEquals(isEncryptedPem(encryptedPem), true);
  assertThrows(() => decodePrivatePem(encryptedPem, "wrong"), BadPassphrase);
  assertThrows(() => decodePrivatePem(encryptedPem, null), PassphraseNeeded);
});
test("a passphrase counts in NFC", async () => {
  const text = await encodePrivatePem(ira.secrets, "caf\u0065\u0301", systemRandom);
  assertEquals(decodePrivatePem(text, "caf\u00e9").seed, ira.secrets.seed);
});

test({ name: "openssl opens both blocks of our encrypted file", ...openssl }, async () => {
  const blocks = v.people[0].encryptedPem.split(/(?<=-----END ENCRYPTED PRIVATE KEY-----\n)/);
  for (const [i, kind] of ["Private-Key: (3072 bit", "ED25519 Private-Key"].entries()) {
    const { ok, text } = await run(
      "openssl",
      ["pkey", "-noout", "-text", "-passin", `pass:${v.passphrase}`],
      blocks[i],
    );
    assertEquals(ok, true, text);
    assertStringIncludes(text, kind);
  }
});
test({ name: "openssl takes the first block, RSA, of our plain file", ...openssl }, async () => {
  assertStringIncludes((await run("openssl", ["pkey", "-noout", "-text"], ira.privatePem)).text, "3072 bit");
});

const forms: [string, string[]][] = [
  ["PKCS#8", ["pkcs8", "-topk8", "-nocrypt"]],
  ["PKCS#1", ["rsa", "-traditional"]],
  ["PKCS#8 with PBKDF2", ["pkcs8", "-topk8", "-passout", "pass:abc"]],
  ["PKCS#8 with scrypt", ["pkcs8", "-topk8", "-scrypt", "-passout", "pass:abc"]],
  ["encrypted PKCS#1", ["rsa", "-traditional", "-aes256", "-passout", "pass:abc"]],
];
const surroundings: [how: string, around: (text: string) => string][] = [
  ["as it is", (text) => text],
  [
    "attributes of a bag, and a certificate behind",
    (text) =>
      `Bag Attributes\n    localKeyID: 01 02\nKey Attributes: <No Attributes>\n${text}subject=CN = ira\n` +
      encodePem("CERTIFICATE", new Uint8Array(9)),
  ],
  ["line ends of Windows", (text) => text.replaceAll("\n", "\r\n")],
  ["line ends of old Macs", (text) => text.replaceAll("\n", "\r")],
  ["blanks around each line", (text) => text.replaceAll("\n", " \t\n  ")],
  ["a mark of Windows in front, no line end behind", (text) => `\ufeff${text.trimEnd()}`],
];
for (const [what, args] of forms) {
  test({ name: `OpenSSL's ${what} is taken over`, ...openssl }, async () => {
    const rsaOnly = encodePem("PRIVATE KEY", ira.secrets.rsaPkcs8);
    const { out } = await run("openssl", args, rsaOnly);
    const text = new TextDecoder().decode(out);
    const passphrase = isEncryptedForeignPem(text) ? "abc" : null;
    for (const [how, around] of surroundings) {
      const { rsaSpki } = await decodeForeignRsa(around(text), passphrase);
      assertEquals(rsaSpki, ira.secrets.rsaSpki, how);
    }
    if (passphrase) await assertRejects(() => decodeForeignRsa(text, "no"), BadPassphrase);
  });
}

test("a key in OpenSSH's own format says so, and half a block is none", async () => {
  const text = encodePem("OPENSSH PRIVATE KEY", new Uint8Array(99));
  await assertRejects(() => decodeForeignRsa(text, null), OpenSshKey);
  const half = encodePem("PRIVATE KEY", ira.secrets.rsaPkcs8).slice(0, -40);
  await assertRejects(() => decodeForeignRsa(half, null), MalformedPem, "no closing line");
});

const recorded: { what: string; pem: string }[] = vectors("refused_rsa").keys;
const weak = (what: string) => recorded.find((key) => key.what === what)!.pem;
const foreign: [string, () => string, string][] = [
  ["2048 bits", () => weak("2048 bits"), "2048 bits"],
  ["e = 3", () => weak("e = 3"), "exponent is 3"],
  ["another kind of key", () => encodePem("PRIVATE KEY", pkcs8FromSeed(ira.secrets.seed)), "ed25519"],
];
for (const [what, make, says] of foreign) {
  test(`a key with ${what} is not taken over, and the error says which rule`, async () => {
    await assertRejects(() => decodeForeignRsa(make(), null), KeyRefused, says);
  });
}

const plainRsa = encodePem("PRIVATE KEY", ira.secrets.rsaPkcs8);
const plainEd = encodePem("PRIVATE KEY", pkcs8FromSeed(ira.secrets.seed));
const refused: [string, string][] = [
  ["only one block", plainRsa],
  ["three blocks", plainRsa + plainEd + plainEd],
  ["the blocks in the other order", plainEd + plainRsa],
  ["a public key inside", encodePublicPem(ira.secrets)],
  ["text between the blocks", plainRsa + "note\n" + plainEd],
  ["no closing line", plainRsa.replace(/-----END.*\n/, "")],
  ["labels that differ", plainRsa.replace("END PRIVATE", "END PUBLIC") + plainEd],
  ["broken base64", plainRsa.replace("A", "*") + plainEd],
  ["nothing", ""],
];
for (const [what, text] of refused) {
  test(`a private key file with ${what} is refused`, () => {
    const error = assertThrows(() => decodePrivatePem(text, null), Error);
    assertEquals(error instanceof MalformedPem || error instanceof KeyRefused, true, error.name);
  });
}
test(
  { name: "the encrypted form uses the scrypt cost of protocol §3 and AES-256-CBC", ...openssl },
  async () => {
    const der = v.people[0].encryptedPem.split("-----END")[0] + "-----END ENCRYPTED PRIVATE KEY-----\n";
    const { text } = await run("openssl", ["asn1parse"], der);
    for (const part of ["PBES2", ":scrypt", ":4000", ":08", ":05", "aes-256-cbc"]) {
      assertStringIncludes(text, part);
    }
  },
);
