/**
 * One-shot sealing (protocol §3): encrypt-then-MAC, the only symmetric construction of the product.
 *
 * A (secret, salt) pair seals one plaintext only. The whole tag is verified before anything is decrypted,
 * since CFB alone is malleable.
 */

import { Malformed } from "../errors.ts";
import { type Bytes, concat, equalSecret, u32 } from "./bytes.ts";
import { decryptCfb, encryptCfb, encryptCfbOnThreads } from "./cfb.ts";
import { hmac } from "./hmac.ts";
import { kdf } from "./kdf.ts";

/** Length of the tag in bytes. */
export const tagBytes = 32;

/** A tag that does not fit: changed bytes, or another key, label, salt or associated data. */
export class TagMismatch extends Malformed {
  /** The one reason there is. */
  constructor() {
    super("a sealed text does not open: wrong key or changed bytes");
  }
}

/**
 * Seals `plaintext` (protocol §3, `Seal`).
 *
 * @param secret 32 bytes
 * @param salt bound into the keys; unique for each use of `secret`
 * @param ad authenticated, not encrypted, not part of the output
 * @returns ciphertext ‖ tag, 32 bytes longer than the plaintext
 */
export function seal(
  secret: Uint8Array,
  label: string,
  salt: Uint8Array,
  ad: Uint8Array,
  plaintext: Uint8Array,
): Bytes {
  const { ke, km, iv } = keys(secret, label, salt);
  const ct = encryptCfb(ke, iv, plaintext);
  return concat(ct, hmac(km, u32(ad.length), ad, ct));
}

/**
 * The same, for a large text: the cipher runs on other threads.
 *
 * @param plaintext must not change until this resolves
 * @param into takes ciphertext ‖ tag
 */
export async function sealLarge(
  secret: Uint8Array,
  label: string,
  salt: Uint8Array,
  ad: Uint8Array,
  plaintext: Uint8Array,
  into: Uint8Array,
): Promise<void> {
  const { ke, km, iv } = keys(secret, label, salt);
  const ct = into.subarray(0, plaintext.length);
  await encryptCfbOnThreads(ke, iv, plaintext, ct);
  into.set(hmac(km, u32(ad.length), ad, ct), plaintext.length);
}

/**
 * Opens what {@link seal} made.
 *
 * @throws TagMismatch before anything is decrypted
 */
export function open(
  secret: Uint8Array,
  label: string,
  salt: Uint8Array,
  ad: Uint8Array,
  sealed: Uint8Array,
): Bytes {
  if (sealed.length < tagBytes) throw new TagMismatch();
  const ct = sealed.subarray(0, sealed.length - tagBytes);
  const { ke, km, iv } = keys(secret, label, salt);
  const tag = hmac(km, u32(ad.length), ad, ct);
  if (!equalSecret(tag, sealed.subarray(sealed.length - tagBytes))) throw new TagMismatch();
  return decryptCfb(ke, iv, ct);
}

function keys(secret: Uint8Array, label: string, salt: Uint8Array) {
  const k = kdf(secret, label, salt, 80);
  return { ke: k.subarray(0, 32), km: k.subarray(32, 64), iv: k.subarray(64) };
}
