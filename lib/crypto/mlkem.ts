/**
 * ML-KEM-768 (FIPS 203): the post-quantum half of every secrecy derivation.
 *
 * A wrong ciphertext of the right size gives a pseudorandom secret, not an error; a public key with
 * unreduced coefficients is found only when it is used. Callers treat both as their uniform failure.
 */

import type { Bytes } from "./bytes.ts";

/** Length of a public key. */
export const mlkemPublicBytes = 1184;
/** Length of a ciphertext. */
export const mlkemCiphertextBytes = 1088;

const name = "ML-KEM-768";

// The runtime has these (WICG "Modern Algorithms in the Web Cryptography API"); its type library does not.
interface KemSubtle {
  generateKey(a: { name: string }, extractable: boolean, uses: string[]): Promise<CryptoKeyPair>;
  exportKey(format: "raw-public" | "raw-seed", key: CryptoKey): Promise<ArrayBuffer>;
  importKey(
    format: "raw-public" | "raw-seed",
    data: Uint8Array,
    a: { name: string },
    extractable: boolean,
    uses: string[],
  ): Promise<CryptoKey>;
  encapsulateBits(
    a: { name: string },
    key: CryptoKey,
  ): Promise<{ sharedKey: ArrayBuffer; ciphertext: ArrayBuffer }>;
  decapsulateBits(a: { name: string }, key: CryptoKey, ciphertext: Uint8Array): Promise<ArrayBuffer>;
}
const subtle = crypto.subtle as unknown as KemSubtle;

/** A pair; the private half cannot be exported unless asked for. */
export interface MlkemPair {
  /** 1184 bytes, for the peer. */
  readonly publicKey: Bytes;
  /** Stays inside the runtime. */
  readonly privateKey: CryptoKey;
}

/** Makes a pair; `extractable` only for prekeys, which are stored. */
export async function generateMlkem(extractable = false): Promise<MlkemPair> {
  const pair = await subtle.generateKey({ name }, extractable, ["encapsulateBits", "decapsulateBits"]);
  return {
    publicKey: new Uint8Array(await subtle.exportKey("raw-public", pair.publicKey)),
    privateKey: pair.privateKey,
  };
}

/** The 64 seed bytes of an extractable private key. */
export async function exportMlkem(key: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await subtle.exportKey("raw-seed", key));
}

/** A private key from its 64 seed bytes. */
export function importMlkem(seed: Uint8Array): Promise<CryptoKey> {
  return subtle.importKey("raw-seed", seed, { name }, false, ["decapsulateBits"]);
}

/**
 * Makes a secret for the holder of `publicKey`.
 *
 * @returns shared: 32 bytes; ciphertext: 1088 bytes
 * @throws OperationError for a public key that is no key
 */
export async function encapsulate(publicKey: Uint8Array): Promise<{ shared: Bytes; ciphertext: Bytes }> {
  const key = await subtle.importKey("raw-public", publicKey, { name }, false, ["encapsulateBits"]);
  const made = await subtle.encapsulateBits({ name }, key);
  return { shared: new Uint8Array(made.sharedKey), ciphertext: new Uint8Array(made.ciphertext) };
}

/** The secret inside `ciphertext`, 32 bytes; a wrong ciphertext gives other 32 bytes. */
export async function decapsulate(privateKey: CryptoKey, ciphertext: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await subtle.decapsulateBits({ name }, privateKey, ciphertext));
}
