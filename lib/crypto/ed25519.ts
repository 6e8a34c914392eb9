/**
 * Ed25519 (RFC 8032): signatures over labelled messages.
 *
 * The runtime verifies under small-order public keys, where one signature fits every message, and takes
 * y-coordinates beyond the field; both are refused here, once, when a key comes in.
 */

import type { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { encodeHex } from "../hex.ts";
import { type Bytes, concat, labelBytes, plain } from "./bytes.ts";
import { KeyRefused } from "./key_refused.ts";

/** Length of a signature in bytes. */
export const signatureBytes = 64;

/** A signing key; `publicKey` is its 32 public bytes. */
export interface SigningKey {
  /** The private half. */
  readonly key: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Bytes;
}

/** A checked public key, ready to verify with. */
export interface VerifyingKey {
  /** The runtime's form. */
  readonly key: KeyObject;
}

const pkcs8Head = Uint8Array.from([
  ...[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20],
]);
const spkiHead = Uint8Array.from([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);

/** A signing key from its 32-byte seed (RFC 8032 §5.1.5). */
export function signingKey(seed: Uint8Array): SigningKey {
  return fromKeyObject(
    createPrivateKey({ key: nodeBuffer(pkcs8FromSeed(seed)), format: "der", type: "pkcs8" }),
  );
}

/** Wraps the runtime's private key. */
export function fromKeyObject(key: KeyObject): SigningKey {
  const spki = createPublicKey(key as unknown as string).export({ format: "der", type: "spki" });
  return { key, publicKey: plain(spki).slice(-32) };
}

/** PKCS#8 PrivateKeyInfo (RFC 8410 §7) of a seed: 48 bytes. */
export function pkcs8FromSeed(seed: Uint8Array): Bytes {
  return concat(pkcs8Head, seed);
}

/** SubjectPublicKeyInfo (RFC 8410 §4) of a public key: 44 bytes. */
export function spkiFromEd25519(publicKey: Uint8Array): Bytes {
  return concat(spkiHead, publicKey);
}

// The y-coordinates of the eight points whose order divides 8 (0, 1, −1, and two more), little-endian;
// either sign bit, so five values cover all encodings.
const p = (1n << 255n) - 19n;
const smallOrderY = new Set([
  0n,
  1n,
  p - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
]);

/**
 * Checks and imports a public key (protocol §3, import checks).
 *
 * @param publicKey 32 bytes
 * @throws KeyRefused for y ≥ p, for the eight points of small order, and for what is no point
 */
export function verifyingKey(publicKey: Uint8Array): VerifyingKey {
  const y = BigInt("0x" + encodeHex(publicKey.slice().reverse())) & ((1n << 255n) - 1n);
  if (y >= p) throw new KeyRefused("its Ed25519 key is not in canonical form (y ≥ p)");
  if (smallOrderY.has(y)) throw new KeyRefused("its Ed25519 key is a point of small order");
  const der = nodeBuffer(spkiFromEd25519(publicKey));
  try {
    return { key: createPublicKey({ key: der, format: "der", type: "spki" }) };
  } catch {
    throw new KeyRefused("its Ed25519 key is no point of the curve");
  }
}

/** `Sign(k, label, m)`: Ed25519 over label ‖ 0x00 ‖ m; 64 bytes. */
export function signLabelled(key: SigningKey, label: string, message: Uint8Array): Bytes {
  return plain(sign(null, concat(labelBytes(`${label}\0`), message), key.key));
}

/** Whether `signature` is `Sign(k, label, message)`; never throws. */
export function verifyLabelled(
  key: VerifyingKey,
  label: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(null, concat(labelBytes(`${label}\0`), message), key.key, signature);
  } catch {
    return false;
  }
}

/** node:crypto's types ask for a Buffer where any bytes do. */
function nodeBuffer(bytes: Uint8Array): Buffer {
  return bytes as Buffer;
}
