/** Site (protocol §7): a room belongs to one run of one server. */

import type { Bytes } from "../../crypto/bytes.ts";
import { labelledHash } from "../../crypto/hash.ts";

/**
 * `site = Hash("chat2 site", server_id, run_id)`, 32 bytes. Ids of direct and key-file rooms, commits and heads are
 * bound to it, so that what a server signs after it has lost its logs is no second history of the same room.
 *
 * @param serverId 32 bytes @param runId 16 bytes, as in WELCOME
 */
export function siteOf(serverId: Uint8Array, runId: Uint8Array): Bytes {
  return labelledHash("chat2 site", serverId, runId);
}
