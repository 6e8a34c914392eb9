/** FileOffer: a file that somebody has sent into a room, as the room keeps it until it is saved or has expired. */

import type { Bytes } from "../../crypto/bytes.ts";

/** What is needed to get it. */
export interface FileOffer {
  /** 16 bytes. */
  readonly fileId: Bytes;
  /** 32 bytes. */
  readonly key: Bytes;
  /** 32 bytes. */
  readonly sha256: Bytes;
  /** Bytes. */
  readonly size: number;
  /** Seconds since 1970, as the server has said to its sender. */
  readonly until: number;
  /** Made harmless. */
  readonly name: string;
  /** Who sent it. */
  readonly from: string;
  /** When, by the sender's clock, milliseconds since 1970. */
  readonly timeMs: number;
  /** Where it comes to, while it is wanted. */
  readonly part?: string;
  /** It failed: what is there stays, and it goes on when it is asked for again. */
  readonly isStopped?: boolean;
}

/** Offers of a room, by file id in hex, in the order they came. */
export type FileOffers = Readonly<Record<string, FileOffer>>;

const maxOffers = 256;

/** One more; those that have expired, and the oldest of too many, go. @param now seconds */
export function withOffer(offers: FileOffers, id: string, offer: FileOffer, now: number): FileOffers {
  const kept = Object.entries(offers).filter(([other, { until, part }]) =>
    other !== id && (until > now || part !== undefined)
  );
  const [wanted, others] = [kept.filter(([, { part }]) => part), kept.filter(([, { part }]) => !part)];
  const stay = new Set([...wanted, ...others.slice(1 - maxOffers)].map(([other]) => other));
  return Object.fromEntries([...kept.filter(([other]) => stay.has(other)), [id, offer]]);
}

/** One less. */
export function withoutOffer(offers: FileOffers, id: string): FileOffers {
  return Object.fromEntries(Object.entries(offers).filter(([other]) => other !== id));
}
