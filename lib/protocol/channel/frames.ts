/**
 * Frames: how messages are cut out of a TCP stream.
 *
 * A clear handshake message is u16 length and body; everything else is a record, u32 length, ciphertext
 * and tag. The length is checked before the body is waited for or memory is taken for it: a peer who has
 * proved nothing yet must not decide how much memory we take.
 *
 * Not here: secrecy (records.ts) and meaning (handshake_*.ts, link_messages.ts).
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { tagBytes } from "../../crypto/seal.ts";
import { Malformed } from "../../errors.ts";
import type { ByteConn } from "./conn.ts";

/** What may come next: a clear message within bounds, or a record whose plaintext has these bounds. */
export interface FrameShape {
  /** Which prefix the frame has. */
  readonly kind: "clear" | "record";
  /** Fewest body bytes (clear) or plaintext bytes (record). */
  readonly min: number;
  /** Most of them. */
  readonly max: number;
  /** Whether the top bit of a record's length may say that a transit frame comes instead. */
  readonly transit?: true;
  /** Whether the bit below it may say that a carried frame does. */
  readonly carried?: true;
}

/** A traffic record of protocol §6. */
export const trafficRecord: FrameShape = { kind: "record", min: 1, max: 65_536 };

/** What a client may send once it is in: records, and carried frames of the same lengths. */
export const fromClient: FrameShape = { ...trafficRecord, carried: true };

/** What a server may send: the same, and transit frames. */
export const fromServer: FrameShape = { ...fromClient, transit: true };

const transitFlag = 0x80;
const carriedFlag = 0x40;
/** Bytes of a carried frame before its body: its flagged length. */
export const carriedHeadBytes = 4;

/** Bytes of a transit frame before its ciphertext: flagged length, key, counter. */
export const transitHeadBytes = 16;

/** Whether a frame, its length included, is a transit frame. */
export function isTransit(frame: Uint8Array): boolean {
  return (frame[0] & transitFlag) !== 0;
}

/** Whether a frame, its length included, is a carried frame. */
export function isCarried(frame: Uint8Array): boolean {
  return (frame[0] & carriedFlag) !== 0;
}

// Memory per idle connection; larger bodies get a buffer of their own.
const idleBufferBytes = 1024;
// A busy connection reads many frames at once, so that they share a flush and a write.
const busyBufferBytes = 65_536;

/** Cuts frames from one connection; one reader at a time. */
export class FrameReader {
  #buffer = new Uint8Array(idleBufferBytes);
  #start = 0;
  #end = 0;

  /** Makes one. @param conn read from, never written or closed */
  constructor(private readonly conn: ByteConn) {}

  /**
   * The next frame, its length prefix included. A record may stand in this reader's own memory, until the next is
   * asked for; a clear message is the caller's.
   *
   * @returns null when the stream ends before the frame begins
   * @throws Malformed when the length is out of bounds, or the stream ends inside the frame
   */
  async next(shape: FrameShape): Promise<Bytes | null> {
    const prefix = shape.kind === "clear" ? 2 : 4;
    while (this.#end - this.#start < prefix) {
      const had = this.#end - this.#start;
      if (!await this.#fill()) {
        if (had === 0 && this.#end === this.#start) return null;
        throw new Malformed("the connection ended inside a frame");
      }
    }
    const b = this.#buffer, s = this.#start;
    const transit = shape.transit === true && (b[s] & transitFlag) !== 0;
    const flag = transit ? transitFlag : shape.carried === true ? b[s] & carriedFlag : 0;
    const length = prefix === 2
      ? b[s] << 8 | b[s + 1]
      : ((b[s] ^ flag) << 24 | b[s + 1] << 16 | b[s + 2] << 8 | b[s + 3]) >>> 0;
    if (length < shape.min || length > shape.max) throw new Malformed("a frame has a length it may not have");
    const head = transit ? transitHeadBytes : prefix;
    const frameBytes = head + length + (shape.kind === "record" ? tagBytes : 0);
    const buffered = Math.min(frameBytes, this.#end - this.#start);
    if (shape.kind === "record" && buffered === frameBytes) {
      this.#start += frameBytes;
      return b.subarray(s, s + frameBytes);
    }
    const frame = new Uint8Array(frameBytes);
    frame.set(b.subarray(s, s + buffered));
    this.#start += buffered;
    for (let at = buffered; at < frame.length;) {
      const n = await this.conn.read(frame.subarray(at));
      if (n === null) throw new Malformed("the connection ended inside a frame");
      at += n;
    }
    return frame;
  }

  /** Reads and forgets everything until the stream ends: what a silent failure does with its peer. */
  async discard(): Promise<void> {
    this.#start = this.#end = 0;
    while (await this.conn.read(this.#buffer) !== null) { /* nothing is kept */ }
  }

  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    else if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const n = await this.conn.read(this.#buffer.subarray(this.#end));
    if (n === null) return false;
    this.#end += n;
    this.#resize(n);
    return true;
  }

  /** A read that fills the buffer asks for a larger one, and a small one for a small one again. */
  #resize(n: number): void {
    const { length } = this.#buffer;
    const isFull = this.#end === length && length < busyBufferBytes;
    const isWaste = length > idleBufferBytes && n * 8 < length && this.#end <= idleBufferBytes;
    if (!isFull && !isWaste) return;
    const other = new Uint8Array(isFull ? length * 8 : idleBufferBytes);
    other.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = other;
  }
}
