/**
 * File chunks (protocol §8.3): a file is sealed piece by piece, each under a salt of its own, so that what has changed
 * between two tries never gives two texts one key and IV.
 *
 *   chunk = salt[16] ‖ Seal(fk, "file", salt, file_id ‖ u64 index ‖ u8 last, plain)
 *
 * A file of one chunk is padded with zeros to 128·2^k bytes, at most a whole chunk; the last one of several to a whole
 * chunk. So the server sees sizes in steps.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { open, sealLarge, tagBytes } from "../../crypto/seal.ts";
import { Malformed } from "../../errors.ts";
import { Writer } from "../codec/wire.ts";

/** Plaintext bytes of a whole chunk: with its message it fits into one frame. */
export const chunkBytes = 61_440;
/** What a chunk is longer than its plaintext. */
export const chunkOverheadBytes: number = 16 + tagBytes;
/** Most bytes that a file may have: its chunks are counted in 32 bits. */
export const maxFileBytes = 2 ** 44;

const smallestBytes = 128;
const label = "file";

/** What all chunks of a file share. */
export interface ChunkKey {
  /** 16 bytes. */
  readonly fileId: Bytes;
  /** 32 bytes. */
  readonly key: Bytes;
  /** How many there are. */
  readonly chunks: number;
}

/** How many chunks a file of so many bytes has: an empty one has one. */
export function chunkCount(size: number): number {
  return Math.max(1, Math.ceil(size / chunkBytes));
}

/** Plaintext bytes of the last chunk, padding included. */
export function lastChunkBytes(size: number): number {
  if (size > chunkBytes) return chunkBytes;
  let padded = smallestBytes;
  while (padded < size) padded *= 2;
  return Math.min(padded, chunkBytes);
}

/** Whether a last chunk can be so long: what a server may be told. */
export function isLastChunkBytes(bytes: number, chunks: number): boolean {
  return chunks > 1 ? bytes === chunkBytes : bytes > 0 && lastChunkBytes(bytes) === bytes;
}

/** Plaintext bytes of one chunk, padding included. */
export function plainBytes(index: number, chunks: number, lastBytes: number): number {
  return index === chunks - 1 ? lastBytes : chunkBytes;
}

/** Bytes of all chunks as they are kept. */
export function blobBytes(chunks: number, lastBytes: number): number {
  return (chunks - 1) * (chunkBytes + chunkOverheadBytes) + lastBytes + chunkOverheadBytes;
}

function associated({ fileId, chunks }: ChunkKey, index: number): Bytes {
  return new Writer(25).raw(fileId).u64(index).u8(index === chunks - 1 ? 1 : 0).done();
}

/** Seals one chunk, on other threads. @param plain padded; must not change until this resolves @param random gives the salt */
export async function sealChunk(
  key: ChunkKey,
  index: number,
  plain: Uint8Array,
  random: RandomSource,
): Promise<Bytes> {
  const chunk = new Uint8Array(plain.length + chunkOverheadBytes);
  const salt = random(16);
  chunk.set(salt);
  await sealLarge(key.key, label, salt, associated(key, index), plain, chunk.subarray(salt.length));
  return chunk;
}

/**
 * Opens one chunk.
 *
 * @param size bytes of the file: what is beyond them must be zeros
 * @returns its part of the file
 * @throws TagMismatch, Malformed
 */
export function openChunk(key: ChunkKey, index: number, chunk: Uint8Array, size: number): Bytes {
  const last = index === key.chunks - 1;
  const expected = (last ? lastChunkBytes(size) : chunkBytes) + chunkOverheadBytes;
  if (chunk.length !== expected) throw new Malformed("a chunk of a file has a wrong size");
  const plain = open(key.key, label, chunk.subarray(0, 16), associated(key, index), chunk.subarray(16));
  if (!last) return plain;
  const used = size - index * chunkBytes;
  if (plain.subarray(used).some((byte) => byte !== 0)) throw new Malformed("padding is not zeros");
  return plain.subarray(0, used);
}
