/** Fork check (protocol §9): whether an author was shown the history that we were shown, and who lies if not. */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import type { VerifyingKey } from "../../crypto/ed25519.ts";
import type { History, HistoryView, SignedView } from "./history.ts";
import { type HeadPlace, isHeadSigned } from "./signed_head.ts";

/** What a view shows. */
export type ViewEffect =
  /** An author stands where we stood at `view`. */
  | { readonly type: "agrees"; readonly author: Bytes; readonly view: HistoryView }
  /** The server has signed another history than ours: the alarm. @param view where its author stood */
  | { readonly type: "two histories"; readonly author: Bytes; readonly view: SignedView }
  /** An author claims another history, which no server has signed: she lies. */
  | { readonly type: "false view"; readonly author: Bytes };

/**
 * Holds an author's view, once the signature over it holds, against our own history.
 *
 * @param view not after our last position, and not further back than is kept within our stay
 * @param server the server's key
 * @returns null for a view from before our stay
 */
export function checkView(
  history: History,
  author: Bytes,
  view: SignedView,
  place: HeadPlace,
  server: VerifyingKey,
): ViewEffect | null {
  const own = history.at(view.pos);
  if (own === null) return null;
  if (equals(own, view.hash)) return { type: "agrees", author, view };
  const isSigned = view.pos > 0 && isHeadSigned(place, view, view.headSig, server);
  return isSigned ? { type: "two histories", author, view } : { type: "false view", author };
}
