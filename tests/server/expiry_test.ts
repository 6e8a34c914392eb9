/** What a room forgets when it has too much, and in how small steps (protocol §10). */

import { test } from "../fakes/test.ts";
import { assert, assertEquals } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { expire, type ExpiringRoom, shareThatFits } from "../../lib/server/rooms/expiry.ts";
import type { LogRecord } from "../../lib/server/store/journal.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import type { Store } from "../../lib/server/store/store.ts";
import { DatabaseSync } from "node:sqlite";
import { defaultLimits } from "../../lib/server/limits.ts";
import { LocalJournal } from "../../lib/server/store/local_journal.ts";
import { Rooms } from "../../lib/server/rooms/rooms.ts";
import { genesis } from "../fakes/commits.ts";
import { person } from "../fakes/people.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { seededRandom } from "../fakes/seeded_random.ts";

const id = (n: number): Bytes => new Uint8Array(32).fill(n);
const room = id(1);

test("whoever has more than the share gives it up, and nobody else loses anything", () => {
  const cases: [number[], number, number][] = [
    [[100], 30, 70],
    [[100, 50], 30, 70],
    [[100, 50], 60, 45],
    [[10, 100, 10, 100], 100, 50],
    [[10, 10, 10], 30, 0],
    [[10], 99, 0],
  ];
  for (const [used, excess, share] of cases) {
    assertEquals(shareThatFits(used, excess), share, JSON.stringify([used, excess]));
  }
});

/** A room of entries, and who expires it. */
function bench(store: Store, retention: { seconds: number; bytes: number }) {
  const clock = new FakeClock();
  store.createRoom({ id: room, kind: 1, name: "lobby", maker: id(2) }, "lobby");
  const nowSeconds = () => Math.floor(clock.now() / 1000);
  let [pos, epoch] = [0, 0];
  const append = (sender: number, size: number, kind = 2) => {
    pos++;
    if (kind === 1) epoch++;
    const place = { pos, time: nowSeconds(), kind, epoch, n: kind === 1 ? -1 : pos };
    const bytes = new Uint8Array(size);
    const hashes = { digest: id(pos % 250), history: id(pos % 251), sender: id(sender) };
    store.append(room, { ...place, ...hashes, bytes });
    return pos;
  };
  const records: LogRecord[] = [];
  let turns = 0;
  const state = { epochBegan: 0, isGone: false };
  const subject: ExpiringRoom = {
    id: room,
    get flushed() {
      return pos;
    },
    get firstKept() {
      return store.room(room)!.expiredUpTo + 1;
    },
    get keptBytes() {
      return store.room(room)!.bytes;
    },
    get epochBegan() {
      return state.epochBegan;
    },
    get isGone() {
      return state.isGone;
    },
  };
  const run = () =>
    expire(subject, {
      store,
      now: () => clock.now(),
      retention,
      propose(record) {
        records.push(record);
        if (record.kind === "expire") store.expire(room, record.ranges, record.expiredUpTo);
        return Promise.resolve({ type: "done" });
      },
      nextTurn: () => (turns++, Promise.resolve()),
    });
  const kept = () => store.weights(room, 0, 100_000).map(({ pos }) => pos);
  return { clock, append, run, kept, records, state, store, turns: () => turns };
}
const most = { seconds: 1e9, bytes: 8000 };

for (
  const [kind, open] of [
    ["memory", () => new MemoryStore(seededRandom("run"))],
    ["sqlite", () => new SqliteStore(`${Deno.makeTempDirSync()}/rooms.db`, seededRandom("run"))],
  ] as const
) {
  const benchTest = (
    name: string,
    retention: typeof most,
    act: (b: ReturnType<typeof bench>) => Promise<void>,
  ) =>
    test(`${kind}: ${name}`, async () => {
      const store = open();
      try {
        await act(bench(store, retention));
      } finally {
        store.close();
      }
    });

  benchTest("one who fills a room loses first, oldest first; what others said stays", most, async (b) => {
    const said = [1, 2, 3].map(() => b.append(2, 500));
    const first = b.append(9, 500);
    for (let i = 0; i < 20; i++) b.append(9, 500);
    const later = b.append(3, 500);
    await b.run();
    assert(b.store.room(room)!.bytes <= 7000, String(b.store.room(room)!.bytes));
    assert(b.store.room(room)!.bytes > 6000);
    const kept = b.kept();
    assertEquals([...said, later].every((pos) => kept.includes(pos)), true);
    assertEquals(kept.includes(first), false);
    // What is left of hers is the newest.
    const hers = kept.filter((pos) => pos >= first && pos < later);
    assertEquals(hers, hers.map((_, i) => later - hers.length + i));
    assertEquals(b.store.room(room)!.expiredUpTo, 0);
  });
  benchTest(
    "boxes count for the author of their commit; those of the current epoch stay, whatever the size",
    most,
    async (b) => {
      const old = b.append(9, 300, 1);
      for (let i = 0; i < 5; i++) b.store.putBox(id(20 + i), room, old, new Uint8Array(1605));
      b.append(2, 500);
      b.state.epochBegan = b.append(9, 300, 1);
      for (let i = 0; i < 5; i++) b.store.putBox(id(40 + i), room, b.state.epochBegan, new Uint8Array(1605));
      await b.run();
      assertEquals(b.kept(), [b.state.epochBegan]);
      assertEquals(b.store.room(room)!.bytes, 5 * 1605);
      assertEquals([20, 40].map((n) => b.store.box(id(n)) !== null), [false, true]);
      assertEquals(b.store.entries(room, 1, 9).filter(({ kind, bytes }) => kind === 1 && bytes === null), []);
    },
  );
  benchTest(
    "what has waited long enough goes, and the pointer moves behind it",
    { ...most, seconds: 100 },
    async (b) => {
      for (let i = 0; i < 10; i++) {
        b.append(2, 10);
        b.clock.advance(20_000);
      }
      await b.run();
      assertEquals([b.kept(), b.store.room(room)!.expiredUpTo], [[6, 7, 8, 9, 10], 5]);
      await b.run();
      assertEquals(b.records.length, 1);
    },
  );
  benchTest("a long log is worked off in slices, with a turn for others after each", {
    seconds: 10,
    bytes: 1e9,
  }, async (b) => {
    for (let i = 0; i < 2600; i++) b.append(2, 5);
    b.clock.advance(60_000);
    await b.run();
    assertEquals([b.kept(), b.store.room(room)!.expiredUpTo], [[], 2600]);
    const sizes = b.records.map((r) =>
      r.kind === "expire" ? r.ranges.reduce((n, { first, last }) => n + last - first + 1, 0) : 0
    );
    assertEquals(sizes, [500, 500, 500, 500, 500, 100]);
    assertEquals(b.turns() >= 6, true);
  });
  benchTest("so is one that is too large, and a room that is given up meanwhile is left alone", {
    seconds: 1e9,
    bytes: 20_000,
  }, async (b) => {
    for (let i = 0; i < 2000; i++) b.append(2 + i % 3, 20);
    await b.run();
    for (const record of b.records) {
      assert(record.kind === "expire");
      assert(record.ranges.reduce((n, { first, last }) => n + last - first + 1, 0) <= 500);
    }
    assert(b.records.length > 1);
    assertEquals(b.store.room(room)!.expiredUpTo, b.kept()[0] - 1);
    const before = b.records.length;
    for (let i = 0; i < 2000; i++) b.append(2, 20);
    b.state.isGone = true;
    await b.run();
    assertEquals(b.records.length, before);
  });
}

test("opening a store and greeting a member reads rows of rooms, and goes over no entries", async () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/rooms.db`;
  const store = new SqliteStore(path, seededRandom("run"));
  const { append } = bench(store, most);
  const ira = await person("ira");
  const first = genesis(ira);
  store.append(room, { ...entryOf(append(2, 10) + 1), kind: 1, bytes: first.bytes, n: -1 });
  store.beginStay(room, id(2), 1, null);
  store.close();
  const prepare = DatabaseSync.prototype.prepare;
  const asked = new Set<string>();
  DatabaseSync.prototype.prepare = function (sql: string) {
    asked.add(sql);
    return prepare.call(this, sql);
  };
  try {
    const again = new SqliteStore(path, seededRandom("run"));
    const clock = new FakeClock();
    const quiet = { tell() {} };
    const defer = () => {};
    const journal = new LocalJournal(again, clock, quiet, defer);
    const limits = defaultLimits;
    const parts = {
      store: again,
      journal,
      clock,
      limits,
      site: id(7),
      signing: ira.identity.signing,
      events: quiet,
      defer,
    };
    const rooms = new Rooms({ ...parts, random: seededRandom("rooms") });
    assertEquals([rooms.get(room)!.last, rooms.get(room)!.head.epoch], [2, 0]);
    for (const stay of again.roomsOf(id(2))) again.stays(stay, id(2));
    again.nextNumber(room, id(2), 1);
    again.lastBefore(room, 0, 0, 500);
    again.close();
  } finally {
    DatabaseSync.prototype.prepare = prepare;
  }
  const file = new DatabaseSync(path);
  const plans = [...asked].filter((sql) => sql.startsWith("SELECT"))
    .flatMap((sql) =>
      file.prepare(`EXPLAIN QUERY PLAN ${sql}`).all().map(({ detail }) => `${detail}: ${sql}`)
    );
  file.close();
  assertEquals(plans.length > 5, true);
  assertEquals(plans.filter((plan) => /SCAN (entries|boxes|stays|joins)/.test(plan)), []);
  // Nor a search that goes on through a room.
  assertEquals(plans.filter((plan) => /count|sum|max\(n\)/.test(plan) && /entries/.test(plan)), []);
  Deno.removeSync(dir, { recursive: true });
});

function entryOf(pos: number) {
  return { pos, time: 0, epoch: 0, digest: id(1), history: id(2), sender: id(2) };
}
