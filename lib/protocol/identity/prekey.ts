/**
 * Prekeys (protocol §4.4): medium-term X25519 and ML-KEM keys to which others seal while one is away.
 *
 * They bound what a leak of long-term keys opens: once a private part is erased, boxes sealed to it stay
 * closed for ever.
 */

import { Malformed } from "../../errors.ts";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import {
  signatureBytes,
  type SigningKey,
  signLabelled,
  type VerifyingKey,
  verifyLabelled,
} from "../../crypto/ed25519.ts";
import { exportMlkem, generateMlkem, mlkemPublicBytes } from "../../crypto/mlkem.ts";
import { exportX25519, generateX25519 } from "../../crypto/x25519.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** Length of an encoded prekey. */
export const prekeyBytes: number = 1 + 32 + 4 + 8 + 8 + 32 + mlkemPublicBytes + signatureBytes;
/** `not_after` − `not_before`, in seconds. */
const prekeyLifeSeconds = 30 * 86_400;
/** How far ahead of our clock a prekey may begin, in seconds. */
const prekeyFutureSeconds = 600;

/** A parsed prekey; {@link verifyPrekey} says whether to trust it. */
export interface Prekey {
  /** As received; its hash goes into the box context. */
  readonly bytes: Bytes;
  /** Whose it is: 32 bytes. */
  readonly id: Bytes;
  /** Rises with each prekey of an identity. */
  readonly prekeyId: number;
  /** Seconds since 1970. */
  readonly notBefore: number;
  /** Seconds since 1970. */
  readonly notAfter: number;
  /** 32 bytes. */
  readonly x25519: Bytes;
  /** 1184 bytes. */
  readonly mlkem: Bytes;
}

/** The private part, as it is kept in the sealed state. */
export interface PrekeySecrets {
  /** Which prekey it opens. */
  readonly prekeyId: number;
  /** Seconds since 1970; erased then. */
  readonly notAfter: number;
  /** The published part. */
  readonly published: Bytes;
  /** 32 bytes. */
  readonly x25519: Bytes;
  /** 64 bytes. */
  readonly mlkemSeed: Bytes;
}

/**
 * Makes a prekey.
 *
 * @param lastPrekeyId the highest id used before, 0 if none is known
 * @param nowSeconds its `not_before`
 */
export async function makePrekey(
  id: Uint8Array,
  signing: SigningKey,
  lastPrekeyId: number,
  nowSeconds: number,
): Promise<PrekeySecrets> {
  // Also grows with the clock, so that a profile that lost its state never reuses an id.
  const prekeyId = Math.max(lastPrekeyId + 1, nowSeconds % 2 ** 32);
  const x = await generateX25519(true);
  const kem = await generateMlkem(true);
  const notAfter = nowSeconds + prekeyLifeSeconds;
  const body = new Writer(prekeyBytes).u8(2).raw(id).u32(prekeyId).u64(nowSeconds).u64(notAfter)
    .raw(x.publicKey).raw(kem.publicKey).done();
  return {
    prekeyId,
    notAfter,
    published: concat(body, signLabelled(signing, "chat2 prekey", body)),
    x25519: await exportX25519(x.privateKey),
    mlkemSeed: await exportMlkem(kem.privateKey),
  };
}

/** Reads a prekey. @throws Malformed on size, version, or a life other than 30 days */
export function parsePrekey(bytes: Uint8Array): Prekey {
  const r = new Reader(bytes);
  if (r.u8() !== 2) throw new Malformed("a prekey has an unknown version");
  const prekey = {
    bytes: bytes.slice() as Bytes,
    id: r.take(32),
    prekeyId: r.u32(),
    notBefore: r.u64(),
    notAfter: r.u64(),
    x25519: r.take(32),
    mlkem: r.take(mlkemPublicBytes),
  };
  r.take(signatureBytes);
  r.end();
  if (prekey.notAfter !== prekey.notBefore + prekeyLifeSeconds) {
    throw new Malformed("a prekey does not live exactly 30 days");
  }
  return prekey;
}

/** Whether the prekey is signed by its owner's key. */
export function verifyPrekey(prekey: Prekey, owner: VerifyingKey): boolean {
  const signed = prekey.bytes.subarray(0, prekeyBytes - signatureBytes);
  return verifyLabelled(owner, "chat2 prekey", signed, prekey.bytes.subarray(prekeyBytes - signatureBytes));
}

/** Whether a sender may seal to it now: not expired, not more than 10 minutes ahead. */
export function isPrekeyUsable(prekey: Prekey, nowSeconds: number): boolean {
  return prekey.notBefore <= nowSeconds + prekeyFutureSeconds && nowSeconds < prekey.notAfter;
}
