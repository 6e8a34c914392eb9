/** Who enters by herself (protocol §7.6): what her own commit may say, and what passes do. */

import { assertEquals, assertThrows } from "@std/assert";
import { signingKey } from "../../lib/crypto/ed25519.ts";
import { Malformed } from "../../lib/errors.ts";
import { type CommitBody, commitHow, makeLeave, parseCommit } from "../../lib/protocol/group/commit.ts";
import { checkBeforeCards, checkSuccessor, type RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { type Pass, usePass } from "../../lib/protocol/group/pass.ts";
import { cardBook, genesis, headOf, member, successor } from "../fakes/commits.ts";
import { type Person, person } from "../fakes/people.ts";
import { testSite } from "../fakes/site.ts";
import { test } from "../fakes/test.ts";

const [ira, sam, erin, mallory] = await Promise.all(["ira", "sahnawaz", "erin", "mallory"].map(person));
const facts = { site: testSite, cards: await cardBook() };
const seed = signingKey(new Uint8Array(32).fill(5));
const other = signingKey(new Uint8Array(32).fill(6));
const time = 1_700_000_100;
const pass = (bend: Partial<Pass> = {}): Pass => ({ key: seed.publicKey, until: time, name: "", ...bend });
const second = pass({ key: other.publicKey });
const roster = [member(ira, 0, 1), member(sam, 1)];
const open: RoomHead = { ...headOf(genesis(ira), 10), epoch: 5, roster };
const closed = { ...open, policy: 1 };
const check = (commit: ReturnType<typeof successor>, head: RoomHead) =>
  checkSuccessor(commit, 11, head, facts)?.rule ?? null;

const enter = (head: RoomHead, bend: Partial<CommitBody> = {}, who: Person = erin, signer = who) =>
  successor(
    head,
    who,
    { how: commitHow.ownEntry, roster: [...head.roster, member(who, head.epoch + 1)], ...bend },
    signer,
  );
const use = (who: Person = erin, room = open.room, key = seed, site = testSite) =>
  usePass(key, site, room, who.card.id);
const byPass = (head: RoomHead, bend: Partial<CommitBody> = {}, who: Person = erin) => {
  const passes = head.passes.filter((each) => each !== head.passes[0]);
  return enter(head, { how: commitHow.pass, use: use(who), passes, ...bend }, who);
};
const withPass = (bend: Partial<Pass> = {}, head = closed): RoomHead => ({
  ...head,
  passes: [pass(bend), second],
});

const good: [string, () => number | null][] = [
  ["somebody who enters an open room", () => check(enter(open), open)],
  ["an entry that keeps passes and bans", () => {
    const head = { ...withPass({}, open), bans: [mallory.card.id] };
    return check(enter(head), head);
  }],
  ["an entry by pass into a closed room", () => check(byPass(withPass()), withPass())],
  ["an entry by pass into an open room", () => check(byPass(withPass({}, open)), withPass({}, open))],
  ["an entry by a pass for that name, written otherwise", () => {
    const head = withPass({ name: "ERIN" });
    return check(byPass(head), head);
  }],
  ["an admin who lists a pass", () => check(successor(closed, ira, { passes: [pass()] }), closed)],
  [
    "an admin who takes passes off",
    () => check(successor(withPass(), ira, { passes: [second] }), withPass()),
  ],
  ["an admin's leave that takes the passes along", () => {
    const leaves = [makeLeave(ira.card.id, open.room, 5, ira.identity.signing)];
    return check(successor(withPass(), sam, { roster: [member(sam, 1, 1)], leaves, passes: [] }), withPass());
  }],
];
for (const [what, rule] of good) test(`valid: ${what}`, () => assertEquals(rule(), null));

const direct: RoomHead = { ...open, policy: 2, roomName: "" };
const bad: [number, string, () => number | null][] = [
  [3, "an entry into a closed room", () => check(enter(closed), closed)],
  [3, "an entry into a direct room", () => check(enter(direct, { roomName: "" }), direct)],
  [3, "an entry into a room with a key file", () => {
    const head = { ...open, policy: 0x80 };
    return check(enter(head), head);
  }],
  [3, "an entry by pass into a room with a key file", () => {
    const head = withPass({}, { ...open, policy: 0x81 });
    return check(byPass(head), head);
  }],
  [1, "a member who enters", () => check(enter(open, { roster }, sam), open)],
  [1, "an entry that another signs", () => check(enter(open, {}, erin, mallory), open)],
  [3, "an entry that adds another too", () => {
    const two = [...roster, member(mallory, 6), member(erin, 6)];
    return check(enter(open, { roster: two }), open);
  }],
  [3, "an entry as admin", () => check(enter(open, { roster: [...roster, member(erin, 6, 1)] }), open)],
  [3, "an entry that came earlier", () => check(enter(open, { roster: [...roster, member(erin, 5)] }), open)],
  [3, "an entry that removes", () => check(enter(open, { roster: [roster[0], member(erin, 6)] }), open)],
  [3, "an entry that changes a role", () => {
    return check(enter(open, { roster: [roster[0], member(sam, 1, 1), member(erin, 6)] }), open);
  }],
  [5, "an entry that carries out a leave", () => {
    const leaves = [makeLeave(sam.card.id, open.room, 5, sam.identity.signing)];
    return check(enter(open, { leaves }), open);
  }],
  [5, "an entry that closes the room", () => check(enter(open, { policy: 1 }), open)],
  [5, "an entry that lists a pass", () => check(enter(open, { passes: [pass()] }), open)],
  [6, "an entry that lifts a ban", () => {
    const head = { ...open, bans: [mallory.card.id] };
    return check(enter(head, { bans: [] }), head);
  }],
  [6, "an entry of somebody who was put out", () => {
    const head = { ...open, bans: [erin.card.id] };
    return check(enter(head), head);
  }],
  [6, "an entry by pass of somebody who was put out", () => {
    const head = { ...withPass(), bans: [erin.card.id] };
    return check(byPass(head), head);
  }],
  [3, "a pass that is not listed", () => check(byPass(closed), closed)],
  [3, "a pass whose time is over", () => {
    const head = withPass({ until: time - 1 });
    return check(byPass(head), head);
  }],
  [3, "a pass for another", () => {
    const head = withPass({ name: "dana" });
    return check(byPass(head), head);
  }],
  [3, "a pass used for another author", () => check(byPass(withPass(), { use: use(mallory) }), withPass())],
  [3, "a pass used for another room", () => {
    return check(byPass(withPass(), { use: use(erin, new Uint8Array(32)) }), withPass());
  }],
  [3, "a pass used at another server", () => {
    const elsewhere = use(erin, open.room, seed, new Uint8Array(32));
    return check(byPass(withPass(), { use: elsewhere }), withPass());
  }],
  [3, "a pass signed with another key", () => {
    const forged = { ...use(erin, open.room, other), key: seed.publicKey };
    return check(byPass(withPass(), { use: forged }), withPass());
  }],
  [5, "a pass that is used and stays", () => {
    const head = withPass();
    return check(byPass(head, { passes: head.passes }), head);
  }],
  [5, "a pass that takes another along", () => check(byPass(withPass(), { passes: [] }), withPass())],
  [5, "a plain member who lists a pass", () => check(successor(closed, sam, { passes: [pass()] }), closed)],
  [5, "an admin who goes and leaves passes behind", () => {
    const leaves = [makeLeave(ira.card.id, open.room, 5, ira.identity.signing)];
    return check(successor(withPass(), sam, { roster: [member(sam, 1, 1)], leaves }), withPass());
  }],
  [5, "an admin who lists a pass as she steps down", () => {
    const both = { ...open, roster: [member(ira, 0, 1), member(sam, 1, 1)] };
    const after = [member(ira, 0, 0), member(sam, 1, 1)];
    return check(successor(both, ira, { roster: after, passes: [pass()] }), both);
  }],
  [
    5,
    "passes in a direct room",
    () => check(successor(direct, ira, { roomName: "", passes: [pass()] }), direct),
  ],
  [
    6,
    "a pass that is listed twice",
    () => check(successor(closed, ira, { passes: [pass(), pass()] }), closed),
  ],
  [6, "a pass that is no key", () => {
    const none = pass({ key: new Uint8Array(32) });
    return check(successor(closed, ira, { passes: [none] }), closed);
  }],
];
for (const [rule, what, broken] of bad) test(`rule ${rule}: ${what}`, () => assertEquals(broken(), rule));

test("an entry waits for its author's card only when all else fits", () => {
  const none = { site: testSite, cards: () => undefined };
  assertEquals(checkBeforeCards(enter(open), 11, open, none), null);
  assertEquals(checkBeforeCards(enter({ ...open, epoch: 9 }), 11, open, none)?.rule, 2);
});

const malformed: [string, () => Uint8Array][] = [
  ["made in a fourth way", () => enter(open, { how: 3 }).bytes],
  ["by pass and without one", () => enter(open, { how: commitHow.pass }).bytes],
  ["of a member with a pass", () => successor(open, ira, { use: use() }).bytes],
  ["with 33 passes", () => successor(open, ira, { passes: Array(33).fill(pass()) }).bytes],
];
for (const [what, make] of malformed) {
  test(`a commit ${what} does not parse`, () => void assertThrows(() => parseCommit(make()), Malformed));
}
