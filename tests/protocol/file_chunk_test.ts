/** Chunks of files, and the message that tells of one (protocol §8.3). */

import { assertEquals, assertThrows } from "@std/assert";
import { TagMismatch } from "../../lib/crypto/seal.ts";
import { Malformed } from "../../lib/errors.ts";
import {
  blobBytes,
  chunkBytes,
  chunkCount,
  isLastChunkBytes,
  lastChunkBytes,
  openChunk,
  sealChunk,
} from "../../lib/protocol/file/file_chunk.ts";
import { decodeFileMessage, encodeFileMessage } from "../../lib/protocol/file/file_message.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { test } from "../fakes/test.ts";

const random = seededRandom("file chunks");
const sizes: readonly (readonly [size: number, chunks: number, last: number])[] = [
  [0, 1, 128],
  [1, 1, 128],
  [128, 1, 128],
  [129, 1, 256],
  [40_000, 1, 61_440],
  [chunkBytes, 1, chunkBytes],
  [chunkBytes + 1, 2, chunkBytes],
  [3 * chunkBytes, 3, chunkBytes],
  [5 * 1024 ** 3, 87_382, chunkBytes],
];

for (const [size, chunks, last] of sizes) {
  test(`a file of ${size} bytes has ${chunks} chunks, the last of ${last} bytes`, () => {
    assertEquals([chunkCount(size), lastChunkBytes(size)], [chunks, last]);
    assertEquals(isLastChunkBytes(last, chunks), true);
    assertEquals(isLastChunkBytes(last - 1, chunks), false);
    assertEquals(blobBytes(chunks, last), (chunks - 1) * (chunkBytes + 48) + last + 48);
  });
}

async function sealed(size: number) {
  const key = { fileId: random(16), key: random(32), chunks: chunkCount(size) };
  const text = random(size);
  const chunks = [];
  for (let i = 0; i < key.chunks; i++) {
    const plain = new Uint8Array(i === key.chunks - 1 ? lastChunkBytes(size) : chunkBytes);
    plain.set(text.subarray(i * chunkBytes, (i + 1) * chunkBytes));
    chunks.push(await sealChunk(key, i, plain, random));
  }
  return { key, text, chunks };
}

for (const size of [0, 1, 1000, chunkBytes, 2 * chunkBytes, 2 * chunkBytes + 77]) {
  test(`what was sealed of ${size} bytes opens to the same`, async () => {
    const { key, text, chunks } = await sealed(size);
    const parts = chunks.map((chunk, i) => openChunk(key, i, chunk, size));
    assertEquals(new Uint8Array(parts.flatMap((part) => [...part])), text);
  });
}

test("every bit of a chunk counts", async () => {
  const { key, chunks: [chunk] } = await sealed(100);
  for (let bit = 0; bit < chunk.length * 8; bit++) {
    const changed = chunk.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assertThrows(() => openChunk(key, 0, changed, 100), TagMismatch);
  }
});
test("chunks cannot be swapped, moved to another file, or made the last one; nothing can be cut off", async () => {
  const size = 3 * chunkBytes;
  const { key, chunks } = await sealed(size);
  const other = await sealed(size);
  assertThrows(() => openChunk(key, 0, chunks[1], size), TagMismatch);
  assertThrows(() => openChunk(key, 0, other.chunks[0], size), TagMismatch);
  assertThrows(() => openChunk({ ...key, fileId: other.key.fileId }, 0, chunks[0], size), TagMismatch);
  assertThrows(() => openChunk({ ...key, chunks: 2 }, 1, chunks[1], 2 * chunkBytes), TagMismatch);
  assertThrows(() => openChunk({ ...key, chunks: 4 }, 2, chunks[2], 4 * chunkBytes), TagMismatch);
  assertThrows(() => openChunk(key, 0, chunks[0].subarray(1), size), Malformed);
});
test("two seals of one chunk share no salt, and padding that is not zeros is refused", async () => {
  const key = { fileId: random(16), key: random(32), chunks: 1 };
  const plain = new Uint8Array(128).fill(1);
  const [a, b] = [await sealChunk(key, 0, plain, random), await sealChunk(key, 0, plain, random)];
  assertEquals(a.some((byte, i) => byte !== b[i]), true);
  assertThrows(() => openChunk(key, 0, a, 100), Malformed, "padding");
});

const file = {
  fileId: random(16),
  size: 123_456_789_012,
  key: random(32),
  sha256: random(32),
  until: 1_800_000_000,
  name: "report (final) ü.pdf",
  words: "as promised",
};
test("a file message comes back as it was; what is cut or too long is refused", () => {
  const body = encodeFileMessage(file);
  assertEquals(decodeFileMessage(body), file);
  for (let n = 0; n < body.length; n++) assertThrows(() => decodeFileMessage(body.slice(0, n)), Malformed);
  assertThrows(() => decodeFileMessage(encodeFileMessage({ ...file, size: 2 ** 50 })), Malformed);
});
