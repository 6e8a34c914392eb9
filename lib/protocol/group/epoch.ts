/**
 * Epoch keys (protocol §7.2): what the secret of a commit becomes.
 *
 * E and ek are erased once the chains are derived: from then on each message key can be reached only from
 * the chain before it, and old ones not at all.
 */

import { type Bytes, concat } from "../../crypto/bytes.ts";
import { hmac } from "../../crypto/hmac.ts";
import { extract, kdf } from "../../crypto/kdf.ts";
import { Writer } from "../codec/wire.ts";

/** Which epoch a secret is for. */
export interface EpochContext {
  /** Room id. */
  readonly room: Uint8Array;
  /** Counts from 0. */
  readonly epoch: number;
  /** Hash of the commit before. */
  readonly prev: Uint8Array;
  /** Who drew the secret. */
  readonly author: Uint8Array;
}

/** The key file's part for rooms that have none. */
export const noKeyFile: Bytes = new Uint8Array(32);

/** room ‖ u32 epoch ‖ prev ‖ author: 100 bytes. */
function encodeContext(c: EpochContext): Bytes {
  return new Writer(100).raw(c.room).u32(c.epoch).raw(c.prev).raw(c.author).done();
}

/** The commit's `check`: proves E, and the key file, to who opened a box. @param roomKey 32 bytes */
export function epochCheck(secret: Uint8Array, roomKey: Uint8Array, context: EpochContext): Bytes {
  const prk = extract(new TextEncoder().encode("chat2 check"), concat(secret, roomKey));
  return kdf(prk, "check", encodeContext(context), 32);
}

/** The first chain key of every member, in the order given. */
export function senderChains(
  secret: Uint8Array,
  roomKey: Uint8Array,
  commitHash: Uint8Array,
  members: readonly Uint8Array[],
): Bytes[] {
  const ek = extract(commitHash, concat(secret, roomKey));
  const chains = members.map((id) => kdf(ek, "sender", id, 32));
  ek.fill(0);
  return chains;
}

/** `mk = HMAC(chain, 0x01)`, `chain ← HMAC(chain, 0x02)`. */
export function chainStep(chain: Uint8Array): { messageKey: Bytes; next: Bytes } {
  return { messageKey: hmac(chain, Uint8Array.of(1)), next: hmac(chain, Uint8Array.of(2)) };
}
