/**
 * The client's side of the handshake (protocol §5), as states and `advanceClient(state, frame)`.
 *
 * Nothing about the client leaves before the server's card has passed the pin check, and what it then
 * sends is readable only with that server's private key.
 */

import { type Bytes, concat } from "../../crypto/bytes.ts";
import type { Identity } from "../../crypto/identity.ts";
import { decapsulate, generateMlkem } from "../../crypto/mlkem.ts";
import { importRsaPublic, oaepDecrypt, oaepEncrypt, oaepLabel } from "../../crypto/oaep.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { generateX25519, x25519 } from "../../crypto/x25519.ts";
import { type Card, readCard, roles } from "../identity/card.ts";
import type { FrameShape } from "./frames.ts";
import {
  decodeServerHello,
  encodeClientHello,
  type Established,
  HandshakeFailed,
  type HandshakeStep,
  paddedCardBytes,
  shapes,
  versions,
} from "./handshake.ts";
import { maxPuzzleBits, solvePuzzle } from "./puzzle.ts";
import { openOnly, RecordOpener, RecordSealer, sealOnly } from "./records.ts";
import {
  absorb,
  mixSecret,
  sessionName,
  type StageKeys,
  stageKeys,
  startTranscript,
  type Transcript,
} from "./transcript.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** What the client brings to a handshake. */
export interface ClientHandshakeConfig {
  /** The client's keys. */
  readonly identity: Identity;
  /** The client's card, role 1. */
  readonly card: Bytes;
  /** The operator's access token, at most 64 bytes; empty for none. */
  readonly token: Bytes;
  /** The highest version ever seen from this server; less is refused. */
  readonly minVersion: number;
  /** Fresh randomness. */
  readonly random: RandomSource;
  /**
   * The pin check: runs before anything about the client is sent.
   *
   * @throws ChatError for the person, when the card is not the pinned one
   */
  checkServer(card: Card): void;
}

/** Where the client's side stands. */
export type ClientState =
  | {
    readonly step: "awaiting M2";
    readonly expects: FrameShape;
    readonly t: Transcript;
    readonly x25519: CryptoKey;
    readonly mlkem: CryptoKey;
  }
  | {
    readonly step: "awaiting R1";
    readonly expects: FrameShape;
    readonly t: Transcript;
    readonly keys: StageKeys;
    readonly version: number;
    readonly puzzleBits: number;
  }
  | {
    readonly step: "awaiting R4";
    readonly expects: FrameShape;
    readonly t: Transcript;
    readonly keys: StageKeys;
    readonly version: number;
    readonly server: Card;
  }
  | { readonly step: "done"; readonly expects: null; readonly established: Established };

/** ClientHello, with fresh ephemeral keys. */
export async function startClient(config: ClientHandshakeConfig): Promise<HandshakeStep<ClientState>> {
  const x = await generateX25519();
  const kem = await generateMlkem();
  const m1 = encodeClientHello({
    versions: versions.filter((v) => v >= config.minVersion),
    random: config.random(32),
    x25519: x.publicKey,
    mlkem: kem.publicKey,
    ext: new Uint8Array(0),
  });
  return {
    state: {
      step: "awaiting M2",
      expects: shapes.m2,
      t: absorb(startTranscript(), m1),
      x25519: x.privateKey,
      mlkem: kem.privateKey,
    },
    send: m1,
  };
}

/**
 * Takes the next frame.
 *
 * @param frame wire bytes, length prefix included
 * @throws what `checkServer` throws, at once; otherwise Malformed, KeyRefused or the runtime's
 * OperationError, which to the caller are one failure
 */
export function advanceClient(
  state: ClientState,
  frame: Bytes,
  config: ClientHandshakeConfig,
): Promise<HandshakeStep<ClientState>> {
  switch (state.step) {
    case "awaiting M2":
      return onServerHello(state, frame, config);
    case "awaiting R1":
      return onServerCard(state, frame, config);
    case "awaiting R4":
      return onServerSecret(state, frame, config);
    case "done":
      throw new Error("the handshake is over");
  }
}

async function onServerHello(
  state: ClientState & { step: "awaiting M2" },
  frame: Bytes,
  config: ClientHandshakeConfig,
): Promise<HandshakeStep<ClientState>> {
  const hello = decodeServerHello(frame);
  if (!versions.includes(hello.version) || hello.version < config.minVersion) {
    throw new HandshakeFailed("the server chose a version that was not offered");
  }
  if (hello.puzzleBits > maxPuzzleBits) throw new HandshakeFailed("the puzzle is too hard");
  const dh = await x25519(state.x25519, hello.x25519);
  const shared = await decapsulate(state.mlkem, hello.mlkemCiphertext);
  const t = mixSecret(absorb(state.t, frame), dh, shared);
  return {
    state: {
      step: "awaiting R1",
      expects: shapes.r1,
      t,
      keys: stageKeys(t, "stage 1"),
      version: hello.version,
      puzzleBits: hello.puzzleBits,
    },
    send: new Uint8Array(0),
  };
}

async function onServerCard(
  state: ClientState & { step: "awaiting R1" },
  frame: Bytes,
  config: ClientHandshakeConfig,
): Promise<HandshakeStep<ClientState>> {
  const server = parseServerCard(openOnly(state.keys.s2c, frame));
  config.checkServer(server);
  let t = absorb(state.t, frame);
  const nonce = await solvePuzzle(t.h, state.puzzleBits);
  const secret = config.random(32);
  const label = oaepLabel("chat2 link to server", t.h);
  const ct = await oaepEncrypt(await importRsaPublic(server.rsaSpki), label, secret);
  const r2 = sealOnly(state.keys.c2s, new Writer(392).u64(nonce).raw(ct).done());
  t = mixSecret(absorb(t, r2), secret);
  const keys = stageKeys(t, "stage 2");
  const r3 = sealOnly(
    keys.c2s,
    new Writer(paddedCardBytes).raw(config.card).vec8(config.token).padTo(paddedCardBytes).done(),
  );
  t = absorb(t, r3);
  return {
    state: { step: "awaiting R4", expects: shapes.r4, t, keys, version: state.version, server },
    send: concat(r2, r3),
  };
}

async function onServerSecret(
  state: ClientState & { step: "awaiting R4" },
  frame: Bytes,
  config: ClientHandshakeConfig,
): Promise<HandshakeStep<ClientState>> {
  const ct = openOnly(state.keys.s2c, frame);
  // Drawn before decrypting, so that failure and success take the same path.
  let secret = config.random(32);
  try {
    const opened = await oaepDecrypt(config.identity.rsa, oaepLabel("chat2 link to client", state.t.h), ct);
    if (opened.length === 32) secret = opened;
  } catch {
    // Continue with the random secret: the first traffic record fails its tag.
  }
  const t = mixSecret(absorb(state.t, frame), secret);
  const keys = stageKeys(t, "traffic");
  const established: Established = {
    version: state.version,
    session: sessionName(t),
    h: t.h,
    peer: state.server,
    token: new Uint8Array(0),
    sealer: new RecordSealer(keys.c2s),
    opener: new RecordOpener(keys.s2c),
  };
  return { state: { step: "done", expects: null, established }, send: new Uint8Array(0) };
}

/** R1: server card ‖ zeros. @throws Malformed, KeyRefused */
export function parseServerCard(plaintext: Bytes): Card {
  const r = new Reader(plaintext);
  const card = readCard(r, plaintext);
  r.zeros();
  if (card.role !== roles.server) throw new HandshakeFailed("the server's card has another role");
  return card;
}
