/**
 * Shown: what somebody who is not in a room was shown of it (protocol §7.6). The commits are followed one by one, each by
 * the rules; what was known once is never taken back, by whatever invite it is begun anew.
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import type { Commit } from "./commit.ts";
import { type BrokenRule, checkSuccessor, headAfter, type RoomHead, type RuleFacts } from "./commit_rules.ts";

/** A commit of a room's chain. */
export interface ChainPlace {
  /** Its epoch. */
  readonly epoch: number;
  /** Its hash. */
  readonly hash: Bytes;
}

/** By which invite the room was shown. */
export interface Listing {
  /** In which epoch its pass was listed. */
  readonly epoch: number;
  /** The pass's public key. */
  readonly pass: Bytes;
  /** Who has signed that. */
  readonly inviter: Bytes;
}

/** See above. */
export interface Shown {
  /** As the last commit left it that was followed; its position is not known. */
  readonly head: RoomHead;
  /** Null without an invite that lists a pass. */
  readonly listed: Listing | null;
  /** The newest commit that was known in any way: the chain leads through it, and nothing up to it admits us. */
  readonly through: ChainPlace | null;
}

/** Begins with a commit, by an invite or the newest. @returns null when it is not the one that was known */
export function beginShown(
  commit: Commit,
  listed: Listing | null,
  before: Shown | null,
  known: RoomHead | null,
): Shown | null {
  const places = [before?.through, before && placeOf(before.head), known && placeOf(known)]
    .filter((place) => place !== null && place !== undefined);
  const through = places.reduce<ChainPlace | null>(
    (newest, place) => newest && newest.epoch >= place.epoch ? newest : place,
    null,
  );
  return passedThrough({ head: headAfter(commit, 0), listed, through });
}

/** What somebody has known as a member. */
export function shownAs(head: RoomHead): Shown {
  return { head, listed: null, through: placeOf(head) };
}

/** Goes on with the next commit. @returns null when it is not the one that was known; else which rule it breaks */
export function followShown(shown: Shown, commit: Commit, facts: RuleFacts): Shown | BrokenRule | null {
  const broken = checkSuccessor(commit, null, shown.head, facts);
  return broken ?? passedThrough({ ...shown, head: headAfter(commit, 0) });
}

/** Whether an epoch is not after all that was shown and known. */
export function isBeforeShown({ head, through }: Shown, epoch: number): boolean {
  return epoch <= Math.max(head.epoch, through?.epoch ?? -1);
}

/** Whether two invites are one. */
export function isSameListing(a: Listing | null | undefined, b: Listing): boolean {
  return a != null && a.epoch === b.epoch && equals(a.pass, b.pass) && equals(a.inviter, b.inviter);
}

function placeOf({ epoch, commitHash }: RoomHead): ChainPlace {
  return { epoch, hash: commitHash };
}

function passedThrough(shown: Shown): Shown | null {
  const { head, through } = shown;
  if (!through || through.epoch < head.epoch) return { ...shown, through: placeOf(head) };
  return through.epoch > head.epoch || equals(through.hash, head.commitHash) ? shown : null;
}
