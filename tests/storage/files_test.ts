import { test } from "../fakes/test.ts";
import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { History, historyKept } from "../../lib/protocol/group/history.ts";
import { RoomFiles } from "../../lib/client/rooms/room_files.ts";
import { newRoomState } from "../../lib/client/rooms/room_state.ts";
import { KnownKeys } from "../../lib/client/trust/known_keys.ts";
import { OwnPrekeys } from "../../lib/client/connection/own_prekeys.ts";
import {
  hasKeys,
  KeyExists,
  keyPaths,
  openKeys,
  readPrivateKey,
  writeKeys,
} from "../../lib/storage/key_files.ts";
import { InUse, Lock } from "../../lib/storage/lock.ts";
import { FileTrouble, refuseForeign, systemTrouble, trouble } from "../../lib/storage/file_trouble.ts";
import { FileExposed, readPrivate, writeAtomically } from "../../lib/storage/private_file.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { person } from "../fakes/people.ts";

const ira = await person("ira");
const bytes = (text: string) => new TextEncoder().encode(text);

function inDir(name: string, act: (dir: string) => void | Promise<void>): void {
  test(name, async () => {
    const dir = Deno.makeTempDirSync();
    try {
      await act(dir);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });
}
const posix = Deno.build.os !== "windows";

inDir("a private file is written 0600, replaced in one step, and refused when others can open it", (dir) => {
  const path = `${dir}/f`;
  writeAtomically(path, bytes("one"));
  writeAtomically(path, bytes("two"));
  assertEquals(readPrivate(path), bytes("two"));
  assertEquals([...Deno.readDirSync(dir)].length, 1);
  if (!posix) return;
  for (const mode of [0o640, 0o604, 0o644, 0o660]) {
    Deno.chmodSync(path, mode);
    assertThrows(() => readPrivate(path), FileExposed, mode.toString(8));
  }
});
inDir("a link in the place of a private file is refused", (dir) => {
  writeAtomically(`${dir}/real`, bytes("x"));
  Deno.symlinkSync(`${dir}/real`, `${dir}/link`);
  assertThrows(() => readPrivate(`${dir}/link`), FileTrouble, "symbolic link");
});
inDir("a temporary file of a run that was cut does not stand in the way", (dir) => {
  Deno.writeTextFileSync(`${dir}/f.tmp`, "half", { mode: 0o666 });
  writeAtomically(`${dir}/f`, bytes("whole"));
  assertEquals(readPrivate(`${dir}/f`), bytes("whole"));
});
inDir("a lock is held by one, and free again when it is let go", (dir) => {
  const lock = Lock.take(`${dir}/lock`, "It", "wait");
  assertThrows(() => Lock.take(`${dir}/lock`, "It", "wait"), InUse);
  lock.release();
  lock.release();
  Lock.take(`${dir}/lock`, "It", "wait").release();
});
inDir("keys are never overwritten without force, which keeps the old ones", async (dir) => {
  const write = (force: boolean) => writeKeys(dir, "client", ira.secrets, null, systemRandom, force);
  assertEquals(hasKeys(dir, "client"), false);
  await write(false);
  await assertRejects(() => write(false), KeyExists);
  await write(true);
  assertEquals(Deno.readTextFileSync(`${keyPaths(dir, "client").private}.bak`), ira.privatePem);
});
inDir(
  "a public key file that is not that of the private one is noticed; a missing one is made anew",
  async (dir) => {
    await writeKeys(dir, "client", ira.secrets, null, systemRandom, false);
    const { private: _, public: path } = keyPaths(dir, "client");
    const { text } = readPrivateKey(dir, "client");
    const good = Deno.readTextFileSync(path);
    Deno.removeSync(path);
    assertEquals(openKeys(dir, "client", text, null), ira.secrets);
    assertEquals(Deno.readTextFileSync(path), good);
    Deno.writeTextFileSync(path, good.replace(/[A-Z]/, "z"));
    assertThrows(() => openKeys(dir, "client", text, null), FileTrouble, "does not belong");
  },
);
inDir("sealed files open for their owner, under their name, unchanged; and for nobody else", async (dir) => {
  const files = await SealedFiles.open(dir, ira.identity, systemRandom);
  files.write("a", bytes("planted"));
  files.write("b", bytes("other"));
  assertEquals([files.read("a"), files.read("nope")], [bytes("planted"), null]);
  const again = await SealedFiles.open(dir, ira.identity, systemRandom);
  assertEquals(again.read("a"), bytes("planted"));
  const raw = Deno.readFileSync(`${dir}/a`);
  assertEquals(new TextDecoder("latin1").decode(raw).includes("planted"), false);
  Deno.copyFileSync(`${dir}/a`, `${dir}/b`);
  assertThrows(() => files.read("b"), FileTrouble, "changed");
  raw[20] ^= 1;
  Deno.writeFileSync(`${dir}/a`, raw);
  assertThrows(() => files.read("a"), FileTrouble, "changed");
  const dana = await person("dana");
  await assertRejects(() => SealedFiles.open(dir, dana.identity, systemRandom), FileTrouble, "other keys");
});
inDir("equal states are sealed to unequal bytes", async (dir) => {
  const files = await SealedFiles.open(dir, ira.identity, systemRandom);
  const write = () => {
    files.write("a", bytes("same"));
    return Deno.readFileSync(`${dir}/a`).join();
  };
  assertEquals(write() === write(), false);
});
inDir("a room comes back with its whole history, across segments, and files stay bounded", async (dir) => {
  const files = new RoomFiles(await SealedFiles.open(dir, ira.identity, systemRandom));
  const id = new Uint8Array(32).fill(4);
  let history = new History({ pos: 700, hash: id });
  const state = { ...newRoomState(id, "lobby"), status: "in" as const };
  for (let i = 0; i < 22_000; i++) {
    history = history.after(new Uint8Array(32).fill(i));
    if (i % 997 === 0 || i === 21_999) files.save({ ...state, history });
  }
  const [loaded] = new RoomFiles(await SealedFiles.open(dir, ira.identity, systemRandom)).load();
  assertEquals(loaded.history!.view, history.view);
  const { pos } = history.view;
  for (const back of [0, 1, 1023, 1024, 5000, historyKept - 1]) {
    assertEquals(loaded.history!.at(pos - back), history.at(pos - back));
  }
  assertEquals(loaded.name, "lobby");
  assertEquals([...Deno.readDirSync(dir)].length < 26, true);
  files.remove(id);
  assertEquals(files.load().length, 0);
});
inDir("pins are kept, replaced by a later line, and compared by skeleton", (dir) => {
  const server = new Uint8Array(32).fill(1);
  const [a, b] = [ira.card.id, new Uint8Array(32).fill(9)];
  const clock = new FakeClock();
  const at = clock.now() / 1000;
  const known = new KnownKeys(dir, clock);
  known.pinServer("127.0.0.1:9443", a, 1);
  known.pinUser(server, "Bill", a);
  known.pinUser(server, "Bill", b);
  clock.advance(60_000);
  known.pinUser(server, "Bill", b, true);
  known.pinRoom(server, "lobby", b);
  const again = new KnownKeys(dir);
  assertEquals(again.server("127.0.0.1:9443"), a);
  assertEquals(again.user(server, "bi1l"), { id: b, verified: true, at, verifiedAt: at + 60 });
  assertEquals([
    again.conflicts(server, "BILL", a),
    again.conflicts(server, "BILL", b),
    again.conflicts(server, "new", a),
  ], [true, false, false]);
  assertEquals(again.room(server, "LOBBY"), b);
});
inDir("a last pin line that a crash cut is passed over; a broken line inside is not", (dir) => {
  const known = new KnownKeys(dir);
  known.pinServer("h:1", ira.card.id, 1);
  Deno.writeTextFileSync(`${dir}/known.jsonl`, '{"kind":"serv', { append: true });
  assertEquals(new KnownKeys(dir).server("h:1"), ira.card.id);
  Deno.writeTextFileSync(`${dir}/known.jsonl`, "x\n", { append: true });
  assertThrows(() => new KnownKeys(dir), Error, "Line 3");
});
inDir(
  "own prekeys: one a day, stored before use, old ones erased 48 h after the next was confirmed and at their end",
  async (dir) => {
    const clock = new FakeClock();
    const files = await SealedFiles.open(dir, ira.identity, systemRandom);
    const open = () => new OwnPrekeys(files, ira.identity, clock);
    const day = 86_400_000;
    const first = await open().newest();
    assertEquals((await open().newest()).prekeyId, first.prekeyId);
    clock.advance(day);
    const prekeys = open();
    const second = await prekeys.newest();
    assertEquals(second.prekeyId > first.prekeyId, true);
    clock.advance(3 * day);
    prekeys.erase();
    assertEquals(prekeys.find(first.prekeyId) !== undefined, true); // the server has not confirmed the second
    prekeys.confirmed();
    clock.advance(2 * day - 1000);
    prekeys.erase();
    assertEquals(prekeys.find(first.prekeyId) !== undefined, true);
    clock.advance(1000);
    prekeys.erase();
    assertEquals([prekeys.find(first.prekeyId), open().find(first.prekeyId)], [undefined, undefined]);
    assertEquals(prekeys.find(second.prekeyId)?.prekeyId, second.prekeyId);
    clock.advance(31 * day);
    prekeys.erase();
    assertEquals(prekeys.find(second.prekeyId), undefined);
  },
);
// Found by review: a prekey whose private part could not be stored was published all the same.
inDir("a prekey that cannot be stored is not used", async (dir) => {
  const clock = new FakeClock();
  const files = await SealedFiles.open(dir, ira.identity, systemRandom);
  const prekeys = new OwnPrekeys(files, ira.identity, clock);
  const { write } = SealedFiles.prototype;
  SealedFiles.prototype.write = () => {
    throw new FileTrouble("the disk is full", "free some space");
  };
  try {
    await assertRejects(() => prekeys.newest(), FileTrouble);
    await assertRejects(() => prekeys.newest(), FileTrouble);
  } finally {
    SealedFiles.prototype.write = write;
  }
  const made = await prekeys.newest();
  assertEquals(new OwnPrekeys(files, ira.identity, clock).find(made.prekeyId)?.prekeyId, made.prekeyId);
});

inDir(
  "a public file that another program has given other line ends still belongs to its private one",
  async (dir) => {
    await writeKeys(dir, "client", ira.secrets, null, systemRandom, false);
    const { public: path } = keyPaths(dir, "client");
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replaceAll("\n", "\r\n"));
    const { text } = readPrivateKey(dir, "client");
    assertEquals(openKeys(dir, "client", text, null).seed, ira.secrets.seed);
    Deno.writeTextFileSync(path, "something else");
    assertThrows(() => openKeys(dir, "client", text, null), FileTrouble, "does not belong");
  },
);

const errors: [what: string, error: Error, message: RegExp][] = [
  [
    "no locks",
    new Error("No locks available (os error 37)"),
    /Cannot lock "\/p": the disk that it is on does not/,
  ],
  [
    "no such operation",
    new Deno.errors.NotSupported("Operation not supported (os error 95)"),
    /does not support/,
  ],
  ["not implemented", new Error("Function not implemented (os error 38)"), /does not support/],
  ["a used-up share", new Error("Disk quota exceeded (os error 122)"), /your share of the disk/],
  ["a failing disk", new Error("Input/output error (os error 5): open '/p'"), /"\/p": Input\/output error$/],
  ["a stale mount", new Error("Stale file handle (os error 116)"), /"\/p": Stale file handle$/],
];
for (const [what, error, message] of errors) {
  test(`an error of the system (${what}) is a sentence with the path and a hint, without numbers`, () => {
    const told = trouble("lock", "/p", error);
    assertMatch(told.message, message);
    assertEquals(/os error/.test(told.message + told.hint) || told.hint === "", false);
  });
}
test("an error that nobody has put into words is still told as the system's, and a fault of ours is not", () => {
  const told = systemTrouble(new Deno.errors.Busy("Device busy (os error 16): rename '/a/b' -> '/a/c'"))!;
  assertEquals(told.message, 'Cannot use "/a/b": Device busy');
  assertMatch(
    systemTrouble(new Error("Broken (os error 99)"))!.message,
    /^The system refused something: Broken$/,
  );
  for (const bug of [new TypeError("x is not a function"), new Error("a bug"), "text"]) {
    assertEquals(systemTrouble(bug), null);
  }
});
inDir(
  "a folder that somebody else owns is named, with the chown; folders above ours are not asked for",
  (dir) => {
    const own = `${dir}/chat/profiles/ira`;
    Deno.mkdirSync(`${dir}/chat`);
    const asUser = (uid: number, act: () => void) => {
      const { uid: real } = Deno;
      Deno.uid = () => uid;
      try {
        act();
      } finally {
        Deno.uid = real;
      }
    };
    const ownUid = Deno.uid()!;
    asUser(ownUid + 7, () => {
      const error = assertThrows(() => refuseForeign("The profile", own, `${dir}/chat`), FileTrouble);
      assertMatch(error.message, ownUid === 0 ? /belongs to root/ : /belongs to another user/);
      // What stands in somebody else's folder may be the system's.
      assertEquals(error.hint, "choose another place with --home DIR");
      refuseForeign("The profile", `${dir}/other/x`, `${dir}/other`);
      if (ownUid !== 0) return;
      Deno.chownSync(dir, 7, null);
      const mine = assertThrows(() => refuseForeign("The profile", own, `${dir}/chat`), FileTrouble);
      assertMatch(mine.hint, new RegExp(`chown -R "\\$\\(id -un\\)" ${dir}/chat;`));
      Deno.mkdirSync(own, { recursive: true });
      const there = trouble("read", `${own}/state`, new Deno.errors.PermissionDenied("x"));
      assertMatch(there.message, /permission denied|belongs to root/);
    });
    asUser(ownUid, () => refuseForeign("The profile", own, `${dir}/chat`));
  },
);
