/**
 * Room key files (protocol §4.1): 32 bytes as one line of padded base64url, which is exactly what
 * Python's `Fernet.generate_key()` writes; 32 raw bytes and 64 hex digits are read as well.
 */

import { decodeBase64Url, encodeBase64Url } from "@std/encoding/base64url";
import { decodeHex } from "@std/encoding/hex";
import { Malformed } from "../errors.ts";
import type { Bytes } from "./bytes.ts";

/** The line of a room key file, with its line feed. @param key 32 bytes */
export function encodeRoomKey(key: Uint8Array): string {
  return encodeBase64Url(key) + "=\n";
}

/** The 32 bytes of a room key file. @throws Malformed */
export function decodeRoomKey(file: Uint8Array): Bytes {
  if (file.length === 32) return file.slice() as Bytes;
  const text = new TextDecoder().decode(file.subarray(0, 200)).trim();
  if (file.length <= 200) {
    if (/^[0-9a-fA-F]{64}$/.test(text)) return decodeHex(text);
    if (/^[A-Za-z0-9_-]{43}=?$/.test(text)) {
      const key = decodeBase64Url(text.slice(0, 43));
      if (encodeBase64Url(key) === text.slice(0, 43)) return key;
    }
  }
  throw new Malformed(
    "A room key file holds 32 bytes: as base64url (Fernet's form), as 64 hex digits, or raw",
  );
}
