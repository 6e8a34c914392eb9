/** State as JSON with bytes in it: what goes into the sealed files. */

import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import type { Bytes } from "../crypto/bytes.ts";

/** Encodes plain data; a Uint8Array becomes `{"$": base64}`. */
export function encodeState(value: unknown): Bytes {
  const text = JSON.stringify(value, (_, v) => v instanceof Uint8Array ? { $: encodeBase64(v) } : v);
  return new TextEncoder().encode(text) as Bytes;
}

/** The reverse; the file was sealed by us, so its shape is what we wrote. */
export function decodeState<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes), (_, v) => {
    return v !== null && typeof v === "object" && typeof v.$ === "string" ? decodeBase64(v.$) : v;
  }) as T;
}
