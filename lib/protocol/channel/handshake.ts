/**
 * Handshake: what both sides share (protocol §5): the sizes and encodings of its messages, its one kind
 * of failure, and the loop that drives a side's state machine over a connection.
 *
 *   M1 ClientHello →   ← M2 ServerHello   ← R1 server card   R2 puzzle, secret →   R3 client card →   ← R4 secret
 *
 * The sides themselves are handshake_client.ts and handshake_server.ts: states and one `advance` each.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { mlkemCiphertextBytes, mlkemPublicBytes } from "../../crypto/mlkem.ts";
import { rsaCiphertextBytes } from "../../crypto/oaep.ts";
import { Malformed } from "../../errors.ts";
import type { Card } from "../identity/card.ts";
import { type ByteConn, writeAll } from "./conn.ts";
import type { FrameReader, FrameShape } from "./frames.ts";
import type { RecordOpener, RecordSealer } from "./records.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** The versions this program speaks, best first. */
export const versions: readonly number[] = [2];

/** Milliseconds from accept or dial to the end of the handshake. */
export const handshakeDeadlineMs = 10_000;
/** Milliseconds from accept to a valid ClientHello. */
export const helloDeadlineMs = 3_000;
/** Longest access token in bytes. */
export const maxTokenBytes = 64;

/** Plaintext length of R1 and R3: a card and its company, padded so that names do not show. */
export const paddedCardBytes = 640;

const helloFixedBytes = 4 + 1 + 2 + 32 + 32 + mlkemPublicBytes + 2;
const maxExtBytes = 4096;

/** What each message of the handshake looks like from outside. */
export const shapes: Record<"m1" | "m2" | "r1" | "r2" | "r3" | "r4", FrameShape> = {
  m1: { kind: "clear", min: helloFixedBytes, max: helloFixedBytes + 7 * 2 + maxExtBytes },
  m2: exactly("clear", 2 + 32 + 32 + mlkemCiphertextBytes + 1),
  r1: exactly("record", paddedCardBytes),
  r2: exactly("record", 8 + rsaCiphertextBytes),
  r3: exactly("record", paddedCardBytes),
  r4: exactly("record", rsaCiphertextBytes),
};

function exactly(kind: "clear" | "record", bytes: number): FrameShape {
  return { kind, min: bytes, max: bytes };
}

/** The one failure of a handshake. The reason is for the local log and for tests; a peer never sees it. */
export class HandshakeFailed extends Malformed {
  /** Makes one. @param reason which check failed */
  constructor(readonly reason: string) {
    super(`The handshake failed: ${reason}`);
  }
}

/** The other end closed in the middle of it. */
export class PeerClosed extends HandshakeFailed {
  /** Its reason is always the same. */
  constructor() {
    super("the peer closed the connection");
  }
}

/** ClientHello, decoded. */
export interface ClientHello {
  /** Offered versions. */
  readonly versions: number[];
  /** 32 bytes, fresh. */
  readonly random: Bytes;
  /** Ephemeral X25519 key. */
  readonly x25519: Bytes;
  /** Ephemeral ML-KEM key. */
  readonly mlkem: Bytes;
  /** Extensions: hashed, and ignored in version 1. */
  readonly ext: Bytes;
}

const magic = "CHAT";

/** M1 with its length prefix. */
export function encodeClientHello(hello: ClientHello): Bytes {
  const w = new Writer(1400);
  for (const c of magic) w.u8(c.charCodeAt(0));
  w.u8(hello.versions.length);
  for (const version of hello.versions) w.u16(version);
  w.raw(hello.random).raw(hello.x25519).raw(hello.mlkem).vec16(hello.ext);
  return new Writer(1400).vec16(w.done()).done();
}

/** Reads M1. @throws Malformed, HandshakeFailed */
export function decodeClientHello(wire: Uint8Array): ClientHello {
  const r = new Reader(wire.subarray(2));
  for (const c of magic) if (r.u8() !== c.charCodeAt(0)) throw new HandshakeFailed("magic");
  const n = r.u8();
  if (n < 1 || n > 8) throw new HandshakeFailed("number of versions");
  const offered = Array.from({ length: n }, () => r.u16());
  const hello = {
    versions: offered,
    random: r.take(32),
    x25519: r.take(32),
    mlkem: r.take(mlkemPublicBytes),
    ext: r.vec16(),
  };
  r.end();
  if (hello.ext.length > maxExtBytes) throw new HandshakeFailed("extensions");
  return hello;
}

/** ServerHello, decoded. */
export interface ServerHello {
  /** The chosen version. */
  readonly version: number;
  /** 32 bytes, fresh. */
  readonly random: Bytes;
  /** Ephemeral X25519 key. */
  readonly x25519: Bytes;
  /** To the client's ML-KEM key. */
  readonly mlkemCiphertext: Bytes;
  /** Work asked of the client. */
  readonly puzzleBits: number;
}

/** M2 with its length prefix. */
export function encodeServerHello(hello: ServerHello): Bytes {
  const body = new Writer(1200).u16(hello.version).raw(hello.random).raw(hello.x25519)
    .raw(hello.mlkemCiphertext).u8(hello.puzzleBits).done();
  return new Writer(1200).vec16(body).done();
}

/** Reads M2. @throws Malformed */
export function decodeServerHello(wire: Uint8Array): ServerHello {
  const r = new Reader(wire.subarray(2));
  const hello = {
    version: r.u16(),
    random: r.take(32),
    x25519: r.take(32),
    mlkemCiphertext: r.take(mlkemCiphertextBytes),
    puzzleBits: r.u8(),
  };
  r.end();
  return hello;
}

/** What a finished handshake leaves behind; everything else of it is dropped. */
export interface Established {
  /** The version both speak. */
  readonly version: number;
  /** For logs. */
  readonly session: string;
  /** The transcript hash after R4. */
  readonly h: Bytes;
  /** The other side's card, checked. */
  readonly peer: Card;
  /** On the server: the access token that the client sent, maybe empty. */
  readonly token: Bytes;
  /** For what we send. */
  readonly sealer: RecordSealer;
  /** For what we receive. */
  readonly opener: RecordOpener;
}

/** One step of a side: its next state, and what to send. */
export interface HandshakeStep<State> {
  /** The state that takes the next frame. */
  readonly state: State;
  /** Wire bytes, to be written in one piece; may be empty. */
  readonly send: Bytes;
}

/** The least that the driver must know of a side's states. */
export interface HandshakeState {
  /** The next frame, or null when this side is done. */
  readonly expects: FrameShape | null;
}

/**
 * Runs one side over a connection until it is done.
 *
 * @param step what the side says first, an empty `send` for the server
 * @param onState told each new state, so that the server can move its deadline after M1
 * @throws Malformed for every fault of the peer; the caller then stays silent until the deadline
 */
export async function driveHandshake<State extends HandshakeState>(
  conn: ByteConn,
  reader: FrameReader,
  step: HandshakeStep<State>,
  advance: (state: State, frame: Bytes) => Promise<HandshakeStep<State>>,
  onState: (state: State) => void = () => {},
): Promise<State> {
  for (;;) {
    if (step.send.length > 0) await writeAll(conn, step.send);
    const { state } = step;
    onState(state);
    if (state.expects === null) return state;
    const frame = await reader.next(state.expects);
    if (frame === null) throw new PeerClosed();
    step = await advance(state, frame);
  }
}
