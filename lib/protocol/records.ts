/**
 * Records (protocol §6): frames sealed with a counter that is never sent.
 *
 *   wire = u32 len ‖ ct[len] ‖ tag[32]          1 ≤ len ≤ 65 536
 *
 * Each direction has its own keys and counter, so a replayed, dropped, reordered or reflected record
 * fails its tag. The IV is the counter encrypted under a key of its own: CFB needs it unpredictable.
 */

import { BlockEncryptor, CfbDecryptor, CfbEncryptor } from "../crypto/cfb.ts";
import { type Bytes, equalSecret } from "../crypto/bytes.ts";
import { hmac, kdf } from "../crypto/kdf.ts";
import { tagBytes, TagMismatch } from "../crypto/seal.ts";

const empty = new Uint8Array(0);
const ivBatch = 256;
const recordsPerKey = 65_536;

/** Most plaintext bytes in one record. */
export const recordMaxBytes = 65_536;

/** Counter, keys and IVs of one direction. */
class RecordKeys {
  ke!: Bytes;
  km!: Bytes;
  #kiv!: BlockEncryptor;
  #ivs: Bytes = empty;
  n = 0;

  constructor(private secret: Uint8Array) {
    this.#derive();
  }

  #derive() {
    const k = kdf(this.secret, "record", empty, 96);
    this.ke = k.slice(0, 32);
    this.km = k.slice(32, 64);
    this.#kiv = new BlockEncryptor(k.subarray(64));
    this.n = 0;
  }

  /** The IV of record n: 256 are made at a time. */
  iv(): Bytes {
    const at = this.n % ivBatch;
    if (at === 0) {
      const counters = new Uint8Array(ivBatch * 16);
      const view = new DataView(counters.buffer);
      for (let i = 0; i < ivBatch; i++) view.setUint32(i * 16 + 12, this.n + i);
      this.#ivs = this.#kiv.encrypt(counters);
    }
    return this.#ivs.subarray(at * 16, at * 16 + 16);
  }

  /** On to the next record. @returns true when the keys have changed */
  advance(): boolean {
    this.n++;
    if (this.n < recordsPerKey) return false;
    this.secret = kdf(this.secret, "record next", empty, 32);
    this.#derive();
    return true;
  }
}

/** Seals one direction's records, in order. */
export class RecordSealer {
  #keys: RecordKeys;
  #cipher: CfbEncryptor;
  #head = new Uint8Array(12);
  #headView = new DataView(this.#head.buffer);

  /** Makes one. @param secret the 32 bytes of this direction from the handshake */
  constructor(secret: Uint8Array) {
    this.#keys = new RecordKeys(secret);
    this.#cipher = new CfbEncryptor(this.#keys.ke);
  }

  /** Seals 1 to 65 536 bytes; the wire bytes are 36 longer. */
  seal(plaintext: Uint8Array): Bytes {
    const length = plaintext.length;
    if (length < 1 || length > recordMaxBytes) throw new Error(`a record cannot hold ${length} bytes`);
    const ct = this.#cipher.encrypt(this.#keys.iv(), plaintext);
    const wire = new Uint8Array(4 + length + tagBytes);
    new DataView(wire.buffer).setUint32(0, length);
    wire.set(ct, 4);
    this.#headView.setUint32(4, this.#keys.n);
    this.#headView.setUint32(8, length);
    wire.set(hmac(this.#keys.km, this.#head, ct), 4 + length);
    if (this.#keys.advance()) this.#cipher = new CfbEncryptor(this.#keys.ke);
    return wire;
  }
}

/** Opens one direction's records, in order. */
export class RecordOpener {
  #keys: RecordKeys;
  #cipher: CfbDecryptor;
  #head = new Uint8Array(12);
  #headView = new DataView(this.#head.buffer);

  /** Makes one. @param secret the 32 bytes of this direction from the handshake */
  constructor(secret: Uint8Array) {
    this.#keys = new RecordKeys(secret);
    this.#cipher = new CfbDecryptor(this.#keys.ke);
  }

  /**
   * Opens a frame that {@link FrameReader} cut.
   *
   * @throws TagMismatch before anything is decrypted; the link is then dead
   */
  open(wire: Uint8Array): Bytes {
    const ct = wire.subarray(4, wire.length - tagBytes);
    this.#headView.setUint32(4, this.#keys.n);
    this.#headView.setUint32(8, ct.length);
    const tag = hmac(this.#keys.km, this.#head, ct);
    if (!equalSecret(tag, wire.subarray(wire.length - tagBytes))) throw new TagMismatch();
    const plaintext = this.#cipher.decrypt(this.#keys.iv(), ct);
    if (this.#keys.advance()) this.#cipher = new CfbDecryptor(this.#keys.ke);
    return plaintext;
  }
}
