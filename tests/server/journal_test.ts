/** What every journal promises (lib/server/store/journal.ts), by the local one; and what becomes of a refused flush. */

import { assertEquals, assertRejects } from "@std/assert";
import type { ServerEvent } from "../../lib/server/events.ts";
import type { Follower, LogRecord, Outcome } from "../../lib/server/store/journal.ts";
import { LocalJournal } from "../../lib/server/store/local_journal.ts";
import { StateTorn, StoreFailed } from "../../lib/server/store/store.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { test } from "../fakes/test.ts";

const note = (key: string): LogRecord => ({ kind: "note", key, value: new Uint8Array(1) });

/** A journal whose disk may refuse, and whose follower tells what happens, in order. */
function bench() {
  const told: string[] = [];
  const events: ServerEvent[] = [];
  const later: (() => void)[] = [];
  let broken: "flush" | "apply" | "all" | "bug" | "torn" | null = null;
  const failed = () => new StoreFailed("rooms.db", "the disk is full");
  const store = {
    flush() {
      if (broken === "flush" || broken === "all") throw failed();
      told.push("on disk");
    },
    undo() {
      if (broken === "torn") throw new StateTorn("half a change");
      told.push("rolled back");
    },
  };
  const follower: Follower = {
    apply(seq, timeMs, records) {
      if (broken === "apply") throw failed();
      if (broken === "bug" || broken === "torn") throw new TypeError("a bug");
      return records.map((record, i): Outcome => {
        const key = record.kind === "note" ? record.key : record.kind;
        told.push(`apply ${seq + i} ${key} at ${timeMs}`);
        return key === "refused" ? { type: "refused", code: "STALE" } : { type: "done" };
      });
    },
    flushed: () => void told.push("shown"),
    mixed: () => new Uint8Array(32),
    undone() {
      if (broken === "all") throw failed();
      told.push("undone");
    },
  };
  const clock = new FakeClock(0);
  const journal = new LocalJournal(
    store,
    clock,
    { tell: (event) => void events.push(event) },
    (act) => void later.push(act),
  );
  journal.follow(0, follower);
  return {
    journal,
    clock,
    told,
    events,
    breaks: (what: typeof broken) => broken = what,
    /** The next turn of the event loop. */
    turn: () => later.splice(0).forEach((act) => act()),
    propose: (key: string) =>
      void journal.propose(note(key)).then((outcome) => {
        told.push(`${key}: ${outcome.type}`);
      }),
  };
}
const settled = () => new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(resolve)));

test("journal: applied at once and in order, on disk, shown, and only then answered", async () => {
  const { told, propose, turn, journal } = bench();
  propose("a");
  propose("b");
  assertEquals(told, ["apply 1 a at 0", "apply 2 b at 0"]);
  assertEquals(journal.isIdle, false);
  await settled();
  assertEquals(told.length, 2, "nothing is answered before the flush");
  turn();
  await settled();
  assertEquals(told.slice(2), ["on disk", "shown", "a: done", "b: done"]);
  assertEquals(journal.isIdle, true);
});

test("journal: what is refused is answered behind what was applied before it, and at once when nothing was", async () => {
  const { told, propose, turn } = bench();
  propose("refused");
  await settled();
  assertEquals(told.at(-1), "refused: refused");
  propose("a");
  propose("refused");
  await settled();
  assertEquals(told.at(-1), "apply 3 refused at 0");
  turn();
  await settled();
  assertEquals(told.slice(-2), ["a: done", "refused: refused"]);
});

for (const where of ["flush", "apply"] as const) {
  test(`journal: when the disk refuses in ${where}, all since the last flush is undone, and its proposers are told`, async () => {
    const { told, events, propose, turn, breaks, journal } = bench();
    propose("a");
    if (where === "apply") breaks("apply");
    propose("b");
    breaks(where);
    turn();
    await settled();
    const after = told.filter((line) => /undone|shown/.test(line));
    assertEquals(after, ["undone", "a: undone", "b: undone"]);
    assertEquals([journal.isFailing, events.map(({ type }) => type)], [true, ["store failed"]]);
    breaks(null);
    propose("c");
    turn();
    await settled();
    assertEquals([told.at(-1), journal.isFailing], ["c: done", false]);
  });
}

test("journal: a barrier waits for what was applied before it, and tells whether it was kept", async () => {
  const { propose, turn, breaks, journal } = bench();
  assertEquals(await journal.barrier(), true);
  propose("a");
  const kept = journal.barrier();
  turn();
  assertEquals(await kept, true);
  propose("b");
  const lost = journal.barrier();
  breaks("flush");
  turn();
  assertEquals(await lost, false);
});

test("journal: closing flushes what waits, says when that fails, and takes nothing more", async () => {
  const { propose, told, journal } = bench();
  propose("a");
  await journal.close();
  propose("b");
  await settled();
  assertEquals(told.slice(1), ["on disk", "shown", "a: done", "b: undone"]);
  const full = bench();
  full.propose("a");
  full.breaks("flush");
  await assertRejects(() => full.journal.close(), StoreFailed);
});

test("journal: what cannot be read again after a failure is read again later, and nothing is taken before", async () => {
  const { propose, turn, told, breaks, clock } = bench();
  breaks("all");
  propose("a");
  turn();
  await settled();
  propose("b");
  await settled();
  assertEquals(told, ["apply 1 a at 0", "rolled back", "a: undone", "b: undone"]);
  breaks(null);
  clock.advance(1_000);
  assertEquals(told.at(-1), "undone");
  propose("c");
  turn();
  await settled();
  assertEquals(told.slice(-3), ["on disk", "shown", "c: done"]);
});

test("journal: a fault of ours in the middle of a change is undone with the rest of the batch, and told", async () => {
  const { propose, turn, told, breaks, events } = bench();
  propose("a");
  breaks("bug");
  propose("b");
  await settled();
  assertEquals(told, ["apply 1 a at 0", "rolled back", "undone", "a: undone", "b: undone"]);
  assertEquals(events.map(({ type }) => type), ["bug"]);
  breaks(null);
  propose("c");
  turn();
  await settled();
  assertEquals(told.slice(-3), ["on disk", "shown", "c: done"]);
});

test("journal: one that cannot be undone ends the process, and nothing of it is flushed", async () => {
  const { propose, turn, told, breaks, journal } = bench();
  let unhandled: unknown = null;
  const listen = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled = event.reason;
  };
  globalThis.addEventListener("unhandledrejection", listen);
  try {
    propose("a");
    breaks("torn");
    propose("b");
    await settled();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(unhandled instanceof StateTorn, true);
    breaks(null);
    propose("c");
    turn();
    await settled();
    await journal.close();
    assertEquals([told.at(-1), told.includes("on disk")], ["c: undone", false]);
  } finally {
    globalThis.removeEventListener("unhandledrejection", listen);
  }
});
