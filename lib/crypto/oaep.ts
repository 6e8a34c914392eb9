/**
 * RSA-OAEP, 3072 bits, SHA-256 for hash and MGF1, always with a label (RFC 8017 §7.1).
 *
 * Both directions of the handshake and every box prove a long-term key this way. The runtime imports
 * 512-bit keys, e = 3 and even moduli without complaint, so a public key is compared byte by byte with
 * the one encoding that it may have. Decryption time may leak (RUSTSEC-2023-0071); protocol §13 says why
 * that is useless to an attacker, and the callers keep to it.
 */

import { ascii, type Bytes, concat } from "./bytes.ts";
import { KeyRefused } from "./key_refused.ts";

/** Length of the only accepted SubjectPublicKeyInfo. */
export const rsaSpkiBytes = 422;
/** Length of a ciphertext, the modulus length. */
export const rsaCiphertextBytes = 384;

const parameters = { name: "RSA-OAEP", hash: "SHA-256" };

// RFC 5280 §4.1.2.7 and RFC 8017 A.1.1: everything of the encoding except the modulus is fixed.
const spkiHead = Uint8Array.from([
  ...[0x30, 0x82, 0x01, 0xa2, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
  ...[0x05, 0x00, 0x03, 0x82, 0x01, 0x8f, 0x00, 0x30, 0x82, 0x01, 0x8a, 0x02, 0x82, 0x01, 0x81, 0x00],
]);
const spkiTail = Uint8Array.from([0x02, 0x03, 0x01, 0x00, 0x01]);

/**
 * Checks a public key against the rules of protocol §3 without importing it.
 *
 * @param spki SubjectPublicKeyInfo, DER
 * @throws KeyRefused naming the rule: bits, exponent, parity or encoding
 */
export function checkRsaSpki(spki: Uint8Array): void {
  const modulus = spki.subarray(spkiHead.length, spkiHead.length + 384);
  if (spki.length !== rsaSpkiBytes) throw new KeyRefused(reasonForLength(spki));
  if (!spkiHead.every((byte, i) => spki[i] === byte)) {
    throw new KeyRefused("its RSA key is not encoded as a 3072-bit SubjectPublicKeyInfo");
  }
  if (!spkiTail.every((byte, i) => spki[spki.length - 5 + i] === byte)) {
    throw new KeyRefused("its RSA exponent is not 65537");
  }
  if (modulus[0] < 0x80) throw new KeyRefused("its RSA modulus has fewer than 3072 bits");
  if ((modulus[383] & 1) === 0) throw new KeyRefused("its RSA modulus is even");
}

function reasonForLength(spki: Uint8Array): string {
  return spki.length >= 420 && spki.length < 422 && spki[spki.length - 1] !== 1
    ? "its RSA exponent is not 65537"
    : "its RSA key does not have exactly 3072 bits with e = 65537";
}

/** Imports a public key. @throws KeyRefused as {@link checkRsaSpki} does, or when the runtime refuses it */
export async function importRsaPublic(spki: Uint8Array): Promise<CryptoKey> {
  checkRsaSpki(spki);
  try {
    return await crypto.subtle.importKey("spki", spki as Bytes, parameters, false, ["encrypt"]);
  } catch {
    throw new KeyRefused("the runtime does not take its RSA key");
  }
}

/** Imports a private key (PKCS#8 DER) that cannot be exported again. @throws KeyRefused */
export async function importRsaPrivate(pkcs8: Uint8Array): Promise<CryptoKey> {
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8 as Bytes, parameters, false, ["decrypt"]);
  } catch {
    throw new KeyRefused("the runtime does not take its RSA key");
  }
}

/** Searches a new key: PKCS#8 and SPKI, both DER. 0.4 s to some seconds. */
export async function generateRsa(): Promise<{ pkcs8: Bytes; spki: Bytes }> {
  const pair = await crypto.subtle.generateKey(
    { ...parameters, modulusLength: 3072, publicExponent: Uint8Array.of(1, 0, 1) },
    true,
    ["encrypt", "decrypt"],
  );
  return {
    pkcs8: new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)),
    spki: new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey)),
  };
}

/** The OAEP label: a name for the purpose, a zero byte, and what the ciphertext is bound to. */
export function oaepLabel(purpose: string, context: Uint8Array = new Uint8Array(0)): Bytes {
  return concat(ascii(`${purpose}\0`), context);
}

/** Encrypts at most 318 bytes; 384 bytes. Takes about 0.5 ms. */
export async function oaepEncrypt(key: CryptoKey, label: Bytes, secret: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.encrypt({ name: "RSA-OAEP", label }, key, secret as Bytes));
}

/**
 * Decrypts; 5–6 ms on a worker thread.
 *
 * @throws OperationError whatever went wrong inside; callers continue with a random secret or treat it as
 * a failed tag, so that a peer learns nothing
 */
export async function oaepDecrypt(key: CryptoKey, label: Bytes, ciphertext: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.decrypt({ name: "RSA-OAEP", label }, key, ciphertext as Bytes));
}
