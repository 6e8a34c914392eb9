/**
 * Standing: how far a server's view has applied the log, and a digest of what came of it. Two servers that stand at the
 * same entry with other digests have come to other states; whoever finds herself alone against the others must not sign
 * another head (protocol §9), since it would be a second history.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import { ChatError } from "../../errors.ts";
import { Writer } from "../../protocol/codec/wire.ts";
import type { Outcome } from "../store/journal.ts";

/** Bytes of a digest. */
export const digestBytes = 16;
/** Standings of the past that are remembered, to be compared with those of others. */
const remembered = 8192;
/** What another has said counts for so long. */
const saidMs = 60_000;

/** See above. */
export interface Standing {
  /** The last entry that was applied; 0: none. */
  readonly seq: number;
  /** 16 bytes. */
  readonly digest: Bytes;
}

/** Before the first entry. */
export const beginning: Standing = { seq: 0, digest: new Uint8Array(digestBytes) };

/** After one more entry. @param mixed what it has made of the histories, 32 bytes */
export function nextStanding(
  { digest }: Standing,
  seq: number,
  outcomes: readonly Outcome[],
  mixed: Bytes,
): Standing {
  const w = new Writer(128 + outcomes.length * 16).raw(digest).u64(seq).raw(mixed);
  for (const outcome of outcomes) {
    const { type } = outcome;
    w.vec8(new TextEncoder().encode(type === "refused" ? `${outcome.code} ${outcome.limit ?? ""}` : type));
    if (type === "stored") w.u64(outcome.pos).u8(outcome.isRepeated ? 1 : 0);
  }
  return { seq, digest: sha256(w.done()).slice(0, digestBytes) };
}

/** This server is alone against the others. */
export class StateDiffers extends ChatError {
  /** @param seq the entry at which it was found */
  constructor(seq: number) {
    super(
      `This server has come to another state than the others (at entry ${seq} of the log): it must not go on`,
      "start it again: its view is put aside as rooms.db.differs, and made anew from the log; please report it",
    );
  }
}

/** What one server's standings were, and what the others say of theirs. */
export class Standings {
  #past = new Map<number, Bytes>();
  #others = new Map<string, { readonly agrees: boolean; readonly atMs: number }>();

  /** This server stands here now. */
  stand({ seq, digest }: Standing): void {
    this.#past.set(seq, digest);
    this.#past.delete(seq - remembered);
  }

  /** All of it is applied again from somewhere else. */
  forget(): void {
    this.#past.clear();
  }

  /**
   * Another says where it stood.
   *
   * @param by a run of a server
   * @param nowMs this server's time
   * @throws StateDiffers when as many say otherwise as say the same, this one included
   */
  hear(by: Bytes, { seq, digest }: Standing, nowMs: number): void {
    const own = this.#past.get(seq);
    if (!own) return;
    this.#others.set(encodeHex(by), { agrees: equals(own, digest), atMs: nowMs });
    let balance = 1;
    for (const [key, { agrees, atMs }] of this.#others) {
      if (nowMs - atMs > saidMs) this.#others.delete(key);
      else balance += agrees ? 1 : -1;
    }
    if (balance <= 0) throw new StateDiffers(seq);
  }
}
