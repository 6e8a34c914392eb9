/**
 * BlobBytes: where a server keeps the sealed chunks of files. What there is, whose it is and how far it has come is in the
 * store (blob_index.ts); this knows names and bytes only.
 *
 * Promises, each with a test in the contract suite that runs against every implementation:
 *  1. What is written as a chunk is read as that chunk, byte for byte.
 *  2. After sync() all that was written to that blob survives a kill of the process, and a loss of power.
 *  3. A chunk that is not wholly there reads as null, never as other bytes.
 *  4. remove() takes a blob away, also one that is being written or read; one that is not there is no fault.
 *  5. names() has every blob that was written to and not removed.
 */

import { ChatError } from "../../errors.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { chunkBytes, chunkOverheadBytes } from "../../protocol/file/file_chunk.ts";

/** The disk does not take or give a chunk. */
export class BlobsFailed extends ChatError {
  /** @param why in the system's words */
  constructor(why: string) {
    super(`The files on this server cannot be used: ${why}`, "see to the disk of its data directory");
  }
}

/** Bytes of a sealed chunk that is not the last. */
export const wholeChunkBytes: number = chunkBytes + chunkOverheadBytes;

/** Chunks, by the name of their blob: 32 hex digits. Everything may throw {@link BlobsFailed}. */
export interface BlobBytes {
  /** Writes a chunk of at most {@link wholeChunkBytes}, and all but the last have as many; what was there before is gone. */
  write(name: string, index: number, bytes: Uint8Array): Promise<void>;
  /** Waits until all that was written is on the disk. */
  sync(name: string): Promise<void>;
  /** Reads a chunk of so many bytes; null when they are not all there. */
  read(name: string, index: number, length: number): Promise<Bytes | null>;
  /** Takes a blob away. */
  remove(name: string): Promise<void>;
  /** All names. */
  names(): Promise<string[]>;
  /** Lets go of what is open. */
  close(): Promise<void>;
}
