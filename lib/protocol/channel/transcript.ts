/**
 * Transcript (protocol §5): the running hash over every handshake byte, the chain of secrets, and the
 * keys that come out of the two.
 *
 * All keys depend on all bytes before them, so a changed byte anywhere gives two sides different keys.
 */

import { ascii, type Bytes, concat } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import { extract, kdf } from "../../crypto/kdf.ts";

/** h and ck after some message; values, never changed in place. */
export interface Transcript {
  /** Hash of everything on the wire so far: 32 bytes. */
  readonly h: Bytes;
  /** Secrets so far: 32 bytes. */
  readonly ck: Bytes;
}

/** The secrets of both directions of one stage: 32 bytes each. */
export interface StageKeys {
  /** Client to server. */
  readonly c2s: Bytes;
  /** Server to client. */
  readonly s2c: Bytes;
}

/** Before the first message. */
export function startTranscript(): Transcript {
  const start = sha256(ascii("chat2 link"));
  return { h: start, ck: start };
}

/** After one more message, length prefix included. */
export function absorb(t: Transcript, wire: Uint8Array): Transcript {
  return { ...t, h: sha256(t.h, wire) };
}

/** After one more secret. */
export function mixSecret(t: Transcript, ...secret: Uint8Array[]): Transcript {
  return { ...t, ck: extract(t.ck, concat(...secret)) };
}

/** The keys of a stage, from ck and h as they are now. */
export function stageKeys(t: Transcript, stage: "stage 1" | "stage 2" | "traffic"): StageKeys {
  const k = kdf(t.ck, stage, t.h, 64);
  return { c2s: k.slice(0, 32), s2c: k.slice(32) };
}

/** A name for logs that tells nothing about the keys: 8 hex digits. */
export function sessionName(t: Transcript): string {
  const bytes = kdf(t.ck, "session", t.h, 32).subarray(0, 4);
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
