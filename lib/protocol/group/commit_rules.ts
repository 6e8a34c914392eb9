/**
 * What makes a commit valid (protocol §7.1, rules 1–6), on facts that every member shares: a rule that
 * hung on what one of them happens to know would split the room.
 *
 * Each function returns the rule that is broken, or null. Cards are facts: an id fixes its card's keys,
 * and the card's name is asked for as the rules need it.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { type Bytes, compareBytes } from "../../crypto/bytes.ts";
import { type Card, roles } from "../identity/card.ts";
import {
  type Commit,
  commitHow,
  directRoomId,
  isCommitSigned,
  isLeaveSigned,
  type Leave,
  roomId,
} from "./commit.ts";
import { skeleton } from "../identity/name.ts";
import { maxViewLag } from "./history.ts";
import { isPassFor, isPassKey, isPassUsed, isSamePass, type Pass } from "./pass.ts";
import {
  basePolicy,
  findMember,
  isAdmin,
  keyFileFlag,
  type Member,
  memberRoles,
  policies,
} from "./roster.ts";

/** A room as its last valid commit left it. */
export interface RoomHead {
  /** Room id. */
  readonly room: Bytes;
  /** Epoch of the last valid commit. */
  readonly epoch: number;
  /** Its hash. */
  readonly commitHash: Bytes;
  /** Its position in the log. */
  readonly commitPos: number;
  /** 0 open, 1 closed, 2 direct, with the key-file flag. */
  readonly policy: number;
  /** Empty for a direct room. */
  readonly roomName: string;
  /** Its members. */
  readonly roster: readonly Member[];
  /** Keys that let somebody in by herself. */
  readonly passes: readonly Pass[];
  /** Ids that an admin has put out. */
  readonly bans: readonly Bytes[];
}

/** What a valid commit leaves behind. @param pos its position in the log */
export function headAfter(commit: Commit, pos: number): RoomHead {
  return {
    room: commit.room,
    epoch: commit.epoch,
    commitHash: commit.hash,
    commitPos: pos,
    policy: commit.policy,
    roomName: commit.roomName,
    roster: commit.roster,
    passes: commit.passes,
    bans: commit.bans,
  };
}

/** The card of an id; the rules are only asked once every card they need is here. */
export type CardOf = (id: Uint8Array) => Card | undefined;

/** What the rules rest on beside the commits themselves. */
export interface RuleFacts {
  /** Where the room is: 32 bytes. */
  readonly site: Bytes;
  /** Cards. */
  readonly cards: CardOf;
}

/** Which rule of protocol §7.1 is broken. */
export interface BrokenRule {
  /** 1 to 6. */
  readonly rule: number;
  /** In words. */
  readonly why: string;
}

const broken = (rule: number, why: string): BrokenRule => ({ rule, why });

/** The ids whose cards the rules need for this commit: all members, and leavers. */
export function cardsNeeded(commit: Commit): Bytes[] {
  return [...commit.roster.map((m) => m.id), ...commit.leaves.map((l) => l.id)];
}

/** Checks a commit of epoch 0, for those who see a room from its start. */
export function checkGenesis(
  commit: Commit,
  pos: number,
  facts: RuleFacts,
): BrokenRule | null {
  if (commit.epoch !== 0) return broken(2, "epoch is not 0");
  const common = checkWithin(commit, facts);
  if (common) return common;
  if (commit.view.pos !== 0 || !equals(commit.view.hash, commit.room) || pos < 1) {
    return broken(1, "the view of epoch 0 is not the beginning");
  }
  if (commit.leaves.length > 0) return broken(1, "epoch 0 has leaves");
  if (commit.how !== commitHow.member) return broken(1, "epoch 0 is an entry");
  if (commit.passes.length > 0) return broken(1, "epoch 0 has passes");
  if (commit.bans.length > 0) return broken(1, "epoch 0 keeps somebody out");
  if (commit.roster.some((m) => m.since !== 0)) return broken(1, "a member of epoch 0 joined later");
  if (commit.policy === policies.direct) return checkDirectGenesis(commit, facts.site);
  if (commit.roster.length !== 1 || commit.roster[0].role !== memberRoles.admin) {
    return broken(1, "a room does not begin with its author alone, as admin");
  }
  if (!equals(commit.room, roomId(commit.author, commit.roomName, commit.prev))) {
    return broken(1, "the room id does not fit creator and name");
  }
  return null;
}

function checkDirectGenesis(commit: Commit, site: Uint8Array): BrokenRule | null {
  if (commit.prev.some((byte) => byte !== 0)) return broken(1, "a direct room begins with a prev");
  if (commit.roster.length !== 2 || commit.roster.some((m) => m.role !== memberRoles.member)) {
    return broken(1, "a direct room does not have two members");
  }
  const [lo, hi] = commit.roster.map((m) => m.id).sort(compareBytes);
  return equals(commit.room, directRoomId(site, lo, hi))
    ? null
    : broken(1, "the room id does not fit the two people");
}

/**
 * Checks a commit that follows `head`, which the reader has seen.
 *
 * @param pos the commit's own position; null when neither it nor that of `head` is known: then its view is not judged
 */
export function checkSuccessor(
  commit: Commit,
  pos: number | null,
  head: RoomHead,
  facts: RuleFacts,
): BrokenRule | null {
  const common = checkWithin(commit, facts) ?? checkChain(commit, pos, head);
  if (common) return common;
  if (commit.how !== commitHow.member) return checkEntry(commit, head, facts);
  return checkStaying(commit, head) ?? checkRemovals(commit, head, facts.cards) ?? checkRoles(commit, head) ??
    checkBans(commit, head) ?? checkPasses(commit, head);
}

/**
 * The part of rules 1 and 2 that needs no card but the author's, who is a known member: what fails here need
 * not wait for anything.
 */
export function checkBeforeCards(
  commit: Commit,
  pos: number,
  head: RoomHead,
  facts: RuleFacts,
): BrokenRule | null {
  const isMember = findMember(head.roster, commit.author) !== undefined;
  if (isMember !== (commit.how === commitHow.member)) return checkChain(commit, pos, head);
  // Whose card is not here yet is judged when it is.
  const author = facts.cards(commit.author);
  if (!author) {
    return isMember ? broken(1, "the author was not in the roster") : checkChain(commit, pos, head);
  }
  if (!isCommitSigned(commit, facts.site, author.verifying)) return broken(1, "the signature is wrong");
  return checkChain(commit, pos, head);
}

/**
 * Checks the commit that adds a newcomer, who has no roster before it: rules 1 and 6 within it, and its
 * own entry.
 */
export function checkAdmission(
  commit: Commit,
  pos: number,
  newcomer: Uint8Array,
  facts: RuleFacts,
): BrokenRule | null {
  const common = checkWithin(commit, facts);
  if (common) return common;
  if (commit.policy === policies.direct) return broken(3, "nobody can be added to a direct room");
  if (commit.view.pos >= pos) return broken(2, "the view is not before the commit");
  const isAdded = findMember(commit.roster, newcomer)?.since === commit.epoch;
  // Who enters by herself adds nobody else.
  if (!isAdded || (commit.how !== commitHow.member && !equals(commit.author, newcomer))) {
    return broken(3, "the newcomer is not added by this commit");
  }
  return null;
}

/**
 * Checks the commit of which an invite says that it lists a pass: with it begins what somebody who enters by that pass
 * knows of the room.
 *
 * @param lister the admin who has made the invite
 * @param pass the public key
 */
export function checkListing(
  commit: Commit,
  { room, lister, pass }: { readonly room: Bytes; readonly lister: Bytes; readonly pass: Bytes },
  facts: RuleFacts,
): BrokenRule | null {
  if (!equals(commit.room, room)) return broken(2, "it belongs to another room");
  if (!equals(commit.author, lister)) return broken(1, "the author is not who has invited");
  const common = checkWithin(commit, facts);
  if (common) return common;
  if (!isAdmin(findMember(commit.roster, lister))) return broken(5, "only an admin changes the passes");
  const isListed = commit.passes.some(({ key }) => equals(key, pass));
  return isListed ? null : broken(5, "it does not list the pass");
}

/** Checks the newest commit, for somebody who has seen none of the room: rules 1 and 6 within it. */
export function checkNewest(commit: Commit, room: Bytes, facts: RuleFacts): BrokenRule | null {
  if (!equals(commit.room, room)) return broken(2, "it belongs to another room");
  return commit.epoch === 0 ? checkGenesis(commit, 1, facts) : checkWithin(commit, facts);
}

/** Rule 1 (signature, author) and rule 6 (ids, names), which hold within the commit itself. */
function checkWithin(commit: Commit, { site, cards }: RuleFacts): BrokenRule | null {
  const author = cards(commit.author);
  if (!author || !isCommitSigned(commit, site, author.verifying)) return broken(1, "the signature is wrong");
  const entry = findMember(commit.roster, commit.author);
  if (!entry) return broken(1, "the author is not in the roster");
  if (!isZero(entry.boxHash)) return broken(1, "the author has a box");
  const names = new Set<string>();
  for (const member of commit.roster) {
    const card = cards(member.id);
    if (!card || card.role !== roles.user) return broken(3, "a member has no card of role 1");
    if (card.name !== member.name) return broken(6, "a name is not that of the card");
    if (findMember(commit.roster, member.id) !== member) return broken(6, "an id is there twice");
    names.add(skeleton(member.name));
  }
  if (names.size !== commit.roster.length) return broken(6, "a name is there twice");
  if (new Set(commit.bans.map(encodeHex)).size !== commit.bans.length) {
    return broken(6, "an id is kept out twice");
  }
  if (commit.bans.some((id) => findMember(commit.roster, id))) return broken(6, "a member is kept out");
  if (new Set(commit.passes.map(({ key }) => encodeHex(key))).size !== commit.passes.length) {
    return broken(6, "a pass is there twice");
  }
  return null;
}

/** Rule 2, and that the author was a member before, unless she enters. */
function checkChain(commit: Commit, pos: number | null, head: RoomHead): BrokenRule | null {
  if (!equals(commit.room, head.room)) return broken(2, "it belongs to another room");
  if (commit.epoch !== head.epoch + 1) return broken(2, "the epoch does not follow");
  if (!equals(commit.prev, head.commitHash)) return broken(2, "prev is not the last commit");
  const view = commit.view.pos;
  if (pos !== null && view < head.commitPos) return broken(2, "the view is before the last commit");
  if (pos !== null && view >= pos) return broken(2, "the view is not before the commit");
  if (pos !== null && view < pos - maxViewLag) return broken(2, "the view is too far behind the commit");
  const isMember = findMember(head.roster, commit.author) !== undefined;
  if (isMember === (commit.how === commitHow.member)) return null;
  return broken(1, isMember ? "a member enters" : "the author was not in the roster");
}

/** How 1 and 2: somebody adds herself, and changes nothing else. */
function checkEntry(commit: Commit, head: RoomHead, { site }: RuleFacts): BrokenRule | null {
  const isByPass = commit.how === commitHow.pass;
  if (head.policy !== policies.open && !(isByPass && head.policy === policies.closed)) {
    return broken(3, "nobody enters this room by herself");
  }
  if (commit.policy !== head.policy || commit.roomName !== head.roomName || commit.leaves.length > 0) {
    return broken(5, "an entry changes the room");
  }
  const before = commit.roster.slice(0, -1);
  const isSame = before.length === head.roster.length && before.every((m, i) => {
    const { id, role, since, name } = head.roster[i];
    return equals(m.id, id) && m.role === role && m.since === since && m.name === name;
  });
  const own = commit.roster[before.length];
  if (!isSame || !equals(own.id, commit.author)) return broken(3, "an entry adds another than its author");
  if (own.role !== memberRoles.member || own.since !== commit.epoch) {
    return broken(3, "an addition has another role or since");
  }
  const bans = checkBans(commit, head);
  if (bans) return bans;
  const { use } = commit;
  if (!isByPass) {
    return samePasses(commit.passes, head.passes) ? null : broken(5, "an entry changes the passes");
  }
  const pass = head.passes.find(({ key }) => equals(key, use!.key));
  if (!pass || !isPassFor(pass, own.name, commit.time)) return broken(3, "no pass lets her in");
  if (!isPassUsed(use!, site, commit.room, commit.author)) return broken(3, "the pass is not signed");
  const rest = head.passes.filter((other) => other !== pass);
  return samePasses(commit.passes, rest) ? null : broken(5, "an entry leaves other passes behind");
}

/** Rule 5: only an admin changes the passes; who stops being one takes them all along. */
function checkPasses(commit: Commit, head: RoomHead): BrokenRule | null {
  const { passes } = commit;
  if (head.policy === policies.direct) {
    return passes.length > 0 ? broken(5, "a direct room has passes") : null;
  }
  if (head.roster.some((m) => isAdmin(m) && !isAdmin(findMember(commit.roster, m.id)))) {
    return passes.length > 0 ? broken(5, "an admin has gone, and passes stay") : null;
  }
  if (samePasses(passes, head.passes)) return null;
  if (!isAdmin(findMember(head.roster, commit.author))) return broken(5, "only an admin changes the passes");
  const added = passes.filter((pass) => !head.passes.some((old) => isSamePass(old, pass)));
  return added.every(isPassKey) ? null : broken(6, "a pass is no key");
}

function samePasses(a: readonly Pass[], b: readonly Pass[]): boolean {
  return a.length === b.length && a.every((pass, i) => isSamePass(pass, b[i]));
}

/** Rule 3: who stays keeps place, name and since; additions follow. */
function checkStaying(commit: Commit, head: RoomHead): BrokenRule | null {
  let at = 0;
  const additions: Member[] = [];
  for (const member of commit.roster) {
    const before = findMember(head.roster, member.id);
    if (!before) {
      additions.push(member);
      continue;
    }
    if (additions.length > 0) return broken(3, "an addition stands before who stays");
    while (head.roster[at] !== before) {
      if (++at >= head.roster.length) return broken(3, "who stays does not keep the order");
    }
    at++;
    if (before.name !== member.name || before.since !== member.since) {
      return broken(3, "who stays does not keep name and since");
    }
  }
  if (additions.length === 0) return null;
  if (additions.some((m) => m.role !== memberRoles.member || m.since !== commit.epoch)) {
    return broken(3, "an addition has another role or since");
  }
  const policy = basePolicy(head.policy);
  if (policy === policies.direct) return broken(3, "nobody can be added to a direct room");
  if (policy === policies.closed && !isAdmin(findMember(head.roster, commit.author))) {
    return broken(3, "only an admin adds to a closed room");
  }
  return null;
}

/** Rule 4: removals by an admin, or by the member's own wish. */
function checkRemovals(commit: Commit, head: RoomHead, cards: CardOf): BrokenRule | null {
  const removed = head.roster.filter((m) => !findMember(commit.roster, m.id));
  if (removed.length > 0 && head.policy === policies.direct) {
    return broken(4, "nobody can be removed from a direct room");
  }
  const left = new Set<Member>();
  for (const leave of commit.leaves) {
    const member = findMember(removed, leave.id);
    if (!member || left.has(member)) return broken(4, "a leave removes nobody");
    if (!isLeaveCurrent(leave, member, commit.epoch)) return broken(4, "a leave is out of its time");
    const card = cards(leave.id);
    if (!card || !isLeaveSigned(leave, commit.room, card.verifying)) {
      return broken(4, "a leave is not signed by its owner");
    }
    left.add(member);
  }
  return isAdmin(findMember(head.roster, commit.author)) || removed.every((m) => left.has(m))
    ? null
    : broken(4, "only an admin removes somebody who did not leave");
}

/** Whether a leave request may be carried out by a commit of `epoch`. */
export function isLeaveCurrent(leave: Leave, member: Member, epoch: number): boolean {
  return member.since <= leave.epoch && leave.epoch < epoch;
}

/** Rule 5: roles and policy. */
function checkRoles(commit: Commit, head: RoomHead): BrokenRule | null {
  const admin = isAdmin(findMember(head.roster, commit.author));
  if (commit.roomName !== head.roomName) return broken(5, "the room name changed");
  if (commit.policy !== head.policy) {
    if (!admin) return broken(5, "only an admin changes the policy");
    if (head.policy === policies.direct || commit.policy === policies.direct) {
      return broken(5, "a direct room stays direct, and no other becomes one");
    }
    if ((head.policy & keyFileFlag) !== 0 && (commit.policy & keyFileFlag) === 0) {
      return broken(5, "the key-file flag went away");
    }
  }
  const rolesBefore = (m: Member) => findMember(head.roster, m.id)?.role ?? memberRoles.member;
  const expected = commit.roster.map(rolesBefore);
  if (head.policy !== policies.direct && !expected.includes(memberRoles.admin)) {
    expected[0] = memberRoles.admin;
  }
  const asExpected = commit.roster.every((m, i) => m.role === expected[i]);
  if (!admin || head.policy === policies.direct) {
    return asExpected ? null : broken(5, "only an admin changes roles");
  }
  return commit.roster.some((m) => isAdmin(m)) ? null : broken(5, "no admin remains");
}

/** Rule 6: only an admin changes who is kept out; so nobody else lets one of them in. */
function checkBans(commit: Commit, head: RoomHead): BrokenRule | null {
  if (isAdmin(findMember(head.roster, commit.author))) {
    const isDirect = head.policy === policies.direct;
    return isDirect && commit.bans.length > 0 ? broken(6, "a direct room keeps somebody out") : null;
  }
  const isSame = commit.bans.length === head.bans.length &&
    commit.bans.every((id, i) => equals(id, head.bans[i]));
  return isSame ? null : broken(6, "only an admin changes who is kept out");
}

/**
 * The roster as rule 5 wants it when somebody goes: with the first member made admin where no admin
 * would remain.
 */
export function withAdmin(roster: readonly Member[], policy: number): Member[] {
  if (policy === policies.direct || roster.some((m) => isAdmin(m))) return [...roster];
  return roster.map((m, i) => i === 0 ? { ...m, role: memberRoles.admin } : m);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
