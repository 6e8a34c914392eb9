/**
 * Session: one connection from accept to goodbye (protocol §5, §12, §13).
 *
 * Before the first traffic record the client is nobody, and every fault has one outcome: silence until the
 * deadline. After it, what a person could mend is told with CLOSE and a reason.
 */

import { equals } from "@std/bytes/equals";
import { type Bytes, equalSecret } from "../crypto/bytes.ts";
import { sha256 } from "../crypto/hash.ts";
import { Malformed } from "../errors.ts";
import { type ByteConn, closeQuietly } from "../protocol/conn.ts";
import { FrameReader, trafficRecord } from "../protocol/frames.ts";
import {
  driveHandshake,
  type Established,
  handshakeDeadlineMs,
  HandshakeFailed,
  helloDeadlineMs,
} from "../protocol/handshake.ts";
import { advanceServer, type ServerHandshakeConfig, startServer } from "../protocol/handshake_server.ts";
import { Link } from "../protocol/link.ts";
import {
  closeReasons,
  decodeMessages,
  type MessageOf,
  roomKinds,
  welcomeFlags,
} from "../protocol/messages.ts";
import { parseCard } from "../protocol/card.ts";
import { skeleton } from "../protocol/name.ts";
import { messageMaxBytes } from "../protocol/message.ts";
import { textMaxBytes } from "../protocol/content.ts";
import { rosterMax } from "../protocol/roster.ts";
import type { Doorkeeper } from "./limits.ts";
import { Peer } from "./peer.ts";
import { handleRequest } from "./requests.ts";
import type { Rooms } from "./rooms.ts";

/** What every session of a server shares. */
export interface SessionContext {
  /** Rooms, store, peers, clock. */
  readonly rooms: Rooms;
  /** Counts and rates. */
  readonly doorkeeper: Doorkeeper;
  /** Keys, puzzle and the RSA queue. */
  readonly handshake: ServerHandshakeConfig;
  /** Everybody must know it, when set. */
  readonly accessToken: Bytes | null;
  /** Links that are alive: for ticking, and for goodbye at shutdown. */
  readonly links: Set<Link>;
}

/** Where a connection comes from and arrives. */
export interface Ends {
  /** Our `host:port`. */
  readonly local: string;
  /** The peer's `host:port`. */
  readonly remote: string;
  /** What its limits count by. */
  readonly address: string;
}

/** Runs a connection that the doorkeeper has admitted; never throws for anything a peer does. */
export async function runSession(conn: ByteConn, ends: Ends, context: SessionContext): Promise<void> {
  const { doorkeeper, rooms } = context;
  let established: { link: Link; hello: MessageOf<"HELLO">; peer: Established } | null = null;
  try {
    established = await shakeHands(conn, context);
  } finally {
    doorkeeper.decided(ends.address);
    if (!established) closeQuietly(conn);
  }
  if (!established) return;
  if (!doorkeeper.link(ends.address)) return established.link.close(closeReasons.limit);
  try {
    await serve(established.link, established.peer, established.hello, ends, context);
  } catch (error) {
    rooms.events.bug(error as Error);
  } finally {
    established.link.drop();
    doorkeeper.unlink(ends.address);
  }
}

/** From accept to HELLO. @returns null after a silent failure, once the deadline has passed */
async function shakeHands(conn: ByteConn, context: SessionContext) {
  const { clock, events } = context.rooms;
  const reader = new FrameReader(conn);
  const acceptedMs = clock.now();
  let cancel = clock.after(helloDeadlineMs, () => closeQuietly(conn));
  try {
    const done = await driveHandshake(
      conn,
      reader,
      startServer(),
      (state, frame) => {
        if (state.step === "awaiting M1" && !context.doorkeeper.hello()) {
          throw new HandshakeFailed("too many handshakes this second");
        }
        return advanceServer(state, frame, context.handshake);
      },
      ({ step }) => {
        if (step === "awaiting R2") {
          cancel();
          const leftMs = acceptedMs + handshakeDeadlineMs - clock.now();
          cancel = clock.after(leftMs, () => closeQuietly(conn));
        } else if (step === "done") {
          events.clientKeyReceived();
          events.secretKeySent();
        }
      },
    );
    if (done.step !== "done") return null;
    const link = new Link(conn, reader, done.established, "server", clock);
    const frame = await reader.next(trafficRecord);
    if (frame === null) return null;
    // Decoded without an answer to anything: before this record opens, the client is nobody.
    const [hello, ...more] = decodeMessages(done.established.opener.open(frame), "client");
    if (hello?.type !== "HELLO" || more.length > 0) {
      throw new Malformed("the first record is not HELLO alone");
    }
    return { link, hello, peer: done.established };
  } catch {
    // One failure for all faults: nothing is sent, nothing is told apart, until the deadline closes it.
    await reader.discard().catch(() => {});
    return null;
  } finally {
    cancel();
  }
}

async function serve(
  link: Link,
  established: Established,
  hello: MessageOf<"HELLO">,
  ends: Ends,
  context: SessionContext,
): Promise<void> {
  const { rooms, doorkeeper } = context;
  const { peer: card } = established;
  context.links.add(link);
  const refusal = refusalOf(established, ends.address, context);
  if (refusal !== null) {
    rooms.events.refused(card.name, refusalWords[refusal]);
    link.close(refusal);
    await link.run(() => {});
    context.links.delete(link);
    return;
  }
  const peer = new Peer(card, link, ends.remote, rooms.rates);
  try {
    // The binding of name and key is on disk before its owner is let in.
    const { store } = rooms;
    const isNew = store.card(card.id) === null;
    const bound = rooms.writeNow(() => {
      if (isNew) store.putCard(card.id, skeleton(card.name), card.bytes);
    });
    if (!bound) {
      link.close(closeReasons.limit);
      await link.run(() => {});
      return;
    }
    rooms.peers.get(peer.key)?.link.close(closeReasons.replaced);
    enter(peer, hello, context);
    doorkeeper.welcomed(ends.address);
    rooms.events.connected(card.name, ends.local, ends.remote);
    await link.run((messages) => {
      for (const message of messages) handleRequest(rooms, peer, message);
    });
    if (link.fault !== null && !(link.fault instanceof Malformed)) rooms.events.bug(link.fault);
  } finally {
    context.links.delete(link);
    goodbye(peer, rooms);
  }
}

const refusalWords: Record<number, string> = {
  [closeReasons.nameTaken]: "name taken",
  [closeReasons.accessToken]: "access token",
  [closeReasons.putOut]: "banned",
};

/** Check 8 of the handshake: token, bans, names. @returns a CLOSE reason */
function refusalOf(
  { peer: card, token }: Established,
  address: string,
  context: SessionContext,
): number | null {
  const { store, bans } = context.rooms;
  // Hashed first, so that the comparison sees equal lengths and tells nothing of the token's.
  if (context.accessToken && !equalSecret(sha256(token), sha256(context.accessToken))) {
    return closeReasons.accessToken;
  }
  if (bans.has(card.name, address)) return closeReasons.putOut;
  const owner = store.idByName(skeleton(card.name));
  if (owner && !equals(owner, card.id)) return closeReasons.nameTaken;
  // One id, one name: the card that was seen first stays, but its owner may have lost the file.
  const known = store.card(card.id);
  return known && parseCard(known).name !== card.name ? closeReasons.nameTaken : null;
}

/** WELCOME, the streams, and the news to others that this peer is here. */
function enter(peer: Peer, hello: MessageOf<"HELLO">, context: SessionContext): void {
  const { rooms } = context;
  const { store, limits, clock } = rooms;
  rooms.peers.set(peer.key, peer);
  peer.send({
    type: "WELCOME",
    time: Math.floor(clock.now() / 1000),
    runId: store.runId,
    flags: (store.memoryOnly ? welcomeFlags.memoryOnly : 0) |
      (rooms.showAddresses ? welcomeFlags.addresses : 0),
    messageBytes: messageMaxBytes,
    textBytes: textMaxBytes,
    members: rosterMax,
    rooms: limits.roomsPerUser,
    burst: limits.sendBurst,
    rate: limits.sendsPerSecond,
    fileBytes: 0,
    blobBytes: 0,
    retainSeconds: rooms.retention.seconds,
  });
  const listed = new Set<string>();
  if (equals(hello.runId, store.runId)) {
    for (const { room: id, pos, kind } of hello.rooms) {
      const keyFileRoom = kind === roomKinds.keyFile ? rooms.keyFileRoom(id) : undefined;
      if (keyFileRoom) {
        keyFileRoom.join(peer, pos);
        continue;
      }
      const room = kind === roomKinds.ordinary ? rooms.get(id) : undefined;
      if (!room) peer.send({ type: "ROOM_INFO", ref: 0, ...unknownRoom(id, kind) });
      else if (!listed.has(room.key)) room.resume(peer, pos);
      if (room) listed.add(room.key);
    }
  }
  for (const id of store.roomsOf(peer.card.id)) {
    const room = rooms.get(id)!;
    if (!listed.has(room.key)) room.resume(peer, null);
    room.broadcast({ type: "PRESENCE", room: id, what: 1, ids: [peer.card.id] }, peer);
  }
}

function unknownRoom(room: Bytes, kind: number) {
  const zeros = new Uint8Array(32);
  return { room, kind, policy: 0, flags: 0, last: 0, start: 0, startHash: zeros, name: new Uint8Array(0) };
}

function goodbye(peer: Peer, rooms: Rooms): void {
  const wasCurrent = rooms.peers.get(peer.key) === peer;
  if (wasCurrent) rooms.peers.delete(peer.key);
  for (const subscription of [...peer.subscriptions.values()]) subscription.room.unsubscribe(subscription);
  rooms.onLeft(peer);
  rooms.events.left(peer.card.name);
  if (!wasCurrent) return;
  for (const id of rooms.store.roomsOf(peer.card.id)) {
    rooms.get(id)?.broadcast({ type: "PRESENCE", room: id, what: 0, ids: [peer.card.id] });
  }
}
