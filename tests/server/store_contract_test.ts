/** One contract, every store: memory and SQLite cannot drift apart. Numbers are those of store.ts. */

import { test } from "../fakes/test.ts";
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import { entryOverheadBytes, type NewEntry, type Store, StoreFailed } from "../../lib/server/store/store.ts";
import { seededRandom } from "../fakes/seeded_random.ts";

const bytes = (n: number, length = 32): Bytes => new Uint8Array(length).fill(n);
const room = bytes(1), ira = bytes(2), sam = bytes(3);

function entry(pos: number, over: Partial<NewEntry> = {}): NewEntry {
  return {
    pos,
    time: 100 + pos,
    kind: 2,
    bytes: bytes(pos, 50),
    digest: bytes(pos),
    history: bytes(pos + 100),
    sender: ira,
    epoch: 1,
    n: pos,
    ...over,
  };
}

const kinds: [string, (dir: string) => Store][] = [
  ["memory", () => new MemoryStore(seededRandom("run"))],
  ["sqlite", (dir) => new SqliteStore(`${dir}/rooms.db`, seededRandom("run"))],
];
for (const [kind, open] of kinds) {
  const storeTest = (name: string, act: (store: Store) => void) =>
    test(`${kind} store: ${name}`, () => {
      const dir = Deno.makeTempDirSync();
      const store = open(dir);
      try {
        store.createRoom({ id: room, kind: 1, name: "Lobby", maker: ira }, "lobby");
        act(store);
      } finally {
        store.close();
        Deno.removeSync(dir, { recursive: true });
      }
    });

  storeTest("1. reads see writes before they are flushed", (store) => {
    store.append(room, entry(1));
    assertEquals(store.last(room), { pos: 1, history: bytes(101) });
    store.flush();
    assertEquals(store.last(room).pos, 1);
  });
  storeTest("4. entries come back in order, byte for byte, from where they are asked", (store) => {
    for (let pos = 1; pos <= 10; pos++) store.append(room, entry(pos));
    assertEquals(
      store.entries(room, 4, 3).map((e) => [e.pos, e.time, e.kind, e.bytes, e.digest, e.sender]),
      [4, 5, 6].map((p) => [p, 100 + p, 2, bytes(p, 50), bytes(p), ira]),
    );
    assertEquals(store.entries(room, 11, 3), []);
    assertEquals(store.entries(bytes(9), 1, 3), []);
    assertEquals(store.last(bytes(9)), { pos: 0, history: bytes(9) });
  });
  const standing = (store: Store) => {
    const { last, history, bytes, fixedBytes, expiredUpTo } = store.room(room)!;
    return [last, history[0], bytes, fixedBytes, expiredUpTo];
  };
  storeTest("6. what expires loses its bytes and nothing else; the newest bytes are kept", (store) => {
    store.append(room, entry(1, { kind: 1, n: -1 }));
    for (let pos = 2; pos <= 10; pos++) store.append(room, entry(pos, { sender: pos % 2 ? sam : ira }));
    store.putBox(bytes(70), room, 1, bytes(71));
    store.putBox(bytes(74), room, 1, bytes(75));
    store.flush();
    assertEquals([0, 3, 10].map((from) => store.lastBefore(room, 105, from, 100)), [4, 4, 10]);
    assertEquals([store.lastBefore(room, 1000, 0, 100), store.lastBefore(room, 1000, 0, 3)], [10, 3]);
    const weights = store.weights(room, 0, 3).map(({ pos, sender, bytes }) => [pos, sender[0], bytes]);
    assertEquals(weights, [[1, 2, 64], [2, 2, 50], [3, 3, 50]]);
    store.expire(room, [{ first: 1, last: 3 }, { first: 8, last: 8 }], 3);
    store.flush();
    const gone = store.entries(room, 1, 20).filter((e) => e.bytes === null).map((e) => e.pos);
    assertEquals(gone, [2, 3, 8]);
    assertEquals(store.weights(room, 0, 100).map(({ pos }) => pos), [4, 5, 6, 7, 9, 10]);
    assertEquals(store.weights(room, 5, 3).map(({ pos }) => pos), [6, 7]); // so many positions, whatever they weigh
    assertEquals([0, 3, 4, 11].map((pos) => store.historyAt(room, pos)), [
      room,
      bytes(103),
      bytes(104),
      null,
    ]);
    assertEquals([store.box(bytes(70)), store.box(bytes(74))], [null, null]);
    assertEquals(store.lastCommit(room)!.pos, 1);
    assertEquals(store.message(room, 0, ira, 1, 4), { pos: 4, digest: bytes(4) });
  });
  storeTest("9. where a room stands and what it weighs is on its row, flushed or not", (store) => {
    assertEquals(standing(store), [0, 1, 0, 0, 0]);
    store.append(room, entry(1, { kind: 1, n: -1 }));
    store.append(room, entry(2));
    store.putBox(bytes(70), room, 1, bytes(71));
    store.putBox(bytes(70), room, 1, bytes(71)); // there already
    const fixed = 2 * entryOverheadBytes + 50;
    assertEquals(standing(store), [2, 102, 82, fixed, 0]);
    store.flush();
    assertEquals(store.rooms().map(({ bytes, maker }) => [bytes, maker]), [[82, ira]]);
    store.append(room, entry(3));
    store.expire(room, [{ first: 1, last: 2 }], 2);
    store.expire(room, [{ first: 1, last: 2 }], 1); // again: nothing is taken twice
    assertEquals(standing(store), [3, 103, 50, fixed + entryOverheadBytes, 2]);
    assertEquals(store.roomByName("lobby")!.bytes, 50);
    assertEquals(store.room(bytes(9)), null);
  });
  storeTest("7. a retired room keeps its log and gives its name back", (store) => {
    store.append(room, entry(1));
    store.retireRoom(room, 77);
    store.createRoom({ id: bytes(8), kind: 1, name: "Lobby", maker: sam }, "lobby");
    store.flush();
    assertEquals(store.roomByName("lobby")!.id, bytes(8));
    assertEquals(store.rooms().map((r) => r.retiredAt).toSorted(), [77, null]);
    assertEquals(store.last(room).pos, 1);
  });
  storeTest("7. of a reaped room only where it stood stays, once it is swept", (store) => {
    for (let pos = 1; pos <= 10; pos++) store.append(room, entry(pos));
    store.putBox(bytes(70), room, 1, bytes(71));
    store.beginStay(room, ira, 1, null);
    store.putJoin(room, sam, 5);
    store.flush();
    store.reapRoom(room);
    assertEquals([store.rooms(), store.roomByName("lobby"), store.roomsOf(ira), store.joins(room)], [
      [],
      null,
      [],
      [],
    ]);
    store.createRoom({ id: bytes(8), kind: 1, name: "Lobby", maker: sam }, "lobby");
    for (let i = 0; store.sweep(3); i++) assertEquals(i < 10, true);
    assertEquals(store.sweep(3), false);
    store.flush();
    assertEquals([standing(store), store.entries(room, 1, 15), store.box(bytes(70))], [
      [10, 110, 0, 0, 0],
      [],
      null,
    ]);
    assertEquals([store.room(room)!.isReaped, store.room(room)!.name], [true, ""]);
    assertEquals(store.rooms().length, 1);
  });
  storeTest("7. a reaped room without a name can be made anew where it stood, and not before", (store) => {
    const other = bytes(8);
    store.createRoom({ id: other, kind: 2, name: "", maker: sam }, null);
    for (let pos = 1; pos <= 4; pos++) store.append(other, entry(pos, { epoch: 0 }));
    store.reapRoom(other);
    store.flush();
    const { isReaped, last, history, bytes: weight, fixedBytes } = store.room(other)!;
    assertEquals([isReaped, last, history, weight, fixedBytes], [true, 4, bytes(104), 0, 0]);
    assertEquals(store.rooms().length, 1);
    store.reviveRoom(other, ira);
    assertEquals([store.rooms().length, store.room(other)!.isReaped, store.room(other)!.maker], [
      2,
      false,
      ira,
    ]);
    const kept = () => store.entries(other, 1, 9).map(({ pos, bytes }) => [pos, bytes?.length ?? 0]);
    assertEquals([kept(), store.historyAt(other, 4), store.historyAt(other, 3)], [
      [[4, 0]],
      bytes(104),
      null,
    ]);
    store.append(other, entry(5, { epoch: 0 }));
    assertEquals([kept(), store.last(other).pos, store.historyAt(other, 4)], [
      [[4, 0], [5, 50]],
      5,
      bytes(104),
    ]);
    assertEquals(store.sweep(100), false);
    assertEquals(kept().length, 2);
    store.reapRoom(other);
    while (store.sweep(1));
    assertEquals([kept().map(([pos]) => pos), store.room(other)!.last], [[5], 5]);
  });
  storeTest("a room that is dropped is forgotten with its log", (store) => {
    store.createRoom({ id: bytes(8), kind: 2, name: "", maker: ira }, null);
    store.append(bytes(8), entry(1));
    store.dropRoom(bytes(8));
    store.flush();
    assertEquals([store.rooms().length, store.last(bytes(8)).pos], [1, 0]);
  });
  storeTest("5. a note is there once, and none before", (store) => {
    assertEquals(store.note("n"), null);
    store.putNote("n", bytes(1, 4));
    store.putNote("n", bytes(2, 4));
    assertEquals(store.note("n"), bytes(2, 4));
    store.dropNote("n");
    assertEquals(store.note("n"), null);
  });
  storeTest("5. a ban is there once, and goes", (store) => {
    const ended = { kind: "address", value: "lra", shown: "lra", until: 7, reason: "spam" } as const;
    store.putBan({ kind: "name", value: "lra", shown: "ira", until: null, reason: "" });
    store.putBan({ kind: "name", value: "lra", shown: "IRA", until: 5, reason: "" });
    store.putBan(ended);
    assertEquals(store.bans().map(({ until }) => until).toSorted(), [5, 7]);
    store.dropBan("name", "lra");
    assertEquals(store.bans(), [ended]);
  });
  storeTest("5. the first card of an id and of a name stays", (store) => {
    store.putCard(ira, "lra", bytes(5));
    store.putCard(ira, "other", bytes(6));
    store.putCard(sam, "lra", bytes(7));
    assertEquals([store.card(ira), store.card(sam), store.idByName("lra"), store.idByName("other")], [
      bytes(5),
      null,
      ira,
      null,
    ]);
  });
  storeTest(
    "8. a name that passes to another id is that id's alone; the old card can still be had",
    (store) => {
      store.putCard(ira, "lra", bytes(5));
      store.giveName("lra", sam);
      store.putCard(sam, "lra", bytes(7));
      assertEquals([store.card(ira), store.card(sam), store.idByName("lra")], [bytes(5), bytes(7), sam]);
      store.giveName("lra", ira);
      assertEquals([store.card(sam), store.idByName("lra")], [bytes(7), ira]);
    },
  );
  storeTest("5. the highest prekey stays", (store) => {
    assertEquals(store.prekey(ira), null);
    store.putPrekey(ira, 5, bytes(5));
    store.putPrekey(ira, 4, bytes(4));
    store.putPrekey(ira, 2 ** 32 - 1, bytes(9));
    assertEquals(store.prekey(ira), { prekeyId: 2 ** 32 - 1, bytes: bytes(9) });
  });
  storeTest("rooms are found by id and by the skeleton of their name", (store) => {
    store.createRoom({ id: bytes(8), kind: 1, name: "", maker: ira }, null);
    assertEquals(store.roomByName("lobby")?.id, room);
    assertEquals(store.roomByName("nope"), null);
    assertEquals(store.rooms().length, 2);
  });
  storeTest("commits are found behind messages, the last and by their epoch", (store) => {
    assertEquals([store.lastCommit(room), store.commitOf(room, 0)], [null, null]);
    store.append(room, entry(1, { kind: 1, n: -1, epoch: 0 }));
    store.append(room, entry(2, { kind: 1, n: -1, epoch: 1 }));
    store.append(room, entry(3));
    assertEquals(store.lastCommit(room), { pos: 2, bytes: bytes(2, 50) });
    assertEquals(store.commitOf(room, 0), { pos: 1, bytes: bytes(1, 50) });
    assertEquals([store.commitOf(room, 1)?.pos, store.commitOf(room, 2)], [2, null]);
  });
  storeTest("a message is found by sender, epoch and number; commits never are", (store) => {
    store.append(room, entry(1, { kind: 1, n: -1 }));
    store.append(room, entry(2, { n: 0 }));
    store.append(room, entry(3, { n: 0, sender: sam }));
    store.append(room, entry(4, { n: 1 }));
    assertEquals([ira, sam, room].map((sender) => store.nextNumber(room, sender, 1)), [2, 1, 0]);
    store.append(room, entry(5, { n: 0, epoch: 2 }));
    assertEquals(store.message(room, 3, ira, 1, 1), { pos: 4, digest: bytes(4) });
    assertEquals([store.message(room, 0, ira, 1, 2), store.message(room, 0, ira, 1, -1)], [null, null]);
    assertEquals(store.message(room, 4, ira, 1, 1), null); // it was said by somebody who stood further on
    assertEquals([1, 2].map((epoch) => store.nextNumber(room, ira, epoch)), [0, 1]);
    assertEquals(store.nextNumber(bytes(9), ira, 1), 0);
  });
  storeTest("boxes are found by hash", (store) => {
    store.putBox(bytes(1), room, 1, bytes(9, 1605));
    store.putBox(bytes(1), room, 1, bytes(9, 1605));
    assertEquals([store.box(bytes(1)), store.box(bytes(2))], [bytes(9, 1605), null]);
  });
  storeTest("stays begin, end and begin again", (store) => {
    store.beginStay(room, ira, 1, null);
    store.beginStay(room, sam, 4, ira);
    store.endStay(room, sam, 7);
    store.beginStay(room, sam, 9, ira);
    assertEquals(store.stays(room, sam), [{ from: 4, until: 7 }, {
      from: 9,
      until: null,
    }]);
    store.endStay(room, ira, 10);
    assertEquals([store.roomsOf(sam), store.roomsOf(ira)], [[room], []]);
  });
  storeTest("a stay is unwanted until its owner has taken what came", (store) => {
    store.createRoom({ id: bytes(8), kind: 1, name: "", maker: ira }, null);
    store.beginStay(room, ira, 1, null);
    store.beginStay(room, sam, 1, ira);
    store.beginStay(bytes(8), sam, 1, bytes(9));
    const of = (id: Bytes) => Object.values(store.unwantedStays(id, ira));
    assertEquals([of(ira), of(sam)], [[0, 0], [2, 1]]);
    assertEquals([store.isStayWanted(room, ira), store.isStayWanted(room, sam)], [true, false]);
    store.wantStay(room, sam);
    assertEquals([store.isStayWanted(room, sam), ...of(sam)], [true, 1, 0]);
    store.endStay(bytes(8), sam, 2);
    assertEquals(of(sam), [0, 0]);
  });
  storeTest("5. joins keep their order; joining anew goes to the end", (store) => {
    store.putJoin(room, ira, 1);
    store.putJoin(room, sam, 2);
    store.putJoin(room, ira, 3);
    assertEquals(store.joins(room), [{ id: sam, time: 2 }, { id: ira, time: 3 }]);
    store.dropJoin(room, sam);
    assertEquals(store.joins(room).length, 1);
  });
  storeTest("5. the newest leave of a member stays", (store) => {
    store.putLeave(room, { id: ira, epoch: 1, signature: bytes(1, 64) });
    store.putLeave(room, { id: ira, epoch: 2, signature: bytes(2, 64) });
    assertEquals(store.leaves(room), [{ id: ira, epoch: 2, signature: bytes(2, 64) }]);
    store.dropLeave(room, ira);
    assertEquals(store.leaves(room), []);
  });
}

function inDir(act: (dir: string) => void): () => void {
  return () => {
    const dir = Deno.makeTempDirSync();
    try {
      act(dir);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  };
}
const open = (dir: string) => new SqliteStore(`${dir}/rooms.db`, seededRandom("run"));

test(
  "sqlite store: 2. what was flushed is there when it is opened again, under the same run id; the file is 0600",
  inDir((dir) => {
    const store = open(dir);
    store.createRoom({ id: room, kind: 1, name: "Lobby", maker: ira }, "lobby");
    store.append(room, entry(1));
    store.close();
    const again = open(dir);
    assertEquals([again.last(room).pos, again.runId], [1, store.runId]);
    again.close();
    if (Deno.build.os !== "windows") assertEquals(Deno.statSync(`${dir}/rooms.db`).mode! & 0o777, 0o600);
  }),
);
test(
  "sqlite store: a second server on the same file is refused, with a hint",
  inDir((dir) => {
    const store = open(dir);
    const error = assertThrows(() => open(dir), StoreFailed);
    assertNotEquals(error.hint, "");
    store.close();
  }),
);
test(
  "sqlite store: 3. a write that fails undoes everything since the flush before it",
  inDir((dir) => {
    const store = open(dir);
    store.createRoom({ id: room, kind: 1, name: "Lobby", maker: ira }, "lobby");
    store.append(room, entry(1));
    store.flush();
    store.append(room, entry(2));
    assertThrows(() => store.append(room, entry(2)), StoreFailed);
    assertEquals(store.last(room).pos, 1);
    store.append(room, entry(2));
    store.flush();
    assertEquals([store.last(room).pos, store.room(room)!.bytes], [2, 100]);
    store.close();
    const again = open(dir);
    assertEquals([again.last(room).pos, again.room(room)!.bytes], [2, 100]);
    again.close();
  }),
);
test(
  "sqlite store: 3. what is undone was never there, counts included",
  inDir((dir) => {
    const store = open(dir);
    store.createRoom({ id: room, kind: 1, name: "Lobby", maker: ira }, "lobby");
    store.append(room, entry(1));
    store.flush();
    store.append(room, entry(2));
    store.putNote("n", bytes(1, 4));
    store.undo();
    assertEquals([store.last(room).pos, store.room(room)!.bytes, store.note("n")], [1, 50, null]);
    store.undo();
    store.append(room, entry(2));
    store.flush();
    assertEquals(store.last(room).pos, 2);
    store.close();
  }),
);
test(
  "sqlite store: an old copy begins anew in another run; people and bans stay",
  inDir((dir) => {
    const store = open(dir);
    store.putCard(ira, "lra", bytes(5));
    store.createRoom({ id: room, kind: 1, name: "Lobby", maker: ira }, "lobby");
    store.append(room, entry(1));
    store.putBan({ kind: "name", value: "x", shown: "x", until: null, reason: "" });
    store.flush();
    const before = store.runId;
    // Not on disk yet.
    store.append(room, { ...entry(2), kind: 1, n: -1, epoch: 7 });
    store.append(room, { ...entry(3), kind: 2, n: 5, epoch: 7, sender: entry(1).sender });
    store.beginAnew(seededRandom("another run")(16));
    store.createRoom({ id: bytes(40), kind: 1, name: "New", maker: ira }, "new");
    store.append(bytes(40), { ...entry(1), kind: 1, n: -1, sender: bytes(41) });
    store.flush();
    assertEquals(store.nextNumber(bytes(40), bytes(41), 7), 0);
    store.dropRoom(bytes(40));
    store.close();
    const again = open(dir);
    assertNotEquals(again.runId, before);
    assertEquals([again.rooms(), again.entries(room, 1, 9), again.roomByName("lobby")], [[], [], null]);
    assertEquals([again.idByName("lra"), again.bans().length], [ira, 1]);
    again.close();
  }),
);
test(
  "sqlite store: a file that is no database is refused, with a hint",
  inDir((dir) => {
    Deno.writeTextFileSync(
      `${dir}/rooms.db`,
      "not a database at all, but long enough to be looked at".repeat(50),
      { mode: 0o600 },
    );
    assertThrows(() => open(dir), StoreFailed);
  }),
);

for (const [what, version] of [["version 1 of the protocol", 5], ["newer version", 299]] as const) {
  test(
    `sqlite store: a file of a ${what} is refused by name`,
    inDir((dir) => {
      const path = `${dir}/rooms.db`;
      const other = new DatabaseSync(path);
      other.exec(`CREATE TABLE about (key TEXT) STRICT; PRAGMA user_version = ${version}`);
      other.close();
      Deno.chmodSync(path, 0o600);
      assertThrows(() => open(dir), StoreFailed, what);
    }),
  );
}
