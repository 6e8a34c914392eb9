/**
 * Member: a client for load, as cheap as one can be made that still speaks the protocol: it shakes hands in full, and
 * then either opens every byte (a witness) or only counts what the lengths tell.
 *
 * Making RSA keys takes half a second each, so all members share one RSA key and have Ed25519 keys of their own: to
 * the server they are different people, and each handshake costs what it costs.
 */

import { systemRandom } from "../../lib/crypto/random.ts";
import { generateIdentity, type Identity, identityFrom } from "../../lib/crypto/identity.ts";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { makeCard, roles } from "../../lib/protocol/identity/card.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import { oaepDecrypt, oaepLabel } from "../../lib/crypto/oaep.ts";
import { driveHandshake, type Established } from "../../lib/protocol/channel/handshake.ts";
import {
  advanceClient,
  type ClientHandshakeConfig,
  type ClientState,
  startClient,
} from "../../lib/protocol/channel/handshake_client.ts";
import { openOnly } from "../../lib/protocol/channel/records.ts";
import { absorb, mixSecret, stageKeys } from "../../lib/protocol/channel/transcript.ts";

/** Somebody with keys. */
export interface Person {
  /** Without look-alikes. */
  readonly name: string;
  /** Shared RSA key, own Ed25519 key. */
  readonly identity: Identity;
  /** Role 1. */
  readonly card: Bytes;
}

/** Makes `n` people. @param prefix of their names: each run of a generator has its own */
export async function makePeople(n: number, prefix: string): Promise<Person[]> {
  const secrets = await generateIdentity(systemRandom);
  const people: Person[] = [];
  for (let i = 0; i < n; i++) {
    const identity = await identityFrom({ ...secrets, seed: systemRandom(32) });
    const name = `${prefix}${i.toString().padStart(5, "0")}`;
    people.push({ name, identity, card: makeCard(identity, roles.user, name, nowSeconds()) });
  }
  return people;
}

/** A connection after its handshake: nothing has been said on it yet. */
export interface Shaken {
  /** TCP. */
  readonly conn: Deno.TcpConn;
  /** What the handshake has left unread: nothing, since the server waits for HELLO. */
  readonly reader: FrameReader;
  /** Keys of both directions. */
  readonly established: Established;
}

/**
 * Dials and shakes hands; anything that fails throws.
 *
 * @param onTrafficSecret is told the server's traffic secret, for whoever shall take the receiving half over
 */
export async function shakeHands(
  { identity, card }: Person,
  port: number,
  onTrafficSecret?: (secret: Bytes) => void,
): Promise<Shaken> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const reader = new FrameReader(conn);
  const config = {
    identity,
    card,
    token: new Uint8Array(0),
    minVersion: 2,
    random: systemRandom,
    checkServer: () => {},
  };
  const done = await driveHandshake(
    conn,
    reader,
    await startClient(config),
    async (state, frame) => {
      if (state.step === "awaiting R4") onTrafficSecret?.(await trafficSecret(state, frame, config));
      return await advanceClient(state, frame, config);
    },
  );
  if (done.step !== "done") throw new Error("the handshake did not end");
  return { conn, reader, established: done.established };
}

/** What the client derives from R4 (protocol §5) and keeps to itself. */
async function trafficSecret(
  state: ClientState & { step: "awaiting R4" },
  r4: Bytes,
  { identity }: ClientHandshakeConfig,
): Promise<Bytes> {
  const ct = openOnly(state.keys.s2c, r4);
  const secret = await oaepDecrypt(identity.rsa, oaepLabel("chat2 link to client", state.t.h), ct);
  return stageKeys(mixSecret(absorb(state.t, r4), secret), "traffic").s2c;
}

/** Now, as the protocol writes times. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
