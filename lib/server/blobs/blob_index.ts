/**
 * BlobIndex: which files there are, whose, in which rooms, how far they have come, and what the limits leave (protocol
 * §8.3, §12). It rests on what was applied and on the journal's time; the chunks themselves are in blob_bytes.ts.
 */

import { encodeHex } from "../../hex.ts";
import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { blobBytes, chunkBytes } from "../../protocol/file/file_chunk.ts";
import { codeOf, type LimitReached } from "../limit_reached.ts";
import type { Limits } from "../limits.ts";
import type { Retention } from "../rooms/retention.ts";
import type { Outcome } from "../store/journal.ts";
import type { NewBlob, Store, StoredBlob } from "../store/store.ts";

/** What is not whole by then is given up. */
const unfinishedSeconds = 86_400;
/** The smallest file counts as much: a row, a file and its block take more than its bytes. */
const leastWeight = 64 * 1024;

/** What a file counts as. */
export function weightOf({ chunks, lastBytes }: Pick<StoredBlob, "chunks" | "lastBytes">): number {
  return Math.max(leastWeight, blobBytes(chunks, lastBytes));
}

/** Whether all chunks of a file are there, and on the disk. */
export function isWhole({ next, chunks }: StoredBlob): boolean {
  return next === chunks;
}

const done: Outcome = { type: "done" };

/** All files of a server. */
export class BlobIndex {
  #blobs = new Map<string, StoredBlob>();
  #byOwner = new Map<string, number>();
  #byRoom = new Map<string, number>();
  /** What all of them count as. */
  bytes = 0;
  /** Told of files that are no more: their chunks go. */
  onDropped: (blob: StoredBlob) => void = () => {};

  /** Reads what is kept. */
  constructor(
    private readonly store: Pick<Store, "blobs" | "putBlob" | "dropBlob">,
    private readonly limits: Limits,
    private readonly retention: Pick<Required<Retention>, "filesSeconds">,
  ) {
    this.reload();
  }

  /** All is read again. */
  reload(): void {
    this.#blobs.clear();
    this.#byOwner.clear();
    this.#byRoom.clear();
    this.bytes = 0;
    for (const blob of this.store.blobs()) this.#count(blob, 1);
  }

  /** How many there are. */
  get size(): number {
    return this.#blobs.size;
  }
  /** All of them. */
  all(): IterableIterator<StoredBlob> {
    return this.#blobs.values();
  }
  /** One of them. */
  get(id: Uint8Array): StoredBlob | undefined {
    return this.#blobs.get(encodeHex(id));
  }

  /** What stands against one more; null for nothing. */
  judge(blob: NewBlob): LimitReached | null {
    const { fileBytes, filesPerUser, filesPerRoom, filesBytes } = this.limits;
    const weight = weightOf(blob);
    if ((blob.chunks - 1) * chunkBytes >= fileBytes) return "file-bytes";
    if ((this.#byOwner.get(encodeHex(blob.owner)) ?? 0) + weight > filesPerUser) return "files-per-user";
    if ((this.#byRoom.get(encodeHex(blob.room)) ?? 0) + weight > filesPerRoom) return "files-per-room";
    return this.bytes + weight > filesBytes ? "files-bytes" : null;
  }

  /** Begins one. Called by the journal's follower only, like all that follows. */
  applyNew(blob: NewBlob, timeMs: number): Outcome {
    if (this.get(blob.id)) return { type: "refused", code: "CONFLICT" };
    const limit = this.judge(blob);
    if (limit) return { type: "refused", code: codeOf(limit), limit };
    const until = Math.floor(timeMs / 1000) + unfinishedSeconds;
    this.#put({ ...blob, next: 0, until });
    return done;
  }

  /** So many chunks are on the disk; once all are, the file can be had, for as long as the server keeps files. */
  applyAt(id: Bytes, next: number, timeMs: number): Outcome {
    const blob = this.get(id);
    if (!blob || next <= blob.next || next > blob.chunks) return { type: "refused", code: "NOT_FOUND" };
    const until = next === blob.chunks ? Math.floor(timeMs / 1000) + this.retention.filesSeconds : blob.until;
    this.#put({ ...blob, next, until });
    return done;
  }

  /** Takes one away. */
  applyDrop(id: Bytes): Outcome {
    const blob = this.get(id);
    if (!blob) return { type: "refused", code: "NOT_FOUND" };
    this.#drop(blob);
    return done;
  }

  /** A room has ended: its files go. */
  applyDropRoom(room: Bytes): void {
    if (!this.#byRoom.has(encodeHex(room))) return;
    for (const blob of [...this.#blobs.values()]) if (equals(blob.room, room)) this.#drop(blob);
  }

  #put(blob: StoredBlob): void {
    const before = this.get(blob.id);
    this.store.putBlob(blob);
    if (before) this.#count(before, -1);
    this.#count(blob, 1);
  }

  #drop(blob: StoredBlob): void {
    this.store.dropBlob(blob.id);
    this.#count(blob, -1);
    this.onDropped(blob);
  }

  #count(blob: StoredBlob, by: 1 | -1): void {
    const key = encodeHex(blob.id);
    if (by === 1) this.#blobs.set(key, blob);
    else this.#blobs.delete(key);
    const weight = weightOf(blob) * by;
    this.bytes += weight;
    for (const [sums, id] of [[this.#byOwner, blob.owner], [this.#byRoom, blob.room]] as const) {
      const sum = (sums.get(encodeHex(id)) ?? 0) + weight;
      if (sum > 0) sums.set(encodeHex(id), sum);
      else sums.delete(encodeHex(id));
    }
  }
}
