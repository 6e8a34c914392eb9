/**
 * Making a commit (protocol §7.1, §7.2, §7.4): a new member list, a new secret, and a box for everybody
 * who can open one.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import { seconds } from "../../clock.ts";
import { type Bytes, compareBytes } from "../../crypto/bytes.ts";
import { labelledHash } from "../../crypto/hash.ts";
import { generateX25519 } from "../../crypto/x25519.ts";
import { ChatError } from "../../errors.ts";
import { boxHash, sealBox } from "../../protocol/group/box.ts";
import type { Card } from "../../protocol/identity/card.ts";
import {
  type CommitBody,
  directRoomId,
  type Leave,
  makeCommit,
  maxLeaves,
  roomId,
} from "../../protocol/group/commit.ts";
import { isLeaveCurrent, withAdmin } from "../../protocol/group/commit_rules.ts";
import { epochCheck, noKeyFile } from "../../protocol/group/epoch.ts";
import { findMember, keyFileFlag, type Member, memberRoles, policies } from "../../protocol/group/roster.ts";
import type { ClientRoom } from "./member_room.ts";
import type { PendingCommit } from "./room_state.ts";

const zeros: Bytes = new Uint8Array(32);

/** The commit that makes an open room, with its id. @param roomKey 32 bytes of its key file, or zeros */
export function makeGenesis(
  room: { context: ClientRoom["context"] },
  name: string,
  roomKey: Bytes,
): { id: Bytes; pending: PendingCommit } {
  const { card, identity, random, clock } = room.context;
  const prev = random(32);
  const id = roomId(card.id, name, prev);
  const context = { room: id, epoch: 0, prev, author: card.id };
  const secret = random(32);
  const withKeyFile = !equals(roomKey, noKeyFile);
  const body: CommitBody = {
    ...context,
    time: seconds(clock),
    view: { pos: 0, hash: id },
    policy: policies.open | (withKeyFile ? keyFileFlag : 0),
    roomName: name,
    roster: [{ id: card.id, role: memberRoles.admin, since: 0, name: card.name, boxHash: zeros }],
    leaves: [],
    check: epochCheck(secret, roomKey, context),
  };
  const bytes = makeCommit(body, identity.signing);
  return { id, pending: { bytes, hash: labelledHash("chat1 commit", bytes), epoch: 0, secret } };
}

/** The commit that makes a room of two, with the box of the other (protocol §7.5). @throws LinkLost, NoPrekey */
export async function makeDirectGenesis(
  { context, connection }: Pick<ClientRoom, "context" | "connection">,
  other: Card,
): Promise<{ id: Bytes; pending: PendingCommit; box: Bytes }> {
  const { card, identity, random, clock, directory, serverId } = context;
  const prekey = (await directory.fetchPrekeys(connection!, [other.id])).get(encodeHex(other.id));
  if (!prekey) throw new NoPrekey(other.name);
  const members = [card, other].sort((a, b) => compareBytes(a.id, b.id));
  const id = directRoomId(serverId, members[0].id, members[1].id);
  const place = { room: id, epoch: 0, prev: zeros, author: card.id };
  const secret = random(32);
  // A key that is no key throws only when used.
  const box = await sealBox(secret, place, await generateX25519(), prekey, other.rsaSpki, random)
    .catch(() => null);
  if (!box) throw new NoPrekey(other.name);
  const body: CommitBody = {
    ...place,
    time: seconds(clock),
    view: { pos: 0, hash: id },
    policy: policies.direct,
    roomName: "",
    roster: members.map((m) => ({
      id: m.id,
      role: memberRoles.member,
      since: 0,
      name: m.name,
      boxHash: m === other ? boxHash(box) : zeros,
    })),
    leaves: [],
    check: epochCheck(secret, noKeyFile, place),
  };
  const bytes = makeCommit(body, identity.signing);
  return { id, pending: { bytes, hash: labelledHash("chat1 commit", bytes), epoch: 0, secret }, box };
}

/** Nothing can be sealed to somebody. */
export class NoPrekey extends ChatError {
  /** @param name of whom */
  constructor(name: string) {
    super(
      `${name} has no key that something could be sealed to now, maybe by being away for a month`,
      `your line is kept; "/retry" tries again when ${name} has been connected`,
    );
  }
}

/** What a commit shall change; nothing for a refresh. */
export interface Change {
  /** New members. */
  readonly add: readonly Card[];
  /** Ids of members who shall go. */
  readonly remove?: readonly Bytes[];
  /** Open or closed. */
  readonly policy?: number;
}

/** A commit that is ready, its boxes, and who goes without one. */
export interface MadeCommit {
  /** For the state and the wire. */
  readonly pending: PendingCommit;
  /** To be uploaded before it. */
  readonly boxes: Bytes[];
  /** Names of members without a valid prekey. */
  readonly without: string[];
}

/** Seals a new epoch of a room we are in, with all pending leaves. @throws LinkLost */
export async function makeSuccessor(room: ClientRoom, change: Change): Promise<MadeCommit> {
  const { card, directory, identity, random, clock } = room.context;
  const { roomKey } = room;
  const head = room.state.head!;
  const epoch = head.epoch + 1;
  const context = { room: head.room, epoch, prev: head.commitHash, author: card.id };
  const leaves = carriedOut(room, epoch);
  const removed = [...change.remove ?? [], ...leaves.map((leave) => leave.id)];
  const staying = head.roster.filter((m) => !removed.some((id) => equals(id, m.id)));
  const policy = change.policy === undefined ? head.policy : change.policy | (head.policy & keyFileFlag);
  const added = change.add
    .map((c): Member => ({ id: c.id, role: memberRoles.member, since: epoch, name: c.name, boxHash: zeros }));
  const others = [...staying, ...added].filter((m) => !equals(m.id, card.id));
  const prekeys = await directory.fetchPrekeys(room.connection!, others.map((m) => m.id));

  const secret = random(32);
  const ephemeral = await generateX25519();
  const boxes: Bytes[] = [];
  const without: string[] = [];
  const hashes = new Map<string, Bytes>();
  for (const member of others) {
    const key = encodeHex(member.id);
    const prekey = prekeys.get(key);
    const spki = directory.card(member.id)!.rsaSpki;
    // A key that is no key throws only when used: that member goes without.
    const box = prekey && await sealBox(secret, context, ephemeral, prekey, spki, random).catch(() => null);
    if (!box) {
      without.push(member.name);
      continue;
    }
    boxes.push(box);
    hashes.set(key, boxHash(box));
  }
  const roster = withAdmin([...staying, ...added], policy)
    .map((m) => ({ ...m, boxHash: hashes.get(encodeHex(m.id)) ?? zeros }));
  const body: CommitBody = {
    ...context,
    time: seconds(clock),
    view: room.history!.view,
    policy,
    roomName: head.roomName,
    roster,
    leaves,
    check: epochCheck(secret, roomKey, context),
  };
  const bytes = makeCommit(body, identity.signing);
  return { pending: { bytes, hash: labelledHash("chat1 commit", bytes), epoch, secret }, boxes, without };
}

/** The pending leaves that a commit of `epoch` by us may carry out. */
export function carriedOut(room: ClientRoom, epoch: number): Leave[] {
  const { card } = room.context;
  return room.state.leaves.filter((leave) => {
    const member = findMember(room.state.head!.roster, leave.id);
    return member && !equals(leave.id, card.id) && isLeaveCurrent(leave, member, epoch);
  }).slice(0, maxLeaves);
}
