/**
 * DoorWalk: who gets into a room, and who changes it (property 27). Ira is an admin and honest; dana is a member who
 * helps mallory, who is outside. Every commit that they can make after every state of the room is held against what
 * sam's client takes: nobody gets in, or changes anything, beside the rules, and nothing by the rules is refused.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { verifyingKey, verifyLabelled } from "../../lib/crypto/ed25519.ts";
import { concat } from "../../lib/crypto/bytes.ts";
import {
  type Commit,
  type CommitBody,
  commitHow,
  type Leave,
  makeLeave,
} from "../../lib/protocol/group/commit.ts";
import type { RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { type Pass, usePass } from "../../lib/protocol/group/pass.ts";
import type { Member } from "../../lib/protocol/group/roster.ts";
import { skeleton } from "../../lib/protocol/identity/name.ts";
import { member } from "../../tests/fakes/commits.ts";
import type { Person } from "../../tests/fakes/people.ts";
import { testSite } from "../../tests/fakes/site.ts";
import {
  commitAfter,
  dana,
  erin,
  erinPass,
  give,
  ira,
  type Local,
  type Made,
  mallory,
  malloryPass,
  now,
  outside,
  roomOf,
  sam,
  signed,
  viewAfter,
} from "./cast.ts";
import type { Walked } from "./walk.ts";

interface World {
  readonly local: Local;
  /** Public keys in hex of passes by which somebody has come in. */
  readonly spent: readonly string[];
}

const closed = 1;
const anybody: Pass = { key: malloryPass.publicKey, until: now, name: "" };
const erins: Pass = { key: erinPass.publicKey, until: now, name: "Er1n" };

function begin(): World {
  const { first, second } = roomOf([sam, dana]);
  const { room } = first.commit!;
  const local = give(outside(sam, room), second, "whole", viewAfter(room, first))!;
  return { local: { ...local, key: "sam" }, spent: [] };
}

const without = (roster: readonly Member[], who: Person) => roster.filter(({ name }) => name !== who.name);
const has = (roster: readonly Member[], who: Person) => roster.some(({ name }) => name === who.name);
const withRole = (roster: readonly Member[], who: Person, role: number) =>
  roster.map((m) => m.name === who.name ? { ...m, role } : m);

/** Every commit that somebody can make after a state of the room. */
function* commitsAfter({ local: { state }, spent }: World): Generator<Made> {
  const head = state.head!;
  const { room, roster, passes, bans, policy } = head;
  const epoch = head.epoch + 1;
  const view = signed(room, state.history!.view);
  const make = (name: string, author: Person, bend: Partial<CommitBody>, signer = author) =>
    commitAfter(name, head, author, view, bend, null, signer);
  const leaveOf = (who: Person, e = head.epoch, signer = who): Leave =>
    makeLeave(who.card.id, room, e, signer.identity.signing);

  if (has(roster, ira)) {
    for (const who of [dana, sam]) {
      if (!has(roster, who) || who === sam) continue;
      yield make(`ira puts ${who.name} out`, ira, {
        roster: without(roster, who),
        bans: [...bans, who.card.id],
      });
      yield make(`ira puts ${who.name} out, who may return`, ira, { roster: without(roster, who) });
    }
    yield make("ira closes or opens the room", ira, { policy: closed - policy });
    // No pass is listed twice: each has a key of its own.
    const fresh = [anybody, erins].filter(({ key }) => !spent.includes(encodeHex(key)));
    yield make("ira lists passes", ira, { passes: fresh });
    yield make("ira takes passes back", ira, { passes: [] });
    yield make("ira lifts bans", ira, { bans: [] });
    yield make("ira lists a pass twice", ira, { passes: [anybody, anybody] });
    const staying = withRole(without(roster, ira), sam, 1);
    yield make("sam carries out ira's leave", sam, { roster: staying, leaves: [leaveOf(ira)], passes: [] });
    for (const author of [dana, sam]) {
      if (!has(roster, author)) continue;
      yield make(`${author.name} carries out ira's leave, and keeps the passes`, author, {
        roster: staying,
        leaves: [leaveOf(ira)],
        passes: [anybody],
      });
    }
  }
  for (const who of [mallory, dana]) {
    const by = (what: string, bend: Partial<CommitBody>, signer = who) =>
      make(`${who.name} ${what}`, who, bend, signer);
    const own = member(who, epoch);
    const other = who === mallory ? dana : mallory;
    const entered = [...roster, own];
    const rest = (pass: Pass) => passes.filter(({ key }) => !equals(key, pass.key));
    const enters: Partial<CommitBody> = { how: commitHow.ownEntry, roster: entered };
    const useOf = (pass: Pass, author = who) =>
      usePass(pass === erins ? erinPass : malloryPass, testSite, room, author.card.id);
    const passing = (pass: Pass, bend: Partial<CommitBody> = {}): Partial<CommitBody> => ({
      how: commitHow.pass,
      roster: entered,
      use: useOf(pass),
      passes: rest(pass),
      ...bend,
    });
    if (!has(roster, who)) {
      yield by("enters", enters);
      yield by("enters, as an admin", { ...enters, roster: [...roster, { ...own, role: 1 }] });
      yield by("enters, since before", { ...enters, roster: [...roster, { ...own, since: 0 }] });
      if (!has(roster, other)) {
        yield by("enters with another", { ...enters, roster: [...roster, member(other, epoch), own] });
      }
      yield by("enters, and puts sam out", { ...enters, roster: [...without(roster, sam), own] });
      yield by("enters, and makes sam an admin", { ...enters, roster: [...withRole(roster, sam, 1), own] });
      yield by("enters, and opens or closes the room", { ...enters, policy: closed - policy });
      yield by("enters, and lifts bans", { ...enters, bans: [] });
      yield by("enters, and takes the passes off", { ...enters, passes: [] });
      yield by("enters, and lists a pass", { ...enters, passes: [...passes, anybody] });
      yield by("enters, and carries out a leave", {
        ...enters,
        roster: [...without(roster, sam), own],
        leaves: [leaveOf(sam)],
      });
      yield by("enters in ira's name", enters, ira);
      yield by("enters as a member would", { roster: entered });
      for (const pass of [anybody, erins]) {
        const name = pass === erins ? "erin's pass" : "a pass";
        yield by(`enters by ${name}`, passing(pass));
        yield by(`enters by ${name}, which stays`, passing(pass, { passes }));
        yield by(`enters by ${name}, and takes the others along`, passing(pass, { passes: [] }));
        yield by(`enters by ${name}, after its time`, passing(pass, { time: now + 1 }));
        yield by(`enters by ${name}, used for another`, passing(pass, { use: useOf(pass, other) }));
        yield by(`enters by ${name}, and lifts bans`, passing(pass, { bans: [] }));
      }
      yield by("enters by a pass of which she has no seed", {
        ...passing(anybody),
        use: { key: anybody.key, signature: useOf(erins).signature },
      });
    } else {
      yield by("makes new keys", {});
      const added = (whom: Person) => [...roster, member(whom, epoch)];
      if (!has(roster, other)) yield by(`lets ${other.name} in`, { roster: added(other) });
      if (!has(roster, other)) {
        yield by(`lets ${other.name} in, and lifts bans`, { roster: added(other), bans: [] });
      }
      if (!has(roster, other)) {
        yield by(`lets ${other.name} in as an admin`, { roster: [...roster, member(other, epoch, 1)] });
        yield by(`lets ${other.name} in, since before`, { roster: [...roster, member(other, 0)] });
      }
      yield by("commits after another commit", { prev: new Uint8Array(32) });
      yield by("commits for a later epoch", { epoch: epoch + 1 });
      yield by("changes the order of members", { roster: roster.toReversed() });
      yield by("makes somebody older", {
        roster: roster.map((m) => m.name === who.name ? { ...m, since: 0 } : m),
      });
      if (has(roster, sam)) yield by("puts sam out", { roster: without(roster, sam) });
      if (has(roster, sam)) {
        const leaves = [leaveOf(sam, head.epoch, who)];
        yield by("puts sam out by a leave that she has signed", { roster: without(roster, sam), leaves });
      }
      yield by("makes herself an admin", { roster: withRole(roster, who, 1) });
      if (has(roster, ira)) yield by("takes ira's role", { roster: withRole(roster, ira, 0) });
      yield by("opens or closes the room", { policy: closed - policy });
      yield by("lists a pass", { passes: [...passes, { ...anybody, until: now + 9 }] });
      yield by("takes passes off", { passes: [] });
      yield by("keeps sam out", { bans: [...bans, sam.card.id] });
      yield by("keeps erin out", { bans: [...bans, erin.card.id] });
      yield by("lifts bans", { bans: [] });
      yield by("enters again", { how: commitHow.ownEntry });
    }
  }
}

/** What is against the rules in a commit, said once more and in another way; null for nothing. */
function against(head: RoomHead, commit: Commit, signer: Person, spent: readonly string[]): string | null {
  const names = (list: readonly Member[]) => list.map(({ name }) => name);
  if (!equals(commit.prev, head.commitHash)) return "it follows another commit";
  if (commit.epoch !== head.epoch + 1) return "it is of another epoch";
  const before = new Map(head.roster.map((m) => [m.name, m]));
  const after = new Map(commit.roster.map((m) => [m.name, m]));
  const author = commit.roster.find(({ id }) => equals(id, commit.author))?.name ?? "nobody";
  if (author !== signer.name) return "it is signed by somebody else";
  const added = names(commit.roster).filter((name) => !before.has(name));
  const gone = names(head.roster).filter((name) => !after.has(name));
  const banned = (list: readonly Bytes[], name: string) => {
    const id = (after.get(name) ?? before.get(name))!.id;
    return list.some((each) => equals(each, id));
  };
  const same = (a: readonly Bytes[], b: readonly Bytes[]) =>
    a.map(encodeHex).join() === b.map(encodeHex).join();
  const keys = (list: readonly Pass[]) => list.map(({ key }) => key);
  const isAdmin = before.get(author)?.role === 1;
  const isBanSame = same(head.bans, commit.bans);
  if (names(commit.roster).some((name) => banned(commit.bans, name))) return "a member is kept out";
  if (new Set(keys(commit.passes).map(encodeHex)).size < commit.passes.length) return "a pass is there twice";
  if (added.some((name) => after.get(name)!.role !== 0 || after.get(name)!.since !== commit.epoch)) {
    return "somebody comes in as more than a newcomer";
  }
  const roles = names(commit.roster).filter((name) =>
    before.has(name) && before.get(name)!.role !== after.get(name)!.role
  );
  const staying = (list: readonly Member[]) => list.filter((m) => before.has(m.name) && after.has(m.name));
  const places = (list: readonly Member[]) =>
    staying(list).map(({ name, since }) => `${name} ${since}`).join();
  if (places(head.roster) !== places(commit.roster)) return "who stays has another place";
  if (!before.has(author)) {
    if (commit.how === commitHow.member) return "no member commits as one";
    const changes = added.length > 1 || gone.length + roles.length + commit.leaves.length > 0 ||
      commit.policy !== head.policy || !isBanSame;
    if (changes) return "who enters changes more than that";
    if (banned(head.bans, author)) return "somebody enters who was put out";
    if (commit.how === commitHow.ownEntry) {
      if (head.policy === closed) return "somebody enters a closed room without a pass";
      return same(keys(head.passes), keys(commit.passes)) ? null : "who enters changes the passes";
    }
    const use = commit.use!;
    const pass = head.passes.find(({ key }) => equals(key, use.key));
    const text = concat(testSite, head.room, commit.author);
    if (!pass || spent.includes(encodeHex(use.key))) {
      return "somebody enters by a pass that is not there, or spent";
    }
    if (!verifyLabelled(verifyingKey(use.key), "chat2 pass", text, use.signature)) {
      return "somebody enters by a pass that she has not";
    }
    if (pass.until < commit.time) return "somebody enters by a pass whose time is over";
    if (pass.name !== "" && skeleton(pass.name) !== skeleton(author)) {
      return "somebody enters by another's pass";
    }
    const rest = head.passes.filter((each) => each !== pass);
    return same(keys(rest), keys(commit.passes)) ? null : "a pass is not spent, or takes another along";
  }
  if (commit.how !== commitHow.member) return "a member enters";
  const leaving = commit.leaves.map(({ id }) => head.roster.find((m) => equals(m.id, id))?.name ?? "nobody");
  const unasked = gone.filter((name) => !leaving.includes(name));
  if (unasked.length > 0 && !isAdmin) return "a plain member puts somebody out";
  const forged = commit.leaves.some(({ id, epoch, signature }) => {
    const who = [ira, sam, dana, mallory].find(({ card }) => equals(card.id, id))!;
    const e = Uint8Array.of(0, 0, epoch >> 8, epoch & 255);
    return !verifyLabelled(who.card.verifying, "chat2 leave", concat(head.room, e), signature);
  });
  if (forged) return "a leave is forged";
  if (!isAdmin) {
    if (added.length > 0 && head.policy === closed) return "a plain member lets somebody in to a closed room";
    if (added.some((name) => banned(head.bans, name))) return "a plain member lets in who was put out";
    const hasAdmin = commit.roster.some(({ name }) => before.get(name)?.role === 1);
    if (roles.length > (hasAdmin ? 0 : 1)) return "a plain member changes roles";
    if (commit.policy !== head.policy) return "a plain member changes the policy";
    if (!isBanSame) return "a plain member changes who is kept out";
  }
  const admins = head.roster.filter(({ role }) => role === 1).map(({ name }) => name);
  if (admins.some((name) => after.get(name)?.role !== 1)) {
    return commit.passes.length > 0 ? "passes outlive their admin" : null;
  }
  return isAdmin || same(keys(head.passes), keys(commit.passes)) ? null : "a plain member changes the passes";
}

/** Walks all that may happen in so many commits. */
export function walkDoors(depth: number): Walked {
  const seen = new Set<string>();
  const walked: Walked = { worlds: 0, finding: null };
  const walk = ({ local, spent }: World, left: number, steps: readonly string[]): void => {
    const head = local.state.head!;
    for (const made of commitsAfter({ local, spent })) {
      walked.worlds++;
      const next = give(local, made)!;
      const isTaken = next.alarm === null;
      const signer = made.name.endsWith("in ira's name") ? ira : made.author;
      const fault = against(head, made.commit!, signer, spent);
      const path = [...steps, made.name];
      if (isTaken !== (fault === null)) {
        const property = isTaken ? `27: ${fault}` : "27: what is by the rules is refused";
        walked.finding ??= { property, steps: path };
      }
      if (walked.finding) return;
      if (!isTaken || left === 1 || next.state.status !== "in") continue;
      const used = made.commit!.use ? [...spent, encodeHex(made.commit!.use.key)] : spent;
      const { policy, roster, passes, bans } = made.commit!;
      // Two ways to the same room are one.
      const room = [
        policy,
        ...roster.map((m) => `${m.name}${m.role}`),
        ...passes.map(({ key }) => encodeHex(key)),
        "b",
      ]
        .concat(bans.map(encodeHex), used.toSorted(), String(left)).join(" ");
      if (seen.has(room)) continue;
      seen.add(room);
      walk({ local: next, spent: used }, left - 1, path);
      if (walked.finding) return;
    }
  };
  walk(begin(), depth, []);
  return walked;
}
