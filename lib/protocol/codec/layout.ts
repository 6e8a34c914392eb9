/**
 * Layouts: byte formats written down as data. A layout reads and writes one kind of value, and its type
 * follows from its fields, so that the table in messages.ts is codec, type and document at once.
 */

import { Malformed } from "../../errors.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { Reader, Writer } from "./wire.ts";

/** How one value stands in bytes. */
export interface Layout<T> {
  /** Reads one. @throws Malformed */
  read(from: Reader): T;
  /** Writes what `read` gives back. */
  write(to: Writer, value: T): void;
}

/** The value a layout holds. */
export type ValueOf<L> = L extends Layout<infer T> ? T : never;

/** One byte. */
export const u8: Layout<number> = { read: (r) => r.u8(), write: (w, v) => void w.u8(v) };
/** Two bytes. */
export const u16: Layout<number> = { read: (r) => r.u16(), write: (w, v) => void w.u16(v) };
/** Four bytes. */
export const u32: Layout<number> = { read: (r) => r.u32(), write: (w, v) => void w.u32(v) };
/** Eight bytes, at most 2^53 − 1. */
export const u64: Layout<number> = { read: (r) => r.u64(), write: (w, v) => void w.u64(v) };
/** A vector of at most 255 bytes. */
export const vec8: Layout<Bytes> = { read: (r) => r.vec8(), write: (w, v) => void w.vec8(v) };
/** A vector of at most 65 535 bytes. */
export const vec16: Layout<Bytes> = { read: (r) => r.vec16(), write: (w, v) => void w.vec16(v) };
/** All that is left, where it stands: the larger part of what it stands in. */
export const rest: Layout<Bytes> = { read: (r) => r.view(r.left), write: (w, v) => void w.raw(v) };

/** The same, in memory of its own. */
export const ownRest: Layout<Bytes> = { read: (r) => r.take(r.left), write: rest.write };

/** Exactly `length` bytes. */
export function fixed(length: number): Layout<Bytes> {
  return {
    read: (r) => r.take(length),
    write(w, v) {
      if (v.length !== length) throw new Error(`${v.length} bytes where ${length} belong`);
      w.raw(v);
    },
  };
}

/** A hash, an id or a room id: 32 bytes. */
export const hash32: Layout<Bytes> = fixed(32);

/** The same, where it stands: to look something up. */
export const lookup32: Layout<Bytes> = { read: (r) => r.view(32), write: (w, v) => hash32.write(w, v) };

/** UTF-8 text in a vector; refused when it is not UTF-8. */
export function text(vector: Layout<Bytes>): Layout<string> {
  return {
    read: (r) => decodeUtf8(vector.read(r)),
    write: (w, v) => vector.write(w, new TextEncoder().encode(v) as Bytes),
  };
}

/** UTF-8, strictly. @throws Malformed */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Malformed("a text is not UTF-8");
  }
}

/** A count, then that many values; more than `maxItems` are refused before they are read. */
export function list<T>(count: Layout<number>, maxItems: number, item: Layout<T>): Layout<T[]> {
  return {
    read(r) {
      const n = count.read(r);
      if (n > maxItems) throw new Malformed("a list is too long");
      return Array.from({ length: n }, () => item.read(r));
    },
    write(w, values) {
      count.write(w, values.length);
      for (const value of values) item.write(w, value);
    },
  };
}

/** Values to the end of the body, at most `maxItems`. */
export function trailing<T>(maxItems: number, item: Layout<T>): Layout<T[]> {
  return {
    read(r) {
      const values: T[] = [];
      while (r.left > 0) {
        if (values.length === maxItems) throw new Malformed("a list is too long");
        values.push(item.read(r));
      }
      return values;
    },
    write(w, values) {
      for (const value of values) item.write(w, value);
    },
  };
}

/** A last field that may be missing: empty, it is not written at all. */
export function lastText(vector: Layout<Bytes>): Layout<string> {
  const field = text(vector);
  return {
    read(r) {
      if (r.left === 0) return "";
      const value = field.read(r);
      if (value === "") throw new Malformed("an empty field stands where none belongs");
      return value;
    },
    write: (w, v) => v === "" ? undefined : field.write(w, v),
  };
}

/** Fields one after the other. */
export function record<F extends Record<string, Layout<never> | Layout<unknown>>>(
  fields: F,
): Layout<{ [K in keyof F]: ValueOf<F[K]> }> {
  const entries = Object.entries(fields) as [keyof F, Layout<unknown>][];
  return {
    read(r) {
      const value = {} as { [K in keyof F]: unknown };
      for (const [name, layout] of entries) value[name] = layout.read(r);
      return value as { [K in keyof F]: ValueOf<F[K]> };
    },
    write(w, value) {
      for (const [name, layout] of entries) layout.write(w, value[name]);
    },
  };
}
