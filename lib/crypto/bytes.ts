/** Byte strings: the few things that every layer does with them. */

import { concat as join } from "@std/bytes/concat";
import { timingSafeEqual } from "node:crypto";

/** Bytes in memory that nobody else shares: what WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The parts one after the other, in fresh memory. */
export function concat(...parts: Uint8Array[]): Bytes {
  return join(parts);
}

/** The ASCII bytes of a label; labels are constants of ours, so anything else is a bug. */
export function ascii(text: string): Bytes {
  return Uint8Array.from(text, (c) => {
    const code = c.charCodeAt(0);
    if (code > 0x7f) throw new Error(`not ASCII: ${text}`);
    return code;
  });
}

/** The bytes of a label of ours; there are few, so they are kept. @returns not to be changed */
export function labelBytes(label: string): Bytes {
  let bytes = labels.get(label);
  if (!bytes) labels.set(label, bytes = ascii(label));
  return bytes;
}
const labels = new Map<string, Bytes>();

/** A plain view of what node:crypto returns: a Buffer's own `slice` would share memory by surprise. */
export function plain(buffer: Uint8Array): Bytes {
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);
}

const largeBytes = 32 * 1024;

/**
 * Gives large memory back at once: the runtime's collector waits until tens of megabytes of such have gathered. Small
 * memory, and what others may share, stays.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer.byteLength < largeBytes || !(buffer instanceof ArrayBuffer) || buffer.detached) return;
  buffer.transfer(0);
}

/** Compares secrets, tags and tokens in time that depends on their lengths only. */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Byte order as memcmp has it: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** A number as four bytes, big-endian. @param n below 2^32 */
export function u32(n: number): Bytes {
  return Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
}
