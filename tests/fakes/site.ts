/** Where the rooms of tests are: the first run of the recorded server. */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { siteOf } from "../../lib/protocol/group/site.ts";
import { signHead } from "../../lib/protocol/group/signed_head.ts";
import type { HistoryView, SignedView } from "../../lib/protocol/group/history.ts";
import { person } from "./people.ts";

/** The run id of a world's first store, and of those after it. */
export const runOf = (n: number): Bytes => new Uint8Array(16).fill(n);

const server = await person("server");

export const testSite = siteOf(server.card.id, runOf(1));

/** A view without a head: such as a liar states, or somebody at the beginning. */
export const unsigned = (pos: number, hash: Bytes): SignedView => ({
  pos,
  hash,
  headSig: new Uint8Array(64),
});

/** The head that the recorded server has signed for a view. @param site where, if not in the first run */
export function signedBy(room: Uint8Array, view: HistoryView, site: Uint8Array = testSite): SignedView {
  return {
    ...view,
    headSig: view.pos === 0 ? new Uint8Array(64) : signHead({ site, room }, view, server.identity.signing),
  };
}
