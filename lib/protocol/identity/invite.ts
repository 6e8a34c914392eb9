/**
 * Invites (protocol §4.3): `chat://host:port/room#SERVERID[.ROOMID.INVITERID]`, ids in base64url. They pin the
 * server, and with three ids the room and a member of it, before the first connection.
 */

import { decodeBase64Url, encodeBase64Url } from "@std/encoding/base64url";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { isName } from "./name.ts";

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
  /** The room, and who vouches for it; null when only the server is meant. */
  readonly pins: { readonly roomId: Bytes; readonly inviterId: Bytes } | null;
}

/** What was given as an invite is none. */
export class BadInvite extends ChatError {
  /** Exit code 2. */
  constructor() {
    super(
      "That is not an invite",
      "an invite looks like chat://HOST:PORT/ROOM#SERVERID; copy all of it, in quotes",
      exitCodes.usage,
    );
  }
}

const form = /^chat:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/([^#/]*)#([A-Za-z0-9_.-]+)$/;
const defaultPort = 9443;

/** Writes an invite. */
export function formatInvite({ host, port, room, serverId, pins }: Invite): string {
  const where = host.includes(":") ? `[${host}]` : host;
  const ids = pins ? [serverId, pins.roomId, pins.inviterId] : [serverId];
  return `chat://${where}:${port}/${room}#${ids.map((id) => encodeBase64Url(id)).join(".")}`;
}

/** Reads an invite. @throws BadInvite */
export function parseInvite(text: string): Invite {
  const match = form.exec(text);
  const ids = (match?.[4] ?? "").split(".").map(decodeId);
  const port = Number(match?.[2] ?? defaultPort);
  const [serverId, roomId, inviterId] = ids;
  const wellFormed = match && (ids.length === 1 || ids.length === 3) && !ids.includes(null);
  if (!wellFormed || !isName(match[3]) || port < 1 || port > 65_535) throw new BadInvite();
  return {
    host: match[1].replace(/^\[|\]$/g, ""),
    port,
    room: match[3],
    serverId: serverId!,
    pins: ids.length === 3 ? { roomId: roomId!, inviterId: inviterId! } : null,
  };
}

/** 32 bytes in the one spelling that they have. */
function decodeId(text: string): Bytes | null {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return null;
  const id = decodeBase64Url(text);
  return encodeBase64Url(id) === text ? id : null;
}
