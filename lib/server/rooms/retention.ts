/** Retention: how long sealed messages wait for members who are away (protocol §10). */

/** Whichever comes first. */
export interface Retention {
  /** Seconds; also how long boxes wait. */
  readonly seconds: number;
  /** Bytes of messages per room. */
  readonly bytes: number;
}

/** 30 days, 64 MiB. */
export const defaultRetention: Retention = { seconds: 30 * 86_400, bytes: 64 * 1024 * 1024 };
