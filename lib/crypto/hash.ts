/**
 * Hashes (protocol §2): SHA-256, and the labelled hash of several parts.
 *
 * Every labelled hash says what it is for and how long each part is, so that no two uses and no two ways
 * of cutting the same bytes can meet.
 */

import { createHash } from "node:crypto";
import { ascii, type Bytes, plain } from "./bytes.ts";

/** `H(x)`: SHA-256 (FIPS 180-4) of the parts joined; 32 bytes. */
export function sha256(...parts: Uint8Array[]): Bytes {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
}

/** `Hash(label, a, b, …)` = H(vec16(label) ‖ vec32(a) ‖ vec32(b) ‖ …); 32 bytes. */
export function labelledHash(label: string, ...parts: Uint8Array[]): Bytes {
  const hash = createHash("sha256");
  const name = ascii(label);
  hash.update(new Uint8Array([name.length >> 8, name.length & 0xff]));
  hash.update(name);
  const length = new DataView(new ArrayBuffer(4));
  for (const part of parts) {
    length.setUint32(0, part.length);
    hash.update(new Uint8Array(length.buffer));
    hash.update(part);
  }
  return plain(hash.digest());
}
