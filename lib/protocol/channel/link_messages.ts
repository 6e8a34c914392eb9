/**
 * Link messages (protocol §11): everything said after the handshake, as one table that is codec, type
 * and document at once. `→` in the protocol is "up" here, `←` is "down".
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import {
  fixed,
  hash32,
  lastText,
  type Layout,
  list,
  lookup32,
  ownRest,
  record,
  rest,
  text,
  trailing,
  u16,
  u32,
  u64,
  u8,
  type ValueOf,
  vec16,
  vec8,
} from "../codec/layout.ts";
import { boxBytes } from "../group/box.ts";
import { prekeyBytes } from "../identity/prekey.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** kind of a room: what ROOM_INFO, HELLO and JOIN say. */
export const roomKinds = { ordinary: 1, keyFile: 2 } as const;

/** CLOSE reasons. */
export const closeReasons = {
  bye: 0,
  shutdown: 1,
  replaced: 2,
  nameTaken: 3,
  accessToken: 4,
  putOut: 5,
  loginRefused: 6,
  inUse: 7,
  tooSlow: 8,
  limit: 9,
  renewal: 10,
  tryLater: 11,
} as const;

/** ERROR codes. */
export const errorCodes = {
  CONFLICT: 1,
  STALE: 2,
  NO_ROOM: 3,
  LIMIT: 4,
  DENIED: 5,
  NOT_FOUND: 6,
  ORDER: 7,
  NO_BOX: 8,
  FULL: 9,
} as const;

/** Flags of WELCOME. */
export const welcomeFlags = {
  memoryOnly: 1,
  accounts: 2,
  registrationOpen: 4,
  registrationToken: 8,
  addresses: 16,
} as const;

/** Flags of ROOM_INFO. */
export const roomFlags = { member: 1, othersLinked: 2, serverReads: 4, retired: 8 } as const;

/** `epoch` of a CHAIN_GET that asks for the newest commit. */
export const newestEpoch = 0xffff_ffff;

/** `info` of the DONE that answers JOIN. */
export const joinInfo = { already: 0, asked: 1, nobody: 2, closed: 3 } as const;

const runId = fixed(16);
const ref = u32;
const ids = list(u8, 32, hash32);
const anyKind: Layout<number> = oneOf([1, 2]);

function oneOf(values: readonly number[]): Layout<number> {
  return {
    read(r) {
      const value = r.u8();
      if (!values.includes(value)) throw new Malformed("a kind is unknown");
      return value;
    },
    write: (w, v) => void w.u8(v),
  };
}

/** A ref of the client's choice is never 0. */
const askRef: Layout<number> = {
  read(r) {
    const value = r.u32();
    if (value === 0) throw new Malformed("a ref is 0");
    return value;
  },
  write: (w, v) => void w.u32(v),
};

/** The table: code, who may say it, and its body. */
export const table = {
  HELLO: [
    0x01,
    "up",
    record({ runId, rooms: list(u16, 1024, record({ room: hash32, kind: anyKind, pos: u64 })) }),
  ],
  WELCOME: [
    0x02,
    "down",
    record({
      time: u64,
      runId,
      flags: u8,
      messageBytes: u32,
      textBytes: u32,
      members: u16,
      rooms: u16,
      burst: u16,
      rate: u16,
      fileBytes: u64,
      blobBytes: u64,
      retainSeconds: u32,
      place: lastText(vec16),
    }),
  ],
  PING: [0x03, "both", record({ any: u32 })],
  PONG: [0x04, "both", record({ any: u32 })],
  CLOSE: [0x05, "both", record({ reason: u8 })],
  ERROR: [0x06, "down", record({ ref, code: u16 })],
  LOGIN: [0x07, "up", record({ ref: askRef, name: vec8, password: vec16 })],
  REGISTER: [0x08, "up", record({ ref: askRef, name: vec8, password: vec16, token: vec8 })],
  ACCEPTED: [0x09, "down", record({ ref })],
  DONE: [0x0a, "down", record({ ref, info: u8 })],
  PASSWORD: [0x0b, "up", record({ ref: askRef, old: vec16, next: vec16 })],
  RELEASE: [0x0c, "up", record({ ref: askRef, password: vec16 })],
  CARD_GET: [0x10, "up", record({ ref: askRef, ids })],
  CARD: [0x11, "down", record({ ref, cards: list(u8, 32, vec16) })],
  PREKEY_PUT: [0x12, "up", record({ ref: askRef, prekey: fixed(prekeyBytes) })],
  PREKEY_GET: [0x13, "up", record({ ref: askRef, ids })],
  PREKEY: [0x14, "down", record({ ref, prekeys: list(u8, 32, vec16) })],
  NAME_GET: [0x15, "up", record({ ref: askRef, name: vec8 })],
  ROOM_FIND: [0x20, "up", record({ ref: askRef, name: vec8 })],
  ROOM_INFO: [
    0x21,
    "down",
    record({
      ref,
      room: hash32,
      kind: anyKind,
      policy: u8,
      flags: u8,
      last: u64,
      start: u64,
      startHash: hash32,
      name: vec8,
    }),
  ],
  JOIN: [0x22, "up", record({ ref: askRef, room: hash32, kind: anyKind, pos: u64 })],
  ADMIT: [0x23, "down", record({ room: hash32, ids })],
  LEAVE: [0x24, "up", record({ ref: askRef, room: hash32, epoch: u32, signature: fixed(64) })],
  BOX_PUT: [0x25, "up", record({ ref: askRef, box: fixed(boxBytes) })],
  BOX_GET: [0x26, "up", record({ ref: askRef, hash: hash32 })],
  BOX: [0x27, "down", record({ ref, box: fixed(boxBytes) })],
  COMMIT: [0x28, "up", record({ ref: askRef, commit: rest })],
  SEND: [0x29, "up", record({ ref: askRef, message: rest })],
  ENTRY: [
    0x2a,
    "down",
    record({ room: lookup32, pos: u64, time: u64, kind: anyKind, address: text(vec8), bytes: rest }),
  ],
  HASHES: [0x2b, "down", record({ room: hash32, first: u64, digests: trailing(2000, hash32) })],
  STORED: [0x2c, "down", record({ ref, room: lookup32, pos: u64 })],
  ACK: [0x2d, "up", record({ room: lookup32, pos: u64 })],
  ANSWER: [0x2e, "down", record({ room: hash32, pos: u64, message: rest })],
  NOTICE: [0x2f, "down", record({ text: text(vec16) })],
  LEAVING: [0x33, "down", record({ room: hash32, id: hash32, epoch: u32, signature: fixed(64) })],
  PRESENCE: [0x34, "down", record({ room: hash32, what: oneOf([0, 1]), ids: list(u8, 255, hash32) })],
  TRANSIT: [0x35, "down", record({ room: hash32, key: u32, secret: hash32 })],
  HEAD: [0x36, "down", record({ room: lookup32, pos: u64, signature: fixed(64) })],
  BLOB_PUT: [0x30, "up", record({ ref: askRef, file: fixed(16), index: u32, chunk: rest })],
  BLOB_GET: [0x31, "up", record({ ref: askRef, file: fixed(16), index: u32 })],
  BLOB: [0x32, "down", record({ ref, chunk: ownRest })],
  CHAIN_GET: [0x37, "up", record({ ref: askRef, room: hash32, epoch: u32, use: vec8 })],
  CHAIN: [0x38, "down", record({ ref, pos: u64, hash: hash32, signature: fixed(64), commit: rest })],
  BLOB_NEW: [
    0x39,
    "up",
    record({ ref: askRef, room: hash32, file: fixed(16), chunks: u32, lastBytes: u32 }),
  ],
  BLOB_AT: [0x3a, "down", record({ ref, next: u32, until: u64 })],
  BLOB_DROP: [0x3b, "up", record({ ref: askRef, file: fixed(16) })],
} as const satisfies Record<
  string,
  readonly [number, "up" | "down" | "both", Layout<never> | Layout<unknown>]
>;

/** The table of messages, as a type. */
export type Table = typeof table;
/** The name of a message. */
export type Name = keyof Table;

/** One message of the table; `type` tells which. */
export type LinkMessage = { [K in Name]: { type: K } & ValueOf<Table[K][2]> }[Name];

/** The message of one type. */
export type MessageOf<K extends Name> = Extract<LinkMessage, { type: K }>;

const byCode = new Map<number, [Name, "up" | "down" | "both", Layout<unknown>]>(
  (Object.entries(table) as [Name, readonly [number, "up" | "down" | "both", Layout<unknown>]][])
    .map(([name, [code, way, layout]]) => [code, [name, way, layout]]),
);

/** Messages that are ciphertext but for a few numbers: they travel in carried frames (protocol §6.2), and never in records. */
export const carriedTypes: ReadonlySet<Name> = new Set<Name>(["BLOB_PUT", "BLOB"]);

/** Encodes as it stands inside a record: u8 type ‖ u32 len ‖ body. */
export function encodeMessage(message: LinkMessage): Bytes {
  return encodeBehind(new Uint8Array(0), message);
}

/** The same, with something before it. @param head bytes */
export function encodeBehind(head: Uint8Array, message: LinkMessage): Bytes {
  const [code, , layout] = table[message.type];
  const w = new Writer(128 + largePart(message)).raw(head).u8(code).u32(0);
  (layout as Layout<unknown>).write(w, message);
  const bytes = w.done();
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(head.length + 1, bytes.length - head.length - 5);
  return bytes;
}

/** Bytes of the one field that may be large, where there is such a one. */
function largePart(message: LinkMessage): number {
  if ("bytes" in message) return message.bytes.length;
  if ("message" in message) return message.message.length;
  if ("commit" in message) return message.commit.length;
  if ("chunk" in message) return message.chunk.length;
  return 0;
}

/** The type of an encoded message. */
export function typeOf(message: Uint8Array): LinkMessage["type"] {
  return byCode.get(message[0])![0];
}

/**
 * Cuts a record's plaintext into its messages.
 *
 * @param from who sent the record: a message of the wrong direction is refused
 * @throws Malformed on any fault of framing or of a body
 */
export function decodeMessages(plaintext: Uint8Array, from: "client" | "server"): LinkMessage[] {
  const wrong = from === "client" ? "down" : "up";
  const outer = new Reader(plaintext);
  const messages: LinkMessage[] = [];
  while (outer.left > 0) {
    const known = byCode.get(outer.u8());
    if (!known || known[1] === wrong) throw new Malformed("a message has an unknown type");
    const body = outer.part(outer.u32()); // a message does not cross its record
    const value = known[2].read(body);
    body.end();
    messages.push({ type: known[0], ...(value as object) } as LinkMessage);
  }
  return messages;
}
