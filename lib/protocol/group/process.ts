/**
 * Processing (protocol §7, §9): one entry of a room's log makes the next state from the last.
 *
 *   process(state, entry, facts) → done: the next state, and effects
 *                                → need: the same state; get it, then process the entry again
 *                                → not entered, wrong key file, fault: the same state, and why
 *
 * Pure: the same state, entry and facts give the same result, and nothing outside changes.
 */

import type { Processed } from "./effects.ts";
import type { Entry, Facts, GroupState } from "./group_state.ts";
import { entryKinds } from "./history.ts";
import { processAdmission, processCommit } from "./process_commit.ts";
import { processMessage } from "./process_message.ts";

/** Processes the entry that follows `state`; its position has been checked by the caller. */
export function process<State extends GroupState>(
  state: State,
  entry: Entry,
  facts: Facts,
): Processed<State> {
  if (state.status !== "in") return processAdmission(state, entry, facts);
  return entry.kind === entryKinds.commit
    ? processCommit(state, entry, facts)
    : processMessage(state, entry, facts);
}
