/**
 * Requests: what the server does with each message of a linked peer (protocol §11).
 *
 * Every answer goes behind what was staged before it, so a peer sees the winner's entry before its own
 * CONFLICT or STALE. A body that does not parse throws Malformed: the link then ends without a word.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import { boxHash, parseBox } from "../../protocol/group/box.ts";
import { type Commit, isLeaveSigned, parseCommit } from "../../protocol/group/commit.ts";
import { checkGenesis, checkSuccessor, isLeaveCurrent } from "../../protocol/group/commit_rules.ts";
import { entryHash, entryKinds } from "../../protocol/group/history.ts";
import { parseKeyFileMessage } from "../../protocol/group/key_file_message.ts";
import { type Message, messageKinds, parseMessage } from "../../protocol/group/sealed_message.ts";
import {
  errorCodes,
  joinInfo,
  type LinkMessage,
  type MessageOf,
  roomKinds,
} from "../../protocol/channel/link_messages.ts";
import { decodeName, skeleton } from "../../protocol/identity/name.ts";
import { isPrekeyUsable, parsePrekey, verifyPrekey } from "../../protocol/identity/prekey.ts";
import { findMember, type Member, policies } from "../../protocol/group/roster.ts";
import { maxBoxes, type Peer } from "./peer.ts";
import type { KeyFileLog } from "./key_file_log.ts";
import type { ServerRoom } from "./room.ts";
import type { RoomLog } from "./room_log.ts";
import type { LimitReached } from "../events.ts";
import type { Rooms } from "./rooms.ts";
import { seconds } from "../../clock.ts";

type ErrorCode = keyof typeof errorCodes;

/** Answers one message. @throws Malformed: the link must end */
export function handleRequest(rooms: Rooms, peer: Peer, message: LinkMessage): void {
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
    case "COMMIT":
      return onCommit(rooms, peer, message);
    case "SEND":
      return onSend(rooms, peer, message);
    case "ACK":
      return; // The server must not depend on it.
    case "BLOB_PUT":
      return refuse(rooms, peer, message.ref, "DENIED"); // Files are not there yet.
    case "BLOB_GET":
      return refuse(rooms, peer, message.ref, "NOT_FOUND");
    default:
      throw new Malformed(`a peer said ${message.type} out of place`);
  }
}

const none: Bytes = new Uint8Array(0);

function answer(rooms: Rooms, peer: Peer, message: LinkMessage & { ref: number }): void {
  rooms.afterStaged(() => peer.send(message), () => peer.refuse(message.ref, "LIMIT"));
}

function refuse(rooms: Rooms, peer: Peer, ref: number, code: ErrorCode): void {
  answer(rooms, peer, { type: "ERROR", ref, code: errorCodes[code] });
}

/** Tells which limit was reached. */
function limited(rooms: Rooms, peer: Peer, what: LimitReached): "LIMIT" {
  rooms.events.tell({ type: "limited", what, id: peer.card.id });
  return "LIMIT";
}

/** Stages a write whose answer is DONE. */
function stageDone(
  rooms: Rooms,
  peer: Peer,
  ref: number,
  write: () => void,
  info: () => number = () => 0,
  then: () => void = () => {},
): void {
  rooms.stage(
    write,
    () => {
      peer.send({ type: "DONE", ref, info: info() });
      then();
    },
    () => peer.refuse(ref, "LIMIT"),
  );
}

function onNameGet(rooms: Rooms, peer: Peer, message: MessageOf<"NAME_GET">): void {
  const id = rooms.store.idByName(skeleton(decodeName(message.name)));
  answer(rooms, peer, { type: "CARD", ref: message.ref, cards: [id ? rooms.store.card(id)! : none] });
}

function onPrekeyPut(rooms: Rooms, peer: Peer, { ref, prekey: bytes }: MessageOf<"PREKEY_PUT">): void {
  const prekey = parsePrekey(bytes);
  const stored = rooms.store.prekey(peer.card.id);
  const lower = stored !== null && prekey.prekeyId < stored.prekeyId;
  const differs = stored?.prekeyId === prekey.prekeyId && !equals(stored.bytes, bytes);
  const own = equals(prekey.id, peer.card.id) && verifyPrekey(prekey, peer.card.verifying);
  const usable = isPrekeyUsable(prekey, seconds(rooms.clock));
  if (!own || lower || differs || !usable) return refuse(rooms, peer, ref, "DENIED");
  stageDone(rooms, peer, ref, () => rooms.store.putPrekey(peer.card.id, prekey.prekeyId, bytes));
}

function onJoinKeyFileRoom(rooms: Rooms, peer: Peer, { ref, room: id, pos }: MessageOf<"JOIN">): void {
  // A room of two can be made by those two only: nobody else may take its id, which all can compute.
  if (rooms.get(id)) return refuse(rooms, peer, ref, "DENIED");
  const room = rooms.keyFileRoom(id);
  if (room) {
    return rooms.afterStaged(() => {
      if (!room.mayJoin(peer)) return peer.refuse(ref, "LIMIT");
      peer.send({ type: "DONE", ref, info: joinInfo.already });
      room.join(peer, pos);
    }, () => peer.refuse(ref, "LIMIT"));
  }
  if (rooms.isFull) return refuse(rooms, peer, ref, limited(rooms, peer, "max-rooms"));
  if (!peer.newRooms.take()) return refuse(rooms, peer, ref, limited(rooms, peer, "direct-rooms-per-hour"));
  const row = { id, kind: roomKinds.keyFile, name: "" };
  let made: KeyFileLog;
  stageDone(
    rooms,
    peer,
    ref,
    () => {
      rooms.store.createRoom(row, null);
      made = rooms.addKeyFileRoom({ ...row, retired: false });
    },
    () => joinInfo.already,
    () => {
      if (!made.isDropped) made.join(peer, pos);
    },
  );
}

function onRoomFind(rooms: Rooms, peer: Peer, message: MessageOf<"ROOM_FIND">): void {
  const stored = rooms.store.roomByName(skeleton(decodeName(message.name)));
  const room = stored && rooms.get(stored.id);
  if (!room) return refuse(rooms, peer, message.ref, "NO_ROOM");
  rooms.afterStaged(
    () => peer.send({ type: "ROOM_INFO", ref: message.ref, ...room.infoFor(peer, null) }),
    () => peer.refuse(message.ref, "LIMIT"),
  );
}

function onJoin(rooms: Rooms, peer: Peer, message: MessageOf<"JOIN">): void {
  const { ref, room: id, kind } = message;
  if (kind === roomKinds.keyFile) return onJoinKeyFileRoom(rooms, peer, message);
  const room = rooms.get(id);
  if (!room) return refuse(rooms, peer, ref, "NO_ROOM");
  if (room.isRetired) return refuse(rooms, peer, ref, "DENIED");
  if (room.hasMember(peer.card.id)) {
    return answer(rooms, peer, { type: "DONE", ref, info: joinInfo.already });
  }
  if (room.head.policy === policies.direct) return refuse(rooms, peer, ref, "DENIED");
  if (!rooms.store.prekey(peer.card.id)) return refuse(rooms, peer, ref, "DENIED");
  if (room.isFull) return refuse(rooms, peer, ref, limited(rooms, peer, "max-members"));
  if (ownRooms(rooms, peer) >= rooms.limits.roomsPerUser) {
    return refuse(rooms, peer, ref, limited(rooms, peer, "rooms-per-user"));
  }
  stageDone(
    rooms,
    peer,
    ref,
    () => room.admissions.wait(peer.card.id),
    () => !room.isOpen ? joinInfo.closed : room.activePeers().length > 0 ? joinInfo.asked : joinInfo.nobody,
    () => room.admissions.newRound(),
  );
}

/** Rooms of a user that count against the limit: not direct ones, nor closed ones into which others put her. */
function ownRooms(rooms: Rooms, peer: Peer): number {
  return rooms.store.roomsOf(peer.card.id).filter((id) => rooms.get(id)?.isOpen && !rooms.get(id)!.isRetired)
    .length;
}

function onLeave(rooms: Rooms, peer: Peer, message: MessageOf<"LEAVE">): void {
  const { ref, room: id, epoch, signature } = message;
  const keyFileStream = peer.subscriptions.get(encodeHex(id));
  if (rooms.keyFileRoom(id)) {
    if (keyFileStream) keyFileStream.room.unsubscribe(keyFileStream);
    return answer(rooms, peer, { type: "DONE", ref, info: 0 });
  }
  const room = rooms.get(id);
  if (!room) return refuse(rooms, peer, ref, "NO_ROOM");
  const member = findMember(room.head.roster, peer.card.id);
  if (!member) return stageDone(rooms, peer, ref, () => rooms.store.dropJoin(id, peer.card.id));
  if (room.isRetired) return refuse(rooms, peer, ref, "DENIED");
  const leave = { id: peer.card.id, epoch, signature };
  const signed = isLeaveSigned(leave, id, peer.card.verifying);
  if (
    room.head.policy === policies.direct || !signed || !isLeaveCurrent(leave, member, room.head.epoch + 1)
  ) {
    return refuse(rooms, peer, ref, "DENIED");
  }
  stageDone(rooms, peer, ref, () => rooms.store.putLeave(id, leave), () => 0, () => {
    room.broadcast({ type: "LEAVING", room: id, ...leave }, peer);
    room.admissions.newRound();
  });
}

function onBoxPut(rooms: Rooms, peer: Peer, { ref, box }: MessageOf<"BOX_PUT">): void {
  parseBox(box);
  if (peer.boxes.size >= maxBoxes) return refuse(rooms, peer, ref, limited(rooms, peer, "boxes"));
  peer.boxes.set(encodeHex(boxHash(box)), box);
  answer(rooms, peer, { type: "DONE", ref, info: 0 });
}

function onCommit(rooms: Rooms, peer: Peer, { ref, commit: bytes }: MessageOf<"COMMIT">): void {
  const commit = parseCommit(bytes);
  const boxes = peer.boxes;
  peer.boxes = new Map();
  const room = rooms.get(commit.room);
  const refusal = refusalOf(rooms, peer, commit, room) ?? missingBox(commit, boxes) ??
    (commit.epoch === 0 || room!.commits.take() ? null : limited(rooms, peer, "commit-ms"));
  if (refusal) return refuseInStream(rooms, peer, ref, room, refusal);
  let stored: ServerRoom | undefined = room;
  let pos = 0;
  let added: Member[] = [];
  rooms.stage(
    () => {
      if (commit.epoch === 0) {
        const name = commit.roomName === "" ? null : skeleton(commit.roomName);
        const row = { id: commit.room, kind: roomKinds.ordinary, name: commit.roomName };
        rooms.dropKeyFileRoom(commit.room);
        rooms.store.createRoom(row, name);
        stored = rooms.add({ ...row, retired: false });
      }
      for (const member of commit.roster) {
        const box = boxes.get(encodeHex(member.boxHash));
        if (box) rooms.store.putBox(member.boxHash, commit.room, stored!.last + 1, box);
      }
      const before = commit.epoch === 0 ? [] : stored!.head.roster;
      stored!.appendCommit(commit);
      pos = stored!.last;
      added = commit.roster.filter((m) => !findMember(before, m.id));
    },
    () => {
      stored!.publishCommit(commit, pos, { peer, ref });
      // Rooms of two are nobody's news.
      if (commit.roomName !== "") {
        for (const { name, id } of added) {
          rooms.events.tell({ type: "joined room", name, id, room: commit.roomName, roomId: commit.room });
        }
      }
    },
    () => peer.refuse(ref, "LIMIT"),
  );
}

function refusalOf(rooms: Rooms, peer: Peer, commit: Commit, room: ServerRoom | undefined): ErrorCode | null {
  if (!equals(commit.author, peer.card.id)) return "DENIED";
  if (commit.epoch === 0) {
    const taken = commit.roomName !== "" && rooms.store.roomByName(skeleton(commit.roomName));
    if (room || taken) return "CONFLICT";
    if (rooms.keyFileRoom(commit.room) && commit.policy !== policies.direct) return "DENIED";
    if (checkGenesis(commit, 1, rooms.serverId, rooms.card)) return "DENIED";
    const isDirect = commit.policy === policies.direct;
    const within = isDirect ? peer.newRooms.take() : ownRooms(rooms, peer) < rooms.limits.roomsPerUser;
    if (rooms.isFull) return limited(rooms, peer, "max-rooms");
    return within ? null : limited(rooms, peer, isDirect ? "direct-rooms-per-hour" : "rooms-per-user");
  }
  // Somebody whom the winning commit removed has lost a race as well, and shall know it.
  if (!room || rooms.store.stays(room.id, peer.card.id).length === 0) return "DENIED";
  if (commit.epoch <= room.head.epoch) return "CONFLICT";
  if (room.isRetired || !room.hasMember(peer.card.id)) return "DENIED";
  const grows = commit.roster.length > room.head.roster.length;
  if (grows && commit.roster.length > rooms.limits.members) return limited(rooms, peer, "max-members");
  if (commit.view.pos > room.last || checkSuccessor(commit, room.last + 1, room.head, rooms.card)) {
    return "DENIED";
  }
  return null;
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
  rooms.afterStaged(
    () => {
      const subscription = peer.subscriptions.get(room.key);
      if (subscription) subscription.answer(after, message);
      else peer.send(message);
    },
    () => peer.refuse(message.ref, "LIMIT"),
  );
}

/** A message that is there already: the first position when the bytes are the same, DENIED when not. */
function isAnsweredAsBefore(
  rooms: Rooms,
  peer: Peer,
  ref: number,
  room: RoomLog,
  { epoch, n, bytes }: Message,
): boolean {
  const before = rooms.store.message(room.id, peer.card.id, epoch, n);
  if (!before) return false;
  if (equals(before.hash, entryHash(entryKinds.message, bytes))) {
    const { pos } = before;
    answerInStream(rooms, peer, room, pos, { type: "STORED", ref, room: room.id, pos });
  } else refuseInStream(rooms, peer, ref, room, "DENIED");
  return true;
}

function onSend(rooms: Rooms, peer: Peer, { ref, message: bytes }: MessageOf<"SEND">): void {
  const message = parseMessage(bytes);
  if (message.kind === messageKinds.keyFile) return onSendKeyFile(rooms, peer, ref, bytes);
  const room = rooms.get(message.room);
  if (!room || !room.hasMember(peer.card.id)) return refuseInStream(rooms, peer, ref, room, "NO_ROOM");
  if (!equals(message.sender, peer.card.id) || room.isRetired) {
    return refuseInStream(rooms, peer, ref, room, "DENIED");
  }

  if (isAnsweredAsBefore(rooms, peer, ref, room, message)) return;
  if (message.epoch < room.head.epoch) return refuseInStream(rooms, peer, ref, room, "STALE");
  const viewFits = message.view.pos >= room.head.commitPos && message.view.pos <= room.last;
  if (message.epoch > room.head.epoch || !viewFits) return refuseInStream(rooms, peer, ref, room, "DENIED");
  if (message.n !== room.nextNumber(peer)) return refuseInStream(rooms, peer, ref, room, "ORDER");
  if (!peer.sends.take()) {
    return refuseInStream(rooms, peer, ref, room, limited(rooms, peer, "sends-per-second"));
  }

  let pos = 0;
  rooms.stage(
    () => {
      pos = room.appendMessage(peer, bytes, message.n);
    },
    () => {
      if (!peer.subscriptions.has(room.key)) peer.send({ type: "STORED", ref, room: room.id, pos });
      room.publish(pos, { peer, ref });
      rooms.events.tell({
        type: "exchanged",
        timeMs: rooms.clock.now(),
        bytes: bytes.length,
        roomId: room.id,
      });
    },
    () => peer.refuse(ref, "LIMIT"),
    true,
  );
}

function onSendKeyFile(rooms: Rooms, peer: Peer, ref: number, bytes: Bytes): void {
  const message = parseKeyFileMessage(bytes);
  const room = rooms.keyFileRoom(message.room);
  const joined = room && peer.subscriptions.has(room.key);
  if (!joined || room.isRetired || !equals(message.sender, peer.card.id)) {
    return refuse(rooms, peer, ref, "DENIED");
  }
  if (isAnsweredAsBefore(rooms, peer, ref, room, message)) return;
  if (message.view.pos > room.last) return refuseInStream(rooms, peer, ref, room, "DENIED");
  if (message.n < room.nextNumber(peer)) return refuseInStream(rooms, peer, ref, room, "ORDER");
  if (!peer.sends.take()) {
    return refuseInStream(rooms, peer, ref, room, limited(rooms, peer, "sends-per-second"));
  }
  let pos = 0;
  rooms.stage(
    () => {
      pos = room.appendMessage(peer, message);
    },
    () => {
      if (room.isDropped) return peer.refuse(ref, "DENIED");
      if (!peer.subscriptions.has(room.key)) peer.send({ type: "STORED", ref, room: room.id, pos });
      room.publish(pos, peer, ref);
      rooms.events.tell({
        type: "exchanged",
        timeMs: rooms.clock.now(),
        bytes: bytes.length,
        roomId: room.id,
      });
      if (!rooms.onKeyFileMessage) return;
      rooms.flushBroadcasts(); // an answer comes after what it answers
      rooms.onKeyFileMessage(room, pos, peer);
    },
    () => peer.refuse(ref, "LIMIT"),
    true,
  );
}
