/**
 * ServerEvents: what happens on a server that its operator may want to see or count; never content, never keys, and
 * nothing that tells how a cryptographic check of a failed handshake came out (protocol §13).
 */

import type { Bytes } from "../crypto/bytes.ts";
import type { ChatError } from "../errors.ts";
import type { LinkEnd } from "../protocol/channel/link.ts";
import type { LimitReached } from "./limit_reached.ts";

/** Why a handshake failed, as far as it may be told: `crypto` is every tag, key, card and decryption alike. */
export const handshakeFailures = ["deadline", "cut", "malformed", "puzzle", "busy", "crypto"] as const;
/** One of them. */
export type HandshakeFailure = typeof handshakeFailures[number];

/** Why a connection was closed before anything was read from it. */
export const turnedAwayFor = ["pending", "pending from address", "handshakes from address"] as const;
/** One of them. */
export type TurnedAwayFor = typeof turnedAwayFor[number];

/** Something that happened. */
export type ServerEvent =
  /** A peer has proved its identity and was welcomed; `local` and `remote` are `host:port`. */
  | { type: "connected"; name: string; id: Bytes; session: string; local: string; remote: string }
  /** The handshake has brought the client's card, and its last secret is on its way. */
  | { type: "handshake done" }
  /** A handshake came to nothing. */
  | { type: "handshake failed"; why: HandshakeFailure; remote: string }
  /** A connection was closed at once: the ConnectionLimiter's limits. */
  | { type: "turned away"; why: TurnedAwayFor; remote: string }
  /** A peer was refused after its handshake. `why` is the CLOSE reason in words. */
  | { type: "refused"; name: string; id: Bytes; why: string; remote: string }
  /** A commit has added somebody. */
  | { type: "joined room"; name: string; id: Bytes; room: string; roomId: Bytes }
  /** A message was stored and shown. */
  | { type: "exchanged"; timeMs: number; bytes: number; roomId: Bytes }
  /** A request was refused because of a limit. */
  | { type: "limited"; what: LimitReached; id: Bytes }
  /** A peer's link is over. */
  | { type: "left"; name: string; id: Bytes; session: string; end: LinkEnd; received: number; sent: number }
  /** A batch of writes is on disk. */
  | { type: "flushed"; ms: number; writes: number }
  /** Records of one entry of a shared log have come back, and are on disk. @param ms since the oldest was proposed */
  | { type: "confirmed"; ms: number }
  /** The disk refused a batch of writes. */
  | { type: "store failed"; error: ChatError }
  /** The disk did not take or give a chunk of a file. */
  | { type: "files failed"; error: ChatError }
  /** The rooms fill a greater part of what they may on disk than was told before. */
  | { type: "disk filling"; percent: number }
  /** The log that several servers share cannot be reached: what is said waits, and nobody comes in. @param why in NATS's words */
  | { type: "log away"; why: string }
  /** It can be reached again. */
  | { type: "log back" }
  /** Another server was started with other limits than those that all share, and they are everybody's now. @param changes in words */
  | { type: "settings changed"; changes: readonly string[] }
  /** A snapshot of what several servers share was taken. */
  | { type: "snapshot"; seq: number; bytes: number }
  /** It could not be: the log keeps what it has. */
  | { type: "snapshot failed"; error: Error }
  /** The accounts cannot be used: new logins are told to try again, linked users stay. */
  | { type: "accounts failed"; error: ChatError }
  /** They can be used again. */
  | { type: "accounts back" }
  /** The operator did something: the word of the console, without what came after it. */
  | { type: "operator"; word: string }
  /** Somebody knows more of a room than there is. */
  | { type: "ahead"; id: Bytes; roomId: Bytes }
  /** A bug of ours; the session it happened in is over. */
  | { type: "bug"; error: Error };

/** Somebody who is told of all of it; must not throw, and must not wait. */
export interface ServerEvents {
  /** Something happened. */
  tell(event: ServerEvent): void;
}

/** Tells several. */
export function tellAll(...listeners: ServerEvents[]): ServerEvents {
  return {
    tell(event) {
      for (const listener of listeners) listener.tell(event);
    },
  };
}
