/** What anybody who sees a room's log can hold against a message, keys aside (protocol §7.3): server and members. */

import { equals } from "@std/bytes/equals";
import type { RoomHead } from "./commit_rules.ts";
import { type HistoryView, maxViewLag } from "./history.ts";
import { findMember } from "./roster.ts";
import { type MessageHeader, messageKinds, namedCommitBytes } from "./sealed_message.ts";

/** Why a message has no place in a room as it is. */
export type Misplaced = "another room" | "past epoch" | "future epoch" | "another commit" | "no member";

/** Whether a message belongs into this room and epoch, and its sender too. @returns null when all is well */
export function checkPlace(message: MessageHeader, head: RoomHead): Misplaced | null {
  if (!equals(message.room, head.room) || message.kind !== messageKinds.ordinary) return "another room";
  if (message.epoch < head.epoch) return "past epoch";
  if (message.epoch > head.epoch) return "future epoch";
  // By the number alone, a commit on a branch that was hidden would pass for the one that others have.
  if (!equals(message.commit, head.commitHash.subarray(0, namedCommitBytes))) return "another commit";
  return findMember(head.roster, message.sender) ? null : "no member";
}

/**
 * Whether the author of an entry at `pos` can have stood at `view`.
 *
 * @returns `past`: before the epoch that it is sealed for, or so long ago that others may not be able to check it;
 * `future`: the entry itself, or what follows it
 */
export function checkMessageView(view: HistoryView, head: RoomHead, pos: number): "past" | "future" | null {
  if (view.pos < head.commitPos || view.pos < pos - maxViewLag) return "past";
  return view.pos < pos ? null : "future";
}
