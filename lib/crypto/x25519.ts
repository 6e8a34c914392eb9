/** X25519 (RFC 7748): ephemeral key exchange. */

import type { Bytes } from "./bytes.ts";

/** A fresh pair; the private half cannot be exported. */
export interface X25519Pair {
  /** 32 bytes, for the peer. */
  readonly publicKey: Bytes;
  /** Stays inside the runtime. */
  readonly privateKey: CryptoKey;
}

/** Makes a pair; `extractable` only for prekeys, which are stored. */
export async function generateX25519(extractable = false): Promise<X25519Pair> {
  const pair = await crypto.subtle.generateKey({ name: "X25519" }, extractable, [
    "deriveBits",
  ]) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
    privateKey: pair.privateKey,
  };
}

/**
 * The shared secret, 32 bytes.
 *
 * @throws OperationError when the peer's key is of small order (RFC 7748 §6.1): the caller treats it as
 * its uniform failure
 */
export async function x25519(own: CryptoKey, peer: Uint8Array): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", peer as Bytes, { name: "X25519" }, false, []);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: key }, own, 256));
}

// RFC 8410 §7: PrivateKeyInfo { 0, id-X25519, OCTET STRING { OCTET STRING seed } }
const pkcs8Head = Uint8Array.from([
  ...[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20],
]);

/** The 32 private bytes of an extractable key, for the sealed state. */
export async function exportX25519(key: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)).slice(-32);
}

/** A private key from its 32 bytes. */
export function importX25519(seed: Uint8Array): Promise<CryptoKey> {
  const der = new Uint8Array(48);
  der.set(pkcs8Head);
  der.set(seed, 16);
  return crypto.subtle.importKey("pkcs8", der, { name: "X25519" }, false, ["deriveBits"]);
}
