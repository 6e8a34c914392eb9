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

import { CfbDecryptor, CfbEncryptor } from "../../crypto/cfb.ts";
import { CounterIvs } from "../../crypto/counter_ivs.ts";
import { type Bytes, equalSecret } from "../../crypto/bytes.ts";
import { HmacKey } from "../../crypto/hmac.ts";
import { kdf } from "../../crypto/kdf.ts";
import { tagBytes, TagMismatch } from "../../crypto/seal.ts";
import { sha256 } from "../../crypto/hash.ts";

const empty = new Uint8Array(0);
const recordsPerKey = 65_536;

/** Most plaintext bytes in one record. */
export const maxRecordBytes = 65_536;
/** What a record is longer than its plaintext: length and tag. */
export const recordOverheadBytes: number = 4 + tagBytes;

/** Counter, keys and IVs of one direction. */
class RecordKeys {
  ke!: Bytes;
  #km!: Bytes;
  #mac: HmacKey | null = null;
  #ivs!: CounterIvs;
  #transit: HmacKey | null = null;
  n = 0;

  constructor(private secret: Uint8Array) {
    this.#derive();
  }

  #derive() {
    const k = kdf(this.secret, "record", empty, 96);
    this.ke = k.slice(0, 32);
    this.#km = k.slice(32, 64);
    this.#ivs = new CounterIvs(k.slice(64));
    this.n = 0;
    this.rest();
  }

  /** Lets go of what can be made again: an idle link costs memory by the hour. */
  rest() {
    this.#ivs.rest();
    this.#mac = this.#transit = null;
  }

  /** The tag of record n, written to `into` at `at`. */
  tagRecord(ct: Uint8Array, into: Uint8Array, at: number): void {
    this.#mac ??= new HmacKey(this.#km);
    recordHeadView.setUint32(4, this.n);
    recordHeadView.setUint32(8, ct.length);
    this.#mac.tag(into, at, recordHead, ct);
  }

  /** The IV of record n. */
  iv(): Bytes {
    return this.#ivs.iv(this.n);
  }

  /** The tag of transit frame n, written to `into` at `at`. @param shared its 16 bytes of head first */
  tagTransit(shared: Uint8Array, digest: Uint8Array, into: Uint8Array, at: number): void {
    this.#transit ??= new HmacKey(kdf(this.secret, "transit tag", empty, 32));
    transitTextView.setUint32(4, this.n);
    transitText.set(shared.subarray(0, 4), 8);
    transitText.set(digest, 12);
    this.#transit.tag(into, at, transitText);
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

// u64 n ‖ u32 len; n stays below 2^16, so its first half is zero.
const recordHead = new Uint8Array(8 + 4);
const recordHeadView = new DataView(recordHead.buffer);
// u64 n ‖ u32 flagged len ‖ digest.
const transitText = new Uint8Array(8 + 4 + 32);
const transitTextView = new DataView(transitText.buffer);

/** Seals one direction's records, in order. */
export class RecordSealer {
  #keys: RecordKeys;
  #cipher: CfbEncryptor | null = null;

  /** Makes one. @param secret the 32 bytes of this direction from the handshake */
  constructor(secret: Uint8Array) {
    this.#keys = new RecordKeys(secret);
  }

  /** Lets go of what can be made again: to be called at the end, too. */
  rest(): void {
    this.#endCipher();
    this.#keys.rest();
  }

  #endCipher(): void {
    this.#cipher?.end();
    this.#cipher = null;
  }

  /** Writes what a transit frame looks like on this link: shared ‖ tag. @param into has room for both */
  putTransit({ shared, digest }: { shared: Uint8Array; digest: Uint8Array }, into: Uint8Array): void {
    into.set(shared);
    this.#keys.tagTransit(shared, digest, into, shared.length);
    if (this.#keys.advance()) this.#endCipher();
  }

  /** The same as {@link RecordSealer.put}, in fresh memory. */
  seal(plaintext: Uint8Array): Bytes {
    const wire = new Uint8Array(plaintext.length + recordOverheadBytes);
    this.put(plaintext, wire);
    return wire;
  }

  /** Seals 1 to 65 536 bytes. @param into takes {@link recordOverheadBytes} more than those */
  put(plaintext: Uint8Array, into: Uint8Array): void {
    const length = plaintext.length;
    if (length < 1 || length > maxRecordBytes) throw new Error(`a record cannot hold ${length} bytes`);
    this.#cipher ??= new CfbEncryptor(this.#keys.ke);
    const ct = this.#cipher.encrypt(this.#keys.iv(), plaintext);
    into[0] = length >>> 24;
    into[1] = length >>> 16;
    into[2] = length >>> 8;
    into[3] = length;
    into.set(ct, 4);
    this.#keys.tagRecord(ct, into, 4 + length);
    if (this.#keys.advance()) this.#endCipher();
  }
}

/** Seals the only record of a direction: handshakes have a secret for each. */
export function sealOnly(secret: Uint8Array, plaintext: Uint8Array): Bytes {
  const sealer = new RecordSealer(secret);
  try {
    return sealer.seal(plaintext);
  } finally {
    sealer.rest();
  }
}

/** Opens the only record of a direction. @throws TagMismatch */
export function openOnly(secret: Uint8Array, wire: Uint8Array): Bytes {
  const opener = new RecordOpener(secret);
  try {
    return opener.open(wire);
  } finally {
    opener.rest();
  }
}

/** The tag that belongs to what has come. */
const expected = new Uint8Array(tagBytes);

/** Opens one direction's records, in order. */
export class RecordOpener {
  #keys: RecordKeys;
  #cipher: CfbDecryptor | null = null;

  /** Makes one. @param secret the 32 bytes of this direction from the handshake */
  constructor(secret: Uint8Array) {
    this.#keys = new RecordKeys(secret);
  }

  /** Lets go of what can be made again: to be called at the end, too. */
  rest(): void {
    this.#endCipher();
    this.#keys.rest();
  }

  #endCipher(): void {
    this.#cipher?.end();
    this.#cipher = null;
  }

  /**
   * Checks the tag of a transit frame, which takes the number of a record.
   *
   * @throws TagMismatch: the link is then dead
   */
  checkTransit(wire: Uint8Array): void {
    const shared = wire.subarray(0, wire.length - tagBytes);
    this.#keys.tagTransit(shared, sha256(shared), expected, 0);
    if (!equalSecret(expected, wire.subarray(shared.length))) throw new TagMismatch();
    if (this.#keys.advance()) this.#endCipher();
  }

  /**
   * Opens a frame that {@link FrameReader} cut.
   *
   * @throws TagMismatch before anything is decrypted; the link is then dead
   */
  open(wire: Uint8Array): Bytes {
    const ct = wire.subarray(4, wire.length - tagBytes);
    this.#keys.tagRecord(ct, expected, 0);
    if (!equalSecret(expected, wire.subarray(wire.length - tagBytes))) throw new TagMismatch();
    this.#cipher ??= new CfbDecryptor(this.#keys.ke);
    const plaintext = this.#cipher.decrypt(this.#keys.iv(), ct);
    if (this.#keys.advance()) this.#endCipher();
    return plaintext;
  }
}
