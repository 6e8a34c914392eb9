/** Whose commit a room takes next, by a time that the test gives. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { CommitTurns } from "../../lib/server/rooms/commit_turns.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { sampled, seed, seededNumbers } from "../fakes/sampled.ts";

type Claim = Parameters<CommitTurns["take"]>[0];
const id = (n: number) => new Uint8Array(32).fill(n);
const mallory: Claim = { author: id(1), isAdmin: false, answersAdmit: false };
const sam: Claim = { author: id(2), isAdmin: false, answersAdmit: false };
const ira: Claim = { author: id(3), isAdmin: true, answersAdmit: false };
const dana: Claim = { author: id(4), isAdmin: true, answersAdmit: false };
/** Whether it has its turn. */
const takes = (turns: CommitTurns, claim: Claim, ms: number) => turns.take(claim, ms) === null;
/** Seconds at which a claim is tried, one after the other. */
const tries = (turns: CommitTurns, claim: Claim, from: number, to: number) => {
  const taken: number[] = [];
  for (let s = from; s <= to; s++) if (takes(turns, claim, s * 1000)) taken.push(s);
  return taken;
};

test("a room takes one commit a second, whoever's", () => {
  const turns = new CommitTurns(defaultLimits);
  assertEquals([takes(turns, ira, 0), takes(turns, sam, 999), takes(turns, dana, 999)], [true, false, false]);
  assertEquals([takes(turns, sam, 1000), takes(turns, ira, 1000)], [true, false]);
});
test("who is no admin has three, then one in twenty seconds; refusals for the room's sake cost nothing", () => {
  const turns = new CommitTurns(defaultLimits);
  assertEquals(tries(turns, mallory, 0, 60), [0, 1, 2, 20, 40, 60]);
  assertEquals(takes(turns, ira, 61_000), true);
  assertEquals([takes(turns, sam, 61_500), takes(turns, sam, 62_000)], [false, true]);
  assertEquals([takes(turns, sam, 63_000), takes(turns, sam, 64_000), takes(turns, sam, 65_000)], [
    true,
    true,
    false,
  ]);
});
test("admins, and commits that answer ADMIT, have the room's rate alone", () => {
  const turns = new CommitTurns(defaultLimits);
  assertEquals(tries(turns, ira, 0, 9).length, 10);
  assertEquals(tries(turns, { ...mallory, answersAdmit: true }, 10, 19).length, 10);
  assertEquals(tries(turns, mallory, 20, 29), [20, 21, 22]);
});
test("an admin who came too late has the room to herself for three seconds, and one commit at once", () => {
  const turns = new CommitTurns(defaultLimits);
  takes(turns, mallory, 0);
  turns.cameLate(ira, 1, 10);
  turns.cameLate(dana, 1, 20); // the first is first
  assertEquals([takes(turns, mallory, 1500), takes(turns, dana, 1600), takes(turns, ira, 1700)], [
    false,
    false,
    true,
  ]);
  assertEquals([takes(turns, ira, 1800), takes(turns, mallory, 2700)], [false, true]);
  turns.cameLate(ira, 1, 3000); // of the same epoch
  assertEquals(takes(turns, mallory, 3700), true);
  turns.cameLate(ira, 2, 3800);
  assertEquals([takes(turns, sam, 6799), takes(turns, sam, 6800)], [false, true]);
  turns.cameLate(sam, 3, 8000); // no admin
  assertEquals(takes(turns, ira, 8000), true);
});
test("a clock that is set back reserves nothing for longer, and takes nobody's turn away", () => {
  const turns = new CommitTurns(defaultLimits);
  turns.cameLate(ira, 1, 3_600_000);
  assertEquals(takes(turns, mallory, 1000), true);
  assertEquals(takes(turns, ira, 3_600_000), true);
  assertEquals([takes(turns, ira, 2000), takes(turns, ira, 2999), takes(turns, ira, 3000)], [
    true,
    false,
    true,
  ]);
});
test("what stands against a commit is named: the room's rate, or the author's own", () => {
  const turns = new CommitTurns(defaultLimits);
  tries(turns, mallory, 0, 2);
  assertEquals([turns.take(mallory, 3000), turns.take(ira, 3000), turns.take(ira, 3100)], [
    "member-commits",
    null,
    "commit-ms",
  ]);
});
test(`what is kept of turns says all: whoever goes on with it takes and refuses the same (${sampled})`, () => {
  const random = seededNumbers(seed);
  const any = <T>(...all: readonly T[]) => all[Math.floor(random() * all.length)];
  const one = new CommitTurns(defaultLimits);
  let other = new CommitTurns(defaultLimits);
  let ms = 0;
  for (let step = 0; step < 500; step++) {
    ms += any(0, 1, 300, 1000, 5000);
    const claim = any(mallory, sam, ira, dana, { ...mallory, answersAdmit: true });
    if (random() < 0.2) one.cameLate(claim, step, ms), other.cameLate(claim, step, ms);
    if (random() < 0.5) other = new CommitTurns(defaultLimits, other.encode());
    assertEquals(other.take(claim, ms), one.take(claim, ms), `at step ${step}`);
  }
});
test("what is remembered of authors is bounded, and those who have used up theirs stay known", () => {
  const turns = new CommitTurns({ ...defaultLimits, commitEveryMs: 1 });
  assertEquals(tries(turns, mallory, 0, 10).length, 3);
  for (let n = 0; n < 300; n++) {
    const author = new Uint8Array(32);
    new DataView(author.buffer).setUint32(0, n + 1000);
    turns.take({ ...sam, author }, 10_000 + n);
  }
  assertEquals(takes(turns, mallory, 11_000), false);
});
