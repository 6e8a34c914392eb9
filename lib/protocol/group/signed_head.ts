/**
 * Signed heads (protocol §9): the server's signature over the history of a room, so that a server that shows two
 * histories leaves what convicts it.
 *
 *   head_sig = Sign(server, "chat2 head", site ‖ room ‖ u64 pos ‖ L(pos))
 */

import type { Bytes } from "../../crypto/bytes.ts";
import {
  signatureBytes,
  type SigningKey,
  signLabelled,
  type VerifyingKey,
  verifyLabelled,
} from "../../crypto/ed25519.ts";
import { type Reader, Writer } from "../codec/wire.ts";
import type { History, HistoryView, SignedView } from "./history.ts";

/** Which room's history it is, and where. */
export interface HeadPlace {
  /** 32 bytes. */
  readonly site: Uint8Array;
  /** Room id. */
  readonly room: Uint8Array;
}

/** At position 0 there is nothing to sign. */
export const noHeadSignature: Bytes = new Uint8Array(signatureBytes);

/** The view of somebody who has seen nothing yet: `(0, room)`, zeros. */
export function viewOfNothing(room: Bytes): SignedView {
  return { pos: 0, hash: room, headSig: noHeadSignature };
}

/** The newest position at which the server has signed our history. */
export interface ProvedHead {
  /** Where. */
  readonly pos: number;
  /** By which signature. */
  readonly signature: Bytes;
}

/** What we state when we say something: where we stand, with the server's signature. @throws Error without one */
export function signedViewOf(
  { id, history, proved }: {
    readonly id: Bytes;
    readonly history: History | null;
    readonly proved?: ProvedHead | null;
  },
): SignedView {
  const { pos, hash } = history!.view;
  if (pos === 0) return viewOfNothing(id);
  if (proved?.pos !== pos) throw new Error("a view without the head that proves it");
  return { pos, hash, headSig: proved.signature };
}

/** `u64 view_pos ‖ view_hash[32] ‖ head_sig[64]`. @returns the writer */
export function writeView(w: Writer, { pos, hash, headSig }: SignedView): Writer {
  return w.u64(pos).raw(hash).raw(headSig);
}

/** Reads what {@link writeView} writes. @throws Malformed */
export function readView(r: Reader): SignedView {
  return { pos: r.u64(), hash: r.view(32), headSig: r.view(signatureBytes) };
}

/** Signs one. @param server the server's key */
export function signHead(place: HeadPlace, view: HistoryView, server: SigningKey): Bytes {
  return signLabelled(server, "chat2 head", headText(place, view));
}

/** Whether a server has signed that this is the room's history. @param server its key */
export function isHeadSigned(
  place: HeadPlace,
  view: HistoryView,
  signature: Uint8Array,
  server: VerifyingKey,
): boolean {
  return verifyLabelled(server, "chat2 head", headText(place, view), signature);
}

/** What is signed, after the label. */
export function headText({ site, room }: HeadPlace, { pos, hash }: HistoryView): Bytes {
  return new Writer(104).raw(site).raw(room).u64(pos).raw(hash).done();
}
