/**
 * Carried frames (protocol §6.2): chunks of files, which are ciphertext already: authenticated on the link, and not
 * encrypted once more.
 *
 *   wire = u32 (0x4000 0000 | len) ‖ body[len] ‖ tag[32]          tag as of a transit frame: records.ts
 */

import { sha256 } from "../../crypto/hash.ts";
import { carriedHeadBytes } from "./frames.ts";
import { encodeBehind, type LinkMessage } from "./link_messages.ts";
import type { TransitFrame } from "./transit.ts";

/** A message as what a link's tag is made of. */
export function carry(message: LinkMessage): TransitFrame {
  const shared = encodeBehind(new Uint8Array(carriedHeadBytes), message);
  new DataView(shared.buffer, shared.byteOffset).setUint32(0, 0x4000_0000 | shared.length - carriedHeadBytes);
  return { shared, digest: sha256(shared) };
}
