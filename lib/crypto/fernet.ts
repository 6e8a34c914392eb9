/**
 * Fernet tokens, version 0x80 (the Fernet specification; Python's `cryptography.fernet`): text sealed with a
 * shared key file, readable by everything else that speaks Fernet.
 *
 *   token = base64url(0x80 ‖ u64 time ‖ iv[16] ‖ AES-128-CBC, PKCS#7 ‖ HMAC-SHA-256 over all before it)
 *   key   = signing key[16] ‖ encryption key[16]
 *
 * There are no epochs here: a holder of the key reads everything, past and future. Not here: who sent it
 * (protocol/key_file_message.ts).
 */

import { createCipheriv, createDecipheriv } from "node:crypto";
import { Malformed } from "../errors.ts";
import { type Bytes, concat, equalSecret, plain } from "./bytes.ts";
import { hmac } from "./hmac.ts";

const version = 0x80;
const headBytes = 1 + 8 + 16;
const blockBytes = 16;
const macBytes = 32;
const clockSkewSeconds = 60;

/** A token that does not open; nobody learns why, since the reason would help a forger only. */
export class TokenRefused extends Malformed {
  /** The one reason there is. */
  constructor() {
    super("a Fernet token does not open: another key, changed bytes, or out of its time");
  }
}

/** What a token holds. */
export interface OpenedToken {
  /** Seconds since 1970, the sender's word. */
  readonly time: number;
  /** As it was sealed. */
  readonly plaintext: Bytes;
}

/**
 * Seals a token.
 *
 * @param key 32 bytes
 * @param time seconds since 1970
 * @param iv 16 random bytes, never used twice
 * @returns the token's text as bytes: padded base64url
 */
export function sealToken(key: Uint8Array, time: number, iv: Uint8Array, plaintext: Uint8Array): Bytes {
  const head = new Uint8Array(headBytes);
  head[0] = version;
  new DataView(head.buffer).setBigUint64(1, BigInt(time));
  head.set(iv, 9);
  const cipher = createCipheriv("aes-128-cbc", key.subarray(16), iv);
  const body = concat(head, cipher.update(plaintext), cipher.final());
  const text = concat(body, hmac(key.subarray(0, 16), body)).toBase64({ alphabet: "base64url" });
  return new TextEncoder().encode(text) as Bytes;
}

/**
 * Opens a token: first its form, then its HMAC in constant time, then everything else.
 *
 * @param key 32 bytes
 * @param within refuses tokens older than `ttl` seconds at `now`, or over a minute in its future
 * @throws TokenRefused
 */
export function openToken(
  key: Uint8Array,
  token: Uint8Array,
  within?: { readonly now: number; readonly ttl: number },
): OpenedToken {
  const bytes = decodeToken(token);
  const body = bytes.subarray(0, bytes.length - macBytes);
  if (!equalSecret(hmac(key.subarray(0, 16), body), bytes.subarray(-macBytes))) throw new TokenRefused();
  const time = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1));
  if (body[0] !== version || !Number.isSafeInteger(time)) throw new TokenRefused();
  if (within && (time + within.ttl < within.now || time > within.now + clockSkewSeconds)) {
    throw new TokenRefused();
  }
  try {
    const decipher = createDecipheriv("aes-128-cbc", key.subarray(16), body.subarray(9, headBytes));
    return {
      time,
      plaintext: concat(plain(decipher.update(body.subarray(headBytes))), plain(decipher.final())),
    };
  } catch {
    throw new TokenRefused(); // a padding that only a holder of the key can have made wrong
  }
}

/** The bytes of a token that has the form of one: padded, and with zeros for the bits beyond the last byte. */
function decodeToken(token: Uint8Array): Bytes {
  const text = latin1.decode(token);
  let bytes: Bytes;
  try {
    bytes = Uint8Array.fromBase64(text, { alphabet: "base64url", lastChunkHandling: "strict" });
  } catch {
    throw new TokenRefused();
  }
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const cipherBytes = bytes.length - headBytes - macBytes;
  // The decoder passes over blanks: one token has one text.
  const wellFormed = bytes.length === text.length / 4 * 3 - padding && cipherBytes >= blockBytes &&
    cipherBytes % blockBytes === 0;
  if (!wellFormed) throw new TokenRefused();
  return bytes;
}

const latin1 = new TextDecoder("latin1");
