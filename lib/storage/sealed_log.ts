/**
 * SealedLog: sealed files that only grow, a record at a time, so that adding costs the same however much is there.
 *
 *   file   = u8 2 ‖ record*
 *   record = u32 length ‖ salt[16] ‖ Seal(storage_key, label, salt, folder/name ‖ u64 place ‖ first, content)
 *
 * `length` counts what follows it; `place` is the record's first byte in the file, so that records can neither change
 * places nor files. What a power cut takes is the end of a file, which is cut off before the next record is added.
 *
 * A file of "history" is never begun anew, and not synced; `first` is empty. A file of "state" is: its first record says
 * everything, and replaces the file in one step; `first` is the salt of that record in those that follow it, so that none
 * of an older file fits into a newer one. Each record is synced.
 */

import { join } from "@std/path";
import { type Bytes, concat, u32 } from "../crypto/bytes.ts";
import { open, seal, tagBytes, TagMismatch } from "../crypto/seal.ts";
import type { RandomSource } from "../crypto/random.ts";
import { FileTrouble, trouble } from "./file_trouble.ts";
import { readPrivate, writeAtomically } from "./private_file.ts";
import { checkFormat, stateFormat } from "./state_format.ts";

const headBytes = 4;
const saltBytes = 16;
/** The most bytes that one record of a kind may hold. */
export const maxContentBytes = { history: 256 * 1024, state: 2 ** 30 } as const;
const nothing: Bytes = new Uint8Array(0);

/** What a file is for: the label of its records. */
export type LogKind = keyof typeof maxContentBytes;

/** Where a file ends, and what is bound into its next record. */
interface End {
  readonly at: number;
  readonly first: Bytes;
}

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
  #ends = new Map<string, End>();

  /** @param folder where they are */
  constructor(private readonly folder: LogFolder, private readonly kind: LogKind) {}

  /** Begins a file anew: its first record replaces what was there, in one step. @returns its bytes @throws FileTrouble */
  begin(name: string, content: Uint8Array): number {
    const { record, end } = this.#sealed(name, { at: 0, first: nothing }, content);
    writeAtomically(join(this.folder.dir, name), record);
    this.#ends.set(name, end);
    return record.length;
  }

  /**
   * Adds a record.
   *
   * @param content at most {@link maxContentBytes}
   * @returns its bytes
   * @throws FileTrouble; nothing is added then
   */
  append(name: string, content: Uint8Array): number {
    const path = join(this.folder.dir, name);
    const before = this.#ends.get(name) ?? this.#mended(name);
    const { record, end } = this.#sealed(name, before, content);
    try {
      using file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
      try {
        for (let at = 0; at < record.length;) at += file.writeSync(record.subarray(at));
        if (this.kind === "state") file.syncDataSync();
      } catch (error) {
        file.truncateSync(before.at);
        throw error;
      }
    } catch (error) {
      this.#ends.delete(name);
      throw trouble("write", path, error);
    }
    this.#ends.set(name, end);
    return record.length;
  }

  /** Waits until all of a file is on disk. @throws FileTrouble */
  sync(name: string): void {
    const path = join(this.folder.dir, name);
    try {
      using file = Deno.openSync(path, { append: true });
      file.syncDataSync();
    } catch (error) {
      throw trouble("write", path, error);
    }
  }

  #sealed(name: string, { at, first }: End, content: Uint8Array): { record: Bytes; end: End } {
    if (content.length > maxContentBytes[this.kind]) throw new Error("a record of a sealed log is too long");
    const head = at === 0 ? Uint8Array.of(stateFormat) : nothing;
    const salt = this.folder.random(saltBytes);
    const sealed = seal(
      this.folder.key,
      this.kind,
      salt,
      this.#context(name, at + head.length, first),
      content,
    );
    const record = concat(head, u32(saltBytes + sealed.length), salt, sealed);
    const next = at === 0 && this.kind === "state" ? salt : first;
    return { record, end: { at: at + record.length, first: next } };
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
  #mended(name: string): End {
    const { end, size } = this.#parse(name);
    if (end.at < size) {
      const path = join(this.folder.dir, name);
      try {
        Deno.truncateSync(path, end.at);
      } catch (error) {
        throw trouble("write", path, error);
      }
    }
    return end;
  }

  #parse(name: string): { records: LogRecord[]; end: End; size: number } {
    const path = join(this.folder.dir, name);
    const stored = readPrivate(path);
    const bytes = stored ?? nothing;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const records: LogRecord[] = [];
    if (bytes.length > 0) checkFormat(path, bytes[0]);
    const maxRecordBytes = saltBytes + maxContentBytes[this.kind] + tagBytes;
    let at = Math.min(1, bytes.length), last = at, first: Bytes = nothing;
    while (at + headBytes <= bytes.length) {
      const length = view.getUint32(at);
      const end = at + headBytes + length;
      if (length < saltBytes + tagBytes || length > maxRecordBytes || end > bytes.length) break;
      const [place, body, bound] = [at, bytes.subarray(at + headBytes, end), first];
      records.push({ open: () => this.#open(name, place, bound, body) });
      if (records.length === 1 && this.kind === "state") first = body.slice(0, saltBytes);
      last = at;
      at = end;
    }
    // What was written last may have reached the disk in part.
    const isBegun = this.kind === "state" && stored !== null; // in one step: its first record is there, or changed
    if (isBegun && records.length === 0) throw damaged(path);
    if (records.length > (isBegun ? 1 : 0) && !opens(records.at(-1)!)) {
      records.pop();
      at = last;
    }
    if (bytes.length - at > headBytes + maxRecordBytes && bytes.subarray(at).some((byte) => byte !== 0)) {
      throw damaged(path);
    }
    return { records, end: { at, first }, size: bytes.length };
  }

  #open(name: string, place: number, first: Bytes, body: Bytes): Bytes {
    const { dir, key } = this.folder;
    try {
      const salt = body.subarray(0, saltBytes);
      return open(key, this.kind, salt, this.#context(name, place, first), body.subarray(saltBytes));
    } catch (error) {
      if (!(error instanceof TagMismatch)) throw error;
      throw damaged(join(dir, name));
    }
  }

  #context(name: string, place: number, first: Bytes): Bytes {
    const at = new Uint8Array(8);
    new DataView(at.buffer).setBigUint64(0, BigInt(place));
    return concat(this.folder.context(name), at, first);
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
