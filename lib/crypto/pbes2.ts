/**
 * Passphrase encryption of private keys: PKCS#8 with PBES2 (RFC 8018 §6.2), scrypt (RFC 7914 §7) and
 * AES-256-CBC.
 *
 * Written by hand because the runtime's own encrypted export applies PBKDF2 with 2048 rounds only.
 * N = 2^14 is the largest that OpenSSL opens (its limit is 32 MiB); p = 5 makes up for some of it.
 */

import { createCipheriv, scrypt } from "node:crypto";
import { type Bytes, concat, plain } from "./bytes.ts";
import type { RandomSource } from "./random.ts";

/** scrypt's cost: 16 MiB and 0.2–0.5 s. */
const scryptCost = { N: 2 ** 14, r: 8, p: 5 } as const;

const oid = {
  pbes2: Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d),
  scrypt: Uint8Array.of(0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b),
  aes256cbc: Uint8Array.of(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a),
};

/**
 * Encrypts a PrivateKeyInfo.
 *
 * @param pkcs8 DER
 * @param passphrase any text; its UTF-8 in NFC is what counts
 * @returns EncryptedPrivateKeyInfo, DER
 */
export async function encryptPkcs8(
  pkcs8: Uint8Array,
  passphrase: string,
  random: RandomSource,
): Promise<Bytes> {
  const salt = random(16);
  const iv = random(16);
  const key = await derive(passphrase, salt);
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const encrypted = concat(plain(cipher.update(pkcs8)), plain(cipher.final()));
  const { N, r, p } = scryptCost;
  const kdf = sequence(
    element(0x06, oid.scrypt),
    sequence(element(0x04, salt), integer(N), integer(r), integer(p)),
  );
  const scheme = sequence(element(0x06, oid.aes256cbc), element(0x04, iv));
  const algorithm = sequence(element(0x06, oid.pbes2), sequence(kdf, scheme));
  return sequence(algorithm, element(0x04, encrypted));
}

/** The bytes of a passphrase: UTF-8 in NFC, so that two keyboards give one key. */
export function passphraseBytes(passphrase: string): Bytes {
  return new TextEncoder().encode(passphrase.normalize("NFC")) as Bytes;
}

function derive(passphrase: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    scrypt(
      passphraseBytes(passphrase),
      salt,
      32,
      scryptCost,
      (error, key) => error ? reject(error) : resolve(key),
    )
  );
}

// DER (X.690 §8.1): tag, length, content.
function element(tag: number, content: Uint8Array): Bytes {
  const n = content.length;
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff];
  return concat(Uint8Array.of(tag, ...length), content);
}

function sequence(...parts: Uint8Array[]): Bytes {
  return element(0x30, concat(...parts));
}

function integer(n: number): Bytes {
  const bytes = [];
  for (let rest = n; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest & 0xff);
  if (bytes[0] >= 0x80) bytes.unshift(0); // integers are signed
  return element(0x02, Uint8Array.from(bytes));
}
