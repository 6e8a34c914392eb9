/** Hex by the engine: ids are keys of maps everywhere, and @std/encoding takes 1.2 µs for one where this takes 0.03. */

/** Two lower-case digits a byte. */
export function encodeHex(bytes: Uint8Array): string {
  return bytes.toHex();
}
