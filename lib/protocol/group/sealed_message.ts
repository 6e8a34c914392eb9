/**
 * Messages (protocol §7.3): sealed with a key of their own from the sender's chain, signed outside, so
 * that the signature is checked before any chain moves.
 */

import { type Bytes, concat } from "../../crypto/bytes.ts";
import {
  signatureBytes,
  type SigningKey,
  signLabelled,
  type VerifyingKey,
  verifyLabelled,
} from "../../crypto/ed25519.ts";
import { open, seal, tagBytes } from "../../crypto/seal.ts";
import { Malformed } from "../../errors.ts";
import { type Content, decodeContent, encodeContent } from "./content.ts";
import type { SignedView } from "./history.ts";
import { readView, writeView } from "./signed_head.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** Kinds of message. */
export const messageKinds = { ordinary: 1, keyFile: 2 } as const;

/** Longest message in bytes (protocol §12). */
export const maxMessageBytes = 33 * 1024;

/** How far a chain may be walked for one message. */
export const maxChainWalk = 10_000;

const headerBytes = 210;

/** How much of a commit's hash a message names. */
export const namedCommitBytes = 16;

/** What stands before the ciphertext; the server sees it. */
export interface MessageHeader {
  /** 1 ordinary, 2 key-file room. */
  readonly kind: number;
  /** Room id. */
  readonly room: Bytes;
  /** 0 in a key-file room. */
  readonly epoch: number;
  /** The first 16 bytes of the hash of the commit that began the epoch; zeros in a key-file room. */
  readonly commit: Bytes;
  /** Identity id. */
  readonly sender: Bytes;
  /** Counts from 0 per sender and epoch. */
  readonly n: number;
  /** Where the sender stood. */
  readonly view: SignedView;
  /** 16 bytes: keeps keys apart even if a restored backup repeats (chain, n). */
  readonly salt: Bytes;
}

/** A parsed message, nothing verified yet: views of its bytes, so none of it is kept longer than those. */
export interface Message extends MessageHeader {
  /** The 210 header bytes. */
  readonly header: Bytes;
  /** Ciphertext and tag (kind 1) or a Fernet token (kind 2). */
  readonly sealed: Bytes;
  /** As received. */
  readonly bytes: Bytes;
}

/** The 210 bytes. */
export function encodeHeader(h: MessageHeader): Bytes {
  const w = new Writer(headerBytes).u8(2).u8(h.kind).raw(h.room).u32(h.epoch).raw(h.commit);
  return writeView(w.raw(h.sender).u32(h.n), h.view).raw(h.salt).done();
}

/** Reads a message. @throws Malformed */
export function parseMessage(bytes: Bytes): Message {
  if (bytes.length > maxMessageBytes) throw new Malformed("a message is too long");
  const r = new Reader(bytes);
  if (r.u8() !== 2) throw new Malformed("a message has an unknown version");
  const kind = r.u8();
  if (kind !== messageKinds.ordinary && kind !== messageKinds.keyFile) {
    throw new Malformed("a message has an unknown kind");
  }
  const head = {
    kind,
    room: r.view(32),
    epoch: r.u32(),
    commit: r.view(namedCommitBytes),
    sender: r.view(32),
    n: r.u32(),
    view: readView(r),
    salt: r.view(16),
  };
  const sealed = r.view(r.u32());
  r.view(signatureBytes);
  r.end();
  if (kind === messageKinds.ordinary && sealed.length < tagBytes) throw new Malformed("a message has no tag");
  return { ...head, header: bytes.subarray(0, headerBytes), sealed, bytes };
}

const signLabel = "chat2 message";

function signedText(commitHash: Uint8Array, bytes: Uint8Array): Bytes {
  return concat(commitHash, bytes);
}

/** Seals and signs one message with the key of its place in the chain. */
export function sealMessage(
  header: MessageHeader,
  content: Content,
  messageKey: Uint8Array,
  commitHash: Uint8Array,
  signing: SigningKey,
): Bytes {
  const head = encodeHeader(header);
  const sealed = seal(messageKey, "message", head, commitHash, encodeContent(content));
  const body = new Writer(sealed.length + 220).raw(head).vec32(sealed).done();
  return concat(body, signLabelled(signing, signLabel, signedText(commitHash, body)));
}

/** Whether the message is signed by this key for the epoch that `commitHash` began. */
export function isMessageSigned(message: Message, commitHash: Uint8Array, sender: VerifyingKey): boolean {
  const body = message.bytes.subarray(0, message.bytes.length - signatureBytes);
  const signature = message.bytes.subarray(-signatureBytes);
  return verifyLabelled(sender, signLabel, signedText(commitHash, body), signature);
}

/** Opens a message whose signature holds. @throws TagMismatch, Malformed */
export function openMessage(message: Message, messageKey: Uint8Array, commitHash: Uint8Array): Content {
  return decodeContent(open(messageKey, "message", message.header, commitHash, message.sealed));
}
