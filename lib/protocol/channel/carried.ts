/**
 * Carried frames (protocol §6.2): chunks of files, which are ciphertext already: authenticated on the link, and not
 * encrypted once more.
 *
 *   wire = u32 (0x4000 0000 | len) ‖ body[len] ‖ tag[32]          tag as of a transit frame: records.ts
 */

import { type Bytes, concat, u32 } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { TransitFrame } from "./transit.ts";

/** An encoded message as what a link's tag is made of. */
export function carry(message: Bytes): TransitFrame {
  const shared = concat(u32((0x4000_0000 | message.length) >>> 0), message);
  return { shared, digest: sha256(shared) };
}
