/**
 * LimitNotices: what somebody is told who has reached a limit that waiting a second does not mend; with the flag by
 * which the operator can raise it. The other limits are told by LIMIT alone, and a client tries again by itself.
 */

import type { Clock } from "../clock.ts";
import type { LimitReached } from "./limit_reached.ts";

// A client that waits for a place tries again every half minute: its person is not told as often.
const againMs = 600_000;

const words: Partial<Record<LimitReached, string>> = {
  "rooms-per-user": "You have made as many rooms, or are in as many, as one person may here: leave one.",
  "direct-rooms-per-user": "You have begun as many rooms of two as one person may here.",
  "direct-rooms-per-hour": "You have begun as many rooms as one person may here in an hour.",
  "rooms-per-address": "As many rooms have begun from your address as may in an hour.",
  "max-rooms": "There are as many rooms as this server takes.",
  "max-members": "The room has as many members as it may.",
  "puts-at-once": "You have put as many people into rooms, unasked, as one person may for now.",
  "unwanted-rooms": "Somebody of those is in as many rooms, unasked, as anybody is put into: let them /join.",
  "store-bytes": "The server's disk is too full for this, until something has expired.",
  "retain-bytes": "This room has had as many changes of its members as are kept.",
  "join-burst": "As many from your address wait to be let in somewhere as may for now.",
  "own-entry-seconds":
    "You have come in to that room by yourself a short while ago: now a member must let you in.",
  "file-bytes": "The file is larger than this server takes.",
  "files-per-user":
    "Your files here are as many bytes as one person's may be: they go with time, or by /cancel.",
  "files-per-room": "The files of this room are as many bytes as they may be: they go with time.",
  "files-per-address": "The files from your address are as many bytes as they may be: they go with time.",
  "files-bytes": "This server has no room for more files now: they go with time.",
  "entry-burst": "As many from your address have entered rooms by themselves as may for now.",
};

/** Those of one link. */
export class LimitNotices {
  #told = new Map<LimitReached | "disk", number>();

  constructor(private readonly clock: Clock) {}

  /** The disk has refused what was asked. @returns what to say; null when it has just been said */
  diskRefused(): string | null {
    return this.#once("disk")
      ? "The server cannot keep anything at the moment; what you said is tried again."
      : null;
  }

  /** A limit was reached. @returns what to say; null for nothing, or when it has just been said */
  reached(what: LimitReached): string | null {
    const text = words[what];
    if (text === undefined) return null;
    return this.#once(what) ? `${text} The operator can change that with --${what}.` : null;
  }

  #once(what: LimitReached | "disk"): boolean {
    const now = this.clock.now();
    if (Math.abs(now - (this.#told.get(what) ?? -Infinity)) < againMs) return false;
    this.#told.set(what, now);
    return true;
  }
}
