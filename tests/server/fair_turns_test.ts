/** Turns and budgets, with a clock and an event loop that the test moves. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals } from "@std/assert";
import { FairTurns } from "../../lib/server/gate/fair_turns.ts";
import { costOf, costOfRecord } from "../../lib/server/rooms/request_costs.ts";
import { Work, WorkBudget } from "../../lib/server/work_budget.ts";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";

const leave = (ref: number): LinkMessage => ({
  type: "LEAVE",
  ref,
  room: new Uint8Array(32),
  epoch: 0,
  signature: new Uint8Array(64),
});
const leaves = (n: number) => Array.from({ length: n }, (_, i) => leave(i + 1));

function turns(burstMs: number, msPerSecond: number) {
  const clock = new FakeClock();
  const later: (() => void)[] = [];
  const link = { isOver: false };
  const budget = new WorkBudget(burstMs, msPerSecond, clock);
  const fair = new FairTurns(
    new Work(budget, null),
    new WorkBudget(10, 400, clock),
    link,
    clock,
    (act) => void later.push(act),
  );
  return { clock, later, link, budget, fair };
}

test("a budget gives its burst at once, then so much a second; what is owed is paid by time alone", () => {
  const clock = new FakeClock();
  const budget = new WorkBudget(10, 20, clock);
  budget.spend(10_000);
  assertEquals([budget.debtUs, budget.waitMs, budget.isFull], [0, 0, false]);
  budget.spend(30_000);
  assertEquals([budget.debtUs, budget.waitMs], [30_000, 1500]);
  clock.advance(1499);
  assertEquals(budget.waitMs, 1);
  clock.set(clock.now() - 3_600_000); // set back: neither given nor taken
  assertEquals(budget.waitMs, 1);
  clock.advance(1);
  assertEquals([budget.debtUs, budget.waitMs], [0, 0]);
  clock.advance(1_000_000);
  assertEquals(budget.isFull, true);
  budget.spend(10_001);
  assertEquals(budget.debtUs, 1);
});

test("nobody owes for more than two seconds", () => {
  const budget = new WorkBudget(10, 20, new FakeClock());
  budget.spend(1e9);
  assertEquals(budget.waitMs, 2000);
});
test("who uses little is served, and not refused, though others at the address owe; who uses much is not", () => {
  const clock = new FakeClock();
  const address = new WorkBudget(100, 100, clock);
  const of = () =>
    new Work(new WorkBudget(1000, 25, clock), { address, reserve: new WorkBudget(20, 2, clock) });
  const [greedy, modest] = [of(), of()];
  for (let i = 0; i < 10; i++) greedy.spend(50_000);
  modest.spend(1000);
  assertEquals([address.waitMs, greedy.waitMs, modest.waitMs], [2000, 2000, 0]);
  assertEquals([greedy.isOverdrawn, modest.isOverdrawn], [true, false]);
});

test("a record is handled in turns of two milliseconds of work, in order, and then the next is read", async () => {
  const { later, fair } = turns(1e6, 1);
  const done: number[] = [];
  let isNext = false;
  const wait = fair.take(
    leaves(30),
    { bytes: 4000, answered: 0 },
    (message) => void done.push((message as { ref: number }).ref),
  );
  void wait!.then(() => isNext = true);
  const perTurn = Math.ceil(2000 / costOf(leave(1)));
  for (let turn = 1; !isNext; turn++) {
    assert(done.length <= perTurn * turn, `${done.length} in turn ${turn}`);
    assertEquals(later.length, 1);
    later.pop()!();
    await settle(1);
  }
  assertEquals(done, leaves(30).map((_, i) => i + 1));
});

test("a link that asks for little never waits for a turn", () => {
  const { later, fair } = turns(500, 25);
  for (let i = 0; i < 4; i++) {
    assertEquals(fair.take([leave(i + 1)], { bytes: 150, answered: 0 }, () => {}), null);
  }
  assertEquals(later, []);
});

test("who has used up the budget is read from again when time has paid for it", async () => {
  const { clock, later, fair, budget } = turns(0, 25);
  let isNext = false;
  void fair.take([leave(1)], { bytes: 1000, answered: 0 }, () => {})!.then(() => isNext = true);
  later.pop()!();
  const owed = costOf(leave(1)) + costOfRecord(1000, 0);
  assertEquals(budget.waitMs, Math.ceil(owed / 25));
  await settle(2);
  clock.advance(budget.waitMs - 1);
  await settle(2);
  assertEquals(isNext, false);
  clock.advance(1);
  await settle(2);
  assertEquals(isNext, true);
});

test("a link that ends while it owes, or in the middle of a record, is let go", async () => {
  const { clock, later, link, fair } = turns(0, 1);
  let isNext = false;
  let handled = 0;
  void fair.take(leaves(100), { bytes: 5000, answered: 0 }, () => void handled++)!.then(() => isNext = true);
  const before = handled;
  link.isOver = true;
  later.pop()!();
  await settle(2);
  clock.advance(100);
  await settle(2);
  assertEquals([isNext, handled], [true, before]);
});
