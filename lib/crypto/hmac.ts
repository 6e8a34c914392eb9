/**
 * HMAC-SHA-256 (RFC 2104) of SHA-256's parts: short texts in JavaScript, longer ones by one call into the runtime, whose
 * own HMAC costs 9 µs however short the text is. The states after the blocks of key are kept with the key.
 */

import { createHash } from "node:crypto";
import type { Bytes } from "./bytes.ts";
import { maxShortBytes, ShortText, stateWords } from "./short_sha256.ts";

const blockBytes = 64;
const tagBytes = 32;
const innerPad = 0x36;
const outerPad = 0x5c;
const shortText = new ShortText();

/** One key, for many texts. */
export class HmacKey {
  /** After the inner and the outer block of key. */
  readonly #states = new Int32Array(2 * stateWords);
  #key: Uint8Array;

  /** Makes one. @param key at most 64 bytes, which stay as they are */
  constructor(key: Uint8Array) {
    this.#key = key;
    this.take(key);
  }

  /** Takes another key in place of this one. @param key at most 64 bytes, which stay as they are */
  take(key: Uint8Array): void {
    if (key.length > blockBytes) throw new Error("the key is longer than a block");
    this.#key = key;
    shortText.begin().keyBlock(key, innerPad).stateOf(this.#states, 0);
    shortText.begin().keyBlock(key, outerPad).stateOf(this.#states, stateWords);
  }

  /** The tag of the parts joined, written to `into` at `at`. @param into takes 32 bytes */
  tag(into: Uint8Array, at: number, ...parts: readonly Uint8Array[]): void {
    let length = 0;
    for (const part of parts) length += part.length;
    if (length <= maxShortBytes) {
      shortText.begin();
      for (const part of parts) shortText.add(part);
      shortText.finish(inner, 0, this.#states, 0, blockBytes);
    } else {
      const hash = createHash("sha256").update(shortText.begin().keyBlock(this.#key, innerPad).bytes);
      for (const part of parts) hash.update(part);
      inner.set(hash.digest());
    }
    shortText.begin().add(inner).finish(into, at, this.#states, stateWords, blockBytes);
  }

  /** The same, in fresh memory. */
  tagOf(...parts: readonly Uint8Array[]): Bytes {
    const tag = new Uint8Array(tagBytes);
    this.tag(tag, 0, ...parts);
    return tag;
  }
}

const inner = new Uint8Array(tagBytes);
const once = new HmacKey(new Uint8Array(0));

/** HMAC-SHA-256 of the parts joined; 32 bytes, never truncated. */
export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  once.take(key.length <= blockBytes ? key : createHash("sha256").update(key).digest());
  return once.tagOf(...parts);
}
