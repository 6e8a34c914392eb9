/** Files between people, by real clients and a real server (protocol §8.3). */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { dirname, join } from "@std/path";
import { sha256 } from "../../lib/crypto/hash.ts";
import { FileSource } from "../../lib/client/files/file_source.ts";
import type { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import type { MessageEvent, RoomEvent } from "../../lib/client/room_events.ts";
import { chunkBytes, sealChunk } from "../../lib/protocol/file/file_chunk.ts";
import { sampled, some, times } from "../fakes/sampled.ts";
import { Connection } from "../../lib/client/connection/connection.ts";
import { RequestRefused } from "../../lib/client/connection/connection_errors.ts";
import { errorCodes } from "../../lib/protocol/channel/link_messages.ts";
import { BlobsFailed } from "../../lib/server/blobs/blob_bytes.ts";
import { DiskBlobs } from "../../lib/server/blobs/disk_blobs.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { until } from "../fakes/until.ts";
import { type Client, type World, worldTest } from "../fakes/world.ts";

const random = seededRandom("files");
const largeBytes = 12_000_000;
let seed = 1;
/** Other bytes each time: a hash for each 32 of them would take longer than the tests. */
function large(): Uint8Array {
  const words = new Uint32Array(largeBytes / 4);
  for (let i = 0; i < words.length; i++) words[i] = seed = Math.imul(seed, 1_664_525) + 1_013_904_223;
  return new Uint8Array(words.buffer);
}

/** Writes a file of this machine, as a person has it. */
async function made(world: World, name: string, content: Uint8Array = random(100_000)): Promise<string> {
  const path = join(world.dir, name);
  await Deno.writeFile(path, content);
  return path;
}
const folder = (world: World, name = "downloads") => join(world.dir, name);
const inFolder = (dir: string) => {
  try {
    return [...Deno.readDirSync(dir)];
  } catch {
    return []; // it is not there yet
  }
};
const has = (name: string) => (e: RoomEvent): e is MessageEvent =>
  e.type === "message" && e.file !== undefined && e.file.name === name;
const isSaved = (name: string) => (e: RoomEvent) => e.type === "saved" && e.name === name;
const room = ({ chat }: Client) => chat.conversation.room as MemberRoom;

async function two(world: World): Promise<[Client, Client]> {
  const downloadDir = folder(world);
  return [await world.enter("ira", { downloadDir }), await world.enter("dana", { downloadDir })];
}
/** Only dana may wait for it. */
async function getsIt(dana: Client, name: string): Promise<string> {
  await dana.view.until(has(name), name);
  dana.view.type(`/get ${name}`);
  const saved = await dana.view.until(isSaved(name), `saved ${name}`);
  return saved.type === "saved" ? saved.path : "";
}
async function assertSame(one: string, other: string): Promise<void> {
  const hashes = await Promise.all(
    [one, other].map(async (path) => encodeHex(sha256(await Deno.readFile(path)))),
  );
  assertEquals(hashes[0], hashes[1]);
}

for (
  const [what, size] of [["empty", 0], ["one byte", 1], ["one chunk", chunkBytes], [
    "two and a bit",
    2 * chunkBytes + 7,
  ]] as const
) {
  worldTest(`a file goes from one to the other, byte for byte: ${what}`, async (world) => {
    const [ira, dana] = await two(world);
    const path = await made(world, "report.pdf", random(size));
    ira.view.type(`/send ${path}`);
    const [told, own] = [await dana.view.until(has("report.pdf")), await ira.view.until(has("report.pdf"))];
    assert(told.type === "message" && own.type === "message");
    const { file, from, text } = told;
    assertEquals([from, text, own.own, file!.size], ["ira", "", true, size]);
    assertEquals(file!.sha256, encodeHex(sha256(await Deno.readFile(path))));
    const saved = await getsIt(dana, "report.pdf");
    assertEquals(saved, join(folder(world), "report.pdf"));
    await assertSame(path, saved);
    assertEquals((await Deno.stat(saved)).mode! & 0o777, 0o600);
    assertEquals(Object.keys(room(dana).files), []); // its key is gone
    assertEquals([...Deno.readDirSync(folder(world))].map(({ name }) => name), ["report.pdf"]);
    await until("nothing waits", () => room(ira).lines.unsent.length === 0);
    assertEquals([ira.view.warnings, dana.view.warnings], [[], []]);
  });
}

worldTest("two files of one name, fetched at once, do not meet", async (world) => {
  const [ira, dana] = await two(world);
  const contents = [random(40 * chunkBytes), random(40 * chunkBytes)];
  for (const content of contents) {
    ira.view.type(`/send ${await made(world, "same.bin", content)}`);
    await until(
      "told",
      () => dana.view.events.filter(has("same.bin")).length === contents.indexOf(content) + 1,
    );
  }
  dana.view.type("/get 1", "/get 2");
  await until("both", () => dana.view.events.filter(isSaved("same.bin")).length === 2);
  const saved = await Promise.all(
    ["same.bin", "same (2).bin"].map(async (name) =>
      encodeHex(sha256(await Deno.readFile(join(folder(world), name))))
    ),
  );
  assertEquals(saved.toSorted(), contents.map((content) => encodeHex(sha256(content))).toSorted());
  assertEquals([...Deno.readDirSync(folder(world))].length, 2);
});

worldTest(
  "who is away gets it later, in the room of two as well; it can be asked for by number",
  async (world) => {
    const [ira, dana] = await two(world);
    dana.chat.quit();
    await dana.done;
    for (const name of ["one.txt", "two.txt"]) {
      ira.view.type(`/send ${await made(world, name)}`);
      await ira.view.until(has(name));
    }
    const again = await world.enter("dana", { downloadDir: folder(world) });
    await again.view.until(has("two.txt"));
    await until("on the screen", () => again.chat.conversation.room !== null);
    again.view.type("/files");
    await until("listed", () => again.view.answers.length >= 2);
    assertMatch(again.view.answers[0], /^ {2}1 {2}two\.txt {2}100 kB, from ira, until /);
    again.view.type("/get 2");
    await again.view.until(isSaved("one.txt"));
    ira.view.type({ texts: ["for you"], to: "dana", file: await made(world, "secret.txt") });
    await ira.view.until(has("secret.txt"));
    again.view.type("/switch @ira");
    await getsIt(again, "secret.txt");
  },
);

worldTest(
  "nothing that is there is overwritten or followed, also a link that leads nowhere",
  async (world) => {
    const [ira, dana] = await two(world);
    const dir = folder(world);
    await Deno.mkdir(dir);
    await Deno.writeTextFile(join(dir, "a.txt"), "mine");
    await Deno.symlink(join(world.dir, "nowhere"), join(dir, "a (2).txt"));
    const path = await made(world, "a.txt");
    ira.view.type(`/send ${path}`);
    const saved = await getsIt(dana, "a.txt");
    assertEquals(saved, join(dir, "a (3).txt"));
    await assertSame(path, saved);
    assertEquals(await Deno.readTextFile(join(dir, "a.txt")), "mine");
    assertEquals([...Deno.readDirSync(world.dir)].some(({ name }) => name === "nowhere"), false);
  },
);

worldTest(
  "a name with a path or control characters is shown and written as something harmless",
  async (world) => {
    const [ira, dana] = await two(world);
    const path = await made(world, "\u001b[31mx\u202efdp.exe");
    ira.view.type({ texts: ["look"], file: path });
    const told = await dana.view.until((e) => e.type === "message" && e.file !== undefined);
    assert(told.type === "message");
    assertEquals([told.file!.name, told.text], ["_[31mxfdp.exe", "look"]);
  },
);

worldTest(
  "a server that is killed in the middle, twice, and a cut cost time only, up and down",
  async (world) => {
    const [ira, dana] = await two(world);
    const path = await made(world, "large.bin", large());
    ira.view.type(`/send ${path}`);
    await until(
      "it has begun",
      () => [...world.server.rooms.blobs.index.all()].some(({ next }) => next >= 16),
    );
    await world.crashServer();
    await world.startServer();
    ira.view.type("a line meanwhile");
    await dana.view.hears("ira: a line meanwhile");
    ira.cut();
    await dana.view.until(has("large.bin"));
    dana.view.type("/get");
    await until("some of it is here", () => {
      return partBytes(folder(world)) > 0.02 * largeBytes;
    });
    await world.crashServer();
    await world.startServer();
    await dana.view.until(isSaved("large.bin"), "saved");
    await assertSame(path, join(folder(world), "large.bin"));
  },
);

const cutFile = 40;
for (const way of ["BLOB_PUT", "BLOB_GET"] as const) {
  for (const at of some(3, cutFile)) {
    worldTest(
      `a cut at chunk ${at} of ${cutFile}, at ${way}, costs nothing but time (${sampled})`,
      async (world) => {
        const [ira, dana] = await two(world);
        const path = await made(world, "cut.bin", random(cutFile * chunkBytes - 5));
        const cutter = way === "BLOB_PUT" ? ira : dana;
        const { request } = Connection.prototype;
        let count = 0;
        Connection.prototype.request = function (make, ...answers) {
          if (make(0).type === way && ++count === at) queueMicrotask(() => cutter.cut());
          return request.call(this, make, ...answers) as never;
        };
        try {
          ira.view.type(`/send ${path}`);
          await assertSame(path, await getsIt(dana, "cut.bin"));
        } finally {
          Connection.prototype.request = request;
        }
        assert(count >= cutFile, `${count}`);
        assertEquals(inFolder(folder(world)).length, 1);
        assertEquals(world.server.rooms.blobs.index.size, 1);
      },
    );
  }
}

worldTest("a client that goes in the middle goes on when it is back, on both sides", async (world) => {
  let [ira, dana] = await two(world);
  const path = await made(world, "large.bin", large());
  ira.view.type(`/send ${path}`);
  await until("it has begun", () => [...world.server.rooms.blobs.index.all()].some(({ next }) => next >= 16));
  ira.chat.quit();
  await ira.done;
  const sent = [...world.server.rooms.blobs.index.all()];
  ira = await world.enter("ira");
  await dana.view.until(has("large.bin"));
  assertEquals(
    [...world.server.rooms.blobs.index.all()].map(({ id }) => encodeHex(id)),
    sent.map(({ id }) => encodeHex(id)),
  );
  dana.view.type("/get");
  await dana.view.until((e) => e.type === "progress" && e.way === "down");
  dana.chat.quit();
  await dana.done;
  dana = await world.enter("dana", { downloadDir: folder(world, "elsewhere") });
  await dana.view.until(isSaved("large.bin"));
  await assertSame(path, join(folder(world), "large.bin")); // where it was begun
});

worldTest("a file that changes while it is sent is sent anew, under other keys, and told", async (world) => {
  const [ira, dana] = await two(world);
  const path = await made(world, "log.txt", large());
  ira.view.type(`/send ${path}`);
  await until("it has begun", () => [...world.server.rooms.blobs.index.all()].some(({ next }) => next >= 16));
  const [{ id }] = [...world.server.rooms.blobs.index.all()];
  const changed = large();
  await Deno.writeFile(path, changed);
  const saved = await getsIt(dana, "log.txt");
  await assertSame(path, saved);
  assert(![...world.server.rooms.blobs.index.all()].some((blob) => encodeHex(blob.id) === encodeHex(id)));
  assertStringIncludes(ira.view.notices.join("\n"), "log.txt has changed while it was sent");
});

worldTest(
  "a member and the server together cannot give another file than was signed; nothing of it is kept",
  async (world) => {
    const [ira, dana] = await two(world);
    ira.view.type(`/send ${await made(world, "deal.txt", random(1000))}`);
    await dana.view.until(has("deal.txt"));
    const [offer] = Object.values(room(dana).files); // who is in the room has the key
    const key = { fileId: offer.fileId, key: offer.key, chunks: 1 };
    const plain = new Uint8Array(1024).fill(7, 0, 1000);
    await world.server.rooms.blobs.close();
    await Deno.writeFile(blobPath(world, offer.fileId), await sealChunk(key, 0, plain, random));
    dana.view.type("/get");
    const failed = await dana.view.until((e) => e.type === "download failed");
    assertMatch(failed.type === "download failed" ? failed.why : "", /it is not what ira has sent/);
    assertEquals([...Deno.readDirSync(folder(world))], []);
  },
);

worldTest(
  "a chunk that the server has changed is refused at once; another try is another try",
  async (world) => {
    const [ira, dana] = await two(world);
    const path = await made(world, "x.bin", random(3 * chunkBytes));
    ira.view.type(`/send ${path}`);
    await dana.view.until(has("x.bin"));
    const [{ fileId }] = Object.values(room(dana).files);
    await world.server.rooms.blobs.close();
    const sealed = await Deno.readFile(blobPath(world, fileId));
    const changed = sealed.slice();
    changed[chunkBytes + 100] ^= 1;
    await Deno.writeFile(blobPath(world, fileId), changed);
    dana.view.type("/get");
    await dana.view.until((e) => e.type === "download failed");
    assertEquals([...Deno.readDirSync(folder(world))], []);
    await world.server.rooms.blobs.close();
    await Deno.writeFile(blobPath(world, fileId), sealed);
    dana.view.type("/get x.bin");
    await dana.view.until(isSaved("x.bin"));
    await assertSame(path, join(folder(world), "x.bin"));
  },
);

/** Gives the first chunks only, until it is opened. */
class HeldDisk extends DiskBlobs {
  readonly open = Promise.withResolvers<void>();
  override async read(name: string, index: number, length: number) {
    if (index > 20) await this.open.promise;
    return await super.read(name, index, length);
  }
}
const heldDiskDir = await Deno.makeTempDir({ prefix: "chat-test-" });
const heldDisk = new HeldDisk(heldDiskDir);
function partBytes(dir: string): number {
  const [part] = inFolder(dir);
  return part === undefined ? 0 : Deno.statSync(join(dir, part.name)).size;
}
worldTest("who is put out gets nothing more of what is on its way", async (world) => {
  const [ira, dana] = await two(world);
  ira.view.type(`/send ${await made(world, "large.bin", large())}`);
  await dana.view.until(has("large.bin"));
  dana.view.type("/get");
  await until("some of it is here", () => partBytes(folder(world)) > 0);
  ira.view.type("/kick dana");
  await ira.view.until((e) => e.type === "removed");
  heldDisk.open.resolve();
  await until("it ends", () => [...Deno.readDirSync(folder(world))].length === 0, {
    instead: () => [...Deno.readDirSync(folder(world))].map(({ name }) => name).join(),
  });
  assertEquals(dana.view.events.some((e) => e.type === "saved"), false);
  await Deno.remove(heldDiskDir, { recursive: true });
}, { blobBytes: heldDisk });

worldTest(
  "what stands still when somebody is put out, or the room ends, leaves no part behind",
  async (world) => {
    const [ira, dana] = await two(world);
    ira.view.type(`/send ${await made(world, "large.bin", large())}`);
    await dana.view.until(has("large.bin"));
    const { write } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.write = () => Promise.reject(new Error("Input/output error (os error 5)"));
    try {
      dana.view.type("/get");
      const failed = await dana.view.until((e) => e.type === "download failed");
      assertMatch(failed.type === "download failed" ? failed.why : "", /^Cannot save a file in ".*": Input/);
    } finally {
      Deno.FsFile.prototype.write = write;
    }
    dana.view.type("/files");
    await until("listed", () => dana.view.answers.length > 0);
    assertMatch(dana.view.answers[0], /large\.bin .*, stopped: \/get goes on$/);
    assertEquals([...Deno.readDirSync(folder(world))].length, 1);
    await world.server.rooms.propose({ kind: "retire", room: room(ira).state.id });
    await until("no part is left", () => [...Deno.readDirSync(folder(world))].length === 0);
  },
);

worldTest("a file that never stands still is given up, in words", async (world) => {
  const [ira] = await two(world);
  const path = await made(world, "log.txt", random(40 * chunkBytes));
  const { digest } = FileSource.prototype; // as if it were written to each time
  FileSource.prototype.digest = () => random(32);
  try {
    ira.view.type(`/send ${path}`);
    const failed = await ira.view.until((e) => e.type === "failed");
    assertMatch(
      failed.type === "failed" ? failed.why : "",
      /"log.txt": it changes while it is sent; send a copy/,
    );
  } finally {
    FileSource.prototype.digest = digest;
  }
});

worldTest("/cancel ends what is on its way, in both directions, and leaves nothing behind", async (world) => {
  const [ira, dana] = await two(world);
  ira.view.type(`/send ${await made(world, "large.bin", large())}`);
  await until("it has begun", () => world.server.rooms.blobs.index.size === 1);
  ira.view.type("/cancel");
  await ira.view.until((e) => e.type === "cancelled");
  const told = ira.view.events.length;
  await until("it is gone", () => world.server.rooms.blobs.index.size === 0);
  const late = ira.view.events.slice(told).filter((e) => e.type === "progress");
  assertEquals(late, [], "nothing is told of it any more");
  ira.view.type(`/send ${await made(world, "b.bin", large())}`);
  await dana.view.until(has("b.bin"));
  dana.view.type("/get");
  await dana.view.until((e) => e.type === "progress" && e.way === "down");
  dana.view.type("/cancel b.bin");
  await dana.view.until((e) => e.type === "cancelled");
  await until("no part is left", () => [...Deno.readDirSync(folder(world))].length === 0);
  await getsIt(dana, "b.bin");
});

worldTest("a hundred small files at once all arrive, and a line between them", async (world) => {
  const [ira, dana] = await two(world);
  const names = Array.from({ length: 100 }, (_, i) => `f${i}.txt`);
  for (const name of names) ira.view.type(`/send ${await made(world, name, random(500))}`);
  ira.view.type("and a line");
  await dana.view.hears("ira: and a line");
  await until("all are told of", () => names.every((name) => dana.view.events.some(has(name))));
  for (const name of names) dana.view.type(`/get ${name}`);
  await until("all are saved", () => names.every((name) => dana.view.events.some(isSaved(name))));
  for (const name of [names[0], names[99]]) {
    await assertSame(join(world.dir, name), join(folder(world), name));
  }
}, { limits: { sendBurst: 1000, sendsPerSecond: 1000 } });

const refused: readonly [string, (world: World) => Promise<string> | string, RegExp][] = [
  ["a folder", (world) => world.dir, /it is a folder/],
  ["what is not there", (world) => join(world.dir, "none"), /there is no such file/],
  ["a pipe", (world) => pipe(world), /not a regular file/],
  [
    "what is too large",
    (world) => made(world, "big", random(200_000)),
    /has 200 kB, and this server takes 100 kB/,
  ],
];
for (const [what, path, why] of refused) {
  worldTest(`${what} is refused in words, and nothing else happens`, async (world) => {
    const [ira] = await two(world);
    ira.view.type(`/send ${await path(world)}`, "still here");
    await ira.view.hears("ira: still here");
    assertMatch(ira.view.warnings.join("\n"), why);
  }, { limits: { fileBytes: 100_000 } });
}

worldTest("what the server has no room for is told with its flag", async (world) => {
  const [ira] = await two(world);
  for (const name of ["a", "b"]) ira.view.type(`/send ${await made(world, name, random(50_000))}`);
  const failed = await ira.view.until((e) => e.type === "failed");
  assert(failed.type === "failed");
  assertMatch(failed.why, /--files-per-user/);
}, { limits: { filesPerUser: 100_000 } });

worldTest("a server without files, and a room of a key file, say why", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type(`/send ${await made(world, "a")}`);
  await until("told", () => ira.view.warnings.length > 0);
  assertMatch(ira.view.warnings[0], /this server takes no files/);
  const keyFile = await world.enter("dana", { fernetKey: random(32) });
  keyFile.view.type(`/send ${await made(world, "a")}`);
  await until("told", () => keyFile.view.warnings.length > 0);
  assertMatch(keyFile.view.warnings[0], /a room of a key file has no members/);
}, { limits: { filesBytes: 0 } });

worldTest("a service takes what is small enough, and no more than its folder may have", async (world) => {
  const ira = await world.enter("ira");
  const dir = folder(world);
  const bot = await world.join(
    "dana",
    { downloadDir: dir, take: { each: 1000, total: 1500 }, listen: true },
    false,
  );
  await bot.view.until((e) => e.type === "entered");
  for (const [name, size] of [["a", 900], ["large", 1001], ["b", 900], ["c", 500]] as const) {
    ira.view.type(`/send ${await made(world, name, random(size))}`);
    await bot.view.until(has(name));
    if (name === "a" || name === "c") await bot.view.until(isSaved(name));
  }
  assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).toSorted(), ["a", "c"]);
  assertMatch(bot.view.notices.join("\n"), /large was not taken[^]*b was not taken/);
});

worldTest("one that sends a file and goes waits until it is stored", async (world) => {
  const ira = await world.enter("ira");
  const path = await made(world, "large.bin", large());
  const bot = await world.join("dana", { send: [path], message: "of last night" }, false);
  assertEquals(await bot.done, 0);
  const told = await ira.view.until(has("large.bin"));
  assertEquals(told.type === "message" && told.text, "of last night");
});

worldTest("one whose file the server refuses in the end ends with the reason, and at once", async (world) => {
  const ira = await world.enter("ira");
  const bot = await world.join("dana", { listen: false }, false);
  await bot.view.until((e) => e.type === "entered");
  bot.view.type({ texts: [""], file: await made(world, "a.bin", random(200_000)) });
  bot.view.end();
  const ended = await bot.done;
  assert(ended instanceof Error, String(ended));
  const failed = bot.view.events.find((e) => e.type === "failed");
  assertMatch(failed?.type === "failed" ? failed.why : "", /--files-per-room/);
  assertEquals(ira.view.events.some(has("a.bin")), false);
}, { limits: { filesPerRoom: 100_000 } });

worldTest("one that has ended its only file ends itself, and with nothing lost", async (world) => {
  await world.enter("ira");
  const bot = await world.join("dana", {}, false);
  await bot.view.until((e) => e.type === "entered");
  let id = "";
  const path = await made(world, "large.bin", large());
  bot.view.type({ texts: [""], file: path, pending: (told: string) => id = told });
  await until("it is on its way", () => id !== "" && world.server.rooms.blobs.index.size > 0);
  bot.view.type({ wish: "cancel", id });
  bot.view.end();
  assertEquals(await bot.done, 0);
});

worldTest("one whose file can never begin to move ends when its time is up", async (world) => {
  await world.enter("ira");
  const dana = await world.enter("dana");
  dana.chat.quit();
  await dana.done;
  const { request } = Connection.prototype;
  Connection.prototype.request = function (make, ...answers) {
    if (make(0).type === "BLOB_NEW") return Promise.reject(new RequestRefused(errorCodes.LIMIT));
    return request.call(this, make, ...answers) as never;
  };
  try {
    const path = await made(world, "a.bin");
    const bot = await world.join("sahnawaz", { send: [path], to: "dana", joinTimeoutMs: 2_500 }, false);
    const ended = await bot.done;
    assert(ended instanceof Error, String(ended));
    assertMatch(ended.message, /^Not everything was sent/);
  } finally {
    Connection.prototype.request = request;
  }
});

worldTest("one whose file is refused ends with an error", async (world) => {
  await world.enter("ira");
  const bot = await world.join("dana", { send: [await made(world, "big", random(200_000))] }, false);
  const ended = await bot.done;
  assert(ended instanceof Error, String(ended));
}, { limits: { fileBytes: 100_000 } });

worldTest("a file that shrinks under the hash is no fault of this program", async (world) => {
  const path = await made(world, "short", random(10));
  const source = await FileSource.open(path);
  await source.skipTo(1000, () => true);
  assertEquals(source.digest(), sha256(await Deno.readFile(path)));
  source.close();
});

function blobPath(world: World, fileId: Uint8Array): string {
  const name = encodeHex(fileId);
  return join(world.dir, "blobs", name.slice(0, 2), name);
}

async function pipe(world: World): Promise<string> {
  const path = join(world.dir, "pipe");
  await new Deno.Command("sh", { args: ["-c", `mkfifo '${path}'`] }).output();
  return path;
}

worldTest(
  `five gigabytes: the last chunks, beyond 4 GiB, go up and down as the first ones do (${sampled})`,
  async (world) => {
    let [ira, dana] = await two(world);
    const size = times(300, 5120) * 1024 ** 2, chunks = Math.ceil(size / chunkBytes), known = chunks - 20;
    const path = join(world.dir, "sparse.bin");
    await Deno.writeFile(path, new Uint8Array(0));
    await Deno.truncate(path, size);
    const file = await Deno.open(path, { write: true });
    await file.seek(size - 1_000_000, Deno.SeekMode.Start);
    await file.write(random(1_000_000));
    file.close();
    ira.view.type(`/send ${path}`);
    const { index } = world.server.rooms.blobs;
    await until("it has begun", () => index.size === 1, { timeoutMs: 60_000 });
    ira.chat.quit();
    await ira.done;
    await world.crashServer();
    await world.startServer();
    // What the server has of it already: as if all but the last chunks had come before.
    const { blobs } = world.server.rooms;
    const [{ id }] = [...blobs.index.all()];
    await world.server.rooms.propose({ kind: "blob at", id, next: known });
    await Deno.mkdir(dirname(blobPath(world, id)), { recursive: true });
    await Deno.writeFile(blobPath(world, id), new Uint8Array(0), { mode: 0o600 });
    await Deno.truncate(blobPath(world, id), known * (chunkBytes + 48));
    ira = await world.enter("ira");
    const told = await dana.view.until(has("sparse.bin"), "told of").catch(async () =>
      await dana.view.until(has("sparse.bin"))
    );
    assert(told.type === "message");
    assertEquals((await Deno.stat(blobPath(world, id))).size, chunks * (chunkBytes + 48));
    const part = join(world.dir, ".sparse.bin.part");
    await Deno.writeFile(part, new Uint8Array(0));
    await Deno.truncate(part, known * chunkBytes); // all of it zeros, as the file is
    const offer = room(dana).files[told.msgId];
    room(dana).setFile(told.msgId, { ...offer, part });
    dana.chat.quit();
    await dana.done;
    dana = await world.enter("dana");
    await until("it is saved", () => dana.view.events.some((e) => e.type === "saved"), { timeoutMs: 60_000 });
    assertEquals((await Deno.stat(join(world.dir, "sparse.bin"))).size, size);
    assertEquals(
      dana.view.events.filter((e) => e.type === "saved" && e.path.endsWith("sparse (2).bin")).length,
      1,
    );
  },
  {
    limits: {
      fileBytes: 2 ** 40,
      filesPerUser: 2 ** 40,
      filesPerRoom: 2 ** 40,
      filesPerAddress: 2 ** 40,
      filesBytes: 2 ** 40,
    },
  },
);

worldTest(
  "a room that is ended while a file is on its way ends the way of it, and says so",
  async (world) => {
    const [ira, dana] = await two(world);
    ira.view.type(`/send ${await made(world, "large.bin", large())}`);
    await until(
      "it has begun",
      () => [...world.server.rooms.blobs.index.all()].some(({ next }) => next >= 16),
    );
    await world.server.rooms.propose({ kind: "retire", room: room(ira).state.id });
    const failed = await ira.view.until((e) => e.type === "failed" && e.file === "large.bin");
    assertMatch(failed.type === "failed" ? failed.why : "", /the room has ended/);
    assertEquals(dana.view.events.some(has("large.bin")), false);
    assertEquals(world.server.rooms.blobs.index.size, 0);
  },
);

class FullDisk extends DiskBlobs {
  refusals = 5;
  override write(name: string, at: number, bytes: Uint8Array): Promise<void> {
    if (at > 0 && this.refusals-- > 0) return Promise.reject(new BlobsFailed("No space left on device"));
    return super.write(name, at, bytes);
  }
}
const fullDiskDir = await Deno.makeTempDir({ prefix: "chat-test-" });
const fullDisk = new FullDisk(fullDiskDir);
worldTest("a server whose disk is full costs time, and is told of; nothing is lost", async (world) => {
  const [ira, dana] = await two(world);
  const path = await made(world, "a.bin", random(10 * chunkBytes));
  ira.view.type(`/send ${path}`);
  await assertSame(path, await getsIt(dana, "a.bin"));
  assertStringIncludes(ira.view.notices.join("\n"), "cannot keep anything at the moment");
  assertStringIncludes(world.log.join("\n"), "No space left on device");
  await Deno.remove(fullDiskDir, { recursive: true });
}, { blobBytes: fullDisk });

worldTest(
  "a full disk here is told with what is missing; what is there stays, and /get goes on with it",
  async (world) => {
    const [ira, dana] = await two(world);
    const path = await made(world, "a.bin", random(30 * chunkBytes));
    ira.view.type(`/send ${path}`);
    await dana.view.until(has("a.bin"));
    const { write } = Deno.FsFile.prototype;
    let writes = 0;
    Deno.FsFile.prototype.write = function (bytes) {
      if (++writes <= 10) return write.call(this, bytes);
      return Promise.reject(
        Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" }),
      );
    };
    try {
      dana.view.type("/get");
      const failed = await dana.view.until((e) => e.type === "download failed");
      assertMatch(
        failed.type === "download failed" ? failed.why : "",
        /the disk is full; 1\.2 MB are missing/,
      );
    } finally {
      Deno.FsFile.prototype.write = write;
    }
    const [part] = [...Deno.readDirSync(folder(world))].filter(({ name }) => name.endsWith(".part"));
    assertMatch(part.name, /^\.a\.bin\.[0-9a-f]{8}\.part$/);
    assertEquals((await Deno.stat(join(folder(world), part.name))).size, 10 * chunkBytes);
    dana.view.type("/get");
    await dana.view.until(isSaved("a.bin"));
    await assertSame(path, join(folder(world), "a.bin"));
  },
);

worldTest(
  "what a later version says is told as that; a file that says nonsense is no file",
  async (world) => {
    const [ira, dana] = await two(world);
    room(ira).lines.enqueue(77, random(10));
    room(ira).lines.enqueue(2, random(10));
    ira.view.type("and a line");
    await dana.view.hears("ira: and a line");
    const told = dana.view.notices.join("\n");
    assertStringIncludes(told, "ira sent something that this version does not know");
    assertStringIncludes(told, "ira sent a file in a form that this version does not know");
    assertEquals([dana.view.warnings, Object.keys(room(dana).files)], [[], []]);
  },
);
