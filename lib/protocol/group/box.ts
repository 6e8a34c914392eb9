/**
 * Boxes (protocol §7.2): an epoch secret sealed to one member, who may be away.
 *
 * Three secrets must be had to open one: RSA (long-term), X25519 and ML-KEM (the prekey). The caller has
 * checked the commit's signature over the box hash first, so only a roster member can make a client use
 * its private key.
 */

import { equals } from "@std/bytes/equals";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import { labelledHash, sha256 } from "../../crypto/hash.ts";
import { extract } from "../../crypto/kdf.ts";
import { decapsulate, encapsulate, importMlkem, mlkemCiphertextBytes } from "../../crypto/mlkem.ts";
import {
  importRsaPublic,
  oaepDecrypt,
  oaepEncrypt,
  oaepLabel,
  rsaCiphertextBytes,
} from "../../crypto/oaep.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { open, seal } from "../../crypto/seal.ts";
import { importX25519, x25519, type X25519Pair } from "../../crypto/x25519.ts";
import { Malformed } from "../../errors.ts";
import type { EpochContext } from "./epoch.ts";
import type { Prekey, PrekeySecrets } from "../identity/prekey.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** Length of a box. */
export const boxBytes = 1605;

const sealedBytes = 64;

/** A parsed box. */
export interface Box {
  /** Whom it is for. */
  readonly recipient: Bytes;
  /** Which prekey of theirs. */
  readonly prekeyId: number;
  /** The author's ephemeral key for this commit. */
  readonly ephemeral: Bytes;
  /** RSA-OAEP ciphertext. */
  readonly rsa: Bytes;
  /** ML-KEM ciphertext. */
  readonly mlkem: Bytes;
  /** E, sealed. */
  readonly sealed: Bytes;
}

/** `box_hash = Hash("chat2 box", box)`. */
export function boxHash(box: Uint8Array): Bytes {
  return labelledHash("chat2 box", box);
}

/** Reads a box. @throws Malformed */
export function parseBox(bytes: Uint8Array): Box {
  if (bytes.length !== boxBytes) throw new Malformed("a box has a wrong size");
  const r = new Reader(bytes);
  if (r.u8() !== 2) throw new Malformed("a box has an unknown version");
  const box = {
    recipient: r.take(32),
    prekeyId: r.u32(),
    ephemeral: r.take(32),
    rsa: r.take(rsaCiphertextBytes),
    mlkem: r.take(mlkemCiphertextBytes),
    sealed: r.take(sealedBytes),
  };
  r.end();
  return box;
}

function boxContext(
  c: EpochContext,
  recipient: Uint8Array,
  prekey: Uint8Array,
  ephemeral: Uint8Array,
  mlkem: Uint8Array,
): Bytes {
  const epoch = new Writer(4).u32(c.epoch).done();
  return labelledHash("chat2 box ctx", c.room, epoch, c.prev, c.author, recipient, prekey, ephemeral, mlkem);
}

/**
 * Seals an epoch secret to one member.
 *
 * @param secret E, 32 bytes
 * @param ephemeral fresh for this commit, shared by its boxes
 * @param prekey the recipient's, verified and usable
 * @param rsaSpki the recipient's, from the card
 * @returns 1605 bytes
 * @throws OperationError for an ML-KEM key that is no key: that member goes without
 */
export async function sealBox(
  secret: Uint8Array,
  context: EpochContext,
  ephemeral: X25519Pair,
  prekey: Prekey,
  rsaSpki: Uint8Array,
  random: RandomSource,
): Promise<Bytes> {
  const r = random(32);
  const kem = await encapsulate(prekey.mlkem);
  const dh = await x25519(ephemeral.privateKey, prekey.x25519);
  const ctx = boxContext(context, prekey.id, prekey.bytes, ephemeral.publicKey, kem.ciphertext);
  const rsa = await oaepEncrypt(await importRsaPublic(rsaSpki), oaepLabel("chat2 box", ctx), r);
  const k = extract(ctx, concat(r, dh, kem.shared));
  const sealed = seal(k, "box", sha256(rsa), ctx, secret);
  return new Writer(boxBytes).u8(2).raw(prekey.id).u32(prekey.prekeyId).raw(ephemeral.publicKey)
    .raw(rsa).raw(kem.ciphertext).raw(sealed).done();
}

/** A box that does not open, for whatever reason: the epoch is unreadable for us. */
export class BoxUnreadable extends Malformed {
  /**
   * Makes one.
   *
   * @param why shown in the log of the room, never reported to a peer
   * @param isAnother it is not the box that the commit's author has signed
   */
  constructor(why: string, readonly isAnother = false) {
    super(`The box of an epoch does not open: ${why}`);
  }
}

/**
 * Opens a box of a commit that is fully valid.
 *
 * @param expectedHash `box_hash` of our entry in that commit
 * @param secrets our private prekey by id
 * @param decrypt our RSA key's decryption; called last
 * @returns E, 32 bytes
 * @throws BoxUnreadable
 */
export async function openBox(
  bytes: Uint8Array,
  expectedHash: Uint8Array,
  context: EpochContext,
  own: Uint8Array,
  secrets: (prekeyId: number) => PrekeySecrets | undefined,
  decrypt: (label: Bytes, ciphertext: Bytes) => Promise<Bytes>,
): Promise<Bytes> {
  if (!equals(boxHash(bytes), expectedHash)) throw new BoxUnreadable("its hash is not the commit's", true);
  const box = parseBox(bytes);
  if (!equals(box.recipient, own)) throw new BoxUnreadable("it is for somebody else");
  const prekey = secrets(box.prekeyId);
  if (!prekey) throw new BoxUnreadable("the prekey it was sealed to is gone");
  const ctx = boxContext(context, own, prekey.published, box.ephemeral, box.mlkem);
  try {
    const r = await decrypt(oaepLabel("chat2 box", ctx), box.rsa);
    const dh = await x25519(await importX25519(prekey.x25519), box.ephemeral);
    const shared = await decapsulate(await importMlkem(prekey.mlkemSeed), box.mlkem);
    return open(extract(ctx, concat(r, dh, shared)), "box", sha256(box.rsa), ctx, box.sealed);
  } catch {
    throw new BoxUnreadable("it was sealed to another key, or changed");
  }
}

/** Decryption with an identity's RSA key, for {@link openBox}. */
export function boxDecryptor(rsa: CryptoKey): (label: Bytes, ciphertext: Bytes) => Promise<Bytes> {
  return (label, ciphertext) => oaepDecrypt(rsa, label, ciphertext);
}
