/** ServerEvents: what happens on a server that its operator may want to see; never content, never keys. */

import type { ChatError } from "../errors.ts";

/** Each call is one line at most; status.ts writes them in the product's wording. */
export interface ServerEvents {
  /** A peer has proved its identity and was welcomed. @param local, remote `host:port` */
  connected(name: string, local: string, remote: string): void;
  /** The handshake has brought the client's card. */
  clientKeyReceived(): void;
  /** The handshake's last secret is on its way. */
  secretKeySent(): void;
  /** A commit has added somebody. */
  joinedRoom(name: string, room: string): void;
  /** A message was stored and shown. */
  exchanged(timeMs: number): void;
  /** A peer's link is over. */
  left(name: string): void;
  /** A peer was refused after its handshake. @param why the CLOSE reason in words */
  refused(name: string, why: string): void;
  /** The disk refused a batch of writes. */
  storeFailed(error: ChatError): void;
  /** The accounts cannot be used: whoever wants in is told to try again, whoever is in stays. */
  accountsFailed(error: ChatError): void;
  /** They can be used again. */
  accountsBack(): void;
  /** A bug of ours; the session it happened in is over. */
  bug(error: Error): void;
}
