/** The promises of BlobBytes, held against every implementation. */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { BlobBytes } from "../../lib/server/blobs/blob_bytes.ts";
import { BlobsFailed, wholeChunkBytes } from "../../lib/server/blobs/blob_bytes.ts";
import { DiskBlobs } from "../../lib/server/blobs/disk_blobs.ts";
import { assertRejects } from "@std/assert";
import { dialNats } from "../../lib/server/cluster/nats_connection.ts";
import { NatsBlobs } from "../../lib/server/cluster/nats_blobs.ts";
import { hasNats, Nats } from "../fakes/nats.ts";
import { test } from "../fakes/test.ts";

const name = (n: number) => n.toString(16).padStart(32, "0");
const bytes = (n: number, length = 4) => new Uint8Array(length).fill(n);

/** What a test works on. */
interface Place {
  open(): Promise<BlobBytes>;
  close(): Promise<void>;
}

async function onDisk(): Promise<Place> {
  const dir = await Deno.makeTempDir();
  return {
    open: () => Promise.resolve(new DiskBlobs(join(dir, "blobs"))),
    close: () => Deno.remove(dir, { recursive: true }),
  };
}

async function inNats(): Promise<Place> {
  const nats = await Nats.start();
  const connections: Awaited<ReturnType<typeof dialNats>>[] = [];
  return {
    async open() {
      const connection = await dialNats({ servers: [nats.address], tls: null, isUnsafe: false });
      connections.push(connection);
      return await NatsBlobs.open(connection, 1);
    },
    async close() {
      for (const connection of connections) await connection.close();
      await nats.close();
    },
  };
}

const implementations: readonly [string, () => Promise<Place>, boolean][] = [
  ["disk", onDisk, true],
  ["NATS", inNats, hasNats],
];

for (const [kind, make, isThere] of implementations) {
  const blobTest = (
    what: string,
    act: (blobs: BlobBytes, again: () => Promise<BlobBytes>) => Promise<void>,
  ) =>
    test(
      { name: `${kind}: ${what}`, ignore: !isThere, sanitizeOps: false, sanitizeResources: false },
      async () => {
        const place = await make();
        const blobs = await place.open();
        try {
          await act(blobs, () => place.open());
        } finally {
          await blobs.close();
          await place.close();
        }
      },
    );

  blobTest(
    "1. what is written as a chunk is read as that one, also above 4 GiB; written again it is the later one",
    async (blobs) => {
      const whole = bytes(1, wholeChunkBytes);
      await blobs.write(name(1), 0, whole);
      await blobs.write(name(1), 1, bytes(2));
      await blobs.write(name(2), 80_000, bytes(3));
      assertEquals(await blobs.read(name(1), 0, wholeChunkBytes), whole);
      assertEquals(await blobs.read(name(1), 1, 4), bytes(2));
      assertEquals(await blobs.read(name(2), 80_000, 4), bytes(3));
      await blobs.write(name(1), 1, bytes(9));
      assertEquals(await blobs.read(name(1), 1, 4), bytes(9));
    },
  );
  blobTest("2. what was synced is there for whoever opens it anew", async (blobs, again) => {
    await blobs.write(name(1), 0, bytes(7));
    await blobs.sync(name(1));
    const other = await again();
    assertEquals(await other.read(name(1), 0, 4), bytes(7));
    await other.close();
  });
  blobTest("3. a chunk that is not wholly there reads as null", async (blobs) => {
    await blobs.write(name(1), 0, bytes(7));
    assertEquals([
      await blobs.read(name(1), 0, 5),
      await blobs.read(name(1), 1, 4),
      await blobs.read(name(2), 0, 1),
    ], [
      null,
      null,
      null,
    ]);
  });
  blobTest(
    "4. what is removed is gone, also in the middle of writing; what is not there is no fault",
    async (blobs) => {
      const writing = Array.from({ length: 20 }, (_, i) => blobs.write(name(1), i, bytes(i, 1000)));
      await blobs.remove(name(1));
      await Promise.allSettled(writing);
      await blobs.remove(name(1));
      assertEquals([await blobs.read(name(1), 0, 1), await blobs.names()], [null, []]);
      await blobs.remove(name(1));
    },
  );
  blobTest("5. all names are told, more than are open at a time", async (blobs) => {
    for (let n = 0; n < 70; n++) await blobs.write(name(n << 20), 0, bytes(n));
    assertEquals(
      (await blobs.names()).toSorted(),
      Array.from({ length: 70 }, (_, n) => name(n << 20)).toSorted(),
    );
    for (let n = 0; n < 70; n++) assertEquals(await blobs.read(name(n << 20), 0, 4), bytes(n));
  });
  blobTest("many readers and a writer of one blob do not get into each other's way", async (blobs) => {
    for (let n = 0; n < 16; n++) await blobs.write(name(1), n, bytes(n, 100));
    const reads = Array.from({ length: 64 }, async (_, i) => {
      if (i % 4 === 0) await blobs.write(name(1), 16 + i, bytes(i, 100));
      return (await blobs.read(name(1), i % 16, 100))![i % 100];
    });
    assertEquals(await Promise.all(reads), Array.from({ length: 64 }, (_, i) => i % 16));
  });
}

test("disk: sync() waits for the file, and the first time for the folders that its name is in", async () => {
  const dir = await Deno.makeTempDir();
  const { syncData, syncSync } = Deno.FsFile.prototype;
  const synced: string[] = [];
  Deno.FsFile.prototype.syncData = async function () {
    await syncData.call(this);
    synced.push("data");
  };
  Deno.FsFile.prototype.syncSync = function () {
    syncSync.call(this);
    synced.push(this.statSync().isDirectory ? "folder" : "file");
  };
  const blobs = new DiskBlobs(join(dir, "blobs"));
  try {
    for (let i = 0; i < 2; i++) {
      await blobs.write(name(1), i, bytes(i));
      await blobs.sync(name(1));
    }
  } finally {
    Object.assign(Deno.FsFile.prototype, { syncData, syncSync });
    await blobs.close();
    await Deno.remove(dir, { recursive: true });
  }
  assertEquals(synced, ["data", "folder", "folder", "data"]);
});
test("disk: files are their owner's alone", async () => {
  const dir = await Deno.makeTempDir();
  const blobs = new DiskBlobs(join(dir, "blobs"));
  await blobs.write(name(255), 0, bytes(1));
  const { mode } = await Deno.stat(join(dir, "blobs", "00", name(255)));
  assertEquals(mode! & 0o777, 0o600);
  await blobs.close();
  await Deno.remove(dir, { recursive: true });
});
test("disk: one that cannot be used is a BlobsFailed, with the system's words", async () => {
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(join(dir, "blobs"), "a file where the folder belongs");
  const blobs = new DiskBlobs(join(dir, "blobs"));
  await assertRejects(() => blobs.write(name(1), 0, bytes(1)), BlobsFailed);
  await blobs.close();
  await Deno.remove(dir, { recursive: true });
});
