/**
 * Known keys (protocol §4.3): which key a server, a name or a room had when it was first seen, and what to
 * do when it has another.
 *
 * `known.jsonl` is one JSON object a line, newest last; a later line for the same thing replaces an
 * earlier one, so that writing is only ever appending.
 */

import { decodeHex } from "@std/encoding/hex";
import { encodeHex } from "../../hex.ts";
import { equals } from "@std/bytes/equals";
import { join } from "@std/path";
import { type Clock, seconds, systemClock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { canonicalHost } from "../../canonical_host.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { hostPort } from "../../host_port.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { checkFormat, stateFormat } from "../../storage/state_format.ts";
import { appendLine, readPrivate, writeAtomically } from "../../storage/private_file.ts";

/** The server has another key than the pinned one. */
export class ServerKeyChanged extends ChatError {
  /** @param host `host:port` */
  constructor(host: string, known: Uint8Array, offered: Uint8Array) {
    super(
      `The key of "${host}" has changed: known ${fingerprint(known)}, offered ${fingerprint(offered)}`,
      `ask the operator to read you the fingerprint; if it is the offered one, run the same command with ` +
        `"--trust ${host}" added`,
      exitCodes.trust,
    );
  }
}

/** An invite names another key than the server has. */
export class InviteMismatch extends ChatError {
  /** @param host `host:port` */
  constructor(host: string, invited: Uint8Array, offered: Uint8Array) {
    super(
      `The invite does not fit what answers at "${host}": it names ${fingerprint(invited)}, offered is ${
        fingerprint(offered)
      }`,
      "ask for a new invite, by a way that nobody else can change",
      exitCodes.trust,
    );
  }
}

/** An invite names another room than the one known by its name. */
export class RoomInviteMismatch extends ChatError {
  /** @param room its name */
  constructor(room: string) {
    super(
      `The invite names another room "${room}" than the one you know by that name`,
      `ask whoever invited you by another way; "--trust ${room}" accepts the invite's`,
      exitCodes.trust,
    );
  }
}

/** The person looked at the server's key and said no. */
export class ServerNotAccepted extends ChatError {
  /** @param host `host:port` */
  constructor(host: string) {
    super(
      `You did not accept the key of "${host}"; nothing about you was sent`,
      "ask its operator for an invite, by a way that nobody else can change",
      exitCodes.trust,
    );
  }
}

/** The server is not known yet, and nobody has said to trust it. */
export class ServerUnknown extends ChatError {
  /** @param id of the card that it showed */
  constructor(readonly host: string, readonly id: Bytes) {
    super(
      `The key of "${host}" is not known: ${fingerprint(id)}`,
      "use the invite that the server prints, or give --accept-new to accept the key",
      exitCodes.trust,
    );
  }
}

interface Line {
  kind: "server" | "user" | "room";
  /** `host:port` of a server; the server's id of a user or room. */
  where: string;
  /** Skeleton of a user's or room's name. */
  name?: string;
  id: string;
  verified?: boolean;
  /** Seconds since 1970: when it was first kept, and when its holder was verified. */
  at?: number;
  verifiedAt?: number;
  /** The highest protocol version that a server has spoken. */
  version?: number;
}

/** What is known of a name. */
export interface PinnedUser {
  /** 32 bytes. */
  readonly id: Bytes;
  /** Somebody has compared digits. */
  readonly verified: boolean;
  /** Seconds since 1970 when it was first kept. */
  readonly at?: number;
  /** Seconds since 1970 when it was verified. */
  readonly verifiedAt?: number;
}

const firstLine = JSON.stringify({ format: stateFormat });

/** The number in the first line of a file; 0 where there is none. */
function formatOf(line: string): unknown {
  try {
    return JSON.parse(line).format ?? 0;
  } catch {
    return 0;
  }
}

/** The pins of one profile. */
export class KnownKeys {
  #lines = new Map<string, Line>();
  #path: string;
  /** Nothing is in the file yet. */
  #isNew: boolean;

  /** Reads the file. @throws ChatError when a line is not ours */
  constructor(dir: string, private readonly clock: Clock = systemClock) {
    this.#path = join(dir, "known.jsonl");
    const bytes = readPrivate(this.#path);
    const all = bytes ? new TextDecoder().decode(bytes) : "";
    // A last line without its line feed was cut by a crash, before anything relied on it.
    const text = all.slice(0, all.lastIndexOf("\n") + 1);
    if (text !== all) writeAtomically(this.#path, new TextEncoder().encode(text));
    this.#isNew = text === "";
    for (const [i, line] of text.split("\n").entries()) {
      if (line.trim() === "" || line === firstLine) continue;
      if (i === 0) checkFormat(this.#path, formatOf(line));
      const parsed = parseLine(line);
      if (!parsed) {
        throw new ChatError(
          `Line ${i + 1} of "${this.#path}" cannot be read`,
          "restore the file, or remove that line",
        );
      }
      this.#lines.set(key(parsed.kind, parsed.where, parsed.name), parsed);
    }
  }

  #pin(line: Line): void {
    const at = key(line.kind, line.where, line.name);
    const old = this.#lines.get(at);
    if (old && old.id === line.id && old.verified === line.verified && old.version === line.version) return;
    const now = seconds(this.clock);
    const dated: Line = { ...line, at: old?.id === line.id && old.at !== undefined ? old.at : now };
    if (line.verified) dated.verifiedAt = now;
    const json = JSON.stringify(dated);
    appendLine(this.#path, this.#isNew ? `${firstLine}\n${json}` : json);
    this.#isNew = false;
    this.#lines.set(at, dated);
  }

  /** The server pinned for `host:port`. */
  server(host: string): Bytes | null {
    return asId(this.#lines.get(key("server", host)));
  }
  /** The highest version that this server has spoken: less is refused (protocol §5). */
  serverVersion(host: string): number {
    return this.#lines.get(key("server", host))?.version ?? 2;
  }
  /** Pins it; replaces another key: only after the person said so. */
  pinServer(host: string, id: Uint8Array, version: number): void {
    this.#pin({ kind: "server", where: host, id: encodeHex(id), version });
  }

  /** The user pinned for a name, by skeleton. */
  user(server: Uint8Array, name: string): PinnedUser | null {
    const line = this.#lines.get(key("user", encodeHex(server), skeleton(name)));
    if (!line) return null;
    const { verified, at, verifiedAt } = line;
    return { id: decodeHex(line.id), verified: verified === true, at, verifiedAt };
  }
  /** Pins it. */
  pinUser(server: Uint8Array, name: string, id: Uint8Array, verified = false): void {
    this.#pin({ kind: "user", where: encodeHex(server), name: skeleton(name), id: encodeHex(id), verified });
  }
  /** Whether a name is pinned to another id. */
  conflicts(server: Uint8Array, name: string, id: Uint8Array): boolean {
    const pinned = this.user(server, name);
    return pinned !== null && !equals(pinned.id, id);
  }

  /** The room pinned for a name. */
  room(server: Uint8Array, name: string): Bytes | null {
    const id = asId(this.#lines.get(key("room", encodeHex(server), skeleton(name))));
    return id && equals(id, noRoom) ? null : id;
  }
  /** The room of that name is gone, and we were its last member: any other may have the name. */
  unpinRoom(server: Uint8Array, name: string): void {
    if (this.room(server, name)) this.pinRoom(server, name, noRoom);
  }
  /** Pins it. */
  pinRoom(server: Uint8Array, name: string, id: Uint8Array): void {
    this.#pin({ kind: "room", where: encodeHex(server), name: skeleton(name), id: encodeHex(id) });
  }
}

/** Stands in the file, to which is only added, for a room that is pinned no more. */
const noRoom = new Uint8Array(32);

function key(kind: string, where: string, name = ""): string {
  // Hosts were kept as they were typed once: an impostor under "VM" for "vm" must not go unnoticed.
  if (kind === "server") return `${kind} ${canonicalPlace(where)} `;
  return `${kind} ${where} ${name}`;
}

function canonicalPlace(where: string): string {
  const colon = where.lastIndexOf(":");
  const host = canonicalHost(where.slice(0, colon));
  return host === null ? where : hostPort(host, Number(where.slice(colon + 1)));
}

function asId(line: Line | undefined): Bytes | null {
  return line ? decodeHex(line.id) : null;
}

function parseLine(text: string): Line | null {
  try {
    const line = JSON.parse(text) as Line;
    const known = ["server", "user", "room"].includes(line.kind) && typeof line.where === "string";
    return known && /^[0-9a-f]{64}$/.test(line.id) ? line : null;
  } catch {
    return null;
  }
}
