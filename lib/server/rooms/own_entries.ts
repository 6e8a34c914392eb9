/**
 * OwnEntries (protocol §7.6, §12): to whom the server shows the commits of a room that she is not in, so that she can
 * enter by herself, and how often it takes such a commit.
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { type Commit, commitHow } from "../../protocol/group/commit.ts";
import { isPassFor, isPassUsed, type PassUse } from "../../protocol/group/pass.ts";
import { policies } from "../../protocol/group/roster.ts";
import type { Card } from "../../protocol/identity/card.ts";
import type { Limits } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { ServerRoom } from "./room.ts";

/** What is asked about one room. */
export type EntranceRoom = Pick<ServerRoom, "id" | "head" | "hasMember" | "isBanned" | "isRetired">;

/** A pass has an end: who enters by it must not say another time than it is. */
const maxSkewSeconds = 600;

/**
 * Whether somebody may be shown the commits of a room: members; who may enter an open one; and the holder of a pass that
 * is listed. Rosters of closed rooms are nobody else's business.
 *
 * @param now seconds since 1970
 */
export function mayFollow(
  room: EntranceRoom,
  { id, name }: Card,
  use: PassUse | null,
  site: Bytes,
  now: number,
): boolean {
  if (room.hasMember(id)) return true;
  if (room.isRetired || room.isBanned(id)) return false;
  const { policy, passes } = room.head;
  if (policy === policies.open) return true;
  if (policy !== policies.closed || !use) return false;
  const pass = passes.find(({ key }) => equals(key, use.key));
  return pass !== undefined && isPassFor(pass, name, now) && isPassUsed(use, site, room.id, id);
}

/** Whether the time of an entry by pass is not what it is. @param timeMs the journal's */
export function isOutOfTime({ how, time }: Commit, timeMs: number): boolean {
  return how === commitHow.pass && Math.abs(time - timeMs / 1000) > maxSkewSeconds;
}

/** Whether somebody has entered a room by herself within so many seconds. @param timeMs the journal's */
export function hasJustEntered(
  { store, limits }: { readonly store: Store; readonly limits: Pick<Limits, "ownEntrySeconds"> },
  room: Bytes,
  id: Bytes,
  timeMs: number,
): boolean {
  const since = timeMs / 1000 - limits.ownEntrySeconds;
  for (const { from } of store.stays(room, id).toReversed()) {
    const [entry] = store.entries(room, from, 1);
    if (!entry || entry.time < since) return false;
    if (equals(entry.sender, id)) return true;
  }
  return false;
}
