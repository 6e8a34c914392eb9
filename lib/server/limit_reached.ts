/** LimitReached: which limits a request can reach, named by the flags that set them. */

/** Limits that a request can reach, by their flags; `boxes` is the protocol's own. */
export const limitsReached = [
  "rooms-per-user",
  "direct-rooms-per-user",
  "rooms-per-address",
  "puts-at-once",
  "join-burst",
  "entry-burst",
  "own-entry-seconds",
  "unwanted-rooms",
  "store-bytes",
  "retain-bytes",
  "direct-rooms-per-hour",
  "max-rooms",
  "max-members",
  "commit-ms",
  "member-commits",
  "sends-per-second",
  "work-ms",
  "boxes",
  "file-bytes",
  "files-per-user",
  "files-per-room",
  "files-per-address",
  "files-bytes",
] as const;
/** One of them. */
export type LimitReached = typeof limitsReached[number];

/** What a request that has reached it is answered: FULL where waiting a while mends nothing. */
export function codeOf(limit: LimitReached): "LIMIT" | "FULL" {
  return /^files?-/.test(limit) ? "FULL" : "LIMIT";
}
