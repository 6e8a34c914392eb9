/**
 * Cards (protocol §4.2): a name bound to two public keys by a signature of its own.
 *
 * An id fixes both keys, so a card is checked against its id and needs no further trust; its name is a
 * claim. All key rules of protocol §3 are checked here, once, when a card is parsed.
 */

import { Malformed } from "../../errors.ts";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import {
  signatureBytes,
  signLabelled,
  type VerifyingKey,
  verifyingKey,
  verifyLabelled,
} from "../../crypto/ed25519.ts";
import { type Identity, identityId } from "../../crypto/identity.ts";
import { checkRsaSpki, rsaSpkiBytes } from "../../crypto/oaep.ts";
import { decodeName, encodeName } from "./name.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** What a card is for: a user may not pass for a server. */
export const roles = { user: 1, server: 2 } as const;

/** A checked card. */
export interface Card {
  /** The card as it was received: 529 bytes and the name. */
  readonly bytes: Bytes;
  /** 1 user, 2 server. */
  readonly role: number;
  /** As its owner typed it. */
  readonly name: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** 422 bytes, checked. */
  readonly rsaSpki: Bytes;
  /** Checked, ready to verify with. */
  readonly verifying: VerifyingKey;
  /** 32 bytes, computed from the keys. */
  readonly id: Bytes;
}

/** Makes the card of an identity. @param created seconds since 1970 */
export function makeCard(identity: Identity, role: number, name: string, created: number): Bytes {
  const body = new Writer().u8(2).u8(role).vec8(encodeName(name)).u64(created)
    .raw(identity.rsaSpki).raw(identity.signing.publicKey).done();
  return concat(body, signLabelled(identity.signing, "chat2 card", body));
}

/** Reads a card that stands alone. @throws Malformed, KeyRefused */
export function parseCard(bytes: Uint8Array): Card {
  const reader = new Reader(bytes);
  const card = readCard(reader, bytes);
  reader.end();
  return card;
}

/** Reads a card at the front of a padded field; the reader is left behind it. @throws Malformed, KeyRefused */
export function readCard(reader: Reader, bytes: Uint8Array): Card {
  const start = reader.at;
  if (reader.u8() !== 2) throw new Malformed("a card has an unknown version");
  const role = reader.u8();
  if (role !== roles.user && role !== roles.server) throw new Malformed("a card has an unknown role");
  const name = decodeName(reader.vec8());
  const created = reader.u64();
  const rsaSpki = reader.take(rsaSpkiBytes);
  const edPublic = reader.take(32);
  const signed = bytes.slice(start, reader.at);
  const signature = reader.take(signatureBytes);
  checkRsaSpki(rsaSpki);
  const verifying = verifyingKey(edPublic);
  if (!verifyLabelled(verifying, "chat2 card", signed, signature)) {
    throw new Malformed("a card is not signed by its own key");
  }
  return {
    bytes: concat(signed, signature),
    role,
    name,
    created,
    rsaSpki,
    verifying,
    id: identityId(rsaSpki, edPublic),
  };
}
