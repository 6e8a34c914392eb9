/**
 * Attacks from loopback, bounded in count and in time: each comes from its own addresses (127.1.x.y), as strangers
 * would, and ends by itself or when it is told to.
 */

import type net from "node:net";
import { systemRandom } from "../../lib/crypto/random.ts";
import { concat } from "../../lib/crypto/bytes.ts";
import { rsaCiphertextBytes } from "../../lib/crypto/oaep.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import { advanceClient, startClient } from "../../lib/protocol/channel/handshake_client.ts";
import { RecordSealer } from "../../lib/protocol/channel/records.ts";
import { person } from "./people.ts";
import { asConn, connectFrom as connect } from "./own_address.ts";

/** What an attack runs against. */
export interface Target {
  readonly port: number;
  readonly signal: AbortSignal;
}

/** One way of hurting a server. */
export interface Attack {
  readonly name: string;
  /** Goes on until it has done its worst, or the signal says stop. */
  run(target: Target): Promise<void>;
}

let nextAddress = 0;
/** Another stranger. */
function address(): string {
  nextAddress++;
  return `127.1.${(nextAddress >> 8) % 250 + 1}.${nextAddress % 250 + 1}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Opens `count` connections, `perAddress` from each address, and says `say` on each. */
async function crowd(
  { port, signal }: Target,
  count: number,
  perAddress: number,
  say: (socket: net.Socket) => void,
): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  let from = address();
  for (let i = 0; i < count && !signal.aborted; i++) {
    if (i % perAddress === 0) from = address();
    const socket = await connect(port, from);
    if (!socket) continue;
    socket.resume();
    sockets.push(socket);
    say(socket);
  }
  return sockets;
}

/** Keeps doing it until told to stop. */
async function again(target: Target, act: () => Promise<net.Socket[]>): Promise<void> {
  while (!target.signal.aborted) {
    const sockets = await act();
    await pause(500, target.signal);
    for (const socket of sockets) socket.destroy();
  }
}

/** What a client without a pin brings to a handshake. */
async function stranger() {
  const { identity, card } = await person("mallory");
  const token = new Uint8Array(0);
  return { identity, card: card.bytes, token, minVersion: 2, random: systemRandom, checkServer: () => {} };
}

/** A valid ClientHello. */
async function hello(): Promise<Uint8Array> {
  return (await startClient(await stranger())).send;
}

/**
 * All the way to R2, which costs the server an RSA decryption; then gone.
 *
 * @param solves whether the puzzle is solved and the secret sealed as it should be; else R2 is noise under a valid tag,
 * which costs the stranger nothing
 */
async function askForRsa(port: number, solves: boolean): Promise<void> {
  const socket = await connect(port, address());
  if (!socket) return;
  const conn = asConn(socket);
  const config = await stranger();
  const timer = setTimeout(() => socket.destroy(), 4000);
  try {
    const reader = new FrameReader(conn);
    const first = await startClient(config);
    await conn.write(first.send);
    const m2 = await reader.next(first.state.expects!);
    const { state } = await advanceClient(first.state, m2!, config);
    if (state.step !== "awaiting R1") return;
    const r1 = await reader.next(state.expects);
    const r2 = solves
      ? (await advanceClient(state, r1!, config)).send
      : new RecordSealer(state.keys.c2s).seal(concat(new Uint8Array(8), systemRandom(rsaCiphertextBytes)));
    await conn.write(r2);
    await new Promise((resolve) => setTimeout(resolve, 200));
  } catch {
    // Turned away.
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** Forty strangers at a time who do nothing else. */
async function floodRsa({ port, signal }: Target, solves: boolean): Promise<void> {
  const worker = async () => {
    while (!signal.aborted) await askForRsa(port, solves);
  };
  await Promise.all(Array.from({ length: 40 }, worker));
}

const oversized: Uint8Array[] = [
  Uint8Array.of(0xff, 0xff),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff),
  Uint8Array.of(0, 0),
  Uint8Array.of(0x14, 0xf8),
];

/** All of them. */
export const attacks: readonly Attack[] = [
  {
    name: "1000 connections that say nothing",
    run: (target) => again(target, () => crowd(target, 1000, 16, () => {})),
  },
  {
    name: "400 handshakes that come byte by byte",
    run: async (target) => {
      const bytes = await hello();
      await again(target, () =>
        crowd(target, 400, 16, (socket) => {
          let at = 0;
          const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 50);
          socket.on("close", () => clearInterval(timer));
        }));
    },
  },
  {
    name: "garbage as first bytes",
    run: (target) =>
      again(target, () => crowd(target, 500, 16, (socket) => void socket.write(systemRandom(2000)))),
  },
  {
    name: "lengths that may not be",
    run: (target) =>
      again(target, () =>
        crowd(target, 500, 16, (socket) => {
          const head = oversized[Math.floor(Math.random() * oversized.length)];
          socket.write(head);
          socket.write(new Uint8Array(20_000));
        })),
  },
  {
    name: "a flood of RSA decryptions, puzzles solved",
    run: (target) => floodRsa(target, true),
  },
  {
    name: "a flood of RSA decryptions, puzzles not solved",
    run: (target) => floodRsa(target, false),
  },
  {
    name: "10 000 connections from one address",
    run: async ({ port, signal }) => {
      const from = address();
      for (let i = 0; i < 10_000 && !signal.aborted; i++) (await connect(port, from))?.destroy();
    },
  },
];
