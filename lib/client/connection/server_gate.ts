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
import { type Address, hostPort } from "../../host_port.ts";
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
export interface ServerTrust extends Address {
  /** Where else: several servers that share their rooms have one key. */
  readonly others: readonly Address[];
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

  /** What was said, from where one of the addresses stands. */
  #trustAt(at: Address): ServerTrust {
    const { said } = this;
    const others = [said, ...said.others].filter(({ host, port }) => host !== at.host || port !== at.port);
    const expectServer = this.#accepted ?? said.expectServer;
    return { ...said, host: at.host, port: at.port, others, expectServer, trust: this.claims.word };
  }

  /** Judges the key that a server shows. @param at where @throws what {@link checkServerPin} does */
  check(id: Bytes, at: Address): void {
    checkServerPin(this.known, this.#trustAt(at), id);
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

  /** Keeps the key that has proved itself. @param at where */
  keep(id: Bytes, version: number, at: Address): void {
    const news = keepServerPin(this.known, this.#trustAt(at), id, version);
    const target = hostPort(at.host, at.port);
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
  // Whoever is at one of them is at all of them: the first contact pins the key for the list.
  const pinned = known.server(target) ?? pinOf(known, said.others);
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

/** The key that is pinned for the first of them that has one. */
function pinOf(known: KnownKeys, addresses: readonly Address[]): Bytes | null {
  return addresses.map(({ host, port }) => known.server(hostPort(host, port))).find((id) => id !== null) ??
    null;
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
  const own = known.server(target);
  const pinned = own ?? pinOf(known, said.others);
  const isKnown = pinned !== null && equals(pinned, id);
  known.pinServer(target, id, isKnown ? Math.max(version, known.serverVersion(target)) : version);
  // What the person has accepted at one of them is so at all.
  for (const { host, port } of pinned && !isKnown ? said.others : []) {
    if (known.server(hostPort(host, port))) known.pinServer(hostPort(host, port), id, version);
  }
  return isKnown ? "known" : pinned ? "changed" : "new";
}
