/** NatsNames: streams and subjects of ours in NATS. A user of it needs rights to these, and to nothing else. */

/** Streams and buckets. */
export const streams = { log: "CHAT" } as const;

/** Subjects. */
export const subjects = {
  /** What is appended to the log; a number, so that it can be divided by room one day. */
  log: "chat.log.0",
  /** What is stored there, as it comes. */
  live: "chat.live.0",
} as const;
