/**
 * Wire: the byte encoding of protocol §2. Unsigned big-endian numbers, and vectors with a length prefix.
 *
 * A parser consumes its input exactly, and its lengths are checked against what is there before anything
 * is copied: a peer never decides how much memory we take.
 */

import { Malformed } from "../../errors.ts";
import type { Bytes } from "../../crypto/bytes.ts";

/** Reads from the front of a byte string; every method throws {@link Malformed} when bytes are missing. */
export class Reader {
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  /** Makes one. @param bytes is read, never changed; what {@link Reader.take} returns is a copy */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Bytes read so far. */
  get at(): number {
    return this.#at;
  }

  #advance(n: number): number {
    if (this.left < n) throw new Malformed("a message is cut short");
    const at = this.#at;
    this.#at += n;
    return at;
  }

  /** One byte. */
  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  /** Two bytes. */
  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  /** Four bytes. */
  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** Eight bytes; above 2^53 − 1 is refused, as a number could not hold it. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#advance(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Malformed("a number is out of range");
    return Number(value);
  }

  /** `n` bytes, where they stand: for what does not outlive them, or is about as large. */
  view(n: number): Bytes {
    const at = this.#advance(n);
    return this.#bytes.subarray(at, at + n) as Bytes;
  }

  /** `n` bytes, copied. */
  take(n: number): Bytes {
    const at = this.#advance(n);
    return this.#bytes.slice(at, at + n) as Bytes;
  }

  /** Reads the next `n` bytes by themselves; this reader goes on behind them. */
  part(n: number): Reader {
    const at = this.#advance(n);
    return new Reader(this.#bytes.subarray(at, at + n));
  }

  /** All that is left, copied. */
  rest(): Bytes {
    return this.take(this.left);
  }

  /** A vector with a one-byte length. */
  vec8(): Bytes {
    return this.take(this.u8());
  }

  /** A vector with a two-byte length. */
  vec16(): Bytes {
    return this.take(this.u16());
  }

  /** A vector with a four-byte length. */
  vec32(): Bytes {
    return this.take(this.u32());
  }

  /** The rest must be zero bytes (padding). */
  zeros(): void {
    let any = 0;
    for (; this.#at < this.#bytes.length; this.#at++) any |= this.#bytes[this.#at];
    if (any !== 0) throw new Malformed("padding is not zero");
  }

  /** The input must end here. */
  end(): void {
    if (this.left !== 0) throw new Malformed("bytes after the end of a message");
  }
}

const maxSlack = 96;

/** Builds a byte string; grows as needed. */
export class Writer {
  #bytes: Bytes;
  #view: DataView<ArrayBuffer>;
  #length = 0;

  /** Makes one. @param capacity a guess that saves growing */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #grow(n: number): number {
    const at = this.#length;
    this.#length += n;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  /** One byte. */
  u8(value: number): this {
    const at = this.#grow(1); // may replace the view
    this.#view.setUint8(at, value);
    return this;
  }

  /** Two bytes. */
  u16(value: number): this {
    const at = this.#grow(2); // may replace the view
    this.#view.setUint16(at, value);
    return this;
  }

  /** Four bytes. */
  u32(value: number): this {
    const at = this.#grow(4); // may replace the view
    this.#view.setUint32(at, value);
    return this;
  }

  /** Eight bytes; `value` is a safe integer. */
  u64(value: number): this {
    const at = this.#grow(8); // may replace the view
    this.#view.setBigUint64(at, BigInt(value));
    return this;
  }

  /** The bytes as they are. */
  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** A vector with a one-byte length. */
  vec8(bytes: Uint8Array): this {
    if (bytes.length > 0xff) throw new Error("vec8 holds at most 255 bytes");
    return this.u8(bytes.length).raw(bytes);
  }

  /** A vector with a two-byte length. */
  vec16(bytes: Uint8Array): this {
    if (bytes.length > 0xffff) throw new Error("vec16 holds at most 65535 bytes");
    return this.u16(bytes.length).raw(bytes);
  }

  /** A vector with a four-byte length. */
  vec32(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Zero bytes up to a total of `length`. */
  padTo(length: number): this {
    if (this.#length > length) throw new Error(`longer than ${length} bytes already`);
    this.#grow(length - this.#length);
    return this;
  }

  /** What was written, with what little of the capacity is left behind it; nothing is written after this. */
  done(): Bytes {
    const length = this.#length;
    if (this.#bytes.length - length > maxSlack) return this.#bytes.slice(0, length);
    return this.#bytes.length === length ? this.#bytes : this.#bytes.subarray(0, length);
  }
}
