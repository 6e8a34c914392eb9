/**
 * Invites (protocol §4.3): `chat://host:port/room#SERVERID[.ROOMID.INVITERID]`, ids in base64url. They pin
 * the server before the first connection.
 */

import { decodeBase64Url, encodeBase64Url } from "@std/encoding/base64url";
import type { Bytes } from "../crypto/bytes.ts";
import { isName } from "../protocol/name.ts";
import { parsePort, UsageError } from "./options.ts";

/** What an invite says. */
export interface Invite {
  /** Host name or address, without brackets. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** Room name. */
  readonly room: string;
  /** 32 bytes. */
  readonly serverId: Bytes;
}

/** Writes an invite. */
export function formatInvite({ host, port, room, serverId }: Invite): string {
  const where = host.includes(":") ? `[${host}]` : host;
  return `chat://${where}:${port}/${room}#${encodeBase64Url(serverId)}`;
}

/** Reads an invite. @throws UsageError */
export function parseInvite(text: string): Invite {
  const match = /^chat:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d+))?\/([^#/]*)#([A-Za-z0-9_.-]+)$/.exec(
    text,
  );
  const ids = match?.[4].split(".") ?? [];
  const wellFormed = match && (ids.length === 1 || ids.length === 3) &&
    ids.every((id) => /^[A-Za-z0-9_-]{43}$/.test(id));
  if (!wellFormed || !isName(match[3])) {
    throw new UsageError(
      "That is not an invite",
      "an invite looks like chat://HOST:PORT/ROOM#SERVERID; copy all of it, in quotes",
    );
  }
  const host = match[1].replace(/^\[|\]$/g, "");
  return { host, port: parsePort(match[2]), room: match[3], serverId: decodeBase64Url(ids[0]) };
}
