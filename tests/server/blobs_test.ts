/** Files at a real server, by clients that say what a test wants (protocol §8.3, §12). */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { chunkBytes, chunkOverheadBytes } from "../../lib/protocol/file/file_chunk.ts";
import { DiskBlobs } from "../../lib/server/blobs/disk_blobs.ts";
import type { ServerOptions, World } from "../fakes/world.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { until } from "../fakes/until.ts";
import { clockTest, worldTest } from "../fakes/world.ts";

const random = seededRandom("blobs");
const wholeBytes = chunkBytes + chunkOverheadBytes;

/** A room of ira and dana, whom the test speaks for; sahnawaz is at the server and in no room. */
async function roomOfTwo(world: World) {
  const ira = await world.enter("ira");
  await world.enter("dana");
  const room = ira.chat.conversation.room!.state.id;
  await world.leaveAll();
  const raw = async (name: string) => await RawClient.open(world.port, name);
  return { room, ira: await raw("ira"), dana: await raw("dana"), sam: await raw("sahnawaz") };
}

function begin(client: RawClient, room: Bytes, file: Bytes, chunks: number, lastBytes = chunkBytes) {
  return client.connection.request(
    (ref) => ({ type: "BLOB_NEW", ref, room, file, chunks, lastBytes }),
    "BLOB_AT",
  ).then(({ next }) => next, ({ code }) => `error ${code}`);
}
const put = (client: RawClient, file: Bytes, index: number, chunk: Bytes) =>
  client.ask((ref) => ({ type: "BLOB_PUT", ref, file, index, chunk }), "DONE");
const get = (client: RawClient, file: Bytes, index: number) =>
  client.connection.request((ref) => ({ type: "BLOB_GET", ref, file, index }), "BLOB")
    .then(({ chunk }) => chunk.slice(), ({ code }) => `error ${code}`);
const drop = (client: RawClient, file: Bytes) =>
  client.ask((ref) => ({ type: "BLOB_DROP", ref, file }), "DONE");

worldTest(
  "a file goes up in order and is had by the room's members, byte for byte; by nobody before it is whole",
  async (world) => {
    const { room, ira, dana, sam } = await roomOfTwo(world);
    const file = random(16), chunks = [random(wholeBytes), random(wholeBytes), random(wholeBytes)];
    assertEquals(await begin(ira, room, file, 3), 0);
    assertEquals(await put(ira, file, 0, chunks[0]), "DONE 0");
    assertEquals(await get(dana, file, 0), "error 6");
    assertEquals(await put(ira, file, 2, chunks[2]), "ORDER");
    assertEquals(await put(ira, file, 0, chunks[0]), "ORDER");
    assertEquals(await begin(ira, room, file, 3), 1);
    assertEquals(await put(ira, file, 1, chunks[1]), "DONE 0");
    assertEquals(await put(ira, file, 2, chunks[2]), "DONE 0");
    assertEquals(await put(ira, file, 2, chunks[2]), "NOT_FOUND");
    assertEquals(await begin(ira, room, file, 3), 3);
    for (const [i, chunk] of chunks.entries()) assertEquals(await get(dana, file, i), chunk);
    assertEquals([await get(dana, file, 3), await get(sam, file, 0)], ["error 6", "error 6"]);
  },
);

worldTest("only members bring files, only their owner goes on with one or takes it away", async (world) => {
  const { room, ira, dana, sam } = await roomOfTwo(world);
  const file = random(16);
  assertEquals(await begin(sam, room, file, 1), "error 5");
  assertEquals(await begin(ira, random(32), file, 1), "error 3");
  assertEquals(await begin(ira, room, file, 2), 0);
  assertEquals(await begin(dana, room, file, 2), "error 5");
  assertEquals(await begin(ira, room, file, 3), "error 5");
  assertEquals(await put(dana, file, 0, random(wholeBytes)), "NOT_FOUND");
  assertEquals(await drop(dana, file), "NOT_FOUND");
  assertEquals(await drop(ira, file), "DONE 0");
  assertEquals(await drop(ira, file), "NOT_FOUND");
  assertEquals(await begin(ira, room, file, 3), 0);
});

for (
  const [what, index, length] of [["another size", 0, wholeBytes - 1], [
    "a place beyond the end",
    1,
    wholeBytes,
  ]] as const
) {
  worldTest(`a chunk of ${what} ends the link, and the server lives`, async (world) => {
    const { room, ira, dana } = await roomOfTwo(world);
    const file = random(16);
    await begin(ira, room, file, 1);
    assertEquals(await put(ira, file, index, random(length)), "closed");
    assertEquals(await begin(dana, room, random(16), 1), 0);
  });
}

worldTest("sixteen chunks may be on their way, and all are written", async (world) => {
  const { room, ira, dana } = await roomOfTwo(world);
  const file = random(16), chunks = Array.from({ length: 16 }, () => random(wholeBytes));
  await begin(ira, room, file, 16);
  const answers = await Promise.all(chunks.map((chunk, i) => put(ira, file, i, chunk)));
  assertEquals(new Set(answers), new Set(["DONE 0"]));
  const got = await Promise.all(chunks.map((_, i) => get(dana, file, i)));
  assertEquals(got, chunks);
});

worldTest("a server that was killed says how far a file has come, and it is gone on with", async (world) => {
  const { room, ira } = await roomOfTwo(world);
  const file = random(16), chunks = Array.from({ length: 20 }, () => random(wholeBytes));
  await begin(ira, room, file, 20);
  for (let i = 0; i < 19; i++) assertEquals(await put(ira, file, i, chunks[i]), "DONE 0");
  await world.crashServer();
  await world.startServer();
  const again = await RawClient.open(world.port, "ira");
  const next = await begin(again, room, file, 20) as number;
  assertEquals(next, 16); // noted every sixteen
  for (let i = next; i < 20; i++) assertEquals(await put(again, file, i, chunks[i]), "DONE 0");
  const dana = await RawClient.open(world.port, "dana");
  for (const [i, chunk] of chunks.entries()) assertEquals(await get(dana, file, i), chunk);
});

const limits: readonly [string, ServerOptions["limits"], number][] = [
  ["one file", { fileBytes: chunkBytes }, 0],
  ["one person", { filesPerUser: 3 * wholeBytes }, 1],
  ["one room", { filesPerRoom: 3 * wholeBytes }, 1],
  ["one address", { filesPerAddress: 3 * wholeBytes }, 1],
  ["the server", { filesBytes: 3 * wholeBytes }, 1],
];
for (const [whose, limit, fits] of limits) {
  worldTest(`more than ${whose} may have is refused, with the flag; what goes makes room`, async (world) => {
    const { room, ira } = await roomOfTwo(world);
    const files = [random(16), random(16)];
    const answers = [];
    for (const file of files) answers.push(await begin(ira, room, file, 2));
    assertEquals(answers, files.map((_, i) => i < fits ? 0 : "error 9"));
    assert(ira.received.some((m) => m.type === "NOTICE" && /--file/.test(m.text)));
    if (fits === 0) return;
    assertEquals(await drop(ira, files[0]), "DONE 0");
    assertEquals(await begin(ira, room, files[1], 2), 0);
  }, { limits: limit });
}

for (const limit of ["filesBytes", "filesPerAddress"]) {
  worldTest(`two who race for the last place: one gets it (${limit})`, async (world) => {
    const { room, ira, dana } = await roomOfTwo(world);
    const answers = await Promise.all([ira, dana].map((client) => begin(client, room, random(16), 2)));
    assertEquals(answers.toSorted(), [0, "error 9"]);
  }, { limits: { [limit]: 3 * wholeBytes } });
}

worldTest("a link has 16 chunks on their way, into how many files ever", async (world) => {
  const { room, ira } = await roomOfTwo(world);
  const files = Array.from({ length: 9 }, () => random(16));
  for (const file of files) assertEquals(await begin(ira, room, file, 2), 0);
  const chunks = files.map(() => [random(wholeBytes), random(wholeBytes)]);
  const { write } = DiskBlobs.prototype;
  const opened = Promise.withResolvers<void>();
  DiskBlobs.prototype.write = async function (...what) {
    await opened.promise;
    await write.apply(this, what);
  };
  const answers = files.flatMap((file, i) => chunks[i].map((chunk, index) => put(ira, file, index, chunk)));
  try {
    assertEquals(await Promise.all(answers.slice(-2)), ["LIMIT", "LIMIT"]);
  } finally {
    DiskBlobs.prototype.write = write;
    opened.resolve();
  }
  assertEquals(await Promise.all(answers.slice(0, -2)), Array(16).fill("DONE 0"));
  assertEquals(await put(ira, files[8], 0, chunks[8][0]), "DONE 0");
});

worldTest(
  "a room that ends takes its files along, from the disk too",
  async (world) => {
    const { room, ira, dana } = await roomOfTwo(world);
    const file = random(16);
    await begin(ira, room, file, 1);
    assertEquals(await put(ira, file, 0, random(wholeBytes)), "DONE 0");
    const path = join(world.dir, "blobs", encodeHex(file).slice(0, 2), encodeHex(file));
    assert((await Deno.stat(path)).isFile);
    await world.server.rooms.propose({ kind: "retire", room });
    assertEquals(await get(dana, file, 0), "error 6");
    await until("it is off the disk", () => !exists(path));
  },
);

clockTest(
  "what is old goes, what was not finished in a day goes, and what no row knows of goes at the start",
  async (world, clock) => {
    const { room, ira } = await roomOfTwo(world);
    const [whole, half] = [random(16), random(16)];
    await begin(ira, room, whole, 1);
    await put(ira, whole, 0, random(wholeBytes));
    await begin(ira, room, half, 2);
    await put(ira, half, 0, random(wholeBytes));
    const { blobs } = world.server.rooms;
    clock.jump(86_400_000 + 1000);
    await blobs.expire(Math.floor(clock.now() / 1000));
    assertEquals([...blobs.index.all()].map(({ id }) => encodeHex(id)), [encodeHex(whole)]);
    clock.jump(7 * 86_400_000);
    await blobs.expire(Math.floor(clock.now() / 1000));
    assertEquals(blobs.index.size, 0);
    const stray = join(world.dir, "blobs", "ab", `ab${"0".repeat(30)}`);
    await Deno.mkdir(join(world.dir, "blobs", "ab"), { recursive: true });
    await Deno.writeFile(stray, new Uint8Array(5));
    await blobs.sweep();
    assertEquals(exists(stray), false);
  },
);

worldTest("a server that takes no files says so", async (world) => {
  const { room, ira } = await roomOfTwo(world);
  assertEquals(await begin(ira, room, random(16), 1), "error 5");
  const [welcome] = ira.received;
  assertEquals(welcome.type === "WELCOME" && [welcome.fileBytes, welcome.blobBytes], [0, 0]);
}, { limits: { fileBytes: 0 } });

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
