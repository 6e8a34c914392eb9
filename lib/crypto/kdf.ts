/**
 * Key derivation (protocol §2): HMAC-SHA-256, HKDF (RFC 5869) and the labelled KDF built on it.
 *
 * One key per purpose: every derived key has a label and a context, so a key of one place opens nothing
 * in another.
 */

import { createHmac } from "node:crypto";
import { ascii, type Bytes, concat, plain } from "./bytes.ts";

/** HMAC-SHA-256 (RFC 2104) of the parts joined; 32 bytes, never truncated. */
export function hmac(key: Uint8Array, ...parts: Uint8Array[]): Bytes {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return plain(mac.digest());
}

/** HKDF-Extract (RFC 5869 §2.2); 32 bytes. */
export function extract(salt: Uint8Array, ikm: Uint8Array): Bytes {
  return hmac(salt, ikm);
}

/** HKDF-Expand (RFC 5869 §2.3); `length` bytes, at most 255 × 32. */
export function expand(prk: Uint8Array, info: Uint8Array, length: number): Bytes {
  if (length > 255 * 32) throw new Error("HKDF gives at most 8160 bytes");
  const out = new Uint8Array(length);
  let block: Uint8Array = new Uint8Array(0);
  for (let done = 0, i = 1; done < length; done += block.length, i++) {
    block = hmac(prk, block, info, Uint8Array.of(i));
    out.set(block.subarray(0, length - done), done);
  }
  return out;
}

/** `KDF(prk, label, ctx, L)` = Expand(prk, "chat2 " ‖ label ‖ 0x00 ‖ ctx, L). */
export function kdf(prk: Uint8Array, label: string, context: Uint8Array, length: number): Bytes {
  return expand(prk, concat(ascii(`chat2 ${label}\0`), context), length);
}
