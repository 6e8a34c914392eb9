/** What is made sure of before a server follows a shared log: its key, its view, and whose log it is. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { exitCodes } from "../../../lib/errors.ts";
import { encodeHex } from "../../../lib/hex.ts";
import { Writer } from "../../../lib/protocol/codec/wire.ts";
import { joinLog, LogRefused } from "../../../lib/server/cluster/join_log.ts";
import { encodeGathered } from "../../../lib/server/cluster/log_entry.ts";
import { beginning } from "../../../lib/server/cluster/standing.ts";
import { defaultLimits } from "../../../lib/server/limits.ts";
import { beginNote } from "../../../lib/server/rooms/apply.ts";
import { defaultRetention } from "../../../lib/server/rooms/retention.ts";
import { settingsOf } from "../../../lib/server/settings.ts";
import { encodeRecord } from "../../../lib/server/store/record_codec.ts";
import { SqliteStore } from "../../../lib/server/store/sqlite.ts";
import { MemoryLog } from "../../fakes/memory_log.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { test } from "../../fakes/test.ts";

const id = (n: number) => new Uint8Array(32).fill(n);
const settings = settingsOf(defaultLimits, defaultRetention);

async function withViews(act: (open: () => SqliteStore) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  const stores: SqliteStore[] = [];
  const open = () => {
    const store = new SqliteStore(join(dir, `${stores.length}.db`), seededRandom(`view ${stores.length}`));
    stores.push(store);
    return store;
  };
  try {
    await act(open);
  } finally {
    for (const store of stores) store.close();
    await Deno.remove(dir, { recursive: true });
  }
}

const joined = (log: MemoryLog, store: SqliteStore, server = 1) =>
  joinLog({ log: log.open(), store, server: id(server), settings, random: seededRandom(`join ${server}`) });

/** What applying the log notes. */
function noted(store: SqliteStore, seq: number, server = 1): void {
  store.putNote(beginNote, Uint8Array.of(...id(server), ...store.runId));
  store.putNote("log", new Writer(32).u64(seq).u64(seq).raw(beginning.digest).done());
  store.flush();
}

test("who comes first begins the log; all others take its run id, whenever they come, and nobody begins it again", async () => {
  await withViews(async (open) => {
    const log = new MemoryLog();
    const [one, two, three] = [open(), open(), open()];
    await Promise.all([joined(log, one), joined(log, two)]);
    await joined(log, three);
    assertEquals(new Set([one, two, three].map(({ runId }) => encodeHex(runId))).size, 1);
    assertEquals(log.entries.length, 1);
    noted(one, 1);
    await joined(log, one);
    assertEquals(log.entries.length, 1);
  });
});

test("another server's key is refused, by a new view and by one that has the log, with both fingerprints", async () => {
  await withViews(async (open) => {
    const log = new MemoryLog();
    const [one, two] = [open(), open()];
    await joined(log, one);
    const error = await assertRejects(() => joined(log, two, 2), LogRefused);
    assertEquals(error.exitCode, exitCodes.trust);
    assertStringIncludes(error.message, "have another key");
    noted(one, 1);
    await assertRejects(() => joined(log, one, 2), LogRefused, "have another key");
  });
});

test("rooms of its own are not mixed with those of others", async () => {
  await withViews(async (open) => {
    const store = open();
    store.createRoom({ id: id(5), kind: 1, name: "lobby", maker: id(6) }, "lobby");
    store.flush();
    const log = new MemoryLog();
    await assertRejects(() => joined(log, store), LogRefused, "rooms that are not of this cluster");
    assertEquals([log.entries.length, store.rooms().length], [0, 1]);
  });
});

test("a log that is behind a view is an old copy; nobody serves from it", async () => {
  await withViews(async (open) => {
    const log = new MemoryLog();
    const store = open();
    await joined(log, store);
    noted(store, 7);
    await assertRejects(() => joined(log, store), LogRefused, "seen 7 entries of the log, and it has only 1");
  });
});

test("a log of another program is told as that", async () => {
  await withViews(async (open) => {
    const log = new MemoryLog();
    const entry = {
      proposer: new Uint8Array(16),
      n: 1,
      standing: beginning,
      records: [encodeRecord({ kind: "sweep" })],
    };
    log.append("x", encodeGathered(entry));
    const store = open();
    const error = await assertRejects(() => joined(log, store), LogRefused);
    assert(error.hint.length > 0);
  });
});
