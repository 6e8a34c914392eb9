/**
 * SHA-256 (FIPS 180-4) of short texts in JavaScript: a call into the runtime costs 2 to 9 µs however short the text is,
 * a block here 0.4 µs. Keys, chains and the running hash are all made of texts of a few blocks.
 *
 * The compression adds, rotates and XORs words and looks nothing up by a secret, so its time tells nothing.
 */

const blockBytes = 64;
/** The longest text that is hashed here; the runtime is faster with longer ones. */
export const maxShortBytes = 247;

// The first 32 bits of the fractional parts of the cube and square roots of the first primes (FIPS 180-4 §4.2.2, §5.3.3).
const primes = firstPrimes(64);
const roundWords = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const w = new Int32Array(64);

/** Words of a state. */
export const stateWords = 8;
/** The state before the first block (FIPS 180-4 §5.3.3). */
const initialState: Readonly<Int32Array> = Int32Array.from(
  primes.slice(0, stateWords),
  (prime) => fraction(Math.sqrt(prime)),
);

/** A text that is put together to be hashed, one after the other in the same memory: what is begun is finished at once. */
export class ShortText {
  readonly #bytes = new Uint8Array(maxShortBytes + 9);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #state = new Int32Array(stateWords);
  #length = 0;

  /** Begins a text. */
  begin(): this {
    this.#length = 0;
    return this;
  }

  /** Adds bytes; {@link maxShortBytes} in all. */
  add(bytes: Uint8Array): this {
    const at = this.#length;
    this.#length += bytes.length;
    // A call of set() costs more than a few bytes do.
    if (bytes.length > 32) this.#bytes.set(bytes, at);
    else for (let i = 0; i < bytes.length; i++) this.#bytes[at + i] = bytes[i];
    return this;
  }

  /** Adds a byte. */
  u8(value: number): this {
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Adds two bytes. */
  u16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }

  /** Adds four bytes. */
  u32(value: number): this {
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
    return this;
  }

  /** Adds a block of key as HMAC has it (RFC 2104): padded with zeros, each byte XOR `pad`. @param key at most 64 bytes */
  keyBlock(key: Uint8Array, pad: number): this {
    const at = this.#length;
    this.#length += blockBytes;
    for (let i = 0; i < blockBytes; i++) this.#bytes[at + i] = (i < key.length ? key[i] : 0) ^ pad;
    return this;
  }

  /** The bytes so far, in the shared memory. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Compresses whole blocks into a state, unpadded. @param into takes eight words at `at` */
  stateOf(into: Int32Array, at: number): void {
    this.#state.set(initialState);
    this.#compressAll();
    into.set(this.#state, at);
  }

  /**
   * Ends the text: writes its hash to `into` at `at`.
   *
   * @param from the state after what came before the text, eight words at `fromAt`
   * @param bytesBefore how many bytes that were, in whole blocks
   */
  finish(into: Uint8Array, at: number, from = initialState, fromAt = 0, bytesBefore = 0): void {
    const state = this.#state;
    for (let i = 0; i < stateWords; i++) state[i] = from[fromAt + i];
    this.#pad(bytesBefore);
    this.#compressAll();
    for (let i = 0; i < stateWords; i++) {
      const word = state[i];
      into[at++] = word >>> 24;
      into[at++] = word >>> 16;
      into[at++] = word >>> 8;
      into[at++] = word;
    }
  }

  /** FIPS 180-4 §5.1.1. */
  #pad(bytesBefore: number): void {
    const bits = (bytesBefore + this.#length) * 8;
    this.u8(0x80);
    const end = Math.ceil((this.#length + 8) / blockBytes) * blockBytes;
    while (this.#length < end - 4) this.u8(0);
    this.u32(bits);
  }

  #compressAll(): void {
    for (let at = 0; at < this.#length; at += blockBytes) compress(this.#view, at, this.#state);
  }
}

/** One block (FIPS 180-4 §6.2.2). */
function compress(block: DataView, at: number, state: Int32Array): void {
  for (let i = 0; i < 16; i++) w[i] = block.getInt32(at + i * 4);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15], y = w[i - 2];
    const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
    const s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1 | 0;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3];
  let e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
    const t1 = h + s1 + (e & f ^ ~e & g) + roundWords[i] + w[i] | 0;
    const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
    const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
    h = g;
    g = f;
    f = e;
    e = d + t1 | 0;
    d = c;
    c = b;
    b = a;
    a = t1 + t2 | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

function firstPrimes(n: number): number[] {
  const found: number[] = [];
  for (let i = 2; found.length < n; i++) if (found.every((prime) => i % prime !== 0)) found.push(i);
  return found;
}

/** The first 32 bits of the fractional part: exact, as a double has 53 and the whole part takes at most 5. */
function fraction(root: number): number {
  return (root - Math.floor(root)) * 2 ** 32 | 0;
}
