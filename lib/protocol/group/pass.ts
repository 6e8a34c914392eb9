/**
 * Passes (protocol §7.6): keys that an admin has listed in a commit; whoever holds the seed of one enters by herself,
 * once, though nobody is at home.
 */

import { equals } from "@std/bytes/equals";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import {
  signatureBytes,
  type SigningKey,
  signLabelled,
  verifyingKey,
  verifyLabelled,
} from "../../crypto/ed25519.ts";
import { Malformed, unlessRefused } from "../../errors.ts";
import type { Reader, Writer } from "../codec/wire.ts";
import { decodeName, encodeName, skeleton } from "../identity/name.ts";

/** Most passes of a room at a time. */
export const maxPasses = 32;

/** One key that lets one person in. */
export interface Pass {
  /** Ed25519 public key, 32 bytes. */
  readonly key: Bytes;
  /** Last second at which it may be used, since 1970. */
  readonly until: number;
  /** For whom; empty for anybody. */
  readonly name: string;
}

/** That somebody enters by a pass. */
export interface PassUse {
  /** Its public key. */
  readonly key: Bytes;
  /** `Sign(pass, "chat2 pass", site ‖ room ‖ author)`. */
  readonly signature: Bytes;
}

/** Signs the use of a pass. @param site 32 bytes: where the room is @param author 32 bytes: who enters */
export function usePass(pass: SigningKey, site: Uint8Array, room: Uint8Array, author: Uint8Array): PassUse {
  return { key: pass.publicKey, signature: signLabelled(pass, "chat2 pass", concat(site, room, author)) };
}

/** Whether the holder of a pass has signed that this author enters this room. */
export function isPassUsed(use: PassUse, site: Uint8Array, room: Uint8Array, author: Uint8Array): boolean {
  const key = unlessRefused(() => verifyingKey(use.key));
  return key !== null && verifyLabelled(key, "chat2 pass", concat(site, room, author), use.signature);
}

/** Whether a pass lets somebody in. @param time seconds, as the commit says */
export function isPassFor(pass: Pass, name: string, time: number): boolean {
  return pass.until >= time && (pass.name === "" || skeleton(pass.name) === skeleton(name));
}

/** Whether two passes say the same. */
export function isSamePass(a: Pass, b: Pass): boolean {
  return equals(a.key, b.key) && a.until === b.until && a.name === b.name;
}

/** Whether a key can be used at all: those that cannot are nobody's (protocol §3). */
export function isPassKey({ key }: Pass): boolean {
  return unlessRefused(() => verifyingKey(key)) !== null;
}

/** `u8 k ‖ k × (pass_pub[32] ‖ u64 until ‖ vec8 name)`. */
export function writePasses(w: Writer, passes: readonly Pass[]): void {
  w.u8(passes.length);
  for (const { key, until, name } of passes) {
    w.raw(key).u64(until).vec8(name === "" ? new Uint8Array(0) : encodeName(name));
  }
}

/** Reads what {@link writePasses} writes. @throws Malformed */
export function readPasses(r: Reader): Pass[] {
  const k = r.u8();
  if (k > maxPasses) throw new Malformed("a commit lists too many passes");
  return Array.from({ length: k }, () => {
    const key = r.take(32);
    const until = r.u64();
    const name = r.vec8();
    return { key, until, name: name.length === 0 ? "" : decodeName(name) };
  });
}

/** `vec8 use`: empty, or pass_pub ‖ signature. */
export function writeUse(w: Writer, use: PassUse | null): void {
  w.vec8(encodeUse(use));
}

/** Reads what {@link writeUse} writes. @throws Malformed */
export function readUse(r: Reader): PassUse | null {
  return parseUse(r.vec8());
}

/** The bytes of a use. */
export function encodeUse(use: PassUse | null): Bytes {
  return use ? concat(use.key, use.signature) : new Uint8Array(0);
}

/** The reverse. @throws Malformed */
export function parseUse(bytes: Bytes): PassUse | null {
  if (bytes.length === 0) return null;
  if (bytes.length !== 32 + signatureBytes) throw new Malformed("the use of a pass has a wrong length");
  return { key: bytes.slice(0, 32), signature: bytes.slice(32) };
}
