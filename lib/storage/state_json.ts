/** State as JSON with bytes in it: what goes into the sealed files. */

import type { Bytes } from "../crypto/bytes.ts";

/** Encodes plain data; a Uint8Array becomes `{"$": base64}`, and Infinity, which JSON lacks, `{"$": null}`. */
export function encodeState(value: unknown): Bytes {
  const text = JSON.stringify(value, (_, v) => {
    return v instanceof Uint8Array ? { $: v.toBase64() } : v === Infinity ? { $: null } : v;
  });
  return new TextEncoder().encode(text) as Bytes;
}

/** The reverse; the file was sealed by us, so its shape is what we wrote. */
export function decodeState<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes), (_, v) => {
    if (v === null || typeof v !== "object") return v;
    return typeof v.$ === "string" ? Uint8Array.fromBase64(v.$) : v.$ === null ? Infinity : v;
  }) as T;
}
