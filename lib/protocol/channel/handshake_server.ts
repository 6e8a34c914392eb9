/**
 * The server's side of the handshake (protocol §5), as states and `advanceServer(state, frame)`.
 *
 * The order of the checks is the protocol's and is part of its security: no RSA decryption before tag,
 * puzzle and quota; nothing about a failure ever reaches the peer.
 */

import { type Bytes, concat } from "../../crypto/bytes.ts";
import type { Identity } from "../../crypto/identity.ts";
import { encapsulate } from "../../crypto/mlkem.ts";
import { importRsaPublic, oaepEncrypt, oaepLabel } from "../../crypto/oaep.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { generateX25519, x25519 } from "../../crypto/x25519.ts";
import { type Card, readCard, roles } from "../identity/card.ts";
import type { FrameShape } from "./frames.ts";
import {
  decodeClientHello,
  encodeServerHello,
  type Established,
  HandshakeFailed,
  type HandshakeStep,
  maxTokenBytes,
  paddedCardBytes,
  shapes,
  versions,
} from "./handshake.ts";
import { isPuzzleSolved } from "./puzzle.ts";
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

/** What the server brings to every handshake. */
export interface ServerHandshakeConfig {
  /** The server's keys. */
  readonly identity: Identity;
  /** The server's card, role 2. */
  readonly card: Bytes;
  /** Fresh randomness. */
  readonly random: RandomSource;
  /** Work asked for at this moment (protocol §12). */
  puzzleBits(): number;
  /**
   * Decrypts with the server's RSA key, in its queue.
   *
   * @returns null when the queue is full
   * @throws anything when the ciphertext does not open
   */
  decrypt(label: Bytes, ciphertext: Bytes): Promise<Bytes | null>;
}

const nothing = new Uint8Array(0);

/** Where the server's side stands; each state holds just what the next needs. */
export type ServerState =
  | { readonly step: "awaiting M1"; readonly expects: FrameShape }
  | {
    readonly step: "awaiting R2";
    readonly expects: FrameShape;
    readonly t: Transcript;
    readonly keys: StageKeys;
    readonly version: number;
    readonly puzzleBits: number;
  }
  | {
    readonly step: "awaiting R3";
    readonly expects: FrameShape;
    readonly t: Transcript;
    readonly keys: StageKeys;
    readonly version: number;
  }
  | { readonly step: "done"; readonly expects: null; readonly established: Established };

/** Before anything was received. */
export function startServer(): HandshakeStep<ServerState> {
  return { state: { step: "awaiting M1", expects: shapes.m1 }, send: nothing };
}

/**
 * Takes the next frame.
 *
 * @param frame wire bytes, length prefix included
 * @throws Malformed, KeyRefused or the runtime's OperationError: to the caller all are one failure
 */
export function advanceServer(
  state: ServerState,
  frame: Bytes,
  config: ServerHandshakeConfig,
): Promise<HandshakeStep<ServerState>> {
  switch (state.step) {
    case "awaiting M1":
      return onClientHello(frame, config);
    case "awaiting R2":
      return onPuzzleAndSecret(state, frame, config);
    case "awaiting R3":
      return onClientCard(state, frame, config);
    case "done":
      throw new Error("the handshake is over");
  }
}

async function onClientHello(
  frame: Bytes,
  config: ServerHandshakeConfig,
): Promise<HandshakeStep<ServerState>> {
  const hello = decodeClientHello(frame);
  const version = versions.find((v) => hello.versions.includes(v));
  if (version === undefined) throw new HandshakeFailed("no common version");
  const ephemeral = await generateX25519();
  // Throws for a small-order key of the client.
  const dh = await x25519(ephemeral.privateKey, hello.x25519);
  const kem = await encapsulate(hello.mlkem);
  const puzzleBits = config.puzzleBits();
  const m2 = encodeServerHello({
    version,
    random: config.random(32),
    x25519: ephemeral.publicKey,
    mlkemCiphertext: kem.ciphertext,
    puzzleBits,
  });
  let t = absorb(absorb(startTranscript(), frame), m2);
  t = mixSecret(t, dh, kem.shared);
  const keys = stageKeys(t, "stage 1");
  const r1 = sealOnly(keys.s2c, new Writer(paddedCardBytes).raw(config.card).padTo(paddedCardBytes).done());
  t = absorb(t, r1);
  return {
    state: { step: "awaiting R2", expects: shapes.r2, t, keys, version, puzzleBits },
    send: concat(m2, r1),
  };
}

async function onPuzzleAndSecret(
  state: ServerState & { step: "awaiting R2" },
  frame: Bytes,
  config: ServerHandshakeConfig,
): Promise<HandshakeStep<ServerState>> {
  const r = new Reader(openOnly(state.keys.c2s, frame));
  // Any u64 is a nonce; one above 2^53 − 1 is refused as every such number is.
  if (!isPuzzleSolved(state.t.h, state.puzzleBits, r.u64())) throw new HandshakeFailed("puzzle");
  // Drawn before decrypting, so that failure and success take the same path.
  let secret = config.random(32);
  try {
    const opened = await config.decrypt(oaepLabel("chat2 link to server", state.t.h), r.rest());
    if (opened === null) throw new HandshakeFailed("the RSA queue is full");
    if (opened.length === 32) secret = opened;
  } catch (error) {
    if (error instanceof HandshakeFailed) throw error;
  }
  const t = mixSecret(absorb(state.t, frame), secret);
  return {
    state: {
      step: "awaiting R3",
      expects: shapes.r3,
      t,
      keys: stageKeys(t, "stage 2"),
      version: state.version,
    },
    send: nothing,
  };
}

async function onClientCard(
  state: ServerState & { step: "awaiting R3" },
  frame: Bytes,
  config: ServerHandshakeConfig,
): Promise<HandshakeStep<ServerState>> {
  const { peer, token } = parseClientCard(openOnly(state.keys.c2s, frame));
  let t = absorb(state.t, frame);
  const secret = config.random(32);
  const label = oaepLabel("chat2 link to client", t.h);
  const ct = await oaepEncrypt(await importRsaPublic(peer.rsaSpki), label, secret);
  const r4 = sealOnly(state.keys.s2c, ct);
  t = mixSecret(absorb(t, r4), secret);
  const keys = stageKeys(t, "traffic");
  const established: Established = {
    version: state.version,
    session: sessionName(t),
    h: t.h,
    peer,
    token,
    sealer: new RecordSealer(keys.s2c),
    opener: new RecordOpener(keys.c2s),
  };
  return { state: { step: "done", expects: null, established }, send: r4 };
}

/** R3: client card ‖ vec8 token ‖ zeros. @throws Malformed, KeyRefused */
export function parseClientCard(plaintext: Bytes): { peer: Card; token: Bytes } {
  const r = new Reader(plaintext);
  const peer = readCard(r, plaintext);
  if (peer.role !== roles.user) throw new HandshakeFailed("the client's card has another role");
  const token = r.vec8();
  if (token.length > maxTokenBytes) throw new HandshakeFailed("the access token is too long");
  r.zeros();
  return { peer, token };
}
