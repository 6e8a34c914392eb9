/**
 * Key derivation (protocol §2): HKDF (RFC 5869) and the labelled KDF built on it.
 *
 * One key per purpose: every derived key has a label and a context, so a key of one place opens nothing
 * in another.
 */

import { type Bytes, labelBytes } from "./bytes.ts";
import { hmac, HmacKey } from "./hmac.ts";

/** HKDF-Extract (RFC 5869 §2.2); 32 bytes. */
export function extract(salt: Uint8Array, ikm: Uint8Array): Bytes {
  return hmac(salt, ikm);
}

/**
 * HKDF-Expand (RFC 5869 §2.3).
 *
 * @param prk at most 64 bytes
 * @param info in parts
 * @param length at most 255 × 32
 */
export function expand(prk: Uint8Array, info: readonly Uint8Array[], length: number): Bytes {
  if (length > 255 * 32) throw new Error("HKDF gives at most 8160 bytes");
  const out = new Uint8Array(Math.ceil(length / 32) * 32);
  const key = new HmacKey(prk);
  for (let at = 0; at < length; at += 32) {
    key.tag(out, at, out.subarray(Math.max(0, at - 32), at), ...info, Uint8Array.of(at / 32 + 1));
  }
  return out.length === length ? out : out.subarray(0, length);
}

/** `KDF(prk, label, ctx, L)` = Expand(prk, "chat2 " ‖ label ‖ 0x00 ‖ ctx, L). */
export function kdf(prk: Uint8Array, label: string, context: Uint8Array, length: number): Bytes {
  return expand(prk, [labelBytes(`chat2 ${label}\0`), context], length);
}
