/**
 * AES-256-CFB with full-block feedback (NIST SP 800-38A §6.3, CFB128), at native speed.
 *
 * The runtime has no CFB. Its keystream is E(iv), E(C1), E(C2) …, and CBC with a zero IV over
 * iv ‖ P1 … P(n−1) computes exactly that, since P(i) XOR E(C(i−1)) = C(i); for opening, ECB over
 * iv ‖ C1 … C(n−1) does. So two native ciphers and one XOR are the whole construction.
 *
 * The danger: CFB hides bytes but does not guard them. Flip a ciphertext bit and the same plaintext bit
 * flips. Only seal.ts and protocol/records.ts call this, and both check the whole MAC first.
 */

import { type Bytes, release } from "./bytes.ts";
import { NativeCipher } from "./native_cipher.ts";

const blockBytes = 16;
const zeroIv = new Uint8Array(blockBytes);
const wordBytes = 4;
/** Below, two views cost more than they save. */
const minWordwiseBytes = 1024;

/**
 * One key's encryption, kept: the key setup, the larger part of sealing a short text, happens once.
 *
 * The CBC object carries its last block Y over; feeding iv XOR Y first makes it produce E(iv) again.
 */
export class CfbEncryptor {
  #cbc: NativeCipher;
  readonly #last: Bytes = new Uint8Array(blockBytes);

  /** Makes one. @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#cbc = new NativeCipher("aes-256-cbc", key, new Uint8Array(blockBytes));
  }

  /**
   * Encrypts.
   *
   * @param iv 16 bytes, never used before with this key
   * @param plaintext any length
   * @returns as many bytes
   */
  encrypt(iv: Uint8Array, plaintext: Uint8Array): Bytes {
    const length = plaintext.length;
    if (length === 0) return new Uint8Array(0);
    const blocks = Math.ceil(length / blockBytes);
    const fed = feed(blocks);
    for (let i = 0; i < blockBytes; i++) fed[i] = iv[i] ^ this.#last[i];
    fed.set(plaintext.subarray(0, (blocks - 1) * blockBytes), blockBytes);
    const stream = this.#cbc.update(fed);
    for (let i = 0, at = stream.length - blockBytes; i < blockBytes; i++) this.#last[i] = stream[at + i];
    return xorInto(stream, plaintext);
  }

  /** Gives its memory back: it can do nothing more. */
  end(): void {
    this.#cbc.end();
  }
}

/** One key's decryption, kept. */
export class CfbDecryptor {
  #ecb: NativeCipher;

  /** Makes one. @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#ecb = new NativeCipher("aes-256-ecb", key, null);
  }

  /**
   * Decrypts.
   *
   * @param iv 16 bytes, those it was sealed with
   * @param ciphertext any length; the caller has verified its MAC
   * @returns as many bytes
   */
  decrypt(iv: Uint8Array, ciphertext: Uint8Array): Bytes {
    const length = ciphertext.length;
    if (length === 0) return new Uint8Array(0);
    const blocks = Math.ceil(length / blockBytes);
    const fed = feed(blocks);
    fed.set(iv);
    fed.set(ciphertext.subarray(0, (blocks - 1) * blockBytes), blockBytes);
    return xorInto(this.#ecb.update(fed), ciphertext);
  }

  /** Gives its memory back: it can do nothing more. */
  end(): void {
    this.#ecb.end();
  }
}

/** A text under a key of its own. @param key 32 bytes @param iv 16 bytes */
export function encryptCfb(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Bytes {
  const cipher = new CfbEncryptor(key);
  try {
    return cipher.encrypt(iv, plaintext);
  } finally {
    cipher.end();
  }
}

/** The same by WebCrypto, on other threads: for large texts. @param into takes as many bytes as there are */
export async function encryptCfbOnThreads(
  key: Uint8Array,
  iv: Uint8Array,
  plaintext: Uint8Array,
  into: Uint8Array,
): Promise<void> {
  const { length } = plaintext;
  const blocks = Math.ceil(length / blockBytes);
  const cbc = await crypto.subtle.importKey("raw", key as Bytes, "AES-CBC", false, ["encrypt"]);
  const fed = feed(blocks);
  fed.set(iv);
  fed.set(plaintext.subarray(0, (blocks - 1) * blockBytes), blockBytes);
  // What is fed is copied before this returns.
  const stream = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv: zeroIv }, cbc, fed));
  into.set(xorInto(stream.subarray(0, blocks * blockBytes), plaintext)); // without the block of padding
  release(stream);
}

/** Undoes {@link encryptCfb}. @param ciphertext the caller has verified its MAC */
export function decryptCfb(key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Bytes {
  const cipher = new CfbDecryptor(key);
  try {
    return cipher.decrypt(iv, ciphertext);
  } finally {
    cipher.end();
  }
}

/** AES-256-ECB of a whole number of 16-byte blocks: how records encrypt their counters into IVs (protocol §6). */
export function encryptBlocks(key: Uint8Array, blocks: Uint8Array): Bytes {
  const cipher = new NativeCipher("aes-256-ecb", key, null);
  try {
    return cipher.update(blocks);
  } finally {
    cipher.end();
  }
}

/** Memory for what the ciphers read: it is used up within the call. */
let fedBytes = new Uint8Array(1024);
function feed(blocks: number): Bytes {
  const length = blocks * blockBytes;
  if (fedBytes.length < length) fedBytes = new Uint8Array(length);
  return fedBytes.subarray(0, length);
}

/** keystream ← keystream XOR text, cut to the text's length. */
function xorInto(keystream: Bytes, text: Uint8Array): Bytes {
  const length = text.length;
  // By words, where both stand on their boundaries.
  const isAligned = (keystream.byteOffset | text.byteOffset) % wordBytes === 0 && length >= minWordwiseBytes;
  const words = isAligned ? Math.floor(length / wordBytes) : 0;
  if (words > 0) {
    const a = new Uint32Array(keystream.buffer, keystream.byteOffset, words);
    const b = new Uint32Array(text.buffer, text.byteOffset, words);
    for (let i = 0; i < words; i++) a[i] ^= b[i];
  }
  for (let i = words * wordBytes; i < length; i++) keystream[i] ^= text[i];
  return keystream.length === length ? keystream : keystream.subarray(0, length);
}
