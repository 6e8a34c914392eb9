/**
 * Requests: what the server does with each message of a linked peer (protocol §11).
 *
 * A request is checked as far as one server can check it, and proposed to the journal; what it comes to is decided by
 * apply.ts. Every answer goes behind what was applied before it, so a peer sees the winner's entry before its own
 * CONFLICT or STALE. A body that does not parse throws Malformed: the link then ends without a word.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import { boxHash, parseBox } from "../../protocol/group/box.ts";
import {
  type Commit,
  commitHow,
  isCommitSigned,
  isLeaveSigned,
  parseCommit,
} from "../../protocol/group/commit.ts";
import { parseUse } from "../../protocol/group/pass.ts";
import { type Message, messageKinds, parseMessage } from "../../protocol/group/sealed_message.ts";
import {
  errorCodes,
  joinInfo,
  type LinkMessage,
  type MessageOf,
  newestEpoch,
  roomKinds,
} from "../../protocol/channel/link_messages.ts";
import { decodeName, skeleton } from "../../protocol/identity/name.ts";
import { isPrekeyUsable, parsePrekey, verifyPrekey } from "../../protocol/identity/prekey.ts";
import { policies } from "../../protocol/group/roster.ts";
import { type Answers, onBlobDrop, onBlobGet, onBlobNew, onBlobPut } from "../blobs/blob_requests.ts";
import { maxBoxes, type Peer } from "./peer.ts";
import { KeyFileLog } from "./key_file_log.ts";
import type { ErrorCode, LogRecord, Outcome } from "../store/journal.ts";
import { headOf, judgeCommit } from "./apply.ts";
import { mayFollow } from "./own_entries.ts";
import type { ServerRoom } from "./room.ts";
import type { RoomLog } from "./room_log.ts";
import { codeOf, type LimitReached } from "../limit_reached.ts";
import { costOfSearch, isPutOff } from "./request_costs.ts";
import type { Rooms } from "./rooms.ts";
import { seconds } from "../../clock.ts";
import { checkKeyFileMessage } from "../../protocol/group/key_file_message.ts";

/** Answers one message. @throws Malformed: the link must end */
export function handleRequest(rooms: Rooms, peer: Peer, message: LinkMessage): void {
  if (peer.work.isOverdrawn && "ref" in message && isPutOff(message)) {
    return refuse(rooms, peer, message.ref, limited(rooms, peer, "work-ms"));
  }
  switch (message.type) {
    case "CARD_GET":
      return answer(rooms, peer, {
        type: "CARD",
        ref: message.ref,
        cards: message.ids.map((id) => rooms.store.card(id) ?? none),
      });
    case "NAME_GET":
      return onNameGet(rooms, peer, message);
    case "PREKEY_PUT":
      return onPrekeyPut(rooms, peer, message);
    case "PREKEY_GET":
      return answer(rooms, peer, {
        type: "PREKEY",
        ref: message.ref,
        prekeys: message.ids.map((id) => rooms.store.prekey(id)?.bytes ?? none),
      });
    case "ROOM_FIND":
      return onRoomFind(rooms, peer, message);
    case "JOIN":
      return onJoin(rooms, peer, message);
    case "LEAVE":
      return onLeave(rooms, peer, message);
    case "BOX_PUT":
      return onBoxPut(rooms, peer, message);
    case "BOX_GET": {
      const box = rooms.store.box(message.hash);
      return box
        ? answer(rooms, peer, { type: "BOX", ref: message.ref, box })
        : refuse(rooms, peer, message.ref, "NOT_FOUND");
    }
    case "CHAIN_GET":
      return onChainGet(rooms, peer, message);
    case "COMMIT":
      return onCommit(rooms, peer, message);
    case "SEND":
      return onSend(rooms, peer, message);
    case "BLOB_NEW":
      return onBlobNew(rooms, peer, message, answersTo(rooms, peer));
    case "BLOB_PUT":
      return onBlobPut(rooms, peer, message, answersTo(rooms, peer));
    case "BLOB_GET":
      return onBlobGet(rooms, peer, message, answersTo(rooms, peer));
    case "BLOB_DROP":
      return onBlobDrop(rooms, peer, message, answersTo(rooms, peer));
    case "ACK":
      return onAck(rooms, peer, message);
    default:
      throw new Malformed(`a peer said ${message.type} out of place`);
  }
}

/** Nothing rests on it but this: who takes what comes from a room wants to be in it. */
function onAck(rooms: Rooms, peer: Peer, { room: id }: MessageOf<"ACK">): void {
  const room = peer.subscriptions.get(encodeHex(id));
  if (!room || room.isWanted) return;
  room.isWanted = true;
  if (!rooms.store.isStayWanted(id, peer.card.id)) {
    void rooms.propose({ kind: "want", room: id, id: peer.card.id });
  }
}

const none: Bytes = new Uint8Array(0);

function answer(rooms: Rooms, peer: Peer, message: LinkMessage & { ref: number }): void {
  rooms.afterFlush(() => peer.send(message), () => peer.refuse(message.ref, "LIMIT"));
}

function refuse(rooms: Rooms, peer: Peer, ref: number, code: ErrorCode): void {
  answer(rooms, peer, { type: "ERROR", ref, code: errorCodes[code] });
}

/** The disk does not take it now: the client tries again. */
function refuseUndone(peer: Peer, ref: number): void {
  const text = peer.limitNotices.diskRefused();
  if (text !== null) peer.send({ type: "NOTICE", text });
  peer.refuse(ref, "LIMIT");
}

/** Tells which limit was reached. @returns the code that says so */
function limited(rooms: Rooms, peer: Peer, what: LimitReached): "LIMIT" | "FULL" {
  rooms.events.tell({ type: "limited", what, id: peer.card.id });
  const text = peer.limitNotices.reached(what);
  if (text !== null) peer.send({ type: "NOTICE", text });
  return codeOf(what);
}

function answersTo(rooms: Rooms, peer: Peer): Answers {
  return {
    refuse: (ref, code) => refuse(rooms, peer, ref, code),
    limited: (limit) => limited(rooms, peer, limit),
    undone: (ref) => refuseUndone(peer, ref),
  };
}

/** Counts signatures that do not hold: no honest client sends any. @throws Malformed when there are too many */
function holdsOrCounts(peer: Peer, holds: boolean): boolean {
  if (!holds && !peer.rates.badSignatures.take()) throw new Malformed("too many signatures that do not hold");
  return holds;
}

/** Proposes a record whose answer is DONE. @param then what follows from it */
function proposeDone(
  rooms: Rooms,
  peer: Peer,
  ref: number,
  record: LogRecord,
  info: () => number = () => 0,
  then: () => void = () => {},
): void {
  rooms.proposeFor(record, { own: null }, (outcome) => {
    if (outcome.type === "undone") return refuseUndone(peer, ref);
    if (outcome.type === "refused") {
      if (outcome.limit) limited(rooms, peer, outcome.limit);
      return peer.refuse(ref, outcome.code);
    }
    peer.send({ type: "DONE", ref, info: info() });
    then();
  });
}

function onNameGet(rooms: Rooms, peer: Peer, message: MessageOf<"NAME_GET">): void {
  const id = rooms.store.idByName(skeleton(decodeName(message.name)));
  answer(rooms, peer, { type: "CARD", ref: message.ref, cards: [id ? rooms.store.card(id)! : none] });
}

function onPrekeyPut(rooms: Rooms, peer: Peer, { ref, prekey: bytes }: MessageOf<"PREKEY_PUT">): void {
  const prekey = parsePrekey(bytes);
  const own = equals(prekey.id, peer.card.id) &&
    holdsOrCounts(peer, verifyPrekey(prekey, peer.card.verifying));
  if (!own || !isPrekeyUsable(prekey, seconds(rooms.clock))) return refuse(rooms, peer, ref, "DENIED");
  proposeDone(rooms, peer, ref, { kind: "prekey", bytes });
}

function onJoinKeyFileRoom(rooms: Rooms, peer: Peer, { ref, room: id, pos }: MessageOf<"JOIN">): void {
  const room = rooms.keyFileRoom(id);
  if (room) {
    return rooms.afterFlush(() => {
      if (!room.mayJoin(peer)) return peer.refuse(ref, "LIMIT");
      peer.send({ type: "DONE", ref, info: joinInfo.already });
      room.join(peer, pos);
    }, () => peer.refuse(ref, "LIMIT"));
  }
  const row = { kind: roomKinds.keyFile, name: "", maker: peer.card.id };
  const rate = rooms.quota.judgeRoom(row) ?? newRoomRate(peer);
  if (rate) return refuse(rooms, peer, ref, limited(rooms, peer, rate));
  const record = { kind: "key-file room", room: id, maker: peer.card.id } as const;
  // A room of two may have taken its place meanwhile.
  proposeDone(rooms, peer, ref, record, () => joinInfo.already, () => rooms.keyFileRoom(id)?.join(peer, pos));
}

function onRoomFind(rooms: Rooms, peer: Peer, message: MessageOf<"ROOM_FIND">): void {
  const stored = rooms.store.roomByName(skeleton(decodeName(message.name)));
  const room = stored && rooms.get(stored.id);
  if (!room) return refuse(rooms, peer, message.ref, "NO_ROOM");
  rooms.afterFlush(
    () => peer.send({ type: "ROOM_INFO", ref: message.ref, ...room.infoFor(peer, null) }),
    () => peer.refuse(message.ref, "LIMIT"),
  );
}

function onJoin(rooms: Rooms, peer: Peer, message: MessageOf<"JOIN">): void {
  const { ref, room: id, kind } = message;
  if (kind === roomKinds.keyFile) return onJoinKeyFileRoom(rooms, peer, message);
  const room = rooms.get(id);
  if (!room || room.isHiddenFrom(peer.card.id)) return refuse(rooms, peer, ref, "NO_ROOM");
  if (room.isRetired) return refuse(rooms, peer, ref, "DENIED");
  if (room.hasMember(peer.card.id)) {
    return answer(rooms, peer, { type: "DONE", ref, info: joinInfo.already });
  }
  if (!rooms.store.prekey(peer.card.id)) return refuse(rooms, peer, ref, "DENIED");
  const limit = limitOfDoor(rooms, peer, room);
  if (limit) return refuse(rooms, peer, ref, limited(rooms, peer, limit));
  const info = () =>
    !room.isOpen || room.isBanned(peer.card.id)
      ? joinInfo.closed
      : room.activeMembers().length > 0
      ? joinInfo.asked
      : joinInfo.nobody;
  if (room.admissions.isWaiting(peer.card.id)) {
    answer(rooms, peer, { type: "DONE", ref, info: info() });
    return room.admissions.goOn();
  }
  if (peer.addressRates?.joins.take() === false) {
    return refuse(rooms, peer, ref, limited(rooms, peer, "join-burst"));
  }
  proposeDone(rooms, peer, ref, { kind: "join", room: id, id: peer.card.id }, info);
}

/** What stands against one more member who asks for it. */
function limitOfDoor(rooms: Rooms, peer: Peer, room: ServerRoom): LimitReached | null {
  if (room.isFull) return "max-members";
  return ownRooms(rooms, peer) >= rooms.limits.roomsPerUser ? "rooms-per-user" : null;
}

/** The chain of a room, for somebody who may enter it by herself. */
function onChainGet(rooms: Rooms, peer: Peer, message: MessageOf<"CHAIN_GET">): void {
  const { ref, room: id, epoch } = message;
  const use = parseUse(message.use);
  const room = rooms.get(id);
  if (!room || room.isHiddenFrom(peer.card.id)) return refuse(rooms, peer, ref, "NO_ROOM");
  const { last } = room;
  if (!mayFollow(room, peer.card, use, rooms.site, seconds(rooms.clock))) {
    return refuse(rooms, peer, ref, "DENIED");
  }
  const { store } = rooms;
  const found = epoch === newestEpoch ? store.lastCommit(id) : store.commitOf(id, epoch);
  if (!found) return refuse(rooms, peer, ref, "NOT_FOUND");
  rooms.afterFlush(() => {
    if (room.isGone) return peer.refuse(ref, "NO_ROOM");
    const { pos, hash, headSig: signature } = room.viewAt(last);
    peer.send({ type: "CHAIN", ref, pos, hash, signature, commit: found.bytes });
  }, () => peer.refuse(ref, "LIMIT"));
}

/** Open rooms that a user has asked to be in, and has not asked to leave. */
function ownRooms(rooms: Rooms, { card: { id } }: Peer): number {
  const { store } = rooms;
  return store.roomsAskedFor(id).filter((room) => {
    const there = rooms.get(room);
    return there?.isOpen && !there.isRetired && !store.leaves(room).some((leave) => equals(leave.id, id));
  }).length;
}

function onLeave(rooms: Rooms, peer: Peer, message: MessageOf<"LEAVE">): void {
  const { ref, room: id, epoch, signature } = message;
  const keyFileStream = peer.subscriptions.get(encodeHex(id));
  if (rooms.keyFileRoom(id)) {
    if (keyFileStream) keyFileStream.room.unsubscribe(keyFileStream);
    return answer(rooms, peer, { type: "DONE", ref, info: 0 });
  }
  const room = rooms.get(id);
  if (!room || room.isHiddenFrom(peer.card.id)) return refuse(rooms, peer, ref, "NO_ROOM");
  if (!room.hasMember(peer.card.id)) {
    return proposeDone(rooms, peer, ref, { kind: "unjoin", room: id, id: peer.card.id });
  }
  const leave = { id: peer.card.id, epoch, signature };
  if (!room.mayLeave(leave) || !holdsOrCounts(peer, isLeaveSigned(leave, id, peer.card.verifying))) {
    return refuse(rooms, peer, ref, "DENIED");
  }
  const isKnown = rooms.store.leaves(id).some((known) =>
    equals(known.id, leave.id) && known.epoch === leave.epoch && equals(known.signature, leave.signature)
  );
  if (isKnown) return answer(rooms, peer, { type: "DONE", ref, info: 0 });
  proposeDone(rooms, peer, ref, { kind: "leave", room: id, leave });
}

function onBoxPut(rooms: Rooms, peer: Peer, { ref, box }: MessageOf<"BOX_PUT">): void {
  parseBox(box);
  if (peer.boxes.size >= maxBoxes) return refuse(rooms, peer, ref, limited(rooms, peer, "boxes"));
  peer.boxes.set(encodeHex(boxHash(box)), box);
  answer(rooms, peer, { type: "DONE", ref, info: 0 });
}

function onCommit(rooms: Rooms, peer: Peer, { ref, commit: bytes }: MessageOf<"COMMIT">): void {
  const commit = parseCommit(bytes);
  const { boxes } = peer;
  peer.boxes = new Map();
  const room = rooms.get(commit.room);
  const isEntry = commit.how !== commitHow.member;
  const refusal = refusalOf(rooms, peer, commit) ?? missingBox(commit, boxes) ??
    (isEntry ? refusalOfEntry(rooms, peer, room!) : null);
  if (refusal === "DENIED") holdsOrCounts(peer, isCommitSigned(commit, rooms.site, peer.card.verifying));
  // Of an admin who comes too late the room must know: it waits for her.
  const isLate = refusal === "CONFLICT" && room?.claimOf(commit).isAdmin === true;
  if (refusal && !isLate) return refuseInStream(rooms, peer, ref, room, refusal);
  const named = new Set(commit.roster.map((member) => encodeHex(member.boxHash)));
  // Of one that is late nothing is kept but that its author came.
  const wanted = isLate ? [] : [...boxes].filter(([hash]) => named.has(hash)).map(([, box]) => box);
  const record = { kind: "commit", bytes, boxes: wanted } as const;
  const checked = isLate || !room ? undefined : { head: room.head, last: room.last };
  const origin = { own: { peer, ref }, checked };
  rooms.proposeFor(record, origin, (outcome) => {
    if (outcome.type === "stored") return;
    if (isEntry) peer.addressRates?.entries.giveBack();
    if (outcome.type === "undone") return refuseUndone(peer, ref);
    if (outcome.type !== "refused") return;
    if (outcome.limit) limited(rooms, peer, outcome.limit);
    refuseInStream(rooms, peer, ref, rooms.get(commit.room), outcome.code);
  });
}

/** What stands against somebody who enters by herself, beside what the commit says. */
function refusalOfEntry(rooms: Rooms, peer: Peer, room: ServerRoom): ErrorCode | null {
  if (!rooms.store.prekey(peer.card.id)) return "DENIED";
  const limit = limitOfDoor(rooms, peer, room) ??
    (peer.addressRates?.entries.take() === false ? "entry-burst" : null);
  return limit && limited(rooms, peer, limit);
}

function refusalOf(rooms: Rooms, peer: Peer, commit: Commit): ErrorCode | null {
  if (!equals(commit.author, peer.card.id)) return "DENIED";
  const code = judgeCommit(rooms, commit);
  if (code) return code;
  if (commit.epoch > 0) return null;
  // Who may make no more must not use up what the address may.
  const row = { kind: roomKinds.ordinary, name: commit.roomName, maker: commit.author };
  const rate = rooms.quota.judgeRoom(row) ?? newRoomRate(peer, commit.policy === policies.direct);
  return rate && limited(rooms, peer, rate);
}

/** How fast new rooms come from a user and an address. @returns the rate that is reached */
function newRoomRate({ rates, addressRates }: Peer, isCounted = true): LimitReached | null {
  if (isCounted && !rates.newRooms.take()) return "direct-rooms-per-hour";
  return !addressRates || addressRates.newRooms.take() ? null : "rooms-per-address";
}

function missingBox(commit: Commit, boxes: Map<string, Bytes>): ErrorCode | null {
  for (const member of commit.roster) {
    if (member.boxHash.every((byte) => byte === 0)) continue;
    const box = boxes.get(encodeHex(member.boxHash));
    if (!box || !equals(parseBox(box).recipient, member.id)) return "NO_BOX";
  }
  return null;
}

/** Refuses, behind every entry that the refusal rests on. */
function refuseInStream(
  rooms: Rooms,
  peer: Peer,
  ref: number,
  room: RoomLog | undefined,
  code: ErrorCode,
): void {
  const error = { type: "ERROR", ref, code: errorCodes[code] } as const;
  if (room) answerInStream(rooms, peer, room, room.last, error);
  else answer(rooms, peer, error);
}

/** Answers once the peer has had everything of the room up to position `after`. */
function answerInStream(
  rooms: Rooms,
  peer: Peer,
  room: RoomLog,
  after: number,
  message: LinkMessage & { ref: number },
): void {
  rooms.afterFlush(
    () => {
      const subscription = peer.subscriptions.get(room.key);
      if (subscription) subscription.answer(after, message);
      else peer.send(message);
    },
    () => peer.refuse(message.ref, "LIMIT"),
  );
}

/** Refuses a message that its room does not take, or answers one that it has already. */
function answerJudged(rooms: Rooms, peer: Peer, ref: number, room: RoomLog, outcome: Outcome): void {
  if (outcome.type === "undone") return refuseUndone(peer, ref);
  if (outcome.type === "refused") {
    if (outcome.limit) limited(rooms, peer, outcome.limit);
    return refuseInStream(rooms, peer, ref, room, outcome.code);
  }
  if (outcome.type !== "stored") return;
  const { pos } = outcome;
  answerInStream(rooms, peer, room, pos, { type: "STORED", ref, room: room.id, pos });
}

function onSend(rooms: Rooms, peer: Peer, { ref, message: bytes }: MessageOf<"SEND">): void {
  const message = parseMessage(bytes);
  const isKeyFile = message.kind === messageKinds.keyFile;
  const room = isKeyFile ? keyFileRoomOf(rooms, peer, message) : rooms.get(message.room);
  if (!room) return refuse(rooms, peer, ref, isKeyFile ? "DENIED" : "NO_ROOM");
  if (!equals(message.sender, peer.card.id)) {
    const isIn = room instanceof KeyFileLog || room.hasMember(peer.card.id);
    return refuseInStream(rooms, peer, ref, room, isIn ? "DENIED" : "NO_ROOM");
  }
  const outcome = room.judge(message, peer.key);
  // What she has said just before may be on its way through the log that several servers share.
  const isOnItsWay = rooms.isShared && outcome?.type === "refused" && outcome.code === "ORDER";
  if (outcome && !isOnItsWay) {
    peer.work.spend(costOfSearch(Math.max(0, room.last - message.view.pos)));
    return answerJudged(rooms, peer, ref, room, outcome);
  }
  if (!peer.rates.sends.take()) {
    return refuseInStream(rooms, peer, ref, room, limited(rooms, peer, "sends-per-second"));
  }
  const kind = isKeyFile ? "key-file message" : "message";
  const judged = isOnItsWay ? undefined : { message, room, last: room.last, head: headOf(room) };
  rooms.proposeFor({ kind, bytes }, { own: { peer, ref }, judged }, (outcome) => {
    if (outcome.type !== "stored" || outcome.isRepeated) return answerJudged(rooms, peer, ref, room, outcome);
    const { pos } = outcome;
    if (room instanceof KeyFileLog && room.isDropped) return peer.refuse(ref, "DENIED");
    rooms.events.tell({ type: "exchanged", timeMs: rooms.clock.now(), bytes: bytes.length, roomId: room.id });
    if (room instanceof KeyFileLog) rooms.onKeyFileMessage?.(room, pos, peer);
  });
}

/** The key-file room of a message, if its sender has joined it. @throws Malformed */
function keyFileRoomOf(rooms: Rooms, peer: Peer, message: Message): KeyFileLog | undefined {
  checkKeyFileMessage(message);
  const room = rooms.keyFileRoom(message.room);
  return room && peer.subscriptions.has(room.key) ? room : undefined;
}
