/**
 * ServerGate: which server key is accepted, by pin, invite, flag or question, and what is kept of it once the
 * handshake has proved it (protocol §4.3).
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { hostPort } from "../../host_port.ts";
import type { KeyClaims } from "../trust/key_claims.ts";
import {
  type KnownKeys,
  RoomInviteMismatch,
  ServerNotAccepted,
  type ServerUnknown,
} from "../trust/known_keys.ts";
import { checkServerPin, keepServerPin, type ServerTrust } from "./server_pin.ts";

/** Whoever is asked and told. */
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

  /**
   * Keeps the key that has proved itself.
   *
   * @returns whether a changed one was accepted
   */
  keep(id: Bytes, version: number): boolean {
    const news = keepServerPin(this.known, this.#trust, id, version);
    const target = hostPort(this.said.host, this.said.port);
    if (news === "new" && !this.said.expectServer) {
      this.person.notice(`The key of ${target} is new, and kept: ${fingerprint(id)}`);
    }
    if (news !== "changed") return false;
    this.claims.used(); // for this key, and no other that may answer later
    this.person.notice(`The changed key of ${target} is accepted, and kept: ${fingerprint(id)}`);
    return true;
  }

  /** An invite names the room; it does not replace one that is known. @throws RoomInviteMismatch */
  keepRoom(serverId: Bytes, room: string, roomId: Bytes): void {
    const pinned = this.known.room(serverId, room);
    if (pinned && !equals(pinned, roomId) && !this.claims.names(room)) throw new RoomInviteMismatch(room);
    this.known.pinRoom(serverId, room, roomId);
  }
}
