/** Fork check (protocol §9): whether an author was shown the history that we were shown, and who lies if not. */

import { equals } from "@std/bytes/equals";
import type { VerifyingKey } from "../../crypto/ed25519.ts";
import type { History, SignedView } from "./history.ts";
import { type HeadPlace, isHeadSigned } from "./signed_head.ts";

/** What a view shows. */
export type ViewShows =
  /** Its author has seen what we have, up to there. */
  | "same"
  /** It is from before our stay: nothing. */
  | "nothing"
  /** The server has signed another history than ours. */
  | "two histories"
  /** The author claims what no server has signed. */
  | "false view";

/**
 * Holds an author's view, once the signature over it holds, against our own history.
 *
 * @param view not after our last position, and not further back than is kept within our stay
 * @param server the server's key
 */
export function checkView(
  history: History,
  view: SignedView,
  place: HeadPlace,
  server: VerifyingKey,
): ViewShows {
  const own = history.at(view.pos);
  if (own === null) return "nothing";
  if (equals(own, view.hash)) return "same";
  return view.pos > 0 && isHeadSigned(place, view, view.headSig, server) ? "two histories" : "false view";
}
