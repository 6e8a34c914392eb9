/** What is made sure of before a server follows a shared log: its key, its view, and whose log it is. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { exitCodes } from "../../../lib/errors.ts";
import { encodeHex } from "../../../lib/hex.ts";
import { Writer } from "../../../lib/protocol/codec/wire.ts";
import { joinLog, LogRefused } from "../../../lib/server/cluster/join_log.ts";
import { encodeGathered } from "../../../lib/server/cluster/log_entry.ts";
import { appliedOf } from "../../../lib/server/cluster/shared_journal.ts";
import type { Snapshot } from "../../../lib/server/cluster/snapshots.ts";
import { beginning } from "../../../lib/server/cluster/standing.ts";
import { defaultLimits } from "../../../lib/server/limits.ts";
import { defaultRetention } from "../../../lib/server/rooms/retention.ts";
import { settingsOf } from "../../../lib/server/settings.ts";
import { encodeRecord } from "../../../lib/server/store/record_codec.ts";
import { SqliteStore } from "../../../lib/server/store/sqlite.ts";
import { sharedNotes } from "../../../lib/server/store/store.ts";
import { MemoryLog } from "../../fakes/memory_log.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { test } from "../../fakes/test.ts";

const id = (n: number) => new Uint8Array(32).fill(n);
const settings = settingsOf(defaultLimits, defaultRetention);

/** Snapshots as files of a folder. */
class FolderSnapshots {
  readonly views: Snapshot[] = [];
  constructor(private readonly dir: string) {}
  all(): Promise<Snapshot[]> {
    return Promise.resolve(this.views.toSorted((a, b) => b.seq - a.seq));
  }
  async base(runId: string): Promise<Snapshot | null> {
    try {
      const { size } = await Deno.stat(join(this.dir, `base-${runId}`));
      return { name: `base-${runId}`, seq: 0, size };
    } catch {
      return null;
    }
  }
  async putBase(path: string, runId: string): Promise<Snapshot> {
    await Deno.copyFile(path, join(this.dir, `base-${runId}`));
    return (await this.base(runId))!;
  }
  async fetch({ name }: Snapshot, path: string): Promise<void> {
    await Deno.copyFile(join(this.dir, name), path);
  }
  /** Takes one of a view that is closed. */
  async take(path: string, seq: number): Promise<void> {
    await Deno.copyFile(path, join(this.dir, `view-${seq}`));
    this.views.push({ name: `view-${seq}`, seq, size: 0 });
  }
}

/** Views in a folder, each by its number, on one log. */
class Views {
  readonly log = new MemoryLog();
  readonly dir = Deno.makeTempDirSync();
  readonly snapshots = new FolderSnapshots(this.dir);
  #open: SqliteStore[] = [];

  path(n: number): string {
    return join(this.dir, `${n}.db`);
  }
  open(n: number): SqliteStore {
    const store = new SqliteStore(this.path(n), seededRandom(`view ${n}`), true);
    this.#open.push(store);
    return store;
  }
  join(n: number, server = 1): Promise<SqliteStore> {
    return joinLog({
      log: this.log.open(),
      path: this.path(n),
      open: () => this.open(n),
      snapshots: this.snapshots,
      server: id(server),
      settings,
      random: seededRandom(`join ${n}`),
    });
  }
  close(): void {
    for (const store of this.#open) if (!store.isClosed) store.close();
    Deno.removeSync(this.dir, { recursive: true });
  }
}

async function withViews(act: (views: Views) => Promise<void>): Promise<void> {
  const views = new Views();
  try {
    await act(views);
  } finally {
    views.close();
  }
}

/** A room of a server that was alone. */
function makeRoom(store: SqliteStore): void {
  store.createRoom({ id: id(5), kind: 1, name: "lobby", maker: id(6) }, "lobby");
  store.flush();
}

/** What applying the log notes. */
function noted(store: SqliteStore, seq: number, server = 1): void {
  store.putNote(sharedNotes.begin, Uint8Array.of(...id(server), ...store.runId));
  store.putNote("log", new Writer(32).u64(seq).u64(seq).raw(beginning.digest).done());
  store.flush();
}

test("who comes first begins the log; all others take its run id, whenever they come, and nobody begins it again", async () => {
  await withViews(async (views) => {
    const [one, two] = await Promise.all([views.join(1), views.join(2)]);
    const three = await views.join(3);
    assertEquals(new Set([one, two, three].map(({ runId }) => encodeHex(runId))).size, 1);
    assertEquals(views.log.entries.length, 1);
    noted(one, 1);
    one.close();
    await views.join(1);
    assertEquals(views.log.entries.length, 1);
  });
});

test("another server's key is refused, by a new view and by one that has the log, with both fingerprints", async () => {
  await withViews(async (views) => {
    const one = await views.join(1);
    const error = await assertRejects(() => views.join(2, 2), LogRefused);
    assertEquals(error.exitCode, exitCodes.trust);
    assertStringIncludes(error.message, "have another key");
    noted(one, 1);
    one.close();
    await assertRejects(() => views.join(1, 2), LogRefused, "have another key");
  });
});

test("the rooms of the server that begins go on, with their run id, also for those that come later", async () => {
  await withViews(async (views) => {
    const alone = views.open(1);
    makeRoom(alone);
    const { runId } = alone;
    alone.close();
    const one = await views.join(1);
    const two = await views.join(2);
    assertEquals([one.runId, two.runId], [runId, runId]);
    assertEquals([one, two].map((store) => store.rooms().map(({ name }) => name)), [["lobby"], ["lobby"]]);
    one.close();
    await views.join(1); // before it has applied anything
    assertEquals(views.log.entries.length, 1);
  });
});

test("rooms of its own are not mixed with those of others", async () => {
  await withViews(async (views) => {
    await views.join(1);
    const alone = views.open(2);
    makeRoom(alone);
    alone.close();
    await assertRejects(() => views.join(2), LogRefused, "rooms that are not of this cluster");
    assertEquals(views.open(2).rooms().length, 1);
  });
});

test("who has nothing, or a view from before the log begins, goes on from the newest snapshot; the old view is kept", async () => {
  await withViews(async (views) => {
    const one = await views.join(1);
    const two = await views.join(2);
    noted(two, 1);
    two.close();
    for (let n = 2; n <= 9; n++) views.log.append(`entry ${n}`, new Uint8Array(1));
    noted(one, 8);
    one.close();
    await views.snapshots.take(views.path(1), 8);
    views.log.first = 6;
    const [three, again] = [await views.join(3), await views.join(2)];
    assertEquals([three, again].map((store) => appliedOf(store)?.seq), [8, 8]);
    assertEquals(encodeHex(three.runId), encodeHex(again.runId));
    assert((await Deno.stat(`${views.path(2)}.old`)).isFile);
    await assertRejects(() => views.join(4, 2), LogRefused, "have another key");
    views.log.first = 10;
    await assertRejects(() => views.join(5), LogRefused, "no snapshot to go on from");
  });
});

test("a log that is behind a view is an old copy; nobody serves from it", async () => {
  await withViews(async (views) => {
    const store = await views.join(1);
    noted(store, 7);
    store.close();
    await assertRejects(() => views.join(1), LogRefused, "seen 7 entries of the log, and it has only 1");
  });
});

test("a log of another program is told as that", async () => {
  await withViews(async (views) => {
    const records = [encodeRecord({ kind: "sweep" })];
    const entry = { proposer: new Uint8Array(16), n: 1, standing: beginning, records };
    views.log.append("x", encodeGathered(entry));
    const error = await assertRejects(() => views.join(1), LogRefused);
    assert(error.hint.length > 0);
  });
});
