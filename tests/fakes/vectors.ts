/** Reads tests/vectors. */

import { decodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";

// deno-lint-ignore no-explicit-any
export function vectors(name: string): any {
  return JSON.parse(Deno.readTextFileSync(new URL(`../vectors/${name}.json`, import.meta.url)));
}

export const unhex = (text: string): Bytes => decodeHex(text);
