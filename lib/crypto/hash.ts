/**
 * Hashes (protocol §2): SHA-256, and the labelled hash of several parts.
 *
 * Every labelled hash says what it is for and how long each part is, so that no two uses and no two ways
 * of cutting the same bytes can meet.
 */

import { createHash } from "node:crypto";
import { type Bytes, labelBytes, plain } from "./bytes.ts";
import { maxShortBytes, ShortText } from "./short_sha256.ts";

const hashBytes = 32;
const shortText = new ShortText();

/** `H(x)`: SHA-256 (FIPS 180-4) of the parts joined; 32 bytes. */
export function sha256(...parts: Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > maxShortBytes) {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  }
  shortText.begin();
  for (const part of parts) shortText.add(part);
  return finished();
}

/** SHA-256 of what comes piece by piece. */
export class RunningSha256 {
  #hash = createHash("sha256");

  /** Adds what follows. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Of all so far; 32 bytes. More may follow. */
  digest(): Bytes {
    return plain(this.#hash.copy().digest());
  }
}

/** `Hash(label, a, b, …)` = H(vec16(label) ‖ vec32(a) ‖ vec32(b) ‖ …); 32 bytes. */
export function labelledHash(label: string, ...parts: Uint8Array[]): Bytes {
  const name = labelBytes(label);
  let length = 2 + name.length;
  for (const part of parts) length += 4 + part.length;
  if (length > maxShortBytes) return sha256(joined(name, parts, length));
  shortText.begin().u16(name.length).add(name);
  for (const part of parts) shortText.u32(part.length).add(part);
  return finished();
}

function finished(): Bytes {
  const hash = new Uint8Array(hashBytes);
  shortText.finish(hash, 0);
  return hash;
}

function joined(name: Bytes, parts: readonly Uint8Array[], length: number): Bytes {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, name.length);
  bytes.set(name, 2);
  let at = 2 + name.length;
  for (const part of parts) {
    view.setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}
