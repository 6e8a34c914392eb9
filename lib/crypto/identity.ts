/**
 * Identity: the two long-term keys of a person or a server, and the id that fixes both (protocol §4).
 *
 * RSA receives secrets, Ed25519 signs. The RSA half is kept as a key that cannot be exported.
 */

import { type SigningKey, signingKey } from "./ed25519.ts";
import { safetyDigits } from "./digits.ts";
import type { Bytes } from "./bytes.ts";
import { labelledHash } from "./hash.ts";
import { generateRsa, importRsaPrivate } from "./oaep.ts";
import type { RandomSource } from "./random.ts";

/** Ready for use. */
export interface Identity {
  /** 32 bytes; fixes both public keys. */
  readonly id: Bytes;
  /** SubjectPublicKeyInfo, 422 bytes. */
  readonly rsaSpki: Bytes;
  /** Decrypts what is encrypted to `rsaSpki`; not extractable. */
  readonly rsa: CryptoKey;
  /** Signs. */
  readonly signing: SigningKey;
}

/** What a private key file holds. */
export interface IdentitySecrets {
  /** RSA PrivateKeyInfo, DER. */
  readonly rsaPkcs8: Bytes;
  /** RSA SubjectPublicKeyInfo, 422 bytes. */
  readonly rsaSpki: Bytes;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Bytes;
}

/** `id = Hash("chat2 id", rsa_spki, ed_pub)`. */
export function identityId(rsaSpki: Uint8Array, edPublic: Uint8Array): Bytes {
  return labelledHash("chat2 id", rsaSpki, edPublic);
}

/** The id as people read it: the digits of protocol §4.3 for one identity. */
export function fingerprint(id: Uint8Array): string {
  return safetyDigits(id, id);
}

/** Makes new keys; takes 0.4 s to some seconds. */
export async function generateIdentity(random: RandomSource): Promise<IdentitySecrets> {
  const { pkcs8, spki } = await generateRsa();
  return { rsaPkcs8: pkcs8, rsaSpki: spki, seed: random(32) };
}

/** Imports the keys. @throws KeyRefused */
export async function identityFrom(secrets: IdentitySecrets): Promise<Identity> {
  const signing = signingKey(secrets.seed);
  return {
    id: identityId(secrets.rsaSpki, signing.publicKey),
    rsaSpki: secrets.rsaSpki,
    rsa: await importRsaPrivate(secrets.rsaPkcs8),
    signing,
  };
}
