/** Retention: how long sealed messages and files wait for members who are away (protocol §10). */

/** Whichever comes first. */
export interface Retention {
  /** Seconds; also how long boxes wait. */
  readonly seconds: number;
  /** Bytes of messages per room. */
  readonly bytes: number;
  /** Seconds that a file waits, once it is whole; a week by default. */
  readonly filesSeconds?: number;
}

/** A week. */
export const defaultFilesSeconds: number = 7 * 86_400;

/** 30 days, 64 MiB. */
export const defaultRetention: Retention = { seconds: 30 * 86_400, bytes: 64 * 1024 * 1024 };
