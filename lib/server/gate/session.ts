/**
 * Session: one connection from accept to goodbye (protocol §5, §12, §13).
 *
 * Before the first traffic record the client is nobody, and every fault has one outcome: silence until the
 * deadline. After it, what a person could mend is told with CLOSE and a reason.
 */

import { equals } from "@std/bytes/equals";
import { type Bytes, equalSecret } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import { Malformed } from "../../errors.ts";
import { type ByteConn, closeQuietly } from "../../protocol/channel/conn.ts";
import { FrameReader, trafficRecord } from "../../protocol/channel/frames.ts";
import {
  driveHandshake,
  type Established,
  handshakeDeadlineMs,
  HandshakeFailed,
  helloDeadlineMs,
} from "../../protocol/channel/handshake.ts";
import {
  advanceServer,
  type ServerHandshakeConfig,
  startServer,
} from "../../protocol/channel/handshake_server.ts";
import { type FrameWatcher, Link } from "../../protocol/channel/link.ts";
import {
  closeReasons,
  decodeMessages,
  type LinkMessage,
  type MessageOf,
  roomFlags,
  roomKinds,
  welcomeFlags,
} from "../../protocol/channel/link_messages.ts";
import { type Card, parseCard } from "../../protocol/identity/card.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { maxMessageBytes } from "../../protocol/group/sealed_message.ts";
import { maxTextBytes } from "../../protocol/group/content.ts";
import type { WriteScheduler } from "../../protocol/channel/write_scheduler.ts";
import { KeyRefused } from "../../crypto/key_refused.ts";
import { TagMismatch } from "../../crypto/seal.ts";
import type { HandshakeFailure } from "../events.ts";
import type { StoredRoom } from "../store/store.ts";
import { FairTurns } from "./fair_turns.ts";
import type { ConnectionLimiter, PendingSlot } from "./connection_limiter.ts";
import { Peer } from "../rooms/peer.ts";
import { costOf, handshakeUs } from "../rooms/request_costs.ts";
import { handleRequest } from "../rooms/requests.ts";
import type { Rooms } from "../rooms/rooms.ts";
import type { LoginAttempt, SignIn } from "./sign_in.ts";
import { seconds, sleep } from "../../clock.ts";

/** What every session of a server shares. */
export interface SessionContext {
  /** Rooms, store, peers, clock. */
  readonly rooms: Rooms;
  /** Aborted once the server takes nobody in any more. */
  readonly stopping: AbortSignal;
  /** Counts and rates. */
  readonly connectionLimiter: ConnectionLimiter;
  /** Keys, puzzle and the RSA queue. */
  readonly handshake: ServerHandshakeConfig;
  /** Everybody must know it, when set. */
  readonly accessToken: Bytes | null;
  /** Accounts, when people must log in. */
  readonly signIn: SignIn | null;
  /** Told of what passes over each link, by its name in logs. */
  readonly watchLink?: (session: string) => FrameWatcher;
  /** When each link may write. */
  readonly writes: WriteScheduler;
  /** Runs something in a later turn of the event loop, past all that waits at the sockets. */
  readonly defer: (act: () => void) => void;
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
  /** Its place among those that have not proved who they are. */
  readonly slot: PendingSlot;
}

/** Runs a connection that the ConnectionLimiter has admitted; never throws for anything a peer does. */
export async function runSession(conn: ByteConn, ends: Ends, context: SessionContext): Promise<void> {
  const { connectionLimiter, rooms } = context;
  let established: { link: Link; hello: MessageOf<"HELLO">; peer: Established } | null = null;
  try {
    established = await shakeHands(conn, ends, context);
  } finally {
    connectionLimiter.release(ends.slot);
    if (!established) closeQuietly(conn);
  }
  if (!established) return;
  if (!connectionLimiter.link(ends.address)) {
    const { name, id } = established.peer.peer;
    rooms.events.tell({ type: "refused", name, id, why: "--max-links", remote: ends.remote });
    return established.link.close(closeReasons.limit);
  }
  try {
    await serve(established.link, established.peer, established.hello, ends, context);
  } catch (error) {
    rooms.tellFault(error);
  } finally {
    established.link.drop();
    connectionLimiter.unlink(ends.address);
  }
}

/** From accept to HELLO. @returns null after a silent failure, once the deadline has passed */
async function shakeHands(conn: ByteConn, { remote, slot }: Ends, context: SessionContext) {
  const { clock, events } = context.rooms;
  const reader = new FrameReader(conn);
  const config: ServerHandshakeConfig = {
    ...context.handshake,
    puzzleBits: () =>
      Math.max(context.handshake.puzzleBits(), context.connectionLimiter.puzzleBitsFor(slot.address)),
    decrypt(label, ciphertext) { // its puzzle is solved
      slot.step = "secret";
      slot.sinceMs = clock.now();
      return context.handshake.decrypt(label, ciphertext);
    },
  };
  const acceptedMs = clock.now();
  let cancel = clock.after(helloDeadlineMs, () => closeQuietly(conn));
  try {
    const done = await driveHandshake(
      conn,
      reader,
      startServer(),
      async (state, frame) => {
        if (state.step === "awaiting M1") {
          const waitMs = context.connectionLimiter.hello();
          if (waitMs === null) throw new HandshakeFailed("too many handshakes this second");
          if (waitMs > 0) await sleep(clock, waitMs);
        }
        return await advanceServer(state, frame, config);
      },
      ({ step }) => {
        if (step === "awaiting R2") {
          slot.step = "hello";
          slot.sinceMs = clock.now();
          cancel();
          const leftMs = acceptedMs + handshakeDeadlineMs - clock.now();
          cancel = clock.after(leftMs, () => closeQuietly(conn));
        } else if (step === "done") {
          events.tell({ type: "handshake done" });
        }
      },
    );
    if (done.step !== "done") throw new Error("the handshake did not end");
    const { queueBytes, queueSeconds } = context.rooms.limits;
    const queue = { maxBytes: queueBytes, maxMs: queueSeconds * 1000 };
    const link = new Link(conn, reader, done.established, "server", clock, queue, context.writes);
    link.onFrame = context.watchLink?.(done.established.session) ?? null;
    const frame = await reader.next(trafficRecord);
    if (frame === null) throw new HandshakeFailed("the peer closed the connection");
    // Nothing is answered before this record opens: until then the client has proved nothing.
    const [hello, ...more] = decodeMessages(done.established.opener.open(frame), "client");
    if (hello?.type !== "HELLO" || more.length > 0) {
      throw new Malformed("the first record is not HELLO alone");
    }
    return { link, hello, peer: done.established };
  } catch (error) {
    if (slot.step !== "evicted") {
      events.tell({ type: "handshake failed", why: failureOf(error), remote });
      slot.step = "failed";
    }
    // All faults look the same: nothing is sent until the deadline closes the connection.
    await reader.discard().catch(() => {});
    return null;
  } finally {
    cancel();
  }
}

/** What the operator may know of a failed handshake. */
function failureOf(error: unknown): HandshakeFailure {
  if (error instanceof HandshakeFailed) return failureKinds[error.reason] ?? "malformed";
  if (error instanceof TagMismatch || error instanceof KeyRefused) return "crypto";
  if (error instanceof Malformed) return "malformed";
  // Our own deadline closes the connection under the reader.
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return "deadline";
  return error instanceof Error && /^(Connection|Broken|Timed|Unexpected)/.test(error.name)
    ? "cut"
    : "crypto";
}

const failureKinds: Record<string, HandshakeFailure> = {
  "puzzle": "puzzle",
  "the RSA queue is full": "busy",
  "too many handshakes this second": "busy",
  "the peer closed the connection": "cut",
};

async function serve(
  link: Link,
  established: Established,
  hello: MessageOf<"HELLO">,
  ends: Ends,
  context: SessionContext,
): Promise<void> {
  const { rooms, connectionLimiter, handshake } = context;
  const { peer: card } = established;
  context.links.add(link);
  const refusal = refusalOf(established, ends.address, context);
  if (refusal !== null) {
    const { name, id } = card;
    rooms.events.tell({ type: "refused", name, id, why: refusalWords[refusal], remote: ends.remote });
    link.close(refusal);
    await link.run(() => {});
    context.links.delete(link);
    return;
  }
  const peer = new Peer(
    card,
    link,
    ends.remote,
    ends.address,
    rooms.rates,
    established.session,
    handshake.random(16),
  );
  let isIn = false;
  const attempt: LoginAttempt = {
    link,
    card,
    address: ends.address,
    isFree: () => isNameFree(card, rooms),
    isElsewhere: () => rooms.others.answers(peer.key),
    bind: async () => await isCaughtUp(peer, hello, context) && await bindName(peer, ends, context),
    enter(isNew) {
      isIn = true;
      letIn(peer, hello, ends, context);
      // A registration keeps its cost: it bounds how many accounts one address can make.
      if (!isNew) connectionLimiter.welcomed(ends.address);
    },
  };
  const login = context.signIn?.receive(attempt);
  try {
    if (login) peer.send(welcomeOf(context));
    else if (await attempt.bind()) attempt.enter(false);
    const turns = new FairTurns(peer.work, rooms.blobs.work, link, rooms.clock, context.defer);
    await turns.untilPaid(); // a new link is no new budget
    const handle = (message: LinkMessage) => {
      if (!isIn && login) login.receive(message);
      else if (!context.signIn?.request(peer, ends.address, message)) handleRequest(rooms, peer, message);
    };
    await link.run((messages, record) => turns.take(messages, record, handle));
    if (link.fault !== null && !(link.fault instanceof Malformed)) {
      rooms.tellFault(link.fault);
    }
  } finally {
    context.links.delete(link);
    login?.left();
    rooms.claims.forget(peer);
    if (isIn) goodbye(peer, rooms);
  }
}

/** What somebody has been shown elsewhere must be here before she is in: it would look lost. */
async function isCaughtUp(
  { link }: Peer,
  hello: MessageOf<"HELLO">,
  { rooms }: SessionContext,
): Promise<boolean> {
  if (!equals(hello.runId, rooms.store.runId)) return true;
  const isAhead = hello.rooms.some(({ room, pos }) =>
    pos > ((rooms.get(room) ?? rooms.keyFileRoom(room))?.flushed ?? 0)
  );
  if (!isAhead) return true;
  const patience = new AbortController();
  const late = sleep(rooms.clock, catchUpMs, patience.signal).then(() => false);
  const isThere = await Promise.race([rooms.caughtUp(), late]);
  patience.abort();
  if (!isThere) link.close(closeReasons.tryLater);
  return isThere && !link.isOver;
}

/** Stores the card and its name before the peer is let in. @returns false, with the link closed, if that fails */
async function bindName(peer: Peer, ends: Ends, context: SessionContext): Promise<boolean> {
  const { rooms, signIn } = context;
  const { card, link } = peer;
  const { name, id } = card;
  const isNew = rooms.store.card(id) === null;
  const refuse = (why: string, reason: number) => {
    rooms.events.tell({ type: "refused", name, id, why, remote: ends.remote });
    link.close(reason);
    return false;
  };
  if (isNew && !context.connectionLimiter.newcomer(ends.address)) {
    return refuse("--identities-per-hour", closeReasons.limit);
  }
  let isKept: boolean;
  if (!isNew && isNameFree(card, rooms)) isKept = await rooms.barrier();
  else {
    const outcome = await rooms.propose({ kind: "card", card: card.bytes, takesName: signIn !== null });
    // Somebody else of that name was faster.
    if (outcome.type === "refused") return refuse("name taken", closeReasons.nameTaken);
    isKept = outcome.type === "done";
  }
  // The operator may have banned this name while it was being stored.
  if (rooms.bans.has(name, ends.address)) return refuse("banned", closeReasons.putOut);
  isKept &&= link.isOver || await rooms.claims.claim(peer);
  if (!isKept) link.close(closeReasons.tryLater); // the disk refuses it, or the log cannot be reached
  return isKept && !link.isOver;
}

/** Lets a peer in whose name is kept. */
function letIn(peer: Peer, hello: MessageOf<"HELLO">, ends: Ends, context: SessionContext): void {
  const { rooms, signIn } = context;
  rooms.peers.get(peer.key)?.link.close(closeReasons.replaced);
  if (!signIn) peer.send(welcomeOf(context));
  if (rooms.putOffAsSlow.delete(peer.key)) peer.send({ type: "NOTICE", text: slowNotice });
  enter(peer, hello, rooms);
  const { name, id } = peer.card;
  const { local, remote } = ends;
  rooms.events.tell({ type: "connected", name, id, session: peer.session, local, remote });
}

const maxSlow = 10_000;
const catchUpMs = 6_000;
const slowNotice =
  "Your last connection was ended because it did not take what was sent to it, so that nobody " +
  "else had to wait; what you missed follows.";

const refusalWords: Record<number, string> = {
  [closeReasons.nameTaken]: "name taken",
  [closeReasons.accessToken]: "access token",
  [closeReasons.putOut]: "banned",
  [closeReasons.shutdown]: "shutting down",
  [closeReasons.tryLater]: "the log is away",
};

/** Check 8 of the handshake: token, bans, names. @returns a CLOSE reason */
function refusalOf(
  { peer: card, token }: Established,
  address: string,
  context: SessionContext,
): number | null {
  const { store, bans, isLogAway } = context.rooms;
  // Whoever was shaking hands when the others were told: nothing would be kept of what she says.
  if (context.stopping.aborted) return closeReasons.shutdown;
  // Hashed first, so that the comparison sees equal lengths and tells nothing of the token's.
  if (context.accessToken && !equalSecret(sha256(token), sha256(context.accessToken))) {
    return closeReasons.accessToken;
  }
  if (bans.has(card.name, address)) return closeReasons.putOut;
  if (isLogAway) return closeReasons.tryLater; // what is here may be old, and nobody could see that
  // With accounts the login decides whose name it is.
  if (!context.signIn && !isNameFree(card, context.rooms)) return closeReasons.nameTaken;
  // One name per id: the first card stays. Its owner may have lost the file and made another card.
  const known = store.card(card.id);
  return known && parseCard(known).name !== card.name ? closeReasons.nameTaken : null;
}

/** Whether a name is nobody's yet, or this key's. */
function isNameFree({ name, id }: Card, { store }: Rooms): boolean {
  const owner = store.idByName(skeleton(name));
  return !owner || equals(owner, id);
}

const registrationFlags = {
  open: welcomeFlags.registrationOpen,
  token: welcomeFlags.registrationToken,
  closed: 0,
} as const;

function welcomeOf({ rooms, signIn }: SessionContext): MessageOf<"WELCOME"> {
  const { store, limits, clock } = rooms;
  return {
    type: "WELCOME",
    time: seconds(clock),
    runId: store.runId,
    flags: (store.memoryOnly ? welcomeFlags.memoryOnly : 0) |
      (rooms.showAddresses ? welcomeFlags.addresses : 0) |
      (signIn ? welcomeFlags.accounts | registrationFlags[signIn.accounts.registration] : 0),
    messageBytes: maxMessageBytes,
    textBytes: maxTextBytes,
    members: limits.members,
    rooms: limits.roomsPerUser,
    burst: limits.sendBurst,
    rate: limits.sendsPerSecond,
    fileBytes: rooms.blobs.isOn ? limits.fileBytes : 0,
    blobBytes: rooms.blobs.isOn ? limits.filesPerUser : 0,
    retainSeconds: rooms.retention.seconds,
    place: rooms.place,
  };
}

/** The streams of rooms, and the news to others that this peer is here. */
function enter(peer: Peer, hello: MessageOf<"HELLO">, rooms: Rooms): void {
  const { store } = rooms;
  peer.work.spend(handshakeUs + costOf(hello));
  rooms.peers.set(peer.key, peer);
  rooms.others.changed(peer.key);
  const begun = new Set<string>();
  if (equals(hello.runId, store.runId)) {
    for (const listed of hello.rooms) {
      const { room: id, pos, kind } = listed;
      const keyFileRoom = kind === roomKinds.keyFile ? rooms.keyFileRoom(id) : undefined;
      if (keyFileRoom) {
        keyFileRoom.join(peer, pos);
        continue;
      }
      const there = kind === roomKinds.ordinary ? rooms.get(id) : undefined;
      const room = there?.isHiddenFrom(peer.card.id) ? undefined : there;
      if (!room) peer.send({ type: "ROOM_INFO", ref: 0, ...absentRoom(listed, store.room(id)) });
      else if (!begun.has(room.key)) room.resume(peer, pos);
      if (room) begun.add(room.key);
    }
  }
  for (const id of store.roomsOf(peer.card.id)) {
    const room = rooms.get(id)!;
    if (!begun.has(room.key)) room.resume(peer, null);
    room.broadcast({ type: "PRESENCE", room: id, what: 1, ids: [peer.card.id] }, peer, peer);
  }
}

type Listed = MessageOf<"HELLO">["rooms"][number];

/**
 * One that is not there: never was, or was given up. How long it was is told to nobody who did not know; and of one that
 * is there, as another kind, nothing is said.
 */
function absentRoom({ room, kind, pos }: Listed, stored: StoredRoom | null) {
  const [startHash, name] = [new Uint8Array(32), new Uint8Array(0)];
  const reaped = stored?.isReaped && stored.kind === kind ? stored : null;
  const flags = reaped ? roomFlags.retired : 0;
  return { room, kind, policy: 0, flags, last: Math.min(pos, reaped?.last ?? 0), start: 0, startHash, name };
}

function goodbye(peer: Peer, rooms: Rooms): void {
  const wasCurrent = rooms.peers.get(peer.key) === peer;
  if (wasCurrent) rooms.peers.delete(peer.key);
  rooms.others.changed(peer.key);
  for (const subscription of [...peer.subscriptions.values()]) subscription.room.unsubscribe(subscription);
  rooms.onLeft(peer);
  const { card: { name, id }, session, link } = peer;
  const { received, sent } = link;
  const isSlow = link.end?.how === "closed" && link.end.reason === closeReasons.tooSlow;
  if (isSlow && rooms.putOffAsSlow.size < maxSlow) rooms.putOffAsSlow.add(peer.key);
  rooms.events.tell({ type: "left", name, id, session, end: link.end!, received, sent });
  if (!wasCurrent || rooms.others.linkOf(peer.key)) return;
  for (const id of rooms.store.roomsOf(peer.card.id)) {
    rooms.get(id)?.broadcast({ type: "PRESENCE", room: id, what: 0, ids: [peer.card.id] }, peer, peer);
  }
}
