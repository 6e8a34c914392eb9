/**
 * Identities as PEM text (protocol §4.1): an RSA block, then an Ed25519 block, plain or encrypted.
 *
 * Reading goes through the runtime, which opens what OpenSSL and Python write as well; what is read is
 * then held against protocol §3, and the public part is always recomputed from the private one.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { ChatError, exitCodes } from "../errors.ts";
import { type Bytes, plain } from "./bytes.ts";
import { fromKeyObject, pkcs8FromSeed, signingKey, spkiFromEd25519, verifyingKey } from "./ed25519.ts";
import type { IdentitySecrets } from "./identity.ts";
import { KeyRefused } from "./key_refused.ts";
import {
  checkRsaSpki,
  importRsaPrivate,
  importRsaPublic,
  oaepDecrypt,
  oaepEncrypt,
  oaepLabel,
} from "./oaep.ts";
import { decodeForeignPem, decodePem, encodePem, MalformedPem, type PemBlock } from "./pem.ts";
import { encryptPkcs8, passphraseBytes } from "./pbes2.ts";
import type { RandomSource } from "./random.ts";

/** The file is encrypted and no passphrase was given. */
export class PassphraseNeeded extends ChatError {
  /** Nothing to add: who catches it asks. */
  constructor() {
    super(
      "The key is protected by a passphrase",
      "give it with --passphrase-file FILE, or run on a terminal",
    );
  }
}

/** The passphrase does not open the file. */
export class BadPassphrase extends ChatError {
  /** A damaged file looks the same: there is no way to tell. */
  constructor() {
    super(
      "The passphrase does not open the key",
      'try again; a key of another program may need "openssl pkcs8 -topk8 -scrypt" first',
      exitCodes.failed,
    );
  }
}

/** A key of another program: it has no second one yet. */
export class SingleKey extends MalformedPem {}

/** A key in the format of OpenSSH, which the runtime does not read. */
export class OpenSshKey extends MalformedPem {
  /** Who catches it knows the path. */
  constructor() {
    super("it is in OpenSSH's own format");
  }
}

/** The private key file: both blocks as PKCS#8, encrypted when a passphrase is given. */
export async function encodePrivatePem(
  secrets: IdentitySecrets,
  passphrase: string | null,
  random: RandomSource,
): Promise<string> {
  let text = "";
  for (const pkcs8 of [secrets.rsaPkcs8, pkcs8FromSeed(secrets.seed)]) {
    text += passphrase === null
      ? encodePem("PRIVATE KEY", pkcs8)
      : encodePem("ENCRYPTED PRIVATE KEY", await encryptPkcs8(pkcs8, passphrase, random));
  }
  return text;
}

/** The public key file: two `PUBLIC KEY` blocks. */
export function encodePublicPem(secrets: IdentitySecrets): string {
  return encodePem("PUBLIC KEY", secrets.rsaSpki) +
    encodePem("PUBLIC KEY", spkiFromEd25519(signingKey(secrets.seed).publicKey));
}

/** Whether any block of the text needs a passphrase. @throws MalformedPem */
export function isEncryptedPem(text: string): boolean {
  return decodePem(text).some(needsPassphrase);
}

/** Whether the RSA key of another program's file needs a passphrase. @throws MalformedPem */
export function isEncryptedForeignPem(text: string): boolean {
  return needsPassphrase(foreignKey(text));
}

/** The private key among the blocks of a file of another program. @throws MalformedPem */
function foreignKey(text: string): PemBlock {
  const blocks = decodeForeignPem(text);
  const block = blocks.find((b) => /^(ENCRYPTED |RSA )?PRIVATE KEY$/.test(b.label));
  if (block) return block;
  if (blocks.some((b) => b.label === "OPENSSH PRIVATE KEY")) throw new OpenSshKey();
  throw new MalformedPem(`it holds no private key, only "${blocks[0].label}"`);
}

/**
 * Reads a private key file of ours: RSA first, Ed25519 second, nothing else.
 *
 * @throws MalformedPem, PassphraseNeeded, BadPassphrase, KeyRefused
 */
export function decodePrivatePem(text: string, passphrase: string | null): IdentitySecrets {
  const blocks = decodePem(text);
  if (blocks.length === 1) {
    throw new SingleKey("it holds one key where two belong (RSA, then Ed25519)");
  }
  if (blocks.length !== 2) throw new MalformedPem(`it holds ${blocks.length} keys where two belong`);
  return {
    ...rsaFrom(openBlock(blocks[0], passphrase)),
    seed: seedFrom(openBlock(blocks[1], passphrase)),
  };
}

/**
 * Reads the RSA key of any PEM file for `keygen --from`, and tries it once: the runtime takes private
 * keys whose parts do not belong together.
 *
 * @throws MalformedPem, PassphraseNeeded, BadPassphrase, KeyRefused
 */
export async function decodeForeignRsa(
  text: string,
  passphrase: string | null,
): Promise<{ rsaPkcs8: Bytes; rsaSpki: Bytes }> {
  const rsa = rsaFrom(openBlock(foreignKey(text), passphrase));
  const probe = new Uint8Array(32).fill(7);
  const label = oaepLabel("chat2 keygen probe");
  try {
    const sealed = await oaepEncrypt(await importRsaPublic(rsa.rsaSpki), label, probe);
    const opened = await oaepDecrypt(await importRsaPrivate(rsa.rsaPkcs8), label, sealed);
    if (!probe.every((byte, i) => opened[i] === byte)) throw new Error("differs");
  } catch (error) {
    if (error instanceof KeyRefused) throw error;
    throw new KeyRefused("the parts of its RSA key do not belong together");
  }
  return rsa;
}

/**
 * Reads a public key file of ours.
 *
 * @returns RSA SPKI (422 bytes) and the Ed25519 public key (32 bytes), both checked
 * @throws MalformedPem, KeyRefused
 */
export function decodePublicPem(text: string): { rsaSpki: Bytes; edPublic: Bytes } {
  const blocks = decodePem(text);
  if (blocks.length !== 2 || blocks.some((b) => b.label !== "PUBLIC KEY")) {
    throw new MalformedPem("a public key file holds two PUBLIC KEY blocks (RSA, then Ed25519)");
  }
  const [rsaSpki, edSpki] = [blocks[0].der, blocks[1].der];
  checkRsaSpki(rsaSpki);
  const head = spkiFromEd25519(new Uint8Array(32)).subarray(0, 12);
  if (edSpki.length !== 44 || !head.every((byte, i) => edSpki[i] === byte)) {
    throw new KeyRefused("its second key is not Ed25519");
  }
  const edPublic = edSpki.slice(12);
  verifyingKey(edPublic);
  return { rsaSpki, edPublic };
}

function needsPassphrase(block: PemBlock): boolean {
  return block.label.startsWith("ENCRYPTED") || block.der.length === 0;
}

function openBlock(block: PemBlock, passphrase: string | null): KeyObject {
  if (!/^(ENCRYPTED |RSA )?PRIVATE KEY$/.test(block.label)) {
    throw new MalformedPem(`it holds a "${block.label}" where a private key belongs`);
  }
  if (needsPassphrase(block) && passphrase === null) throw new PassphraseNeeded();
  try {
    return createPrivateKey({
      key: block.text,
      format: "pem",
      ...(needsPassphrase(block) ? { passphrase: passphraseBytes(passphrase!) as never } : {}),
    });
  } catch {
    throw needsPassphrase(block) ? new BadPassphrase() : new MalformedPem("it is no private key");
  }
}

function rsaFrom(key: KeyObject): { rsaPkcs8: Bytes; rsaSpki: Bytes } {
  if (key.asymmetricKeyType !== "rsa") {
    throw new KeyRefused(`its first key is ${key.asymmetricKeyType}, where RSA belongs`);
  }
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== 3072) {
    throw new KeyRefused(`its RSA modulus has ${modulusLength} bits, and must have 3072`);
  }
  if (publicExponent !== 65537n) {
    throw new KeyRefused(`its RSA exponent is ${publicExponent}, and must be 65537`);
  }
  const rsaSpki = plain(
    createPublicKey(key as unknown as string).export({ format: "der", type: "spki" }),
  ).slice();
  checkRsaSpki(rsaSpki);
  return { rsaPkcs8: plain(key.export({ format: "der", type: "pkcs8" })).slice(), rsaSpki };
}

function seedFrom(key: KeyObject): Bytes {
  if (key.asymmetricKeyType !== "ed25519") {
    throw new KeyRefused(`its second key is ${key.asymmetricKeyType}, where Ed25519 belongs`);
  }
  verifyingKey(fromKeyObject(key).publicKey);
  return plain(key.export({ format: "der", type: "pkcs8" })).slice(16, 48);
}
