/**
 * Invites (protocol §4.3): `chat://host:port[,host:port…]/room#SERVERID[.ROOMID.INVITERID[.PASS]]`, in base64url. They pin the
 * server, and with three ids the room and a member of it, before the first connection; with a pass they let one person
 * in. `chats://` says that the port is wrapped in TLS.
 *
 * They reach people through mails, chats and paper, so what those add is taken away again: line breaks and blanks
 * within, the command in front, quotes around, a full stop behind.
 */

import { decodeBase64Url, encodeBase64Url } from "@std/encoding/base64url";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import { canonicalHost } from "../../canonical_host.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { type Address, hostPorts, maxAddresses } from "../../host_port.ts";
import { Reader, Writer } from "../codec/wire.ts";
import { isName } from "./name.ts";

/** What lets one person in, once: whoever has it can be her. */
export interface InvitePass {
  /** 32 bytes of an Ed25519 key, of which the room has listed the public part. */
  readonly seed: Bytes;
  /** In which epoch. */
  readonly epoch: number;
}

/** A room, and who vouches for it. */
export interface InvitePins {
  /** 32 bytes. */
  readonly roomId: Bytes;
  /** 32 bytes. */
  readonly inviterId: Bytes;
  /** By which the one who is invited enters; null where members let her in. */
  readonly pass: InvitePass | null;
}

/** What an invite says. */
export interface Invite extends Address {
  /** Where else: several servers that share their rooms. */
  readonly others: readonly Address[];
  /** Whether the port is wrapped in TLS. */
  readonly tls: boolean;
  /** Room name. */
  readonly room: string;
  /** 32 bytes. */
  readonly serverId: Bytes;
  /** The room, and who vouches for it; null when only the server is meant. */
  readonly pins: InvitePins | null;
}

/** What was given as an invite is none. */
export class BadInvite extends ChatError {
  /** Exit code 2. */
  constructor(
    message = "That is not an invite",
    hint = "an invite looks like chat://HOST:PORT/ROOM#SERVERID; copy all of it, in quotes",
  ) {
    super(message, hint, exitCodes.usage);
  }
}

const start = /chats?:\/\//i;
const form = /^(chats?):\/\/([^/#]+)\/([^#/]*)#([A-Za-z0-9_.-]+)$/i;
const placeForm = /^(chats?):\/\/([^/#\s]+)$/;
const addressForm = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;
const defaultPort = 9443;
/** A line that a mail program has cut (RFC 2045, section 6.7). */
const quotedPrintable = /=\r?\n/g;
const quoted = /\n[ \t]*>[> \t]*/g;
const behind = /[.,;:!?)>\]}'"`’”»]+$/u;

/** Where a server is reached. */
export type Place = Pick<Invite, "host" | "port" | "others" | "tls">;

/** Writes an invite. */
export function formatInvite({ room, serverId, pins, ...place }: Invite): string {
  const ids = pins ? [serverId, pins.roomId, pins.inviterId] : [serverId];
  const pass = pins?.pass ? [concat(pins.pass.seed, new Writer(4).u32(pins.pass.epoch).done())] : [];
  return `${formatPlace(place)}/${room}#${[...ids, ...pass].map((id) => encodeBase64Url(id)).join(".")}`;
}

/** How an invite begins. */
export function formatPlace({ host, port, others, tls }: Place): string {
  return `${tls ? "chats" : "chat"}://${hostPorts([{ host, port }, ...others])}`;
}

/** The reverse; null for anything else. */
export function parsePlace(text: string): Place | null {
  const [, scheme, list] = placeForm.exec(text) ?? [];
  const addresses = list === undefined ? null : parseAddresses(list, null);
  if (!addresses) return null;
  const [first, ...others] = addresses;
  return { ...first, others, tls: scheme === "chats" };
}

/**
 * Addresses with commas between.
 *
 * @param port of those that name none; null: all must
 * @returns null when one of them is none, or there are too many
 */
export function parseAddresses(text: string, port: number | null): readonly Address[] | null {
  const all = text.split(",").map((each): Address | null => {
    const [, name, digits] = addressForm.exec(each.trim()) ?? [];
    const host = name === undefined ? null : canonicalHost(name);
    const own = digits === undefined ? port : Number(digits);
    return host !== null && own !== null && own >= 1 && own <= 65_535 ? { host, port: own } : null;
  });
  const some = all.filter((each) => each !== null);
  return some.length === all.length && all.length <= maxAddresses ? some : null;
}

/** Whether there is something that looks like an invite in a text. */
export function hasInvite(text: string): boolean {
  return start.test(text);
}

/** Reads an invite, whatever people and mail programs have put around and into it. @throws BadInvite */
export function parseInvite(text: string): Invite {
  const at = text.search(start);
  if (at < 0) throw new BadInvite();
  const words = text.slice(at).replace(quotedPrintable, "").replace(quoted, "\n").trim().split(/\s+/);
  for (let n = words.length; n > 0; n--) {
    const invite = parseExact(words.slice(0, n).join("").replace(/["'<>].*$/, "").replace(behind, ""));
    if (invite) return checkedHost(text.slice(at), invite);
  }
  const isCut = /^chats?:\/\/[^#]+(#[A-Za-z0-9_.-]*)?$/i.test(words.join("").replace(behind, ""));
  if (!isCut) throw new BadInvite();
  throw new BadInvite(
    "The invite is not whole: a part of it is missing or has changed",
    "copy all of it, in quotes; it ends with the server's key, after #",
  );
}

function parseExact(text: string): Invite | null {
  const match = form.exec(text);
  if (!match) return null;
  const [pass, ...more] = match[4].split(".").slice(3).map(decodePass);
  const ids = match[4].split(".").slice(0, 3).map(decodeId);
  const addresses = parseAddresses(match[2], defaultPort);
  const isWhole = (ids.length === 1 || ids.length === 3) && !ids.includes(null) && pass !== null &&
    more.length === 0;
  if (!isWhole || addresses === null || !isName(match[3])) return null;
  const [first, ...others] = addresses;
  const [serverId, roomId, inviterId] = ids;
  return {
    ...first,
    others,
    tls: match[1].toLowerCase() === "chats",
    room: match[3],
    serverId: serverId!,
    pins: ids.length === 3 ? { roomId: roomId!, inviterId: inviterId!, pass: pass ?? null } : null,
  };
}

/** The operator's line has HOST where only he knows what belongs. */
function checkedHost(text: string, invite: Invite): Invite {
  if (invite.host !== "host" || !/\/\/\s*HOST\b/.test(text)) return invite;
  throw new BadInvite(
    "HOST in the invite stands for the name or address of the server",
    "put that in its place; whoever sent you the invite knows it",
  );
}

/** 32 bytes. */
function decodeId(text: string): Bytes | null {
  return decodeExact(text, 32);
}

/** `seed[32] ‖ u32 epoch`. */
function decodePass(text: string): InvitePass | null {
  const bytes = decodeExact(text, 36);
  if (!bytes) return null;
  const r = new Reader(bytes);
  return { seed: r.take(32), epoch: r.u32() };
}

/** So many bytes, in the one spelling that they have. */
function decodeExact(text: string, length: number): Bytes | null {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length !== Math.ceil(length * 4 / 3)) return null;
  const bytes = decodeBase64Url(text);
  return encodeBase64Url(bytes) === text ? bytes : null;
}
