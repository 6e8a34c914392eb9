/**
 * Processing a commit (protocol §7.1, §7.2): the rules, then the box, then new keys. An invalid commit is the server's
 * fault; it is fed to the history and otherwise ignored.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { type Bytes, equalSecret } from "../../crypto/bytes.ts";
import { unlessRefused } from "../../errors.ts";
import { skeleton } from "../identity/name.ts";
import { type Commit, commitHow, parseCommit } from "./commit.ts";
import {
  type BrokenRule,
  cardsNeeded,
  checkAdmission,
  checkBeforeCards,
  checkGenesis,
  checkSuccessor,
  headAfter,
} from "./commit_rules.ts";
import type { Effect, NoKey, Processed } from "./effects.ts";
import { epochCheck, noKeyFile, senderChains } from "./epoch.ts";
import { checkView } from "./fork_check.ts";
import type { Chain, Entry, Facts, GroupState } from "./group_state.ts";
import { entryHash, entryKinds, History } from "./history.ts";
import { findMember, isAdmin, keyFileFlag, policies } from "./roster.ts";
import { Seen } from "./seen.ts";
import { isBeforeShown, type Shown } from "./shown.ts";

/** A commit in a room that we are in. */
export function processCommit<State extends GroupState>(
  state: State,
  { pos, time, bytes }: Entry,
  facts: Facts,
): Processed<State> {
  const head = state.head!;
  const history = state.history!.after(entryHash(entryKinds.commit, bytes));
  const ignored = (why: string): Processed<State> => {
    return {
      type: "done",
      state: { ...state, history },
      effects: [{ type: "commit refused", why }, { type: "hides" }],
    };
  };
  const commit = unlessRefused(() => parseCommit(bytes));
  if (!commit) return ignored("not a commit");
  // A forged commit must not keep the room waiting for cards.
  const forged = checkBeforeCards(commit, pos, head, facts);
  if (forged) return ignored(`rule ${forged.rule}: ${forged.why}`);
  const missing = missingCards(commit, facts);
  if (missing) return missing;
  const broken = checkSuccessor(commit, pos, head, facts);
  if (broken) return ignored(`rule ${broken.rule}: ${broken.why}`);
  // Only newcomers are checked: for older members the person may have accepted another key since.
  const doubted = commit.roster.filter((m) => !findMember(head.roster, m.id) && facts.conflicts(m));
  if (doubted.length > 0) return { type: "need", need: { type: "trust", people: doubted } };

  const isMember = findMember(commit.roster, facts.own) !== undefined;
  const found = isMember ? keyOf(commit, state, facts) : "removed";
  if (found === "needed" && !facts.isBehind) return boxNeeded(commit, facts);
  const key = found === "needed" ? "closed" : found;
  const effects: Effect[] = key === "removed" || key === "closed" ? [] : ofKey(key, commit, time);
  const place = { site: facts.site, room: state.id };
  const viewed = checkView(state.history!, commit.author, commit.view, place, facts.server);
  // Who enters has seen nothing: the server has told her where the room stands.
  if (viewed && (viewed.type !== "agrees" || commit.how === commitHow.member)) effects.push(viewed);
  effects.push({ type: "changed", commit, before: head });
  const after = apply({ ...state, history }, commit, pos, time, key, facts, effects);
  effects.push({ type: "uncovered", pos, author: commit.author, timeMs: time * 1000 });
  const { inviter } = state;
  if (!inviter || !equals(commit.author, inviter)) return { type: "done", state: after, effects };
  effects.push({ type: "inviter seen", inviter });
  return { type: "done", state: { ...after, inviter: null }, effects };
}

/** What follows from a key, or from having none. */
function ofKey(key: Bytes | NoKey, commit: Commit, time: number): Effect[] {
  if (key === "own") return [{ type: "not ours", what: "commit" }];
  return typeof key === "string" ? [{ type: "no key", author: nameIn(commit), why: key, time }] : [];
}

/** Opens the box of the current epoch, which was left closed: all is here now, or something was said in the epoch. */
export function openEpoch<State extends GroupState>(state: State, facts: Facts): Processed<State> {
  const commit = parseCommit(state.unopened!);
  const key = keyOf(commit, state, facts);
  if (key === "needed") return boxNeeded(commit, facts);
  const effects = ofKey(key, commit, state.commitTime);
  const secret = typeof key === "string" ? null : key;
  const opened = { unopened: null, readable: secret !== null, chains: chainsOf(commit, secret, facts) };
  if (secret) effects.push({ type: "spent", secrets: [secret] });
  return { type: "done", state: { ...state, ...opened }, effects };
}

/** The chains of all members as they begin. */
function chainsOf(commit: Commit, secret: Bytes | null, { roomKey }: Facts): Record<string, Chain> {
  const ids = commit.roster.map((member) => member.id);
  const keys = secret && senderChains(secret, roomKey, commit.hash, ids);
  return Object.fromEntries(
    ids.map((id, i): [string, Chain] => [encodeHex(id), { key: keys?.[i] ?? null, n: 0 }]),
  );
}

/**
 * The entry with which a newcomer's stream begins: the commit that adds us, or that makes the room.
 *
 * Our history begins where the server says (`entry.start`); the next head proves it.
 */
export function processAdmission<State extends GroupState>(
  state: State,
  { pos, time, bytes, start }: Entry,
  facts: Facts,
): Processed<State> {
  const fault = (why: string): Processed<State> => ({ type: "fault", why });
  const commit = unlessRefused(() => parseCommit(bytes));
  if (!commit || !equals(commit.room, state.id)) return fault("a room begins with no commit");
  // Removed members still have the old keys, so they must never come back into use.
  if (state.head && commit.epoch <= state.head.epoch) return fault("an admission from before the removal");
  // A direct room is made by its first commit, and for exactly two.
  if (state.withId && (commit.policy !== policies.direct || !findMember(commit.roster, state.withId))) {
    return fault("another room stands in the place of a room of two");
  }
  const shown = state.shown ?? null;
  if (shown && isBeforeShown(shown, commit.epoch)) return fault("an admission from before what it has shown");
  const missing = missingCards(commit, facts);
  if (missing) return missing;
  const broken = commit.epoch === 0
    ? checkGenesis(commit, pos, facts)
    : checkAdmission(commit, pos, facts.own, facts) ?? checkAfterShown(commit, shown, facts);
  if (broken || !findMember(commit.roster, facts.own)) {
    return fault(`a commit does not admit us (${broken?.why ?? "not in the roster"})`);
  }
  if (shown && commit.epoch > shown.head.epoch + 1) {
    return { type: "need", need: { type: "chain", to: commit.epoch - 1 } };
  }
  const { roomName } = commit;
  if (state.name !== "" && skeleton(state.name) !== skeleton(roomName)) {
    return fault("the room has another name than the one asked for");
  }
  const pinned = roomName === "" ? null : facts.pinnedRoom(roomName);
  if (pinned && !equals(pinned, commit.room)) {
    return { type: "not entered", why: "another room has its name", roomName };
  }
  const needsKeyFile = (commit.policy & keyFileFlag) !== 0;
  const hasKeyFile = !equals(facts.roomKey, noKeyFile);
  if (needsKeyFile && !hasKeyFile) return { type: "not entered", why: "needs its key file", roomName };
  if (!needsKeyFile && hasKeyFile) return { type: "not entered", why: "has no key file", roomName };
  const doubted = commit.roster.filter((m) => facts.conflicts(m));
  if (doubted.length > 0) return { type: "need", need: { type: "trust", people: doubted } };
  if (!start || (pos === 1 && !equals(start, commit.room))) return fault("a history that begins nowhere");

  const key = keyOf(commit, state, facts);
  if (key === "needed") return boxNeeded(commit, facts);
  // The first box of a room with a key file: it is the file that does not fit (protocol §7.2).
  if (key === "not what was signed" && hasKeyFile) return { type: "wrong key file", roomName };
  const effects = ofKey(key, commit, time);
  const history = new History({ pos: pos - 1, hash: start }).after(entryHash(entryKinds.commit, bytes));
  const own = equals(commit.author, facts.own);
  const entered = {
    ...state,
    history,
    name: roomName,
    status: "in" as const,
    leaving: false,
    shown: null,
  };
  const after = apply(entered, commit, pos, time, key, facts, effects);
  effects.push({ type: "uncovered", pos, author: commit.author, timeMs: time * 1000 });
  const renewedBy = own && commit.how === commitHow.pass ? renewer(state) : null;
  effects.push({ type: "admitted", commit, own, renewedBy });
  const isConfirmed = after.inviter && equals(after.inviter, commit.author);
  return { type: "done", state: isConfirmed ? { ...after, inviter: null } : after, effects };
}

/** An admin whom we knew as one, who has listed our pass after all that we knew. */
function renewer({ head, shown }: GroupState): Bytes | null {
  const { epoch = -1, inviter } = shown?.listed ?? {};
  if (!head || !inviter || epoch <= head.epoch) return null;
  return isAdmin(findMember(head.roster, inviter)) ? inviter : null;
}

/** What admits us follows from what we were shown, or from what goes on from there. */
function checkAfterShown(commit: Commit, shown: Shown | null, facts: Facts): BrokenRule | null {
  if (!shown || commit.epoch !== shown.head.epoch + 1) return null;
  return checkSuccessor(commit, null, shown.head, facts);
}

function missingCards(
  commit: Commit,
  facts: Facts,
): { type: "need"; need: { type: "cards"; ids: Bytes[] } } | null {
  const ids = cardsNeeded(commit).filter((id) => !facts.cards(id));
  return ids.length > 0 ? { type: "need", need: { type: "cards", ids } } : null;
}

function boxNeeded(commit: Commit, facts: Facts) {
  const { boxHash: hash } = findMember(commit.roster, facts.own)!;
  return { type: "need", need: { type: "box", hash, commit } } as const;
}

/** E of a valid commit that has us in it, or why there is none. */
function keyOf(
  commit: Commit,
  { pendingCommit }: GroupState,
  facts: Facts,
): Bytes | NoKey | "needed" {
  if (equals(commit.author, facts.own)) {
    return pendingCommit && equals(pendingCommit.hash, commit.hash) ? pendingCommit.secret : "own";
  }
  const { boxHash } = findMember(commit.roster, facts.own)!;
  if (boxHash.every((byte) => byte === 0)) return "no box";
  const opened = facts.opened(boxHash);
  if (opened === undefined) return "needed";
  if (typeof opened === "string") return opened;
  return equalSecret(epochCheck(opened, facts.roomKey, commit), commit.check)
    ? opened
    : "not what was signed";
}

function nameIn(commit: Commit): string {
  return findMember(commit.roster, commit.author)!.name;
}

/** The state that a valid commit leaves behind. @param key E, or why we have none */
function apply<State extends GroupState>(
  state: State,
  commit: Commit,
  pos: number,
  time: number,
  key: Bytes | NoKey | "removed" | "closed",
  facts: Facts,
  effects: Effect[],
): State {
  const secret = typeof key === "string" ? null : key;
  const chains = chainsOf(commit, secret, facts);
  const pending = state.pendingCommit;
  const isOver = pending !== null && pending.epoch <= commit.epoch;
  const isOurs = isOver && equals(pending.hash, commit.hash) && secret !== null;
  const spent = [...secret ? [secret] : [], ...isOver ? [pending.secret] : []];
  if (spent.length > 0) effects.push({ type: "spent", secrets: spent });
  effects.push({ type: "epoch", epoch: commit.epoch });
  const isGone = findMember(commit.roster, facts.own) === undefined;
  if (isGone) effects.push({ type: "removed" });
  return {
    ...state,
    head: headAfter(commit, pos),
    commitTime: Math.min(time, facts.now),
    readable: secret !== null,
    unopened: key === "closed" ? commit.bytes : null,
    chains: isGone ? {} : chains,
    epochMessages: 0,
    expired: 0,
    seen: [state.seen[1], new Seen()],
    leaves: state.leaves.filter((leave) => findMember(commit.roster, leave.id)),
    pendingCommit: isOver ? null : pending,
    suspect: isOurs ? false : state.suspect || key === "own",
    status: isGone ? "gone" : state.status,
  };
}
