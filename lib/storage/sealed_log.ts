/**
 * SealedLog: sealed files that only grow, a record at a time, so that adding costs the same however much is there.
 *
 *   file   = u8 2 ‖ record*
 *   record = u32 length ‖ salt[16] ‖ Seal(storage_key, "history", salt, folder/name ‖ u64 place, content)
 *
 * `length` counts what follows it; `place` is the record's first byte in the file, so that records can neither change
 * places nor files. Nothing is synced: what a power cut takes is the end of a file, which is cut off before the next
 * record is added.
 */

import { join } from "@std/path";
import { type Bytes, concat, u32 } from "../crypto/bytes.ts";
import { open, seal, tagBytes, TagMismatch } from "../crypto/seal.ts";
import type { RandomSource } from "../crypto/random.ts";
import { FileTrouble, trouble } from "./file_trouble.ts";
import { readPrivate } from "./private_file.ts";
import { checkFormat, stateFormat } from "./state_format.ts";

const label = "history";
const headBytes = 4;
const saltBytes = 16;
/** The most bytes that one record may hold. */
export const maxContentBytes = 256 * 1024;
const maxRecordBytes = saltBytes + maxContentBytes + tagBytes;

/** A record that is opened when it is asked for. */
export interface LogRecord {
  /** Its content. @throws FileTrouble when it was changed */
  open(): Bytes;
}

/** What a log needs of its folder. */
export interface LogFolder {
  /** Its path. */
  readonly dir: string;
  /** 32 bytes. */
  readonly key: Bytes;
  /** For salts. */
  readonly random: RandomSource;
  /** What is bound into the records of a file. */
  context(name: string): Bytes;
}

/** The growing files of one folder; one process adds to them. */
export class SealedLog {
  #ends = new Map<string, number>();

  /** @param folder where they are */
  constructor(private readonly folder: LogFolder) {}

  /** Adds a record. @param content at most {@link maxContentBytes} @throws FileTrouble; nothing is added then */
  append(name: string, content: Uint8Array): void {
    if (content.length > maxContentBytes) throw new Error("a record of a sealed log is too long");
    const path = join(this.folder.dir, name);
    const end = this.#ends.get(name) ?? this.#mended(name);
    const head = end === 0 ? Uint8Array.of(stateFormat) : new Uint8Array(0);
    const place = end + head.length;
    const salt = this.folder.random(saltBytes);
    const sealed = seal(this.folder.key, label, salt, this.#context(name, place), content);
    const record = concat(head, u32(saltBytes + sealed.length), salt, sealed);
    try {
      using file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
      try {
        for (let at = 0; at < record.length;) at += file.writeSync(record.subarray(at));
      } catch (error) {
        file.truncateSync(end);
        throw error;
      }
    } catch (error) {
      this.#ends.delete(name);
      throw trouble("write", path, error);
    }
    this.#ends.set(name, end + record.length);
  }

  /** The records of a file, oldest first; none when there is no such file. @throws FileTrouble when it was changed */
  records(name: string): LogRecord[] {
    return this.#parse(name).records;
  }

  /** Files were removed by somebody else's hand. */
  forget(): void {
    this.#ends.clear();
  }

  /** Cuts off what a cut has left at the end. @returns where the next record begins */
  #mended(name: string): number {
    const { end, size } = this.#parse(name);
    if (end < size) {
      const path = join(this.folder.dir, name);
      try {
        Deno.truncateSync(path, end);
      } catch (error) {
        throw trouble("write", path, error);
      }
    }
    return end;
  }

  #parse(name: string): { records: LogRecord[]; end: number; size: number } {
    const path = join(this.folder.dir, name);
    const bytes = readPrivate(path) ?? new Uint8Array(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const records: LogRecord[] = [];
    if (bytes.length > 0) checkFormat(path, bytes[0]);
    let at = Math.min(1, bytes.length), last = at;
    while (at + headBytes <= bytes.length) {
      const length = view.getUint32(at);
      const end = at + headBytes + length;
      if (length < saltBytes + tagBytes || length > maxRecordBytes || end > bytes.length) break;
      const [place, body] = [at, bytes.subarray(at + headBytes, end)];
      records.push({ open: () => this.#open(name, place, body) });
      last = at;
      at = end;
    }
    // What was written last may have reached the disk in part.
    if (records.length > 0 && !opens(records.at(-1)!)) {
      records.pop();
      at = last;
    }
    if (bytes.length - at > headBytes + maxRecordBytes && bytes.subarray(at).some((byte) => byte !== 0)) {
      throw damaged(path);
    }
    return { records, end: at, size: bytes.length };
  }

  #open(name: string, place: number, body: Bytes): Bytes {
    const { dir, key } = this.folder;
    try {
      const salt = body.subarray(0, saltBytes);
      return open(key, label, salt, this.#context(name, place), body.subarray(saltBytes));
    } catch (error) {
      if (!(error instanceof TagMismatch)) throw error;
      throw damaged(join(dir, name));
    }
  }

  #context(name: string, place: number): Bytes {
    const at = new Uint8Array(8);
    new DataView(at.buffer).setBigUint64(0, BigInt(place));
    return concat(this.folder.context(name), at);
  }
}

function opens(record: LogRecord): boolean {
  try {
    record.open();
    return true;
  } catch (error) {
    if (error instanceof FileTrouble) return false;
    throw error;
  }
}

function damaged(path: string): FileTrouble {
  return new FileTrouble(
    `Cannot open "${path}": it was changed or is damaged`,
    "restore it from a copy, or remove it to go without",
  );
}
