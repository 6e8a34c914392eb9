/**
 * The promises of Journal (lib/server/store/journal.ts), held against every implementation: the local one, and the shared
 * one over a log in memory and over a real NATS, with another server that proposes meanwhile.
 */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { dialNats } from "../../lib/server/cluster/nats_connection.ts";
import { NatsLog } from "../../lib/server/cluster/nats_log.ts";
import { SharedJournal } from "../../lib/server/cluster/shared_journal.ts";
import type { SharedLog } from "../../lib/server/cluster/shared_log.ts";
import type { Follower, Journal, LogRecord, Outcome } from "../../lib/server/store/journal.ts";
import { LocalJournal } from "../../lib/server/store/local_journal.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import { MemoryLog } from "../fakes/memory_log.ts";
import { hasNats, Nats } from "../fakes/nats.ts";
import { test } from "../fakes/test.ts";
import { until } from "../fakes/until.ts";

const note = (key: string): LogRecord => ({ kind: "note", key, value: new TextEncoder().encode(key) });
const events = { tell() {} };
const defer = (act: () => void) => void setTimeout(act, 0);

/** A server: a real store, and a follower that writes and tells what it is handed. A note that is there is refused. */
class Bench {
  readonly told: string[] = [];
  readonly seqs: number[] = [];
  readonly stopped: Error[] = [];
  readonly store: SqliteStore;
  readonly journal: Journal;

  constructor(path: string, make: (store: SqliteStore, stop: (error: Error) => void) => Journal) {
    this.store = new SqliteStore(path, systemRandom, true);
    this.journal = make(this.store, (error) => this.stopped.push(error));
    const follower: Follower = {
      apply: (seq, _timeMs, records) =>
        records.map((record, i): Outcome => {
          this.seqs.push(seq + i);
          if (record.kind !== "note" || this.store.note(record.key)) {
            return { type: "refused", code: "CONFLICT" };
          }
          this.store.putNote(record.key, record.value);
          this.told.push(record.key);
          return { type: "done" };
        }),
      flushed: () => void this.told.push("shown"),
      undone: () => {},
      mixed: () => new Uint8Array(32),
    };
    this.journal.follow(0, follower);
  }

  /** What was applied, in its order. */
  get applied(): string[] {
    return this.told.filter((each) => each !== "shown");
  }
  async close(): Promise<void> {
    await this.journal.close();
    this.store.close();
  }
}

/** Servers on what orders them; a local journal has one. */
interface Kind {
  readonly kind: string;
  readonly ignore: boolean;
  open(dir: string): Promise<{ benches: Bench[]; close(): Promise<void> }>;
}

function sharing(dir: string, logs: SharedLog[]): Bench[] {
  return logs.map((log, i) =>
    new Bench(
      join(dir, `${i}.db`),
      (store, stop) =>
        new SharedJournal({
          log,
          store,
          clock: systemClock,
          proposer: systemRandom(16),
          events,
          defer,
          stop,
        }),
    )
  );
}

const kinds: Kind[] = [
  {
    kind: "local",
    ignore: false,
    open(dir) {
      const make = (store: SqliteStore) => new LocalJournal(store, systemClock, events, defer);
      return Promise.resolve({
        benches: [new Bench(join(dir, "0.db"), make)],
        close: () => Promise.resolve(),
      });
    },
  },
  {
    kind: "shared, in memory",
    ignore: false,
    open(dir) {
      const log = new MemoryLog();
      const ends = [log.open(), log.open()];
      const timer = setInterval(() => ends.forEach((end) => end.hand(1)), 1);
      const close = () => Promise.resolve(clearInterval(timer));
      return Promise.resolve({ benches: sharing(dir, ends), close });
    },
  },
  {
    kind: "shared, in NATS",
    ignore: !hasNats,
    async open(dir) {
      const nats = await Nats.start();
      const logs = await Promise.all([0, 1].map(async () =>
        await NatsLog.open({
          connection: await dialNats({ servers: [nats.address], tls: null, isUnsafe: false }),
          replicas: 1,
          clock: systemClock,
          fault: (error) => {
            throw error;
          },
        })
      ));
      return { benches: sharing(dir, logs), close: () => nats.close() };
    },
  },
];

for (const { kind, ignore, open } of kinds) {
  const journalTest = (what: string, act: (benches: Bench[]) => Promise<void>) =>
    test(
      { name: `${kind} journal: ${what}`, ignore, sanitizeOps: false, sanitizeResources: false },
      async () => {
        const dir = await Deno.makeTempDir();
        const { benches, close } = await open(dir);
        try {
          await act(benches);
          assertEquals(benches.flatMap(({ stopped }) => stopped), []);
        } finally {
          for (const bench of benches) await bench.close();
          await close();
          await Deno.remove(dir, { recursive: true });
        }
      },
    );

  journalTest(
    "each record is applied once, in one order with no gap, and the outcome is its own",
    async (benches) => {
      const outcomes = await Promise.all(
        Array.from(
          { length: 120 },
          (_, i) => benches[i % benches.length].journal.propose(note(`n${i % 100}`)),
        ),
      );
      assertEquals(
        outcomes.filter(({ type }) => type === "done").length,
        100,
      );
      assertEquals(outcomes.filter(({ type }) => type === "refused").length, 20);
      const all = () => benches.every(({ seqs }) => seqs.length === 120);
      await until("applied everywhere", all);
      const [first, ...others] = benches.map(({ applied }) => applied);
      for (const other of others) assertEquals(other, first);
      for (const { seqs } of benches) assertEquals(seqs, seqs.map((_, i) => i + 1));
    },
  );

  journalTest(
    "an outcome comes after its record is on disk and shown, and what was proposed first is told first",
    async ([one]) => {
      const told: string[] = [];
      const proposed = ["a", "b", "c"].map((key) =>
        one.journal.propose(note(key)).then(() => {
          told.push(key);
          assertEquals(
            one.told.lastIndexOf("shown") > one.told.indexOf(key),
            true,
            "shown before it is told",
          );
        })
      );
      await Promise.all(proposed);
      assertEquals(told, ["a", "b", "c"]);
    },
  );

  journalTest(
    "a barrier, and having caught up, come after all that was applied or shown before",
    async (benches) => {
      const [one] = benches;
      const last = benches.at(-1)!;
      await last.journal.propose(note("elsewhere"));
      assertEquals(await one.journal.caughtUp(), true);
      assertEquals(one.applied, ["elsewhere"]);
      assertEquals(await one.journal.barrier(), true);
      assertEquals([one.journal.isIdle, one.told.at(-1), one.journal.isFailing], [true, "shown", false]);
    },
  );

  journalTest("once it is closed nothing more is taken, and whoever proposes is told", async ([one]) => {
    await one.journal.propose(note("kept"));
    await one.journal.close();
    assertEquals(await one.journal.propose(note("too late")), { type: "undone" });
    assertEquals([one.store.note("kept") !== null, one.store.note("too late")], [true, null]);
  });
}
