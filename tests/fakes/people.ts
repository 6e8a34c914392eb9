/** People with recorded keys: making RSA keys for each test would take minutes. */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { type Identity, identityFrom, type IdentitySecrets } from "../../lib/crypto/identity.ts";
import { type Card, parseCard } from "../../lib/protocol/identity/card.ts";
import { unhex, vectors } from "./vectors.ts";

export interface Person {
  readonly name: string;
  readonly identity: Identity;
  readonly card: Card;
  readonly secrets: IdentitySecrets;
  readonly privatePem: string;
}

type Recorded = Record<"name" | "rsaPkcs8" | "rsaSpki" | "seed" | "card" | "privatePem", string>;
const recorded = vectors("keys").people as Recorded[];
const made = new Map<string, Promise<Person>>();

/** One of ira, sahnawaz, dana, erin, mallory, server. */
export function person(name: string): Promise<Person> {
  if (!made.has(name)) made.set(name, load(name));
  return made.get(name)!;
}

async function load(name: string): Promise<Person> {
  const p = recorded.find((each) => each.name === name)!;
  const secrets = { rsaPkcs8: unhex(p.rsaPkcs8), rsaSpki: unhex(p.rsaSpki), seed: unhex(p.seed) as Bytes };
  return {
    name,
    identity: await identityFrom(secrets),
    card: parseCard(unhex(p.card)),
    secrets,
    privatePem: p.privatePem,
  };
}
