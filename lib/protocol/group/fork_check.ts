/** Fork check (protocol §9): whether an author was shown the history that we were shown. */

import { equals } from "@std/bytes/equals";
import type { History, HistoryView } from "./history.ts";

/**
 * Holds an author's view, once the signature over it holds, against our own history.
 *
 * @returns `same`, and so it confirms what we have seen up to there; `forked`; `unknown` when it is older than what
 * is kept, which proves nothing
 */
export function checkView(history: History, view: HistoryView): "same" | "forked" | "unknown" {
  const own = history.at(view.pos);
  if (own !== null) return equals(own, view.hash) ? "same" : "forked";
  // The author has seen a position that was not shown to us before her entry.
  return view.pos > history.view.pos ? "forked" : "unknown";
}
