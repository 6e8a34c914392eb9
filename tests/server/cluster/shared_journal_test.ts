/** The journal of several servers: one order, one state, and nothing changes before the log says so. */

import { assertEquals } from "@std/assert";
import type { Bytes } from "../../../lib/crypto/bytes.ts";
import type { ServerEvent } from "../../../lib/server/events.ts";
import { SharedJournal } from "../../../lib/server/cluster/shared_journal.ts";
import { encodeGathered } from "../../../lib/server/cluster/log_entry.ts";
import type { Follower, LogRecord, Outcome } from "../../../lib/server/store/journal.ts";
import { UnknownRecord } from "../../../lib/server/store/record_codec.ts";
import { beginning, StateDiffers } from "../../../lib/server/cluster/standing.ts";
import { StoreFailed } from "../../../lib/server/store/store.ts";
import { FakeClock, settle } from "../../fakes/fake_clock.ts";
import { MemoryLog } from "../../fakes/memory_log.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { test } from "../../fakes/test.ts";

const note = (key: string): LogRecord => ({ kind: "note", key, value: new Uint8Array(1) });

/** A server whose state is the list of what was applied; what is not flushed is undone by a disk that fails. */
class View {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly events: ServerEvent[] = [];
  stopped: Error | null = null;
  broken = false;
  #disk: { notes: Map<string, Bytes>; list: string[] } = { notes: new Map(), list: [] };
  #notes = new Map<string, Bytes>();
  list: string[] = [];
  shown = 0;
  mixed = 0;
  readonly journal: SharedJournal;
  readonly end;

  constructor(log: MemoryLog, name: string) {
    this.end = log.open();
    const flush = () => {
      if (this.broken) throw new StoreFailed("rooms.db", "the disk is full");
      this.#disk = { notes: new Map(this.#notes), list: [...this.list] };
    };
    this.journal = new SharedJournal({
      log: this.end,
      store: {
        flush,
        undo: () => void (this.#notes = new Map(this.#disk.notes)),
        note: (key: string) => this.#notes.get(key) ?? null,
        putNote: (key: string, value: Bytes) => void this.#notes.set(key, value),
      },
      clock: this.clock,
      proposer: seededRandom(name)(16),
      events: { tell: (event) => void this.events.push(event) },
      defer: (act) => queueMicrotask(act),
      stop: (error) => void (this.stopped = error),
    });
    const follower: Follower = {
      apply: (seq, timeMs, records) =>
        records.map((record, i): Outcome => {
          const key = record.kind === "note" ? record.key : record.kind;
          if (this.list.some((each) => each.startsWith(`${key} `))) {
            return { type: "refused", code: "CONFLICT" };
          }
          this.list.push(`${key} at ${timeMs} as ${seq + i}`);
          return { type: "done" };
        }),
      flushed: () => void (this.shown = this.list.length),
      undone: () => void (this.list = [...this.#disk.list]),
      mixed: () => new Uint8Array(32).fill(this.mixed),
    };
    this.journal.follow(0, follower);
  }
  propose(key: string): void {
    void this.journal.propose(note(key)).then((outcome) => this.told.push(`${key}: ${outcome.type}`));
  }
}

test("nothing changes before the record comes back; the proposer is told what all have decided", async () => {
  const log = new MemoryLog();
  const [one, two] = [new View(log, "one"), new View(log, "two")];
  one.propose("a");
  one.propose("b");
  two.propose("a");
  await settle();
  assertEquals([one.list, one.told, log.entries.length], [[], [], 2]); // two records gathered in one entry
  two.end.hand();
  await settle();
  assertEquals(two.told, ["a: refused"]);
  one.end.hand();
  await settle();
  assertEquals(one.told, ["a: done", "b: done"]);
  assertEquals([one.list, one.shown], [two.list, 2]);
});

test("whatever is handed over when, all servers come to the same state, also after a restart from nothing", async () => {
  for (let run = 0; run < 40; run++) {
    const random = seededRandom(`interleaving ${run}`);
    const die = (sides: number) => random(1)[0] % sides;
    const log = new MemoryLog();
    const views = [new View(log, "a"), new View(log, "b"), new View(log, "c")];
    for (let step = 0; step < 60; step++) {
      const view = views[die(3)];
      if (die(2) === 0) view.propose(`key ${die(20)}`);
      else view.end.hand(die(4));
      log.answers = (["yes", "silent", "away"] as const)[die(8) < 6 ? 0 : die(3)];
      if (die(4) === 0) await settle(1);
    }
    log.answers = "yes";
    for (let i = 0; i < 10; i++) {
      for (const view of views) view.clock.advance(1_000);
      await settle(2);
      for (const view of views) view.end.hand();
    }
    await settle(2);
    const fresh = new View(log, "d");
    fresh.end.hand();
    await settle(2);
    assertEquals(views.map(({ list }) => list), [fresh.list, fresh.list, fresh.list], `run ${run}`);
    const done = views.flatMap(({ told }) => told).filter((text) => text.endsWith("done"));
    assertEquals(done.length, fresh.list.length, "each is confirmed once, and by one");
  }
});

test("what the log has taken without saying so is there once", async () => {
  const log = new MemoryLog();
  const view = new View(log, "one");
  log.answers = "silent";
  view.propose("a");
  await settle();
  log.answers = "yes";
  view.clock.advance(1_000);
  await settle();
  view.end.hand();
  await settle();
  assertEquals([log.entries.length, view.told], [1, ["a: done"]]);
});

test("a log that is away costs time: what was proposed waits, and is told of", async () => {
  const log = new MemoryLog();
  const view = new View(log, "one");
  log.answers = "away";
  view.propose("a");
  await settle();
  assertEquals([view.journal.isAway, view.told], [true, []]);
  log.answers = "yes";
  view.clock.advance(1_000);
  await settle();
  view.end.hand();
  await settle();
  assertEquals([view.journal.isAway, view.told], [false, ["a: done"]]);
});

test("an entry that was taken without a word, and is tried again when the log knows it no more, is there once", async () => {
  const log = new MemoryLog();
  const view = new View(log, "one");
  log.answers = "silent";
  view.propose("a");
  await settle();
  log.forget(); // ten minutes have passed
  log.answers = "away";
  view.clock.advance(600_000);
  await settle();
  log.answers = "yes";
  for (let i = 0; i < 6; i++) {
    view.clock.advance(1_000);
    await settle();
    if (i === 2) view.end.hand();
  }
  assertEquals([log.entries.length, view.told], [1, ["a: done"]]);
  view.propose("b");
  await settle();
  assertEquals(log.entries.length, 2);
});

test("what does not come back for six seconds makes the log count as away, and its way is dialled anew, once", async () => {
  const log = new MemoryLog();
  const view = new View(log, "one");
  view.propose("a");
  await settle();
  view.clock.advance(5_000);
  assertEquals([view.journal.isAway, view.end.redials], [false, 0]);
  for (let i = 0; i < 8; i++) view.clock.advance(1_500);
  assertEquals([view.journal.isAway, view.end.redials], [true, 1]);
  view.end.hand();
  await settle();
  view.clock.advance(1_500);
  assertEquals([view.journal.isAway, view.told], [false, ["a: done"]]);
  assertEquals(view.events.map(({ type }) => type).filter((type) => type.startsWith("log")), [
    "log away",
    "log back",
  ]);
});

test("who is alone with another state stops, and applies and answers nothing more; the others go on", async () => {
  const log = new MemoryLog();
  const [one, two, three] = [new View(log, "one"), new View(log, "two"), new View(log, "three")];
  const all = [one, two, three];
  const round = async (key: string) => {
    for (const view of all) view.propose(`${key} of ${all.indexOf(view)}`);
    await settle();
    for (const view of all) view.end.hand();
    await settle();
  };
  await round("first");
  await round("second");
  assertEquals(all.map(({ stopped }) => stopped), [null, null, null]);
  three.mixed = 7; // its histories have come out otherwise
  await round("third");
  await round("fourth");
  assertEquals(all.map(({ stopped }) => stopped instanceof StateDiffers), [false, false, true]);
  const before = three.list.length;
  await round("fifth");
  assertEquals([three.list.length, one.list.length, two.list.length], [before, 14, 14]);
  assertEquals(
    three.told.some((text) => text.startsWith("fifth") && text.endsWith("done") && !text.endsWith("undone")),
    false,
  );
});

test("a disk that refuses takes back this server's view alone, and the log is applied again from where it is", async () => {
  const log = new MemoryLog();
  const [one, two] = [new View(log, "one"), new View(log, "two")];
  one.propose("a");
  await settle();
  one.end.hand();
  await settle();
  one.broken = true;
  one.propose("b");
  two.propose("c");
  await settle();
  one.end.hand();
  await settle();
  assertEquals([one.journal.isFailing, one.list.length, one.told], [true, 1, ["a: done"]]);
  one.broken = false;
  one.end.hand();
  two.end.hand();
  await settle();
  assertEquals([one.list, one.told, one.journal.isFailing], [two.list, ["a: done", "b: done"], false]);
});

test("what a newer server has written stops this one before it comes to another state", async () => {
  const log = new MemoryLog();
  const view = new View(log, "one");
  const proposer = new Uint8Array(16);
  log.append("x", encodeGathered({ proposer, n: 1, standing: beginning, records: [Uint8Array.of(200)] }));
  view.end.hand();
  await settle();
  assertEquals([view.stopped instanceof UnknownRecord, view.list], [true, []]);
});

test("many records are gathered, few entries are on their way, and a barrier waits for all before it", async () => {
  const log = new MemoryLog();
  const view = new View(log, "one");
  for (let i = 0; i < 500; i++) view.propose(`${i}`);
  await settle();
  assertEquals(log.entries.length, 4);
  const caughtUp = view.journal.caughtUp();
  for (let i = 0; i < 5; i++) {
    await settle();
    view.end.hand();
  }
  await settle();
  await caughtUp;
  assertEquals([view.told.length, view.list.length, log.entries.length], [500, 500, 9]);
  await view.journal.close();
  view.propose("late");
  await settle();
  assertEquals(view.told.at(-1), "late: undone");
});
