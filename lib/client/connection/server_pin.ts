/**
 * The pin of a server (protocol §4.3, §5 check 3): whether the key it shows is the one it had, and when a new
 * one may be kept.
 *
 * Checked when the card comes, before anything about us is sent; kept only once the handshake has proved that
 * the server holds the card's key.
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { InviteMismatch, type KnownKeys, ServerKeyChanged, ServerUnknown } from "../trust/known_keys.ts";
import { hostPort } from "../../host_port.ts";
import { isLoopback } from "../../loopback.ts";

/** What the person said of the server. */
export interface ServerTrust {
  /** Host name or address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** A server id that an invite vouches for. */
  readonly expectServer: Bytes | null;
  /** Accept the key of a server that is not known yet. */
  readonly acceptNew: boolean;
  /** A person, or a server as `host:port`, whose changed key is accepted. */
  readonly trust: string | null;
}

/**
 * Judges the id of the card that a server shows.
 *
 * @throws InviteMismatch, ServerKeyChanged, ServerUnknown: the handshake must stop
 */
export function checkServerPin(known: KnownKeys, said: ServerTrust, id: Bytes): void {
  const target = hostPort(said.host, said.port);
  const pinned = known.server(target);
  if (said.expectServer && !equals(said.expectServer, id)) {
    throw new InviteMismatch(target, said.expectServer, id);
  }
  if (pinned && equals(pinned, id)) return;
  // Not even an invite replaces a pin: a forged one would be enough then.
  if (pinned && said.trust !== target) throw new ServerKeyChanged(target, pinned, id);
  if (!pinned && !said.expectServer && !said.acceptNew && !isLoopback(said.host)) {
    throw new ServerUnknown(target, id);
  }
}

/**
 * Keeps the key that has proved itself, and the version it spoke.
 *
 * @returns what is news about the key
 */
export function keepServerPin(
  known: KnownKeys,
  said: ServerTrust,
  id: Bytes,
  version: number,
): "known" | "new" | "changed" {
  const target = hostPort(said.host, said.port);
  const pinned = known.server(target);
  const isKnown = pinned !== null && equals(pinned, id);
  known.pinServer(target, id, isKnown ? Math.max(version, known.serverVersion(target)) : version);
  return isKnown ? "known" : pinned ? "changed" : "new";
}
