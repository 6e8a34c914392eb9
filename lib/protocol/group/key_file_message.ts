/**
 * Key-file messages (protocol §8.1): a Fernet token, signed outside by its sender.
 *
 * Exactly what the classic `secret.key` programs read and write, plus a signature, a counter and a view: among
 * those who hold the key, nobody can speak as another, and nothing can be replayed or quietly dropped.
 */

import { type Bytes, concat } from "../../crypto/bytes.ts";
import {
  signatureBytes,
  type SigningKey,
  signLabelled,
  type VerifyingKey,
  verifyLabelled,
} from "../../crypto/ed25519.ts";
import { openToken, sealToken } from "../../crypto/fernet.ts";
import { extract, kdf } from "../../crypto/kdf.ts";
import { maxTextBytes } from "./content.ts";
import type { SignedView } from "./history.ts";
import { decodeUtf8 } from "../codec/layout.ts";
import { encodeHeader, type Message, messageKinds, parseMessage } from "./sealed_message.ts";
import { encodeName, skeleton } from "../identity/name.ts";
import { Malformed } from "../../errors.ts";
import { Writer } from "../codec/wire.ts";

const label = "chat2 fernet";
const zeros: Bytes = new Uint8Array(16);

/** `room = KDF(Extract("chat2 fernet room", key), "id", site ‖ skeleton(name), 32)`. */
export function keyFileRoomId(key: Uint8Array, site: Uint8Array, name: string): Bytes {
  const prk = extract(new TextEncoder().encode("chat2 fernet room"), key);
  return kdf(prk, "id", concat(site, encodeName(skeleton(name))), 32);
}

/** What a sender says of itself and where it stands. */
export interface KeyFileHeader {
  /** Room id. */
  readonly room: Bytes;
  /** Identity id: a user's, or the answering server's (protocol §8.5). */
  readonly sender: Bytes;
  /** Strictly increasing per sender; gaps are allowed. */
  readonly n: number;
  /** Where the sender stood. */
  readonly view: SignedView;
}

/** Seals a text and signs it. @param time seconds since 1970 @param iv 16 random bytes */
export function sealKeyFileMessage(
  header: KeyFileHeader,
  text: string,
  key: Uint8Array,
  time: number,
  iv: Uint8Array,
  signing: SigningKey,
): Bytes {
  return signKeyFileMessage(header, sealToken(key, time, iv, new TextEncoder().encode(text)), signing);
}

/** Signs a token that another program may have made. @param token padded base64url */
export function signKeyFileMessage(header: KeyFileHeader, token: Uint8Array, signing: SigningKey): Bytes {
  const head = encodeHeader({ ...header, kind: messageKinds.keyFile, epoch: 0, commit: zeros, salt: zeros });
  const body = new Writer(token.length + 220).raw(head).vec32(token).done();
  return concat(body, signLabelled(signing, label, body));
}

/** Reads a key-file message; nothing is verified yet. @throws Malformed */
export function parseKeyFileMessage(bytes: Bytes): Message {
  const message = parseMessage(bytes);
  checkKeyFileMessage(message);
  return message;
}

/** Whether a parsed message has the form of a key-file room's. @throws Malformed */
export function checkKeyFileMessage(message: Message): void {
  if (message.kind !== messageKinds.keyFile) throw new Malformed("not a message of a key-file room");
  const isPlain = message.epoch === 0 && isZero(message.commit) && isZero(message.salt);
  if (!isPlain) {
    throw new Malformed("a key-file message has an epoch, a commit or a salt");
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Whether the message is signed by this key. */
export function isKeyFileMessageSigned(message: Message, sender: VerifyingKey): boolean {
  const body = message.bytes.subarray(0, message.bytes.length - signatureBytes);
  return verifyLabelled(sender, label, body, message.bytes.subarray(-signatureBytes));
}

/** Opens a message whose signature holds. @throws TokenRefused, Malformed for what is no text */
export function openKeyFileMessage(
  message: Message,
  key: Uint8Array,
): { time: number; text: string; token: string } {
  const { time, plaintext } = openToken(key, message.sealed);
  if (plaintext.length > maxTextBytes) throw new Malformed("a text is too long");
  return { time, text: decodeUtf8(plaintext), token: decodeUtf8(message.sealed) };
}
