/**
 * Member floods: the worst that somebody may do who has proved an identity, each as fast as the link takes it. Every one
 * comes from an address of its own, goes on until it is told to stop, and comes back when it is put off.
 */

import { type Bytes, concat } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { type LinkMessage, roomKinds } from "../../lib/protocol/channel/link_messages.ts";
import { roomId } from "../../lib/protocol/group/commit.ts";
import { boxBytes } from "../../lib/protocol/group/box.ts";
import { signKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import { viewOfNothing } from "../../lib/protocol/group/signed_head.ts";
import { makePrekey } from "../../lib/protocol/identity/prekey.ts";
import { genesis, headOf, successor } from "./commits.ts";
import { another, Flooder } from "./flooder.ts";
import { asConn, connectFrom } from "./own_address.ts";

/** What is said again and again. */
type Says = (flooder: Flooder, room: Bytes) => Promise<() => LinkMessage>;

const said = (make: (flooder: Flooder, room: Bytes) => LinkMessage): Says => (flooder, room) =>
  Promise.resolve(() => make(flooder, room));

function newRoom({ who, ref }: Flooder): LinkMessage {
  const prev = systemRandom(32);
  const roomName = `x${prev[0]}-${prev[1]}-${prev[2]}`;
  const room = roomId(who.card.id, roomName, prev);
  const view = viewOfNothing(room);
  return { type: "COMMIT", ref, commit: genesis(who, { prev, room, roomName, view, policy: 1 }).bytes };
}

/** By name. */
const floods: readonly (readonly [string, Says])[] = [
  [
    "leaves signed by nobody",
    said((f, room) => {
      return { type: "LEAVE", ref: f.ref, room, epoch: 0, signature: new Uint8Array(64) };
    }),
  ],
  [
    "asking to be let in",
    said((f, room) => {
      return { type: "JOIN", ref: f.ref, room, kind: roomKinds.ordinary, pos: 0 };
    }),
  ],
  ["in and out", (f, room) => {
    let n = 0;
    return Promise.resolve(() =>
      n++ % 2
        ? { type: "LEAVE", ref: f.ref, room, epoch: 0, signature: new Uint8Array(64) }
        : { type: "JOIN", ref: f.ref, room, kind: roomKinds.ordinary, pos: 0 }
    );
  }],
  [
    "looking for rooms",
    said((f) => ({ type: "ROOM_FIND", ref: f.ref, name: new TextEncoder().encode("lobby") })),
  ],
  [
    "looking for cards",
    said((f) => {
      return { type: "CARD_GET", ref: f.ref, ids: Array.from({ length: 32 }, () => f.who.card.id) };
    }),
  ],
  ["prekeys", async (f) => {
    const { id, signing } = f.who.identity;
    const { published } = await makePrekey(id, signing, 1, Math.floor(Date.now() / 1000));
    return () => ({ type: "PREKEY_PUT", ref: f.ref, prekey: published });
  }],
  ["boxes and bad commits", (f, room) => {
    const box = concat(Uint8Array.of(1), systemRandom(boxBytes - 1));
    const first = genesis(f.who, { room });
    const { bytes } = successor(headOf(first, 1), f.who);
    let n = 0;
    return Promise.resolve(() =>
      n++ % 4 ? { type: "BOX_PUT", ref: f.ref, box } : { type: "COMMIT", ref: f.ref, commit: bytes }
    );
  }],
  ["rooms", said(newRoom)],
  ["large messages into a key-file room", (f) => {
    const room = systemRandom(32);
    const token = new Uint8Array(20_000).fill(65);
    const join: LinkMessage = { type: "JOIN", ref: f.ref, room, kind: roomKinds.keyFile, pos: 0 };
    const sender = f.who.card.id;
    const view = viewOfNothing(room);
    const signed = Array.from(
      { length: 50 },
      (_, n) => signKeyFileMessage({ room, sender, n, view }, token, f.who.identity.signing),
    );
    let n = 0;
    return Promise.resolve(() =>
      n++ === 0 ? join : { type: "SEND", ref: f.ref, message: signed[n % signed.length] }
    );
  }],
  ["reading a key-file room anew", (f) => {
    const room = systemRandom(32);
    const token = new Uint8Array(20_000).fill(65);
    const view = viewOfNothing(room);
    const sender = f.who.card.id;
    const join = (): LinkMessage => ({ type: "JOIN", ref: f.ref, room, kind: roomKinds.keyFile, pos: 0 });
    let n = 0;
    return Promise.resolve(() => {
      const said = n++ - 1;
      if (said < 0) return join();
      if (said < 20) {
        const message = signKeyFileMessage({ room, sender, n: said, view }, token, f.who.identity.signing);
        return { type: "SEND", ref: f.ref, message };
      }
      return n % 2 ? join() : { type: "LEAVE", ref: f.ref, room, epoch: 0, signature: new Uint8Array(64) };
    });
  }],
  [
    "coming back again and again",
    said((f) => {
      queueMicrotask(() => f.close());
      return { type: "PING", any: 7 };
    }),
  ],
  ["pings", said(() => ({ type: "PING", any: 7 }))],
];

/** One of them, by number. @param room that others are in */
export async function floodAsMember(
  n: number,
  port: number,
  room: Bytes,
  signal: AbortSignal,
): Promise<{ name: string; answers: Map<string, number> }> {
  const [name, says] = floods[n % floods.length];
  const answers = new Map<string, number>();
  const who = await another(1000 + n);
  while (!signal.aborted) {
    try {
      const socket = await connectFrom(port, `127.3.${(n >> 8) % 250}.${n % 250 + 1}`);
      if (!socket) throw new Error("turned away");
      signal.addEventListener("abort", () => socket.destroy(), { once: true });
      const flooder = await Flooder.open(who, asConn(socket));
      await flooder.publish();
      const make = await says(flooder, room);
      await flooder.flood(() => Array.from({ length: 50 }, make), signal);
      flooder.close();
      for (const [kind, count] of flooder.answers) answers.set(kind, (answers.get(kind) ?? 0) + count);
    } catch {
      // Turned away: it comes again.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { name, answers };
}
