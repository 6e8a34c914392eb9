/** What the SQLite store does not write each time, and what it reads of files of earlier versions. */

import { test } from "../fakes/test.ts";
import { DatabaseSync } from "node:sqlite";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import type { NewEntry, Store } from "../../lib/server/store/store.ts";
import { seededRandom } from "../fakes/seeded_random.ts";

const bytes = (n: number, length = 32): Bytes => new Uint8Array(length).fill(n);
const rooms = [bytes(1), bytes(4)];
const people = [bytes(2), bytes(3), bytes(5)];

/** What both stores say of everything. */
function told(store: Store) {
  return rooms.map((room) => {
    const { last, history, bytes, fixedBytes, expiredUpTo } = store.room(room)!;
    const standing = [last, history, bytes, fixedBytes, expiredUpTo];
    const numbers = people.map((who) => [1, 2, 3].map((epoch) => store.nextNumber(room, who, epoch)));
    const entries = store.entries(room, 1, 1000).map(({ pos, time, kind, bytes, digest, sender }) => {
      return { pos, time, kind, bytes, digest, sender };
    });
    return { standing, numbers, entries, last: store.last(room) };
  });
}

interface Step {
  readonly what: "say" | "commit" | "box" | "expire" | "flush" | "kill" | "undo" | "close";
  readonly room: number;
  readonly who: number;
  readonly count: number;
}
const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom("say", "say", "say", "commit", "box", "expire", "flush", "kill", "undo", "close"),
  room: fc.nat(1),
  who: fc.nat(2),
  count: fc.integer({ min: 1, max: 90 }),
});

/** Both stores do the same; what is not flushed is done to neither when it is lost. */
class Pair {
  readonly memory = new MemoryStore(seededRandom("run"));
  sqlite: SqliteStore;
  #path: string;
  #opened = 0;
  #pending: ((store: Store) => void)[] = [];
  readonly #epochs = [1, 1];

  constructor(private readonly dir: string) {
    this.#path = `${dir}/rooms-0.db`;
    this.sqlite = this.#open();
    for (const [i, id] of rooms.entries()) {
      this.#do((store) => store.createRoom({ id, kind: 1, name: `r${i}`, maker: people[0] }, `r${i}`));
    }
    this.#flush();
  }
  #open(): SqliteStore {
    return new SqliteStore(this.#path, seededRandom("run"));
  }
  #do(act: (store: Store) => void): void {
    act(this.sqlite);
    this.#pending.push(act);
  }
  #flush(): void {
    this.sqlite.flush();
    for (const act of this.#pending.splice(0)) act(this.memory);
  }

  take({ what, room: r, who, count }: Step): void {
    const room = rooms[r];
    const { pos } = this.sqlite.last(room);
    const entry = (i: number, over: Partial<NewEntry>): NewEntry => {
      const at = pos + 1 + i;
      const [content, digest] = [bytes(at % 250, 20 + at % 9), bytes(at % 250)];
      const common = { pos: at, time: at, kind: 2, bytes: content, digest, history: digest };
      return { ...common, sender: people[who], epoch: this.#epochs[r], n: 0, ...over };
    };
    switch (what) {
      case "say":
        for (let i = 0; i < count; i++) {
          const n = this.sqlite.nextNumber(room, people[who], this.#epochs[r]);
          const said = entry(i, { n });
          this.#do((store) => store.append(room, said));
        }
        break;
      case "commit": {
        if (this.#epochs[r] === 3) return;
        const commit = entry(0, { kind: 1, n: -1, epoch: ++this.#epochs[r] });
        this.#do((store) => store.append(room, commit));
        this.#flush(); // a commit of an epoch is not taken back here
        break;
      }
      case "box":
        this.#do((store) => store.putBox(bytes(count), rooms[count % 2], 1, bytes(count, 9)));
        break;
      case "expire": {
        const last = Math.min(count, pos);
        if (last > 0) this.#do((store) => store.expire(room, [{ first: 1, last }], last));
        break;
      }
      case "flush":
        this.#flush();
        break;
      case "undo":
        this.sqlite.undo();
        this.#pending = [];
        break;
      case "kill": {
        // What a killed process leaves: the files as they are.
        const next = `${this.dir}/rooms-${++this.#opened}.db`;
        for (const tail of ["", "-wal"]) {
          Deno.copyFileSync(this.#path + tail, next + tail);
          Deno.chmodSync(next + tail, 0o600);
        }
        this.sqlite.close();
        this.#path = next;
        this.sqlite = this.#open();
        this.#pending = [];
        break;
      }
      case "close":
        this.#flush();
        this.sqlite.close();
        this.sqlite = this.#open();
    }
    if (this.#pending.length === 0) assertEquals(told(this.sqlite), told(this.memory));
  }
}

test("property: whatever is flushed, undone, closed or killed, rows and entries say the same as a store in memory", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const dir = Deno.makeTempDirSync({ dir: shm() });
      const pair = new Pair(dir);
      try {
        for (const each of steps) pair.take(each);
      } finally {
        pair.sqlite.close();
        Deno.removeSync(dir, { recursive: true });
      }
    }),
    { numRuns: 60 },
  );
});

function shm(): string | undefined {
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : undefined;
  } catch {
    return undefined;
  }
}

test("a file from before rooms had numbers is brought up to date, and says the same", () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/rooms.db`;
  const old = new DatabaseSync(path);
  old.exec(Deno.readTextFileSync(new URL("../vectors/store_202.sql", import.meta.url)));
  old.close();
  Deno.chmodSync(path, 0o600);
  for (let opened = 0; opened < 2; opened++) {
    const store = new SqliteStore(path, seededRandom("run"));
    const [lobby, shared] = rooms;
    assertEquals(store.rooms().map(({ id, name, last, kind }) => [id, name, last, kind]), [
      [lobby, "Lobby", 5, 1],
      [shared, "", 1, 2],
    ]);
    assertEquals(store.entries(lobby, 1, 9).map((e) => [e.pos, e.kind, e.bytes?.length ?? 0, e.sender]), [
      [1, 1, 50, people[0]],
      [2, 2, 0, people[0]],
      [3, 2, 50, people[1]],
      [4, 2, 50, people[0]],
      [5, 2, 50, people[0]],
    ]);
    assertEquals([store.roomByName("lobby")!.id, store.room(lobby)!.bytes], [lobby, 210]);
    assertEquals([store.nextNumber(lobby, people[0], 2), store.nextNumber(lobby, people[1], 1)], [1, 1]);
    assertEquals([store.nextNumber(shared, people[1], 0), store.historyAt(lobby, 4)], [8, bytes(104)]);
    assertEquals(store.message(lobby, 0, people[0], 1, 1), { pos: 4, digest: bytes(4) });
    assertEquals([store.box(bytes(70))?.length, store.commitOf(lobby, 0)?.pos], [60, 1]);
    store.close();
  }
  Deno.removeSync(dir, { recursive: true });
});
