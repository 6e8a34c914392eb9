/**
 * ServerGate: which server key is accepted, by pin, invite, flag or question (protocol §4.3, §5 check 3), and what
 * is kept of it.
 *
 * It is checked when the card comes, before anything about us is sent; kept only once the handshake has proved that the
 * server holds the card's key.
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { hostPort } from "../../host_port.ts";
import type { KeyClaims } from "../trust/key_claims.ts";
import {
  InviteMismatch,
  type KnownKeys,
  RoomInviteMismatch,
  ServerKeyChanged,
  ServerNotAccepted,
  ServerUnknown,
} from "../trust/known_keys.ts";
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

/** Asks and tells the person. */
export interface Gatekeeper {
  /** Shows news. */
  notice(text: string): void;
  /** Asks. */
  ask(question: string): Promise<boolean>;
}

/** The gate of one run. */
export class ServerGate {
  #accepted: Bytes | null = null;

  /** @param said on the command line @param claims whether `--trust` has been used up */
  constructor(
    private readonly known: KnownKeys,
    private readonly said: ServerTrust,
    private readonly claims: KeyClaims,
    private readonly person: Gatekeeper,
  ) {}

  get #trust(): ServerTrust {
    const { said } = this;
    return { ...said, expectServer: this.#accepted ?? said.expectServer, trust: this.claims.word };
  }

  /** Judges the key that a server shows. @throws what {@link checkServerPin} does */
  check(id: Bytes): void {
    checkServerPin(this.known, this.#trust, id);
  }

  /** First contact: shows the digits and asks. @throws ServerNotAccepted */
  async meet({ host, id }: ServerUnknown): Promise<void> {
    this.person.notice(
      `The key of ${host} is not known yet. Ask its operator to read the fingerprint to you:`,
    );
    this.person.notice(`  ${fingerprint(id)}`);
    if (!await this.person.ask("Is it the same, and do you want to go on?")) {
      throw new ServerNotAccepted(host);
    }
    this.#accepted = id;
  }

  /** Keeps the key that has proved itself. */
  keep(id: Bytes, version: number): void {
    const news = keepServerPin(this.known, this.#trust, id, version);
    const target = hostPort(this.said.host, this.said.port);
    if (news === "new" && !this.said.expectServer) {
      this.person.notice(`The key of ${target} is new, and kept: ${fingerprint(id)}`);
    }
    if (news !== "changed") return;
    this.claims.used(); // for this key, and no other that may answer later
    this.person.notice(`The changed key of ${target} is accepted, and kept: ${fingerprint(id)}`);
  }

  /** An invite names the room; it does not replace one that is known. @throws RoomInviteMismatch */
  keepRoom(serverId: Bytes, room: string, roomId: Bytes): void {
    const pinned = this.known.room(serverId, room);
    if (pinned && !equals(pinned, roomId) && !this.claims.names(room)) throw new RoomInviteMismatch(room);
    this.known.pinRoom(serverId, room, roomId);
  }
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
  // Not even an invite replaces a pin: otherwise a forged invite would do.
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
