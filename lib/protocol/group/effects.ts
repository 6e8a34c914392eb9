/**
 * Effects: what follows from an entry, as data. The caller takes the new state over and carries the effects out;
 * what they show or send waits until that state is stored. How they look on a screen is not known here.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import type { Commit } from "./commit.ts";
import type { RoomHead } from "./commit_rules.ts";
import type { Content } from "./content.ts";
import type { ViewEffect } from "./fork_check.ts";
import type { Named } from "../identity/name.ts";

/** Why a message is fed to the history and changes nothing else. */
export type MessageFault =
  | "no message"
  | "another room"
  | "another epoch"
  | "another commit"
  | "no member"
  | "out of order"
  | "not signed"
  | "impossible view"
  | "view of what follows"
  | "does not open";

/** Why a valid commit has left us without a key. */
export type NoKey =
  /** It has no box for us: we had no valid prekey, or its author left us out. */
  | "no box"
  /** The server does not give the box. */
  | "withheld"
  /** It is the one that was signed for us, and does not open. */
  | "does not open"
  /** It opens, and holds another secret than the one that was signed. */
  | "not what was signed"
  /** It is our own, and this machine does not know it. */
  | "own";

/** Why we do not enter a room that we were let in to. */
export type NotEntered = "another room has its name" | "needs its key file" | "has no key file";

/** One thing to be done, in order. */
export type Effect =
  /** A message that is new to us. */
  | {
    readonly type: "message";
    readonly pos: number;
    readonly sender: Named;
    readonly own: boolean;
    readonly epoch: number;
    readonly content: Content;
  }
  /** An own message that waited is stored. */
  | { readonly type: "stored"; readonly msgId: Bytes }
  /** A message changes nothing; `sender` as far as it is known. */
  | { readonly type: "message refused"; readonly why: MessageFault; readonly sender: Named | null }
  /** A commit changes nothing: no honest server keeps one like it. */
  | { readonly type: "commit refused"; readonly why: string }
  /** Numbers of a sender were never shown to us. */
  | { readonly type: "missing"; readonly sender: Named; readonly count: number }
  /** We have no key for what somebody said. */
  | { readonly type: "unreadable"; readonly sender: Named }
  | ViewEffect
  /** The server gave what no honest one stores: the alarm that only an admin's pass lifts. */
  | { readonly type: "hides" }
  /** Something at `pos` waits for the view of somebody else than its author. */
  | { readonly type: "uncovered"; readonly pos: number; readonly author: Bytes; readonly timeMs: number }
  /** The server returned something of ours that this machine does not know: new keys before the next message. */
  | { readonly type: "not ours"; readonly what: "message" | "commit" }
  /** The person who invited us has signed something here. */
  | { readonly type: "inviter seen"; readonly inviter: Bytes }
  /** A commit has left us without a key. */
  | { readonly type: "no key"; readonly author: string; readonly why: NoKey; readonly time: number }
  /** We are in. @param renewedBy whose pass was listed after all that we knew of the room, where she was an admin */
  | {
    readonly type: "admitted";
    readonly commit: Commit;
    readonly own: boolean;
    readonly renewedBy: Bytes | null;
  }
  /** A commit was applied to a room that we were in. */
  | { readonly type: "changed"; readonly commit: Commit; readonly before: RoomHead }
  /** A commit has removed us. */
  | { readonly type: "removed" }
  /** A new epoch: what was sealed for the one before and is not in the log never will be. */
  | { readonly type: "epoch"; readonly epoch: number }
  /** Secrets that the new state no longer has: to be overwritten. */
  | { readonly type: "spent"; readonly secrets: readonly Bytes[] };

/** What must be had before an entry can be judged; then it is processed again, from the same state. */
export type Need =
  /** The cards of these ids. */
  | { readonly type: "cards"; readonly ids: readonly Bytes[] }
  /** The person's word on these, for whose names other keys are known. */
  | { readonly type: "trust"; readonly people: readonly Named[] }
  /** The commits from what we were shown up to this epoch: what we were shown goes on to there. */
  | { readonly type: "chain"; readonly to: number }
  /** The box with this hash, opened. */
  | { readonly type: "box"; readonly hash: Bytes; readonly commit: Commit };

/** What an entry has come to. */
export type Processed<State> =
  | { readonly type: "done"; readonly state: State; readonly effects: readonly Effect[] }
  | { readonly type: "need"; readonly need: Need }
  /** An admission that we do not follow; nothing has changed. */
  | { readonly type: "not entered"; readonly why: NotEntered; readonly roomName: string }
  /** The key file that was given is not the room's; nothing has changed. */
  | { readonly type: "wrong key file"; readonly roomName: string }
  /** No honest server sends it: the connection must end. */
  | { readonly type: "fault"; readonly why: string };
