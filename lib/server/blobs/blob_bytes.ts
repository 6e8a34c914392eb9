/**
 * BlobBytes: where a server keeps the sealed chunks of files. What there is, whose it is and how far it has come is in the
 * store (blob_index.ts); this knows names and bytes only.
 *
 * Promises, each with a test in the contract suite that runs against every implementation:
 *  1. What is written at a place is read there, byte for byte.
 *  2. After sync() all that was written to that blob survives a kill of the process, and a loss of power.
 *  3. A part that is not wholly there reads as null, never as other bytes.
 *  4. remove() takes a blob away, also one that is being written or read; one that is not there is no fault.
 *  5. names() has every blob that was written to and not removed.
 */

import { ChatError } from "../../errors.ts";
import type { Bytes } from "../../crypto/bytes.ts";

/** The disk does not take or give a chunk. */
export class BlobsFailed extends ChatError {
  /** @param why in the system's words */
  constructor(why: string) {
    super(`The files on this server cannot be used: ${why}`, "see to the disk of its data directory");
  }
}

/** Chunks, by the name of their blob: 32 hex digits. Everything may throw {@link BlobsFailed}. */
export interface BlobBytes {
  /** Writes at a place; what was there before is gone. */
  write(name: string, at: number, bytes: Uint8Array): Promise<void>;
  /** Waits until all that was written is on the disk. */
  sync(name: string): Promise<void>;
  /** Reads so many bytes; null when they are not all there. */
  read(name: string, at: number, length: number): Promise<Bytes | null>;
  /** Takes a blob away. */
  remove(name: string): Promise<void>;
  /** All names. */
  names(): Promise<string[]>;
  /** Lets go of what is open. */
  close(): Promise<void>;
}
