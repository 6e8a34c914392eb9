/**
 * Apply: what each record of the journal does to a server's state, in the order of the journal. The only place that
 * writes to the store: what it decides rests on the state and the record alone, so that every server that follows the same journal
 * comes to the same state.
 */

import { encodeHex } from "../../hex.ts";
import { equals } from "@std/bytes/equals";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import { roomKinds } from "../../protocol/channel/link_messages.ts";
import { boxHash } from "../../protocol/group/box.ts";
import { type Commit, commitHow, isCommitSigned, parseCommit } from "../../protocol/group/commit.ts";
import {
  type CardOf,
  checkGenesis,
  checkSuccessor,
  type RoomHead,
} from "../../protocol/group/commit_rules.ts";
import { parseKeyFileMessage } from "../../protocol/group/key_file_message.ts";
import { policies } from "../../protocol/group/roster.ts";
import { type Message, parseMessage } from "../../protocol/group/sealed_message.ts";
import { parseCard } from "../../protocol/identity/card.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { parsePrekey } from "../../protocol/identity/prekey.ts";
import type { ErrorCode, LogRecord, Outcome } from "../store/journal.ts";
import { sharedNotes, type Store, type StoredLeave, type StoredRoom } from "../store/store.ts";
import type { LimitReached } from "../limit_reached.ts";
import type { Settings } from "../settings.ts";
import type { Limits } from "../limits.ts";
import type { BlobIndex } from "../blobs/blob_index.ts";
import type { Bans } from "./bans.ts";
import type { LinkClaims } from "./link_claims.ts";
import type { CommitClaim } from "./commit_turns.ts";
import type { KeyFileLog } from "./key_file_log.ts";
import { hasJustEntered, isOutOfTime } from "./own_entries.ts";
import type { ServerRoom } from "./room.ts";
import type { Retention } from "./retention.ts";
import type { Own, RoomLog } from "./room_log.ts";
import type { RoomQuota } from "./room_quota.ts";

/** The state that is changed. */
export interface AppliedState {
  /** What is kept. */
  readonly store: Store;
  /** Where its rooms are: 32 bytes. */
  readonly site: Bytes;
  /** Bans by the operator. */
  readonly bans: Bans;
  /** Checked cards. */
  readonly cards: CardOf;
  /** A room with members. */
  get(id: Bytes): ServerRoom | undefined;
  /** A key-file room. */
  keyFileRoom(id: Bytes): KeyFileLog | undefined;
  /** Makes the object of a room that was just stored. */
  add(stored: StoredRoom): ServerRoom;
  /** The same for a key-file room. */
  addKeyFileRoom(stored: StoredRoom): KeyFileLog;
  /** Forgets a key-file room. */
  dropKeyFileRoom(id: Bytes): void;
  /** Gives up a room. */
  reap(room: ServerRoom | KeyFileLog): void;
  /** How much there is of everything. */
  readonly quota: RoomQuota;
  /** Seconds that an ended room is kept for those who are away. */
  readonly retention: Retention;
  /** Files. */
  readonly blobs: { readonly index: BlobIndex };
  /** Whoever is banned by now is put out. */
  putOutBanned(): void;
  /** Which link of an identity is the one. */
  readonly claims: Pick<LinkClaims, "apply">;
  /** From now on it is applied by these. */
  settle(settings: Settings): void;
  /** Its limits. */
  readonly limits: Pick<Limits, "unwantedRooms" | "unwantedRoomsFromOne" | "members" | "ownEntrySeconds">;
}

/** What is known of a record by the server that proposed it, and by no other. */
export interface Origin {
  /** Whose request it is. */
  readonly own: Own | null;
  /** What a commit has been checked against: while that is so the rules need not be asked again. */
  readonly checked?: { readonly head: RoomHead; readonly last: number };
  /** A message that has been judged, with the state of its room: unless that has changed, it is not judged again. */
  readonly judged?: {
    readonly message: Message;
    readonly room: ServerRoom | KeyFileLog;
    /** The room's last position. */
    readonly last: number;
    /** The room's head; undefined in a key-file room. */
    readonly head: RoomHead | undefined;
  };
}

/** The head of a room with members. */
export function headOf(room: ServerRoom | KeyFileLog): RoomHead | undefined {
  return "head" in room ? room.head : undefined;
}

/** Rows that are taken from the disk in one turn. */
const sweptRows = 500;

const done: Outcome = { type: "done" };
const refused = (code: ErrorCode): Outcome => ({ type: "refused", code });
const limited = (limit: LimitReached): Outcome => ({ type: "refused", code: "LIMIT", limit });

/** Applies one record. @param timeMs the journal's time @throws StoreFailed */
export function applyRecord(
  state: AppliedState,
  record: LogRecord,
  timeMs: number,
  origin: Origin | undefined,
): Outcome {
  const { store } = state;
  const own = origin?.own ?? null;
  switch (record.kind) {
    case "card":
      return applyCard(store, record.card, record.takesName);
    case "prekey":
      return applyPrekey(store, record.bytes);
    case "join": {
      const room = state.get(record.room);
      if (!room || room.isRetired) return refused("DENIED");
      room.applyJoin(record.id, timeMs);
      return done;
    }
    case "unjoin":
      store.dropJoin(record.room, record.id);
      return done;
    case "leave":
      return applyLeave(state, record.room, record.leave);
    case "commit":
      return applyCommit(state, parseCommit(record.bytes), record.boxes, timeMs, origin);
    case "message":
    case "key-file message": {
      const { judged } = origin ?? {};
      if (!state.quota.hasRoomFor("message")) return limited("store-bytes");
      if (
        judged && judged.room.last === judged.last && headOf(judged.room) === judged.head &&
        !judged.room.isRetired && isThere(state, judged.room)
      ) {
        return judged.room.applyMessage(judged.message, timeMs, own);
      }
      const isKeyFile = record.kind === "key-file message";
      const message = isKeyFile ? parseKeyFileMessage(record.bytes) : parseMessage(record.bytes);
      const room = isKeyFile ? state.keyFileRoom(message.room) : state.get(message.room);
      if (!room) return refused(isKeyFile ? "DENIED" : "NO_ROOM");
      return room.judge(message) ?? room.applyMessage(message, timeMs, own);
    }
    case "key-file room":
      return applyKeyFileRoom(state, record.room, record.maker);
    case "retire": {
      const room: RoomLog | undefined = state.get(record.room) ?? state.keyFileRoom(record.room);
      if (!room || room.isRetired) return refused("NO_ROOM");
      room.applyRetire(timeMs);
      state.quota.remove(room);
      state.blobs.index.applyDropRoom(record.room);
      return done;
    }
    case "reap":
      return applyReap(state, record.room, timeMs);
    case "sweep":
      return store.sweep(sweptRows) ? done : refused("NOT_FOUND");
    case "want":
      store.wantStay(record.room, record.id);
      return done;
    case "ban":
      state.bans.applyBan(record.ban);
      state.putOutBanned();
      return done;
    case "unban":
      state.bans.applyUnban(record.ban);
      return done;
    case "expire": {
      const room: RoomLog | undefined = state.get(record.room) ?? state.keyFileRoom(record.room);
      room?.applyExpire(record.ranges, record.expiredUpTo);
      return done;
    }
    case "blob": {
      const { blob } = record;
      const room = state.get(blob.room);
      if (!room || room.isRetired || !room.hasMember(blob.owner)) return refused("DENIED");
      return state.blobs.index.applyNew(blob, timeMs);
    }
    case "blob at":
      return state.blobs.index.applyAt(record.id, record.next, timeMs);
    case "blob drop":
      return state.blobs.index.applyDrop(record.id);
    case "note":
      store.putNote(record.key, record.value);
      return done;
    case "begin":
      if (store.note(sharedNotes.begin)) return refused("CONFLICT");
      store.putNote(sharedNotes.begin, concat(record.server, record.runId));
      state.settle(record.settings);
      // The chunks of files that one of them had alone are on its disk, where the others cannot read them.
      for (const { id } of [...state.blobs.index.all()]) state.blobs.index.applyDrop(id);
      return done;
    case "settings":
      state.settle(record.settings);
      return done;
    case "anew":
      store.beginAnew(record.runId);
      return done;
    case "link":
      state.claims.apply(record.id, record.link);
      return done;
  }
}

/** Whether a room is still the one of its id: another one may have taken its place. */
function isThere(state: AppliedState, room: ServerRoom | KeyFileLog): boolean {
  return (state.get(room.id) ?? state.keyFileRoom(room.id)) === room;
}

/** A wish to go; the last one who is left takes the room along. */
function applyLeave(state: AppliedState, id: Bytes, leave: StoredLeave): Outcome {
  const room = state.get(id);
  if (!room) return refused("NO_ROOM");
  const outcome = room.applyLeave(leave);
  if (outcome.type === "done" && room.isDeserted) state.reap(room);
  return outcome;
}

function applyKeyFileRoom(state: AppliedState, id: Bytes, maker: Bytes): Outcome {
  const { store, quota } = state;
  if (state.keyFileRoom(id)) return done;
  const before = store.room(id);
  // A room of two can be made by those two only: nobody else may take its id, which all can compute.
  if (before && before.kind !== roomKinds.keyFile) return refused("DENIED");
  const row = { id, kind: roomKinds.keyFile, name: "", maker };
  const limit = quota.judgeRoom(row);
  if (limit) return limited(limit);
  // It goes on where it stood: begun at position 1 again it would be a second history.
  if (before) store.reviveRoom(id, maker);
  else store.createRoom(row, null);
  state.addKeyFileRoom(store.room(id)!);
  return done;
}

/** Gives up a room that was ended as long ago as anything is kept, or is of no use to anybody any more. */
function applyReap(state: AppliedState, id: Bytes, timeMs: number): Outcome {
  const room = state.get(id) ?? state.keyFileRoom(id);
  if (!room) return refused("NO_ROOM");
  const isOld = room.retiredAt !== null && timeMs / 1000 - room.retiredAt > state.retention.seconds;
  if (!isOld && !room.isAtRest(timeMs)) return refused("DENIED");
  state.reap(room);
  return done;
}

/** One id, one name: the card that was seen first stays. */
function applyCard(store: Store, bytes: Bytes, takesName: boolean): Outcome {
  const card = parseCard(bytes);
  const name = skeleton(card.name);
  const owner = store.idByName(name);
  const isForeign = owner !== null && !equals(owner, card.id);
  if (isForeign && !takesName) return refused("CONFLICT");
  if (isForeign) store.giveName(name, card.id); // an account says whose name it is
  if (store.card(card.id) === null) store.putCard(card.id, name, bytes);
  return done;
}

/** Prekey ids only grow, and one id is one prekey. */
function applyPrekey(store: Store, bytes: Bytes): Outcome {
  const { id, prekeyId } = parsePrekey(bytes);
  const stored = store.prekey(id);
  const isOlder = stored !== null && prekeyId < stored.prekeyId;
  if (isOlder || (stored?.prekeyId === prekeyId && !equals(stored.bytes, bytes))) return refused("DENIED");
  store.putPrekey(id, prekeyId, bytes);
  return done;
}

/** Whether a commit may follow in its room, or begin one (protocol §7.1). */
export function judgeCommit(state: AppliedState, commit: Commit): ErrorCode | null {
  const room = state.get(commit.room);
  if (commit.epoch === 0) {
    const taken = commit.roomName !== "" && state.store.roomByName(skeleton(commit.roomName));
    if (room?.isHiddenFrom(commit.author)) return "DENIED";
    if (room || taken) return "CONFLICT";
    if (state.keyFileRoom(commit.room) && commit.policy !== policies.direct) return "DENIED";
    // What was given up under this id had positions: a second history may not begin at 1. But nobody keeps two people
    // apart by a key-file room under the id of theirs.
    const before = state.store.room(commit.room);
    if (before?.isReaped && before.kind === roomKinds.ordinary) return "DENIED";
    return checkGenesis(commit, 1, state) ? "DENIED" : null;
  }
  const isEntry = commit.how !== commitHow.member;
  // An author who was removed by the winning commit has lost the race as well, and is told so.
  const mayLose = (id: Bytes) => state.store.stays(id, commit.author).length > 0;
  if (!room || (isEntry ? room.isDirect : !mayLose(room.id))) return "DENIED";
  if (commit.epoch <= room.head.epoch) return "CONFLICT";
  if (room.isRetired || room.hasMember(commit.author) === isEntry || commit.view.pos > room.last) {
    return "DENIED";
  }
  return checkSuccessor(commit, room.last + 1, room.head, state) ? "DENIED" : null;
}

/** Whether the limits allow a room to begin. */
function judgeNew(state: AppliedState, commit: Commit, timeMs: number): LimitReached | null {
  const { quota } = state;
  const { author: maker, roomName: name, roster } = commit;
  const limit = quota.judgeRoom({ maker, name, kind: roomKinds.ordinary });
  if (limit) return limit;
  const others = roster.map(({ id }) => id).filter((id) => !equals(id, maker));
  if (!mayBePut(state, maker, others)) return "unwanted-rooms";
  if (!quota.mayPut(maker, others.length, timeMs)) return "puts-at-once";
  quota.put(maker, others.length, timeMs);
  return null;
}

/** Whether none of them has been put into too many rooms, by this one or by all, without having taken anything there. */
function mayBePut({ store, limits }: AppliedState, by: Bytes, ids: readonly Bytes[]): boolean {
  return ids.every((id) => {
    const { all, own } = store.unwantedStays(id, by);
    return all < limits.unwantedRooms && own < limits.unwantedRoomsFromOne;
  });
}

/** Whether the limits allow a commit to follow now. An admin who only removes somebody needs no place on the disk. */
function judgeTurn(
  state: AppliedState,
  room: ServerRoom,
  commit: Commit,
  timeMs: number,
): LimitReached | null {
  const { quota, limits } = state;
  const claim: CommitClaim = room.claimOf(commit);
  const members = commit.roster.length;
  const onlyRemoves = claim.removes && !claim.adds;
  if (members > room.head.roster.length && members > limits.members) return "max-members";
  // Who comes by a pass is asked to come: the pass is the limit.
  if (commit.how === commitHow.ownEntry && hasJustEntered(state, room.id, commit.author, timeMs)) {
    return "own-entry-seconds";
  }
  if (!(claim.isAdmin && onlyRemoves)) {
    if (!quota.hasRoomFor("refresh")) return "store-bytes";
    if (room.fixedBytes > state.retention.bytes) return "retain-bytes";
  }
  const { author, unasked } = claim;
  if (!mayBePut(state, author, unasked)) return "unwanted-rooms";
  if (!quota.mayPut(author, unasked.length, timeMs)) return "puts-at-once";
  const refusal = room.turns.take(claim, timeMs);
  if (refusal !== null) return refusal;
  room.keepTurns();
  quota.put(author, unasked.length, timeMs);
  return null;
}

/** Whether a commit has just lost to the one that began the epoch, and is truly its author's. */
function isLate(state: AppliedState, commit: Commit, head: RoomHead): boolean {
  const card = state.cards(commit.author);
  return commit.epoch === head.epoch && card !== undefined &&
    isCommitSigned(commit, state.site, card.verifying);
}

function applyCommit(
  state: AppliedState,
  commit: Commit,
  boxes: readonly Bytes[],
  timeMs: number,
  origin: Origin | undefined,
): Outcome {
  const { store } = state;
  const before = state.get(commit.room);
  const head = before?.head ?? null;
  const isGenesis = commit.epoch === 0;
  // Nothing is known of a room that begins: another one of its name may have come meanwhile.
  const { checked } = origin ?? {};
  const isSame = head !== null && checked?.head === head && checked.last === before!.last &&
    !before!.isRetired;
  if (!isSame) {
    const code = judgeCommit(state, commit);
    if (code === "CONFLICT" && head && isLate(state, commit, head)) {
      if (before!.turns.cameLate(before!.claimOf(commit), head.epoch, timeMs)) before!.keepTurns();
    }
    if (code) return refused(code);
  }
  if (isOutOfTime(commit, timeMs)) return refused("DENIED");
  const refusal = before ? judgeTurn(state, before, commit, timeMs) : judgeNew(state, commit, timeMs);
  if (refusal) return limited(refusal);
  if (isGenesis) {
    state.dropKeyFileRoom(commit.room);
    const name = commit.roomName === "" ? null : skeleton(commit.roomName);
    const row = { id: commit.room, kind: roomKinds.ordinary, name: commit.roomName, maker: commit.author };
    store.createRoom(row, name);
  }
  const room = isGenesis ? state.add(store.room(commit.room)!) : state.get(commit.room)!;
  const wanted = new Set(commit.roster.map((member) => encodeHex(member.boxHash)));
  for (const box of boxes) {
    const hash = boxHash(box);
    if (wanted.has(encodeHex(hash))) store.putBox(hash, commit.room, room.last + 1, box);
  }
  return room.applyCommit(commit, timeMs, origin?.own ?? null);
}
