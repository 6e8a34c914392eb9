/**
 * NativeCipher: one of the runtime's AES ciphers, given back. The runtime keeps the state of a cipher, 1 kB, until
 * `final` is called, as long as the process lives: garbage collection does not free it. So whoever is done with one ends
 * it; of those that are forgotten the collector reminds us, late.
 */

import { type Cipheriv, createCipheriv } from "node:crypto";
import { type Bytes, plain } from "./bytes.ts";

/** Whole blocks under one key. */
export class NativeCipher {
  /** How many there are that have not ended. */
  static live = 0;
  #cipher: Cipheriv | null;

  /**
   * Makes one; there is no padding.
   *
   * @param key 32 bytes
   * @param iv 16 bytes; null for ECB
   */
  constructor(algorithm: "aes-256-cbc" | "aes-256-ecb", key: Uint8Array, iv: Uint8Array | null) {
    const cipher = createCipheriv(algorithm, key, iv);
    cipher.setAutoPadding(false);
    this.#cipher = cipher;
    NativeCipher.live++;
    forgotten.register(this, cipher, this);
  }

  /** Goes on. @param blocks a multiple of 16 bytes @throws when it has ended */
  update(blocks: Uint8Array): Bytes {
    return plain(this.#cipher!.update(blocks));
  }

  /** Gives its memory back; again is no harm. */
  end(): void {
    if (!this.#cipher) return;
    forgotten.unregister(this);
    giveBack(this.#cipher);
    this.#cipher = null;
  }
}

function giveBack(cipher: Cipheriv): void {
  cipher.final();
  NativeCipher.live--;
}

const forgotten = new FinalizationRegistry<Cipheriv>(giveBack);
