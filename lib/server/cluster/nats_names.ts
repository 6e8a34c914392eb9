/** NatsNames: streams and subjects of ours in NATS. A user of it needs rights to these, and to nothing else. */

/** Streams and buckets. */
export const streams = { log: "CHAT", snapshots: "CHAT_SNAP", blobs: "CHAT_BLOBS" } as const;

/** Subjects. */
export const subjects = {
  /** What is appended to the log; a number, so that it can be divided by room one day. */
  log: "chat.log.0",
  /** What is stored there, as it comes. */
  live: "chat.live.0",
  /** Chunks of files: the file and the chunk's number follow. */
  blob: "chat.blob",
  /** Who is linked where; a server's own run follows. */
  here: "chat.here",
  /** What operators ask of all servers. */
  command: "chat.ctl",
  /** What is asked of one server; its run follows. */
  ask: "chat.ask",
} as const;
