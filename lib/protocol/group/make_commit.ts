/**
 * Making a commit (protocol §7.1, §7.2, §7.4): a new member list, a new secret, and a box for everybody who can open
 * one.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { type Bytes, compareBytes } from "../../crypto/bytes.ts";
import { labelledHash } from "../../crypto/hash.ts";
import type { Identity } from "../../crypto/identity.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { generateX25519 } from "../../crypto/x25519.ts";
import type { Card } from "../identity/card.ts";
import type { Prekey } from "../identity/prekey.ts";
import { boxHash, sealBox } from "./box.ts";
import {
  type CommitBody,
  commitHow,
  directRoomId,
  type Leave,
  makeCommit,
  maxBans,
  maxLeaves,
  roomId,
} from "./commit.ts";
import { maxPasses, type Pass, type PassUse } from "./pass.ts";
import type { SignedView } from "./history.ts";
import { type CardOf, isLeaveCurrent, type RoomHead, withAdmin } from "./commit_rules.ts";
import { signedViewOf, viewOfNothing } from "./signed_head.ts";
import { epochCheck, noKeyFile } from "./epoch.ts";
import type { GroupState, PendingCommit } from "./group_state.ts";
import {
  findMember,
  includesId,
  isAdmin,
  keyFileFlag,
  type Member,
  memberRoles,
  policies,
} from "./roster.ts";

const zeros: Bytes = new Uint8Array(32);
/** The runtime makes them on threads of its own. */
const boxesAtOnce = 16;

const byMember = { how: commitHow.member, use: null } as const;

/** Who commits, and where. */
export interface Author {
  /** Where the room is: 32 bytes. */
  readonly site: Bytes;
  /** Our card. */
  readonly card: Card;
  /** Our keys. */
  readonly identity: Identity;
  /** Randomness. */
  readonly random: RandomSource;
  /** Seconds since 1970. */
  readonly now: number;
}

/** The commit that makes an open room, with its id. @param roomKey 32 bytes of its key file, or zeros */
export function makeGenesis(
  author: Author,
  name: string,
  roomKey: Bytes,
): { id: Bytes; pending: PendingCommit } {
  const { card, random, now } = author;
  const prev = random(32);
  const id = roomId(card.id, name, prev);
  const place = { room: id, epoch: 0, prev, author: card.id };
  const secret = random(32);
  const withKeyFile = !equals(roomKey, noKeyFile);
  const body: CommitBody = {
    ...place,
    ...byMember,
    passes: [],
    time: now,
    view: viewOfNothing(id),
    policy: policies.open | (withKeyFile ? keyFileFlag : 0),
    roomName: name,
    roster: [{ id: card.id, role: memberRoles.admin, since: 0, name: card.name, boxHash: zeros }],
    leaves: [],
    bans: [],
    check: epochCheck(secret, roomKey, place),
  };
  return { id, pending: signed(body, author, secret) };
}

/**
 * The commit that makes a room of two, with the box of the other (protocol §7.5).
 *
 * @param prekey the other's, verified and usable
 * @returns null when nothing can be sealed to it
 */
export async function makeDirectGenesis(
  author: Author,
  other: Card,
  prekey: Prekey,
): Promise<{ id: Bytes; pending: PendingCommit; box: Bytes } | null> {
  const { card, random, now, site } = author;
  const members = [card, other].sort((a, b) => compareBytes(a.id, b.id));
  const id = directRoomId(site, members[0].id, members[1].id);
  const place = { room: id, epoch: 0, prev: zeros, author: card.id };
  const secret = random(32);
  // An invalid key throws only when it is used.
  const box = await sealBox(secret, place, await generateX25519(), prekey, other.rsaSpki, random)
    .catch(() => null);
  if (!box) return null;
  const body: CommitBody = {
    ...place,
    ...byMember,
    passes: [],
    time: now,
    view: viewOfNothing(id),
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
    bans: [],
    check: epochCheck(secret, noKeyFile, place),
  };
  return { id, pending: signed(body, author, secret), box };
}

/** What a commit is to change; nothing for a refresh. */
export interface Change {
  /** New members. */
  readonly add: readonly Card[];
  /** Ids of members to remove. */
  readonly remove?: readonly Bytes[];
  /** Ids to keep out. */
  readonly ban?: readonly Bytes[];
  /** Ids to keep out no longer. */
  readonly unban?: readonly Bytes[];
  /** Passes to list, and keys of passes that are to go. */
  readonly pass?: readonly Pass[];
  /** See there. */
  readonly revoke?: readonly Bytes[];
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

/** Where a commit follows: the roster that it makes, and the leaves that it carries out. */
export interface Succession {
  /** As the commit will state it, boxes aside. */
  readonly roster: readonly Member[];
  /** Requests of members who go by their own wish. */
  readonly leaves: readonly Leave[];
  /** Keys that let somebody in. */
  readonly passes: readonly Pass[];
  /** Who is kept out. */
  readonly bans: readonly Bytes[];
  /** The policy that it states. */
  readonly policy: number;
}

/** What a commit of ours would make of the members now. @param own our id @param now seconds since 1970 */
export function succession(state: GroupState, own: Bytes, change: Change, now: number): Succession {
  const head = state.head!;
  const epoch = head.epoch + 1;
  const leaves = carriedOut(state, own);
  const removed = [...change.remove ?? [], ...leaves.map((leave) => leave.id)];
  const staying = head.roster.filter((m) => !includesId(removed, m.id));
  const added = change.add
    .map((c): Member => ({ id: c.id, role: memberRoles.member, since: epoch, name: c.name, boxHash: zeros }));
  const policy = change.policy === undefined ? head.policy : change.policy | (head.policy & keyFileFlag);
  const roster = withAdmin([...staying, ...added], policy);
  return {
    roster,
    leaves,
    policy,
    passes: passesAfter(head, roster, own, change, now),
    bans: bansAfter(head.bans, roster, change),
  };
}

/**
 * The passes after a change: an admin's commit drops those whose time is over, the oldest give way, and with whoever
 * stops being an admin all go, since her invites are not the room's any more.
 */
function passesAfter(
  head: RoomHead,
  roster: readonly Member[],
  own: Bytes,
  { pass = [], revoke = [] }: Change,
  now: number,
): readonly Pass[] {
  if (head.roster.some((m) => isAdmin(m) && !isAdmin(findMember(roster, m.id)))) return [];
  if (!isAdmin(findMember(head.roster, own)) || head.policy === policies.direct) return head.passes;
  const kept = head.passes.filter(({ key, until }) => until >= now && !includesId(revoke, key));
  return [...kept, ...pass].slice(-maxPasses);
}

/** Who is kept out after a change: the oldest give way, and whoever is let in is kept out no longer. */
export function bansAfter(
  before: readonly Bytes[],
  roster: readonly Member[],
  { ban = [], unban = [] }: Pick<Change, "ban" | "unban">,
): Bytes[] {
  const kept = before.filter((id) => !includesId(unban, id) && !findMember(roster, id));
  const added = ban.filter((id, i) =>
    !includesId(kept, id) && !includesId(ban.slice(0, i), id) && !findMember(roster, id)
  );
  return [...kept, ...added].slice(-maxBans);
}

/**
 * Seals a new epoch of a room that we are in.
 *
 * @param next what {@link succession} says of the state as it is
 * @param prekeys of its members, by id in hex, verified and usable
 * @param cards of all its members
 * @param roomKey 32 bytes of the room's key file, or zeros
 */
export async function makeSuccessor(
  author: Author,
  state: GroupState,
  next: Succession,
  prekeys: ReadonlyMap<string, Prekey>,
  cards: CardOf,
  roomKey: Bytes,
): Promise<MadeCommit> {
  const what = { ...byMember, ...next, view: signedViewOf(state) };
  return await follow(author, state.head!, what, prekeys, cards, roomKey);
}

/** What somebody enters by, and what she was shown of the room. */
export interface Entering {
  /** As the last commit left it. */
  readonly head: RoomHead;
  /** Where the server has signed that the room stands. */
  readonly view: SignedView;
  /** A pass that is listed there; null in an open room. */
  readonly use: PassUse | null;
}

/** Whom an entry would make members, boxes aside: those who are, and its author. */
function rosterWith(head: RoomHead, { id, name }: Card): Member[] {
  const own = { id, role: memberRoles.member, since: head.epoch + 1, name, boxHash: zeros };
  return [...head.roster, own];
}

/**
 * Seals a new epoch of a room that its author enters by herself (protocol §7.6).
 *
 * @param prekeys of its members, by id in hex, verified and usable
 * @param cards of all its members
 */
export async function makeEntry(
  author: Author,
  { head, view, use }: Entering,
  prekeys: ReadonlyMap<string, Prekey>,
  cards: CardOf,
): Promise<MadeCommit> {
  const { policy, bans } = head;
  const what = {
    how: use ? commitHow.pass : commitHow.ownEntry,
    use,
    view,
    roster: rosterWith(head, author.card),
    leaves: [],
    passes: use ? head.passes.filter(({ key }) => !equals(key, use.key)) : head.passes,
    bans,
    policy,
  };
  return await follow(author, head, what, prekeys, cards, noKeyFile);
}

/** Draws new keys, seals them to the members, and signs. */
async function follow(
  author: Author,
  head: RoomHead,
  what: Succession & Pick<CommitBody, "how" | "use" | "view">,
  prekeys: ReadonlyMap<string, Prekey>,
  cards: CardOf,
  roomKey: Bytes,
): Promise<MadeCommit> {
  const { card, random, now } = author;
  const place = { room: head.room, epoch: head.epoch + 1, prev: head.commitHash, author: card.id };
  const secret = random(32);
  const ephemeral = await generateX25519();
  const boxes: Bytes[] = [];
  const without: string[] = [];
  const hashes = new Map<string, Bytes>();
  const others = what.roster.filter((member) => !equals(member.id, card.id));
  const boxFor = (member: Member): Promise<Bytes | null> => {
    const prekey = prekeys.get(encodeHex(member.id));
    if (!prekey) return Promise.resolve(null);
    // An invalid key throws only when it is used: its owner gets no box.
    const { rsaSpki } = cards(member.id)!;
    return sealBox(secret, place, ephemeral, prekey, rsaSpki, random).catch(() => null);
  };
  for (let i = 0; i < others.length; i += boxesAtOnce) {
    const some = others.slice(i, i + boxesAtOnce);
    for (const [at, box] of (await Promise.all(some.map(boxFor))).entries()) {
      if (!box) {
        without.push(some[at].name);
        continue;
      }
      boxes.push(box);
      hashes.set(encodeHex(some[at].id), boxHash(box));
    }
  }
  const body: CommitBody = {
    ...what,
    ...place,
    time: now,
    roomName: head.roomName,
    roster: what.roster.map((m) => ({ ...m, boxHash: hashes.get(encodeHex(m.id)) ?? zeros })),
    check: epochCheck(secret, roomKey, place),
  };
  return { pending: signed(body, author, secret), boxes, without };
}

function signed(body: CommitBody, { site, identity }: Author, secret: Bytes): PendingCommit {
  const bytes = makeCommit(body, site, identity.signing);
  return { bytes, hash: labelledHash("chat2 commit", bytes), epoch: body.epoch, secret };
}

/** The pending leaves that our next commit may carry out. @param own our id */
export function carriedOut({ head, leaves }: GroupState, own: Bytes): Leave[] {
  return leaves.filter((leave) => {
    const member = findMember(head!.roster, leave.id);
    return member && !equals(leave.id, own) && isLeaveCurrent(leave, member, head!.epoch + 1);
  }).slice(0, maxLeaves);
}
