/** Whose commit a room takes next, by a time that the test gives. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { CommitTurns } from "../../lib/server/rooms/commit_turns.ts";
import { defaultLimits } from "../../lib/server/limits.ts";

type Claim = Parameters<CommitTurns["take"]>[0];
const id = (n: number) => new Uint8Array(32).fill(n);
const mallory: Claim = { author: id(1), isAdmin: false, answersAdmit: false };
const sam: Claim = { author: id(2), isAdmin: false, answersAdmit: false };
const ira: Claim = { author: id(3), isAdmin: true, answersAdmit: false };
const dana: Claim = { author: id(4), isAdmin: true, answersAdmit: false };
/** Seconds at which a claim is tried, one after the other. */
const tries = (turns: CommitTurns, claim: Claim, from: number, to: number) => {
  const taken: number[] = [];
  for (let s = from; s <= to; s++) if (turns.take(claim, s * 1000)) taken.push(s);
  return taken;
};

test("a room takes one commit a second, whoever's", () => {
  const turns = new CommitTurns(defaultLimits);
  assertEquals([turns.take(ira, 0), turns.take(sam, 999), turns.take(dana, 999)], [true, false, false]);
  assertEquals([turns.take(sam, 1000), turns.take(ira, 1000)], [true, false]);
});
test("who is no admin has three, then one in twenty seconds; refusals for the room's sake cost nothing", () => {
  const turns = new CommitTurns(defaultLimits);
  assertEquals(tries(turns, mallory, 0, 60), [0, 1, 2, 20, 40, 60]);
  assertEquals(turns.take(ira, 61_000), true);
  assertEquals([turns.take(sam, 61_500), turns.take(sam, 62_000)], [false, true]);
  assertEquals([turns.take(sam, 63_000), turns.take(sam, 64_000), turns.take(sam, 65_000)], [
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
  turns.take(mallory, 0);
  turns.cameLate(ira, 10);
  turns.cameLate(dana, 20); // the first is first
  assertEquals([turns.take(mallory, 1500), turns.take(dana, 1600), turns.take(ira, 1700)], [
    false,
    false,
    true,
  ]);
  assertEquals([turns.take(ira, 1800), turns.take(mallory, 2700)], [false, true]);
  turns.cameLate(ira, 3000);
  assertEquals([turns.take(mallory, 5999), turns.take(mallory, 6000)], [false, true]);
  turns.cameLate(sam, 7000); // no admin
  assertEquals(turns.take(ira, 7000), true);
});
test("a clock that is set back reserves nothing for longer", () => {
  const turns = new CommitTurns(defaultLimits);
  turns.cameLate(ira, 3_600_000);
  assertEquals(turns.take(mallory, 1000), true);
});
test("what is remembered of authors is bounded, and those who have used up theirs stay known", () => {
  const turns = new CommitTurns({ ...defaultLimits, commitEveryMs: 1 });
  assertEquals(tries(turns, mallory, 0, 10).length, 3);
  for (let n = 0; n < 300; n++) {
    const author = new Uint8Array(32);
    new DataView(author.buffer).setUint32(0, n + 1000);
    turns.take({ ...sam, author }, 10_000 + n);
  }
  assertEquals(turns.take(mallory, 11_000), false);
});
