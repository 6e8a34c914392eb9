/**
 * Records (protocol §6): frames sealed with a counter that is never sent.
 *
 *   wire = u32 len ‖ ct[len] ‖ tag[32]          1 ≤ len ≤ 65 536
 *
 * Each direction has its own keys and counter, so a replayed, dropped, reordered or reflected record
 * fails its tag. The IV is the counter encrypted under a key of its own: CFB needs it unpredictable.
 *
 * Transit frames (transit.ts) stand among the records and take their numbers too:
 *
 *   tag = HMAC(kt, u64 n ‖ u32 flagged len ‖ digest)          kt = KDF(S, "transit tag", "", 32)
 */

import { BlockEncryptor, CfbDecryptor, CfbEncryptor } from "../../crypto/cfb.ts";
import { type Bytes, equalSecret } from "../../crypto/bytes.ts";
import { hmac, kdf } from "../../crypto/kdf.ts";
import { tagBytes, TagMismatch } from "../../crypto/seal.ts";
import { sha256 } from "../../crypto/hash.ts";
import { ShortHmac } from "../../crypto/short_hmac.ts";

const empty = new Uint8Array(0);
const ivBatch = 32;
const recordsPerKey = 65_536;

/** Most plaintext bytes in one record. */
export const maxRecordBytes = 65_536;
/** What a record is longer than its plaintext: length and tag. */
export const recordOverheadBytes: number = 4 + tagBytes;

/** Counter, keys and IVs of one direction. */
class RecordKeys {
  ke!: Bytes;
  km!: Bytes;
  #kiv!: Bytes;
  #ivCipher: BlockEncryptor | null = null;
  #ivs: Bytes = empty;
  #ivsFrom = -1;
  #transit: ShortHmac | null = null;
  n = 0;

  constructor(private secret: Uint8Array) {
    this.#derive();
  }

  #derive() {
    const k = kdf(this.secret, "record", empty, 96);
    this.ke = k.slice(0, 32);
    this.km = k.slice(32, 64);
    this.#kiv = k.slice(64);
    this.n = 0;
    this.rest();
  }

  /** Lets go of what can be made again: an idle link costs memory by the hour. */
  rest() {
    this.#ivCipher = null;
    this.#ivs = empty;
    this.#ivsFrom = -1;
    this.#transit = null;
  }

  /** The IV of record n: some are made at a time, few enough that an idle link does not pay for them. */
  iv(): Bytes {
    const at = this.n % ivBatch;
    if (this.n - at !== this.#ivsFrom) {
      this.#ivsFrom = this.n - at;
      const counters = new Uint8Array(ivBatch * 16);
      const view = new DataView(counters.buffer);
      for (let i = 0; i < ivBatch; i++) view.setUint32(i * 16 + 12, this.#ivsFrom + i);
      this.#ivCipher ??= new BlockEncryptor(this.#kiv);
      this.#ivs = this.#ivCipher.encrypt(counters);
    }
    return this.#ivs.subarray(at * 16, at * 16 + 16);
  }

  /** The tag of transit frame n, written to `into` at `at`. @param shared its 16 bytes of head first */
  tagTransit(shared: Uint8Array, digest: Uint8Array, into: Uint8Array, at: number): void {
    this.#transit ??= new ShortHmac(kdf(this.secret, "transit tag", empty, 32));
    transitTextView.setUint32(4, this.n);
    transitText.set(shared.subarray(0, 4), 8);
    transitText.set(digest, 12);
    this.#transit.tag(transitText, into, at);
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

// u64 n ‖ u32 flagged len ‖ digest; n stays below 2^16, so its first half is zero.
const transitText = new Uint8Array(8 + 4 + 32);
const transitTextView = new DataView(transitText.buffer);

/** Seals one direction's records, in order. */
export class RecordSealer {
  #keys: RecordKeys;
  #cipher: CfbEncryptor | null = null;
  #head = new Uint8Array(12);
  #headView = new DataView(this.#head.buffer);

  /** Makes one. @param secret the 32 bytes of this direction from the handshake */
  constructor(secret: Uint8Array) {
    this.#keys = new RecordKeys(secret);
  }

  /** Lets go of what can be made again. */
  rest(): void {
    this.#cipher = null;
    this.#keys.rest();
  }

  /** Writes what a transit frame looks like on this link: shared ‖ tag. @param into has room for both */
  putTransit({ shared, digest }: { shared: Uint8Array; digest: Uint8Array }, into: Uint8Array): void {
    into.set(shared);
    this.#keys.tagTransit(shared, digest, into, shared.length);
    if (this.#keys.advance()) this.#cipher = null;
  }

  /** Seals 1 to 65 536 bytes; the wire bytes are {@link recordOverheadBytes} longer. */
  seal(plaintext: Uint8Array): Bytes {
    const length = plaintext.length;
    if (length < 1 || length > maxRecordBytes) throw new Error(`a record cannot hold ${length} bytes`);
    this.#cipher ??= new CfbEncryptor(this.#keys.ke);
    const ct = this.#cipher.encrypt(this.#keys.iv(), plaintext);
    const wire = new Uint8Array(4 + length + tagBytes);
    new DataView(wire.buffer).setUint32(0, length);
    wire.set(ct, 4);
    this.#headView.setUint32(4, this.#keys.n);
    this.#headView.setUint32(8, length);
    wire.set(hmac(this.#keys.km, this.#head, ct), 4 + length);
    if (this.#keys.advance()) this.#cipher = null;
    return wire;
  }
}

/** Opens one direction's records, in order. */
export class RecordOpener {
  #keys: RecordKeys;
  #cipher: CfbDecryptor | null = null;
  #head = new Uint8Array(12);
  #headView = new DataView(this.#head.buffer);

  /** Makes one. @param secret the 32 bytes of this direction from the handshake */
  constructor(secret: Uint8Array) {
    this.#keys = new RecordKeys(secret);
  }

  /** Lets go of what can be made again. */
  rest(): void {
    this.#cipher = null;
    this.#keys.rest();
  }

  /**
   * Checks the tag of a transit frame, which takes the number of a record.
   *
   * @throws TagMismatch: the link is then dead
   */
  checkTransit(wire: Uint8Array): void {
    const shared = wire.subarray(0, wire.length - tagBytes);
    const tag = new Uint8Array(tagBytes);
    this.#keys.tagTransit(shared, sha256(shared), tag, 0);
    if (!equalSecret(tag, wire.subarray(shared.length))) throw new TagMismatch();
    if (this.#keys.advance()) this.#cipher = null;
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
    this.#cipher ??= new CfbDecryptor(this.#keys.ke);
    const plaintext = this.#cipher.decrypt(this.#keys.iv(), ct);
    if (this.#keys.advance()) this.#cipher = null;
    return plaintext;
  }
}
