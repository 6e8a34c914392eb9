/**
 * Blobs: files on their way in and out (protocol §8.3): chunks are taken in their order, one after the other, and given
 * as fast as a link takes them; what is said in rooms goes before them.
 */

import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import { type Bytes, release } from "../../crypto/bytes.ts";
import { chunkOverheadBytes, plainBytes } from "../../protocol/file/file_chunk.ts";
import type { LogRecord, Outcome } from "../store/journal.ts";
import type { StoredBlob } from "../store/store.ts";
import type { WorkBudget } from "../work_budget.ts";
import type { BlobBytes } from "./blob_bytes.ts";
import type { Limits } from "../limits.ts";
import type { BlobIndex } from "./blob_index.ts";

/** So many chunks may be on their way into one file, or wanted over one link. */
export const maxChunksOnTheirWay = 16;
/** After so many chunks it is noted how far a file has come: what a server that was killed asks for again. */
const notedEvery = 16;
/** A chunk is read for a link while less than this waits there. */
const fullBytes = 128 * 1024;
/** What a chunk costs the server beside its frame, in microseconds of work: disk, hash, and its way through memory. */
const chunkUs = 200;

/** What is needed of the server. */
export interface BlobsParts {
  /** What there is. */
  readonly index: BlobIndex;
  /** Bytes of one file, and of all; 0: none. */
  readonly limits: Pick<Limits, "fileBytes" | "filesBytes">;
  /** Chunks; null: this server takes no files. */
  readonly bytes: BlobBytes | null;
  /** What all files may take of the server's time. */
  readonly work: WorkBudget;
  /** Time. */
  readonly clock: Clock;
  /** Changes what is kept. */
  propose(record: LogRecord): Promise<Outcome>;
  /** Waits until all is applied that others have been shown. @returns false: that cannot be known now */
  caughtUp(): Promise<boolean>;
  /** A fault that is nobody's answer. */
  fault(error: unknown): void;
  /** A file is no more, and that is on the disk. */
  removed(file: Bytes): void;
}

/** A file that is coming. */
interface Upload {
  /** Chunks that were taken, and that are written. */
  taken: number;
  written: number;
  /** What is being done, one after the other. */
  doing: Promise<void>;
}

/** A chunk that a link wants. */
export interface WantedChunk {
  /** Which file. */
  readonly file: Bytes;
  /** Which chunk. */
  readonly index: number;
  /** It is not to be had, or not now. */
  refused(code: "NOT_FOUND" | "LIMIT"): void;
  /** Here it is. */
  came(chunk: Bytes): void;
  /** Whether it may still be given: who asks may have been put out, and the file may be gone. */
  isAllowed(): boolean;
}

/** Where chunks go. */
export interface ChunkLink {
  /** Bytes that wait to be written. */
  readonly waitingBytes: number;
  /** Nothing more can be sent. */
  readonly isOver: boolean;
}

/** What one link wants, in its order. */
export class WantedChunks {
  #wanted: WantedChunk[] = [];
  #isReading = false;

  /** @param link where they go */
  constructor(private readonly link: ChunkLink, private readonly blobs: Blobs) {}

  /** One more. @returns false when there are too many */
  add(chunk: WantedChunk): boolean {
    if (this.#wanted.length >= maxChunksOnTheirWay) return false;
    this.#wanted.push(chunk);
    this.pump();
    return true;
  }

  /** The link has room again. */
  pump(): void {
    if (this.#isReading || this.#wanted.length === 0) return;
    this.#isReading = true;
    this.#read().catch((error) => this.blobs.fault(error)).finally(() => this.#isReading = false);
  }

  async #read(): Promise<void> {
    while (this.#wanted.length > 0 && !this.link.isOver && this.link.waitingBytes < fullBytes) {
      await this.blobs.untilPaid();
      const next = this.#wanted.shift()!;
      let chunk: Bytes | null = null;
      let hasFailed = false;
      try {
        if (next.isAllowed()) chunk = await this.blobs.read(next.file, next.index);
      } catch (error) {
        this.blobs.fault(error);
        hasFailed = true;
      }
      if (chunk && next.isAllowed()) next.came(chunk);
      else next.refused(hasFailed && next.isAllowed() ? "LIMIT" : "NOT_FOUND");
      if (chunk) release(chunk); // it stands in its frame by now
    }
  }
}

/** All files of a server. */
export class Blobs {
  readonly index: BlobIndex;
  /** What all files may take of the server's time. */
  readonly work: WorkBudget;
  #uploads = new Map<string, Upload>();
  /** Files that are no more, once that is on the disk: until then it may be undone. */
  #dropped: Bytes[] = [];

  /** @param parts of the server */
  constructor(private readonly parts: BlobsParts) {
    this.index = parts.index;
    this.work = parts.work;
    this.index.onDropped = ({ id }) => this.#dropped.push(id);
  }

  /** Whether this server takes files at all. */
  get isOn(): boolean {
    const { fileBytes, filesBytes } = this.parts.limits;
    return this.parts.bytes !== null && fileBytes > 0 && filesBytes > 0;
  }

  /** Files that are coming now. */
  get coming(): number {
    return this.#uploads.size;
  }

  /** Chunks that no row knows of are taken away: of a run that was cut. */
  async sweep(): Promise<void> {
    const { bytes } = this.parts;
    if (!bytes) return;
    const names = await bytes.names();
    // Those of a file that has begun at another server are there before this one may have heard of it.
    if (!await this.parts.caughtUp()) return;
    for (const name of names) if (!this.index.get(Uint8Array.fromHex(name))) await bytes.remove(name);
  }

  /** Files that have been kept long enough, or were not finished in time, are given up. @param now seconds */
  async expire(now: number): Promise<void> {
    for (const { id, until } of [...this.index.all()]) {
      if (until <= now) await this.parts.propose({ kind: "blob drop", id });
    }
  }

  /** How many chunks of a file are there, once all that came is written. */
  async progress(blob: StoredBlob): Promise<number> {
    const upload = this.#uploadOf(blob);
    if (!upload) return blob.next;
    await upload.doing.catch(() => {});
    return upload.written;
  }

  /** What this server knows of a file that is coming; undefined when it has gone on at another one meanwhile. */
  #uploadOf({ id, next }: StoredBlob): Upload | undefined {
    const key = encodeHex(id);
    const upload = this.#uploads.get(key);
    if (!upload || upload.written >= next) return upload;
    this.#uploads.delete(key);
    return undefined;
  }

  /**
   * Takes the next chunk of a file.
   *
   * @returns null when it is not the next one, or too many wait; else a promise of its being written (the last one: of
   * the whole file's being on the disk). @throws BlobsFailed
   */
  take(blob: StoredBlob, index: number, chunk: Uint8Array): Promise<void> | null {
    const key = encodeHex(blob.id);
    const upload = this.#uploadOf(blob) ??
      { taken: blob.next, written: blob.next, doing: Promise.resolve() };
    if (index !== upload.taken || upload.taken - upload.written >= maxChunksOnTheirWay) return null;
    this.#uploads.set(key, upload);
    upload.taken++;
    const copy = chunk.slice(); // its memory is the link's
    const written = upload.doing.catch(() => {}).then(() => this.#write(key, blob, upload, index, copy));
    upload.doing = written;
    return written;
  }

  async #write(key: string, blob: StoredBlob, upload: Upload, index: number, chunk: Bytes): Promise<void> {
    if (upload.written !== index) throw new Superseded();
    const { bytes, propose, work } = this.parts;
    try {
      if (!this.index.get(blob.id)) throw new Superseded();
      await bytes!.write(key, index, chunk);
      release(chunk);
      work.spend(chunkUs);
      upload.written = index + 1;
      const isLast = upload.written === blob.chunks;
      if (!isLast && upload.written % notedEvery !== 0) return;
      await bytes!.sync(key);
      const outcome = await propose({ kind: "blob at", id: blob.id, next: upload.written });
      if (outcome.type === "done") {
        if (isLast) this.#uploads.delete(key);
        return;
      }
      upload.written = index; // it comes again
      throw new Superseded();
    } catch (error) {
      upload.taken = upload.written;
      throw error;
    }
  }

  /** Reads a chunk of a file that is whole. @returns null when it is not there */
  async read(file: Bytes, index: number): Promise<Bytes | null> {
    const blob = this.index.get(file);
    if (!blob || blob.next !== blob.chunks || index >= blob.chunks) return null;
    this.parts.work.spend(chunkUs);
    const length = plainBytes(index, blob.chunks, blob.lastBytes) + chunkOverheadBytes;
    return await this.parts.bytes!.read(encodeHex(file), index, length);
  }

  /** Waits until files have used no more of the server's time than they may. */
  async untilPaid(): Promise<void> {
    for (let waitMs; (waitMs = this.parts.work.waitMs) > 0;) {
      await new Promise<void>((resolve) => void this.parts.clock.after(waitMs, resolve));
    }
  }

  /** A fault that is nobody's answer. */
  fault(error: unknown): void {
    this.parts.fault(error);
  }

  /** All that was applied is on the disk: the chunks of files that are no more go. */
  flushed(): void {
    const dropped = this.#dropped;
    this.#dropped = [];
    if (dropped.length === 0) return;
    for (const id of dropped) {
      this.#uploads.delete(encodeHex(id));
      this.parts.removed(id);
    }
    this.#remove(dropped).catch((error) => this.parts.fault(error));
  }

  async #remove(dropped: readonly Bytes[]): Promise<void> {
    const { bytes, caughtUp } = this.parts;
    // Who applies an old log must not take away what has come anew since; the sweep takes what stays so.
    if (!bytes || !await caughtUp()) return;
    for (const id of dropped) if (!this.index.get(id)) await bytes.remove(encodeHex(id));
  }

  /** What was applied last is not on the disk, and is undone: files come back, and others were never begun. */
  undone(): void {
    this.#dropped = [];
    this.index.reload();
    for (const key of [...this.#uploads.keys()]) {
      if (!this.index.get(Uint8Array.fromHex(key))) this.#uploads.delete(key);
    }
  }

  /** What all files count as, and those that are coming. */
  get totals(): { files: number; bytes: number; coming: number } {
    return { files: this.index.size, bytes: this.index.bytes, coming: this.coming };
  }

  /** Waits for what is being written, and lets go of it. */
  async close(): Promise<void> {
    for (const { doing } of this.#uploads.values()) await doing.catch(() => {});
    await this.parts.bytes?.close();
  }
}

/** A chunk before it could not be written, or the file is gone: this one is not the next any more. */
export class Superseded extends Error {}
