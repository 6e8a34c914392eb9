/**
 * CarryOut: what the effects of an entry mean for a member and her person: what is shown, said, confirmed and warned
 * of. The state that they follow from is in place already.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { type Commit, commitHow } from "../../protocol/group/commit.ts";
import type { RoomHead } from "../../protocol/group/commit_rules.ts";
import type { FileOffer } from "../files/file_offer.ts";
import { safeFileName } from "../files/file_name.ts";
import { decodeFileMessage } from "../../protocol/file/file_message.ts";
import { unlessRefused } from "../../errors.ts";
import { contentTypes } from "../../protocol/group/content.ts";
import type { Effect } from "../../protocol/group/effects.ts";
import type { Pass } from "../../protocol/group/pass.ts";
import { basePolicy, findMember, includesId, isAdmin, policies } from "../../protocol/group/roster.ts";
import type { Named } from "../../protocol/identity/name.ts";
import { shownTime } from "../../timestamp.ts";
import type { Alarm } from "./alarm.ts";
import type { Lines } from "./lines.ts";
import { faultInWords, notOurs } from "./message_fault.ts";
import type { Readers } from "../room_events.ts";
import type { RoomNews } from "./room_news.ts";
import type { Confirmations } from "./confirmations.ts";
import type { SignedView } from "../../protocol/group/history.ts";
import type { RoomContext } from "./room_context.ts";
import type { RoomState } from "./room_state.ts";

/** What effects are carried out on. */
export interface EffectsRoom {
  /** Pins, prekeys and who we are. */
  readonly context: Pick<RoomContext, "known" | "serverId" | "card" | "prekeys" | "directory" | "ignores">;
  /** As the entry has left it. */
  readonly state: RoomState;
  /** What people call the room. */
  readonly label: string;
  /** Whether it is a room of two. */
  readonly isDirect: boolean;
  /** Names of its members. */
  readonly memberNames: readonly string[];
  /** Members who have not shown yet to have the room's key file; none where there is no such file. */
  readonly unprovenNames: readonly string[];
  /** Somebody has shown to have it. */
  hasKeyFile(id: Uint8Array): void;
  /** Whose views have confirmed what. */
  readonly confirmations: Confirmations;
  /** Ids in hex of members whom the server claims to be linked. */
  readonly present: ReadonlySet<string>;
  /** Ids in hex of members who were let in while we watched, and are not known to be linked yet. */
  readonly justAdded: Set<string>;
  /** A file can be had. @param id of its message in hex */
  offered(id: string, offer: FileOffer): void;
  /** The name of somebody by id. */
  nameOf(id: Uint8Array): string;
  /** Where the person is told. */
  readonly news: Pick<RoomNews, "event" | "notice" | "warn" | "warnOnce">;
  /** Raised when an author's history is not ours. */
  readonly alarm: Pick<Alarm, "liar" | "hidden">;
  /** Ours, on their way. */
  readonly lines: Pick<Lines, "stored">;
  /** The server has signed another history for somebody else. */
  splitBy(view: SignedView): void;
  /** We are in. @param renewedBy by whose pass, which is later than all that we knew */
  admitted(renewedBy: Bytes | null): void;
  /** We were removed: what waits cannot be said here any more. */
  removed(): void;
}

/** Carries out one effect. @param address the server's claim of the author's address; maybe empty */
export function carryOut(room: EffectsRoom, effect: Effect, address: string): void {
  const { state } = room;
  switch (effect.type) {
    case "message":
      room.hasKeyFile(effect.sender.id);
      return showMessage(room, effect, address);
    case "message refused":
      return room.news.warn(faultInWords(effect.why, effect.sender?.name ?? ""));
    case "commit refused":
      return room.news.warn(`The server sent a commit that is not valid (${effect.why}); it is ignored.`);
    case "missing":
      return room.news.notice(`${effect.count} messages of ${effect.sender.name} are missing.`);
    case "unreadable":
      return room.news.notice(`${effect.sender.name} said something that you have no key for.`);
    case "stored":
      return room.lines.stored(effect.msgId);
    case "agrees":
      return room.confirmations.seen(effect.author, effect.view);
    case "two histories":
      return room.splitBy(effect.view);
    case "false view":
      return room.alarm.liar(effect.author);
    case "hides":
      return room.alarm.hidden();
    case "uncovered":
      return room.confirmations.needs(effect.pos, effect.author, effect.timeMs);
    case "not ours":
      return room.news.warnOnce(`${notOurs(effect.what)} New keys are made before you send.`);
    case "inviter seen":
      return room.news.notice(
        `The room is confirmed: ${room.nameOf(effect.inviter)}, who invited you, is in it.`,
      );
    case "no key":
      return tellOfNoKey(room, effect);
    case "admitted":
      room.admitted(effect.renewedBy);
      return effect.own ? showOwnEntry(room, effect.commit) : showAdmission(room, effect.commit);
    case "changed":
      warnOfOldKeys(room, effect.commit);
      return showDifference(room, effect.commit, effect.before);
    case "removed":
      return room.removed();
    case "epoch":
      for (const item of state.outbox) item.sealed = null;
      return;
    case "spent":
      for (const secret of effect.secrets) secret.fill(0);
      return;
  }
}

/** Whose doing it is that we have no key, as far as it can be told: the author's, the server's or our own. */
function tellOfNoKey(room: EffectsRoom, { author, why, time }: Extract<Effect, { type: "no key" }>): void {
  const what = `${author}'s commit left you without a key`;
  const { news, context: { prekeys } } = room;
  switch (why) {
    case "no box":
      return prekeys.hadAt(time)
        ? news.warn(`${what}, though you had a valid prekey: ${author} has left you out.`)
        : news.notice(`${what}: you had no valid prekey then.`);
    case "does not open":
      return prekeys.hadAt(time)
        ? news.warn(`${what}: the box that ${author} made for you does not open.`)
        : news.notice(`${what}: it was made for a prekey that you have no more.`);
    case "not what was signed":
      return news.warn(`${what}: what the box holds is not what ${author} has signed.`);
    case "withheld":
      return news.warn(`${what}: the server does not give it.`);
    case "own":
      return news.notice(`${what}.`);
  }
}

function showMessage(
  room: EffectsRoom,
  { pos, sender, own, epoch, content }: Extract<Effect, { type: "message" }>,
  address: string,
): void {
  switch (content.type) {
    case contentTypes.text:
    case contentTypes.action:
      return room.news.event({
        type: "message",
        room: room.label,
        from: sender.name,
        fromId: encodeHex(sender.id),
        own,
        pos,
        readers: readersOf(room, epoch),
        msgId: encodeHex(content.msgId),
        timeMs: shownTime(content.timeMs),
        text: new TextDecoder().decode(content.body),
        action: content.type === contentTypes.action,
        address: own ? "" : address,
      });
    case contentTypes.attest:
      return;
    case contentTypes.file: {
      const told = unlessRefused(() => decodeFileMessage(content.body));
      if (!told) {
        return room.news.notice(`${sender.name} sent a file in a form that this version does not know.`);
      }
      const name = safeFileName(told.name);
      const { size, sha256, until, words } = told;
      const { id: from } = sender;
      if (!own && !room.context.ignores(encodeHex(from))) {
        const offer = { ...told, name, from: sender.name, timeMs: shownTime(content.timeMs) };
        room.offered(encodeHex(content.msgId), offer);
      }
      return room.news.event({
        type: "message",
        room: room.label,
        from: sender.name,
        fromId: encodeHex(from),
        own,
        pos,
        readers: readersOf(room, epoch),
        msgId: encodeHex(content.msgId),
        timeMs: shownTime(content.timeMs),
        text: words,
        action: false,
        file: { name, size, sha256: encodeHex(sha256), untilMs: shownTime(until * 1000) },
        address: own ? "" : address,
      });
    }
    default:
      return room.news.notice(`${sender.name} sent something that this version does not know.`);
  }
}

function readersOf(room: EffectsRoom, epoch: number): Readers {
  const { memberNames: names, unprovenNames: unproven } = room;
  return unproven.length > 0 ? { epoch, names, unproven } : { epoch, names };
}

function showAdmission(room: EffectsRoom, { author }: Commit): void {
  const by = room.nameOf(author);
  const verified = isVerified(room, by) ? "verified" : "not verified";
  if (room.isDirect) {
    return room.news.notice(`${by} (${verified}) has written to you alone; /query ${by} shows it.`);
  }
  room.news.notice(
    `You were admitted by ${by} (${verified}); what was said before stays closed to you, since your keys begin here.`,
  );
  tellIfUnconfirmed(room);
}

/** Who has made the room has entered it as well, and is told by that it begins. */
function showOwnEntry(room: EffectsRoom, { how }: Commit): void {
  if (how === commitHow.member) return;
  room.news.notice(
    `You have come in to ${room.label} by yourself; what was said before stays closed to you, since your keys begin ` +
      "here.",
  );
  tellIfUnconfirmed(room);
}

function tellIfUnconfirmed(room: EffectsRoom): void {
  if (!room.state.inviter) return;
  room.news.notice("Whoever invited you has not been seen here yet: until then the room is unconfirmed.");
}

function warnOfOldKeys(room: EffectsRoom, { roster }: Commit): void {
  const { known, serverId } = room.context;
  for (const { name, id } of roster) {
    if (!known.conflicts(serverId, name, id)) continue;
    room.news.warnOnce(
      `${name} is in this room with the key that you have replaced; an admin can /kick ${name}.`,
    );
  }
}

/** Each difference between two rosters, as a named person's act. */
function showDifference(room: EffectsRoom, commit: Commit, head: RoomHead): void {
  const { roster: before, policy } = head;
  const { card } = room.context;
  const by = room.nameOf(commit.author);
  const common = { room: room.label, by };
  for (const member of before) {
    if (findMember(commit.roster, member.id)) continue;
    const left = commit.leaves.some((leave) => equals(leave.id, member.id));
    room.news.event({ type: "removed", ...common, who: member.name, left });
  }
  for (const member of commit.roster) {
    if (findMember(before, member.id) || equals(member.id, card.id)) continue;
    room.news.event({ type: "added", ...common, who: member.name, verified: isVerified(room, member.name) });
    const key = encodeHex(member.id);
    if (!room.present.has(key)) room.justAdded.add(key);
  }
  if (commit.policy !== policy) {
    const closed = basePolicy(commit.policy) === policies.closed;
    room.news.notice(
      `${by} ${
        closed ? "closed the room: only admins let others in" : "opened the room: anyone may come in"
      }.`,
    );
  }
  showBans(room, commit, head);
  showPasses(room, commit, head);
  for (const member of commit.roster) {
    const old = findMember(before, member.id);
    if (!old || old.role === member.role) continue;
    const role = isAdmin(member) ? "an admin" : "a plain member";
    room.news.notice(by === member.name ? `${by} is ${role} now.` : `${by} made ${member.name} ${role}.`);
  }
}

/** Invites that let somebody in by themselves: made, and taken back. That one was used, the entry says. */
function showPasses(room: EffectsRoom, { author, how, passes }: Commit, head: RoomHead): void {
  const by = room.nameOf(author);
  const isIn = (list: readonly Pass[], pass: Pass) => list.some(({ key }) => equals(key, pass.key));
  for (const pass of passes) {
    if (isIn(head.passes, pass)) continue;
    const whom = pass.name === "" ? "lets somebody" : `lets ${pass.name}`;
    room.news.notice(`${by} made an invite that ${whom} in by itself, once.`);
  }
  const gone = head.passes.filter((pass) => !isIn(passes, pass)).length;
  if (gone === 0 || how === commitHow.pass) return;
  room.news.notice(
    gone === 1
      ? "An invite that lets somebody in by itself is over."
      : `${gone} invites that let somebody in by themselves are over.`,
  );
}

/** Who is kept out from now on, or no longer, where joining and going do not say so themselves. */
function showBans(room: EffectsRoom, commit: Commit, { roster, bans }: RoomHead): void {
  const by = room.nameOf(commit.author);
  const nameOf = (id: Bytes) => room.context.directory.card(id)?.name ?? `the key ${fingerprint(id)}`;
  for (const id of commit.bans) {
    if (!includesId(bans, id) && !findMember(roster, id)) room.news.notice(`${by} keeps ${nameOf(id)} out.`);
  }
  for (const id of bans) {
    if (includesId(commit.bans, id) || findMember(commit.roster, id)) continue;
    room.news.notice(`${by} lets ${nameOf(id)} come in again.`);
  }
}

function isVerified({ context: { known, serverId } }: EffectsRoom, name: Named["name"]): boolean {
  return known.user(serverId, name)?.verified === true;
}
