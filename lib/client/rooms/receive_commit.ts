/**
 * Receiving a commit (protocol §7.1, §7.2): rules, box, keys, and the difference shown as a named person's
 * act. An invalid commit is the server's fault, is fed to the history and otherwise ignored.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import { seconds } from "../../clock.ts";
import { type Bytes, equalSecret } from "../../crypto/bytes.ts";
import { ChatError } from "../../errors.ts";
import { boxDecryptor, BoxUnreadable, openBox } from "../../protocol/group/box.ts";
import { type Commit, parseCommit } from "../../protocol/group/commit.ts";
import {
  cardsNeeded,
  checkAdmission,
  checkBeforeCards,
  checkGenesis,
  checkSuccessor,
  headAfter,
  type RoomHead,
} from "../../protocol/group/commit_rules.ts";
import { epochCheck, noKeyFile, senderChains } from "../../protocol/group/epoch.ts";
import { entryHash, History } from "../../protocol/group/history.ts";
import { entryKinds } from "../../protocol/channel/link_messages.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { basePolicy, findMember, isAdmin, keyFileFlag, policies } from "../../protocol/group/roster.ts";
import { RequestRefused } from "../connection/connection.ts";
import type { ClientRoom } from "./member_room.ts";
import { confirmRoom } from "./receive_message.ts";
import { ServerFault, WrongKeyFile } from "./room_context.ts";
import { checkView } from "./view_check.ts";

/** Handles a commit of a room we are in; feeds the history. @throws LinkLost */
export async function receiveCommit(
  room: ClientRoom,
  pos: number,
  time: number,
  bytes: Bytes,
): Promise<void> {
  const e = entryHash(entryKinds.commit, bytes);
  const commit = tryParse(bytes);
  const ignore = (why: string) => {
    room.history!.feed(e);
    room.warn(`The server sent a commit that is not valid (${why}); it is ignored.`);
  };
  if (!commit) return ignore("not a commit");
  const head = room.state.head!;
  // A forged commit must not keep the room waiting for cards.
  const forged = checkBeforeCards(commit, pos, head, room.context.directory.card);
  if (forged) return ignore(`rule ${forged.rule}: ${forged.why}`);
  await room.needCards(cardsNeeded(commit));
  const broken = checkSuccessor(commit, pos, head, room.context.directory.card);
  if (broken) return ignore(`rule ${broken.rule}: ${broken.why}`);
  // Who stays was judged when she came: the person may have accepted another key for the name since.
  await room.needPins(commit.roster.filter((m) => !findMember(head.roster, m.id)));
  warnOfOldKeys(room, commit);
  const secret = findMember(commit.roster, room.context.card.id) ? await openEpoch(room, commit) : null;
  room.keepPins(commit.roster);
  // From here on nothing waits or fails: state and history move together.
  if (checkView(room, commit.author, commit.view)) room.confirmations.seen(commit.author, commit.view);
  room.history!.feed(e);
  showDifference(room, commit, head);
  apply(room, commit, pos, time, secret);
  room.confirmations.needs(pos, commit.author, time * 1000);
  if (room.state.inviter && equals(commit.author, room.state.inviter)) confirmRoom(room);
}

/**
 * Handles the entry with which a newcomer's stream begins.
 *
 * @param hashes entry hashes from the commit's view to the commit
 * @throws ServerFault when the stream does not fit; LinkLost
 */
export async function receiveAdmission(
  room: ClientRoom,
  pos: number,
  time: number,
  bytes: Bytes,
  hashes: { first: number; hashes: Bytes[] } | null,
): Promise<void> {
  const commit = tryParse(bytes);
  if (!commit || !equals(commit.room, room.state.id)) throw new ServerFault("a room begins with no commit");
  // Whoever was removed keeps the old keys: being taken back to them would let her read on.
  if (room.state.head && commit.epoch <= room.state.head.epoch) {
    throw new ServerFault("an admission from before the removal");
  }
  // The room of us and somebody is made for two, and by its first commit only.
  if (
    room.state.withId && (commit.policy !== policies.direct || !findMember(commit.roster, room.state.withId))
  ) {
    throw new ServerFault("another room stands in the place of a room of two");
  }
  await room.needCards(cardsNeeded(commit));
  const { card, directory, serverId } = room.context;
  const broken = commit.epoch === 0
    ? checkGenesis(commit, pos, serverId, directory.card)
    : checkAdmission(commit, pos, card.id, directory.card);
  if (broken || !findMember(commit.roster, card.id)) {
    throw new ServerFault(`a commit does not admit us (${broken?.why ?? "not in the roster"})`);
  }
  if (room.state.name !== "" && skeleton(room.state.name) !== skeleton(commit.roomName)) {
    throw new ServerFault("the room has another name than the one asked for");
  }
  const pinned = room.replacesPin ? null : pinOf(room, commit);
  if (pinned && !equals(pinned, commit.room)) {
    return room.refuse(`Another room than the known one is called ${commit.roomName}; it is not entered.`);
  }
  if ((commit.policy & keyFileFlag) !== 0 && equals(room.roomKey, noKeyFile)) {
    return room.refuse(
      `The room ${commit.roomName} needs its key file; it is not entered. "chat join --room ${commit.roomName} ` +
        `--key FILE" enters it.`,
    );
  }
  if ((commit.policy & keyFileFlag) === 0 && !equals(room.roomKey, noKeyFile)) {
    return room.refuse(`The room ${commit.roomName} has no key file, but you gave one; it is not entered.`);
  }
  await room.needPins(commit.roster);
  const own = equals(commit.author, card.id);
  const { pos: viewPos, hash } = commit.view;
  const between = hashes?.hashes ?? [];
  if (viewPos + between.length !== pos - 1 || (between.length > 0 && hashes!.first !== viewPos + 1)) {
    throw new ServerFault("the entries before the admission are missing");
  }
  const secret = await openEpoch(room, commit);
  room.keepPins(commit.roster);
  if ((commit.policy & keyFileFlag) !== 0) room.state.keyFile = room.keyFileMark(room.roomKey);
  room.state.name = commit.roomName; // one that nobody asked for takes it from here
  if ((!pinned || room.replacesPin) && commit.roomName !== "" && room.context.pinsRooms()) {
    room.context.known.pinRoom(serverId, commit.roomName, commit.room);
  }
  const history = new History({ pos: viewPos, hash });
  for (const each of between) history.feed(each);
  history.feed(entryHash(entryKinds.commit, bytes));
  room.history = history;
  room.state.status = "in";
  room.state.leaving = false;
  apply(room, commit, pos, time, secret);
  room.confirmations.needs(pos, commit.author, time * 1000);
  if (!own) showAdmission(room, commit);
}

function showAdmission(room: ClientRoom, commit: Commit): void {
  const { known, serverId } = room.context;
  const by = room.nameOf(commit.author);
  const verified = known.user(serverId, by)?.verified ? "verified" : "not verified";
  if (room.isDirect) {
    return room.notice(`${by} (${verified}) has written to you alone; /query ${by} shows it.`);
  }
  room.notice(`You were admitted by ${by} (${verified}); what was said before stays closed to you.`);
  const { inviter } = room.state;
  if (!inviter) return;
  if (equals(inviter, commit.author)) room.state.inviter = null;
  else room.notice("Whoever invited you has not been seen here yet: until then the room is unconfirmed.");
}

function warnOfOldKeys(room: ClientRoom, commit: Commit): void {
  const { known, serverId } = room.context;
  for (const { name, id } of commit.roster) {
    if (!known.conflicts(serverId, name, id)) continue;
    room.warnOnce(`${name} is in this room with the key that you have replaced; an admin can /kick ${name}.`);
  }
}

/** The room that is known by the name of this one. */
function pinOf(room: ClientRoom, commit: Commit): Bytes | null {
  const { known, serverId, pinsRooms } = room.context;
  return commit.roomName !== "" && pinsRooms() ? known.room(serverId, commit.roomName) : null;
}

/** E of a valid commit, or null when it leaves us without a key. @throws LinkLost */
async function openEpoch(room: ClientRoom, commit: Commit): Promise<Bytes | null> {
  const { card, identity, prekeys } = room.context;
  const { roomKey } = room;
  const author = room.rosterName(commit, commit.author);
  if (equals(commit.author, card.id)) {
    const pending = room.state.pendingCommit;
    if (pending && equals(pending.hash, commit.hash)) return pending.secret;
    room.state.suspect = true;
    room.warnOnce(
      "The server returned a commit of yours that this machine does not know: its state was restored from " +
        "a backup, or somebody else holds your keys. New keys are made before you send.",
    );
    return null;
  }
  const { boxHash } = findMember(commit.roster, card.id)!;
  if (boxHash.every((byte) => byte === 0)) {
    room.notice(`${author}'s commit left you without a key: you had no valid prekey then.`);
    return null;
  }
  try {
    const { box } = await room.request((ref) => ({ type: "BOX_GET", ref, hash: boxHash }), "BOX");
    const secret = await openBox(box, boxHash, commit, card.id, prekeys.find, boxDecryptor(identity.rsa));
    if (equalSecret(epochCheck(secret, roomKey, commit), commit.check)) return secret;
    // The first box of a room with a key file: it is the file that does not fit (protocol §7.2).
    if (room.state.status !== "in" && !equals(roomKey, noKeyFile)) throw new WrongKeyFile(commit.roomName);
    room.warn(`${author}'s commit left you without a key: what the box holds is not what was signed.`);
  } catch (error) {
    if (!(error instanceof BoxUnreadable) && !(error instanceof RequestRefused)) throw error;
    room.notice(`${author}'s commit left you without a key.`);
  }
  return null;
}

function apply(room: ClientRoom, commit: Commit, pos: number, time: number, secret: Bytes | null): void {
  const { state, context } = room;
  const ids = commit.roster.map((member) => member.id);
  state.chains = {};
  room.unreadableNext.clear();
  if (secret) {
    const keys = senderChains(secret, room.roomKey, commit.hash, ids);
    ids.forEach((id, i) => state.chains[encodeHex(id)] = { key: keys[i], n: 0 });
    secret.fill(0);
  }
  state.readable = secret !== null;
  state.head = headAfter(commit, pos);
  state.commitTime = Math.min(time, seconds(context.clock));
  state.epochMessages = 0;
  state.expired = 0;
  state.seen = [state.seen[1], []];
  // What was sealed for the epoch before and is not in the log by now never will be.
  for (const item of state.outbox) item.sealed = null;
  state.leaves = state.leaves.filter((leave) => findMember(commit.roster, leave.id));
  if (state.pendingCommit && state.pendingCommit.epoch <= commit.epoch) {
    if (equals(state.pendingCommit.hash, commit.hash) && state.readable) state.suspect = false;
    state.pendingCommit = null;
  }
  if (!findMember(commit.roster, context.card.id)) {
    state.status = "gone";
    state.chains = {};
    const lost = room.unsent.length;
    room.withdraw();
    room.release();
    state.outbox = [];
    room.loseLines(lost);
    if (lost > 0) room.warn(lost === 1 ? "One line was not sent." : `${lost} lines were not sent.`);
    state.leaving = false;
  }
}

function showDifference(room: ClientRoom, commit: Commit, { roster: before, policy }: RoomHead): void {
  const { known, serverId, card } = room.context;
  const by = room.nameOf(commit.author);
  const common = { room: room.label, by };
  for (const member of before) {
    if (findMember(commit.roster, member.id)) continue;
    const left = commit.leaves.some((leave) => equals(leave.id, member.id));
    room.event({ type: "removed", ...common, who: member.name, left });
  }
  for (const member of commit.roster) {
    if (findMember(before, member.id) || equals(member.id, card.id)) continue;
    const verified = known.user(serverId, member.name)?.verified === true;
    room.event({ type: "added", ...common, who: member.name, verified });
    const key = encodeHex(member.id);
    if (!room.present.has(key)) room.justAdded.add(key);
  }
  if (commit.policy !== policy) {
    const closed = basePolicy(commit.policy) === policies.closed;
    room.notice(
      `${by} ${
        closed ? "closed the room: only admins let others in" : "opened the room: anyone may come in"
      }.`,
    );
  }
  for (const member of commit.roster) {
    const old = findMember(before, member.id);
    if (old && old.role !== member.role) {
      const role = isAdmin(member) ? "an admin" : "a plain member";
      room.notice(by === member.name ? `${by} is ${role} now.` : `${by} made ${member.name} ${role}.`);
    }
  }
}

function tryParse(bytes: Bytes): Commit | null {
  try {
    return parseCommit(bytes);
  } catch (error) {
    if (error instanceof ChatError) return null;
    throw error;
  }
}
