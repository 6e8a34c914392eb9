/** How a room is kept: whatever changes, what is read again is what was saved, and a line costs the same however many there are. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { systemRandom } from "../../lib/crypto/random.ts";
import { RoomFiles } from "../../lib/client/rooms/room_files.ts";
import { newRoomState, type OutboxItem, type RoomState } from "../../lib/client/rooms/room_state.ts";
import type { MessageEvent } from "../../lib/client/room_events.ts";
import { History } from "../../lib/protocol/group/history.ts";
import { Seen } from "../../lib/protocol/group/seen.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { FileTrouble } from "../../lib/storage/file_trouble.ts";
import { person } from "../fakes/people.ts";
import { seededNumbers } from "../fakes/sampled.ts";

const { identity } = await person("ira");
const id = new Uint8Array(32).fill(4);

async function inDir(act: (open: () => Promise<RoomFiles>, dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync();
  try {
    const open = async () => new RoomFiles(await SealedFiles.open(dir, identity, systemRandom));
    await act(open, dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function item(n: number): OutboxItem {
  const msgId = new Uint8Array(16).fill(n);
  return { msgId, type: 1, timeMs: n, body: new Uint8Array(40).fill(n), sealed: null, failed: false };
}

function entered(): RoomState {
  return { ...newRoomState(id, "lobby"), status: "in", history: new History({ pos: 0, hash: id }) };
}

/** What can be held against another: the running hash and what was seen as data. */
function told({ history, seen, ...rest }: RoomState) {
  const { first, view } = history!;
  const back = [0, 1, 700, 1024, 5000].map((n) => view.pos - n >= first ? history!.at(view.pos - n) : null);
  return { rest, view, back, seen: seen.map((each) => each.keys().toSorted()) };
}

/** Changes something, as rooms do: some of it in place. */
function change(state: RoomState, kind: number, random: () => number): void {
  const n = Math.floor(random() * 200);
  const key = `${n % 5}`;
  switch (kind) {
    case 0:
      state.outbox.push(...Array.from({ length: 1 + n % 4 }, (_, i) => item(n + i)));
      break;
    case 1:
      for (const each of state.outbox.slice(0, 3)) {
        each.sealed = { epoch: 1, n, bytes: new Uint8Array(60).fill(n) };
      }
      break;
    case 2:
      state.outbox = state.outbox.filter((_, i) => i !== n % 3);
      state.said = [...state.said ?? [], `${n}`].slice(-5);
      break;
    case 3:
      for (let i = 0; i < 1 + n * 7; i++) state.history = state.history!.after(new Uint8Array(32).fill(i));
      break;
    case 4:
      state.seen = [state.seen[0], state.seen[1].with(`${state.seen[1].length} ${n} ${random()}`)];
      state.chains = { ...state.chains, [key]: { key: new Uint8Array(32).fill(n), n } };
      break;
    case 5:
      state.seen = [state.seen[1], new Seen()];
      state.chains = { [key]: { key: null, n } };
      state.epochMessages = n;
      break;
    case 6:
      state.held ??= [];
      state.held.push({ type: "message", text: `${n}`, msgId: `${n}` } as MessageEvent);
      break;
    case 7:
      if (n % 2) state.held?.shift();
      else state.held = [];
      break;
    case 8:
      state.alarm = n % 2 ? "hides" : null;
      state.proved = { pos: n, signature: new Uint8Array(64).fill(n) };
      break;
    case 9:
      for (const each of state.outbox) each.failed = n % 2 === 0;
      if (n % 3) delete state.held;
      break;
    case 10:
      // Another history: we have come in anew.
      state.history = new History({ pos: n * 10, hash: new Uint8Array(32).fill(n) });
      state.seen = [new Seen(), new Seen([`${random()}`])];
  }
}

test("property: what is read again is what was saved, whatever was changed and however", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(10), fc.nat(3)), { maxLength: 60 }),
      fc.nat(),
      async (steps, seed) => {
        await inDir(async (open) => {
          const random = seededNumbers(seed);
          let [files, state] = [await open(), entered()];
          for (const [kind, then] of steps) {
            change(state, kind, random);
            if (then > 0) files.save(state);
            if (then === 2) files.settle(id);
            if (then < 3) continue;
            files = await open();
            const [loaded] = files.load();
            assertEquals(told(loaded), told(state));
            state = loaded;
          }
        });
      },
    ),
    { numRuns: 40 },
  );
});
test("messages of the last two epochs stay known, however many positions ago, and older files go", async () => {
  await inDir(async (open, dir) => {
    const [files, state] = [await open(), entered()];
    const goOn = (positions: number) => {
      for (let i = 0; i < positions; i++) {
        state.history = state.history!.after(new Uint8Array(32));
        if (i % 500 === 0) files.save(state);
      }
    };
    state.seen = [new Seen(), new Seen(["long ago"])];
    goOn(25_000);
    assertEquals((await open()).load()[0].seen[1].keys(), ["long ago"]);
    state.seen = [state.seen[1], new Seen(["then"])];
    goOn(25_000);
    assertEquals((await open()).load()[0].seen.map((each) => each.keys()), [["long ago"], ["then"]]);
    state.seen = [state.seen[1], new Seen(["now"])];
    goOn(30_000);
    files.settle(id);
    assertEquals((await open()).load()[0].seen.map((each) => each.keys()), [["then"], ["now"]]);
    const trails = () => [...Deno.readDirSync(dir)].filter(({ name }) => name.includes("trail")).length;
    assert(trails() < 60, `${trails()}`);
    state.seen = [state.seen[1], new Seen()];
    goOn(2000);
    state.seen = [state.seen[1], new Seen()];
    goOn(20_000);
    files.settle(id);
    assert(trails() < 25, `${trails()}`);
  });
});
test("a change that the disk refuses leaves what was there, and is written with the next one", async () => {
  await inDir(async (open) => {
    const [files, state] = [await open(), entered()];
    files.save(state);
    state.outbox.push(item(1));
    const { writeSync } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.writeSync = function (bytes) {
      writeSync.call(this, bytes.subarray(0, 10));
      throw new Error("No space left on device (os error 28)");
    };
    try {
      assertThrows(() => files.save(state), FileTrouble);
    } finally {
      Deno.FsFile.prototype.writeSync = writeSync;
    }
    assertEquals((await open()).load()[0].outbox, []);
    state.outbox.push(item(2));
    files.save(state);
    assertEquals(told((await open()).load()[0]), told(state));
  });
});
test("a record that was cut is left out; one of an older file does not fit into a newer one", async () => {
  await inDir(async (open, dir) => {
    const [files, state] = [await open(), entered()];
    const path = `${dir}/room-${"04".repeat(32)}.log`;
    files.save(state);
    const whole = Deno.statSync(path).size;
    state.outbox.push(item(1));
    files.save(state);
    const bytes = Deno.readFileSync(path);
    for (let cut = whole; cut < bytes.length; cut += 7) {
      Deno.writeFileSync(path, bytes.subarray(0, cut));
      assertEquals((await open()).load()[0].outbox, []);
    }
    // The same whole again, under another salt: the change is of the file before.
    Deno.writeFileSync(path, bytes);
    const again = await open();
    again.load();
    again.settle(id);
    const newer = Deno.readFileSync(path);
    Deno.writeFileSync(path, Uint8Array.from([...newer, ...bytes.subarray(whole)]));
    assertEquals((await open()).load()[0].outbox.length, 1); // from the whole, and not twice
    newer[whole - 1] ^= 1;
    // Without its first record there is no room, and no file either: it was not cut, but changed.
    for (const changed of [newer, newer.subarray(0, whole - 1), newer.subarray(0, 1), new Uint8Array(0)]) {
      Deno.writeFileSync(path, changed);
      assertThrows(() => again.load(), FileTrouble, "changed");
    }
  });
});
test("a line of a long paste is written once, and the whole now and then: under 4 kB a line at 1,200", async () => {
  await inDir(async (open) => {
    const [files, state] = [await open(), entered()];
    const { writeSync } = Deno.FsFile.prototype;
    let written = 0;
    Deno.FsFile.prototype.writeSync = function (bytes) {
      written += bytes.length;
      return writeSync.call(this, bytes);
    };
    try {
      for (let n = 0; n < 1200; n++) state.outbox.push({ ...item(n), body: new Uint8Array(100) });
      files.save(state);
      for (let n = 0; n < 1200; n++) {
        const [first] = state.outbox;
        first.sealed = { epoch: 1, n, bytes: new Uint8Array(560) };
        files.save(state);
        state.outbox = state.outbox.slice(1);
        state.history = state.history!.after(new Uint8Array(32));
        state.seen = [state.seen[0], state.seen[1].with(`${"a".repeat(64)} ${n} ${"b".repeat(28)}`)];
        files.save(state);
      }
    } finally {
      Deno.FsFile.prototype.writeSync = writeSync;
    }
    assert(written / 1200 < 4000, `${written / 1200} bytes a line`);
  });
});
test("a job of ten thousand messages is kept, whatever a record holds", async () => {
  await inDir(async (open) => {
    const [files, state] = [await open(), entered()];
    files.save(state);
    let seen = state.seen[1];
    for (let n = 0; n < 10_000; n++) {
      state.history = state.history!.after(new Uint8Array(32).fill(n));
      seen = seen.with(`${"a".repeat(64)} ${n.toString().padStart(32, "0")}`);
    }
    state.seen = [state.seen[0], seen];
    files.save(state);
    files.settle(id);
    const [loaded] = (await open()).load();
    assertEquals([loaded.seen[1].length, loaded.history!.view.pos], [10_000, 10_000]);
    assertEquals(told(loaded), told(state));
  });
});
test("once a room is quiet, what was in it is on no disk any more", async () => {
  await inDir(async (open, dir) => {
    const [files, state] = [await open(), entered()];
    files.save(state);
    const size = () => Deno.statSync(`${dir}/room-${"04".repeat(32)}.log`).size;
    const whole = size();
    state.outbox.push({ ...item(1), body: new Uint8Array(5000) });
    files.save(state);
    state.outbox = [];
    files.save(state);
    assert(size() > whole + 5000);
    files.settle(id);
    assert(size() < whole + 100, `${size()} ${whole}`);
  });
});
test("a room of an earlier version of this program is refused by name, and not taken for none", async () => {
  await inDir(async (open, dir) => {
    const files = await open();
    Deno.writeFileSync(`${dir}/room-${"04".repeat(32)}.state`, Uint8Array.of(2, 1), { mode: 0o600 });
    const error = assertThrows(() => files.load(), FileTrouble, "an earlier version");
    assert(error.hint.includes("move"));
  });
});
