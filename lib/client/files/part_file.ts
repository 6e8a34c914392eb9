/**
 * PartFile: a file that comes in: beside its place as `.NAME.MARK.part`, 0600, and at its place once all of it is there and on
 * the disk. Nothing that stands there is overwritten or followed.
 */

import { basename, dirname, join } from "@std/path";
import { equals } from "@std/bytes/equals";
import { RunningSha256 } from "../../crypto/hash.ts";
import { trouble } from "../../storage/file_trouble.ts";
import { exists, syncDirectory } from "../../storage/private_file.ts";
import { FileSource } from "./file_source.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError } from "../../errors.ts";
import { chunkBytes } from "../../protocol/file/file_chunk.ts";
import { sizeInWords } from "../../size_in_words.ts";
import { numberedName } from "./file_name.ts";

const maxNumber = 1000;

/** A file that cannot be saved. */
class CannotSave extends ChatError {
  /** @param dir where it was to be */
  constructor(dir: string, why: string, hint: string) {
    super(`Cannot save it in "${dir}": ${why}`, hint);
  }
}

function cannotSave(dir: string, error: unknown, missing: number): ChatError {
  if (error instanceof ChatError) return error;
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return new CannotSave(dir, "you may not write there", "give another folder with --download-dir");
  }
  const isFull = error instanceof Error &&
    ("code" in error && error.code === "ENOSPC" || /os error 28\b|No space/.test(error.message));
  if (isFull) {
    return new CannotSave(
      dir,
      `the disk is full; ${sizeInWords(missing)} are missing`,
      "make room, then /get it again: what is there stays",
    );
  }
  return trouble("save a file in", dir, error);
}

/** One that is being written. */
export class PartFile {
  #hash = new RunningSha256();
  #at = 0;

  private constructor(
    private readonly file: Deno.FsFile,
    /** Where it is. */
    readonly path: string,
    private readonly name: string,
    private readonly size: number,
  ) {}

  /**
   * Where one may be begun: in a folder, which is made if it is not there.
   *
   * @param mark tells it from every other one, also of the same name
   * @throws ChatError
   */
  static placeIn(dir: string, name: string, mark: string): string {
    try {
      Deno.mkdirSync(dir, { recursive: true });
    } catch (error) {
      throw cannotSave(dir, error, 0);
    }
    return join(dir, `.${name}.${mark}.part`);
  }

  /** Begins one. @param path from {@link PartFile.placeIn} @throws ChatError, also when something stands there by now */
  static begin(path: string, name: string, size: number): PartFile {
    try {
      const file = Deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 });
      return new PartFile(file, path, name, size);
    } catch (error) {
      throw cannotSave(dirname(path), error, size);
    }
  }

  /**
   * Goes on with one: what is there in whole chunks is read and hashed.
   *
   * @returns null when it is not there any more, or is something else
   * @throws ChatError
   */
  static async resume(path: string, name: string, size: number): Promise<PartFile | null> {
    try {
      const info = Deno.lstatSync(path);
      if (!info.isFile) return null;
      const part = new PartFile(Deno.openSync(path, { read: true, write: true }), path, name, size);
      const whole = Math.min(Math.floor(info.size / chunkBytes), Math.ceil(size / chunkBytes) - 1);
      const buffer = new Uint8Array(chunkBytes);
      for (let i = 0; i < whole; i++) {
        for (let done = 0; done < chunkBytes;) {
          const n = await part.file.read(buffer.subarray(done));
          if (n === null) throw new Error("it became shorter");
          done += n;
        }
        part.#hash.update(buffer);
        part.#at += chunkBytes;
      }
      return part;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw cannotSave(dirname(path), error, size);
    }
  }

  /** How many bytes are there. */
  get written(): number {
    return this.#at;
  }

  /** Adds what follows. @throws ChatError: it can be gone on with later */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.file.seek(this.#at, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += await this.file.write(bytes.subarray(done));
    } catch (error) {
      throw cannotSave(dirname(this.path), error, this.size - this.#at);
    }
    this.#hash.update(bytes);
    this.#at += bytes.length;
  }

  /** SHA-256 of what is there. */
  digest(): Bytes {
    return this.#hash.digest();
  }

  /** All of it is there: it goes to its place. @returns where that is @throws ChatError */
  async finish(): Promise<string> {
    const dir = dirname(this.path);
    try {
      await this.file.truncate(this.size);
      await this.file.sync();
      this.file.close();
      const path = place(this.path, dir, this.name);
      syncDirectory(dir);
      await markAsForeign(path);
      return path;
    } catch (error) {
      throw cannotSave(dir, error, 0);
    }
  }

  /** Closes it; it can be gone on with. */
  close(): void {
    try {
      this.file.close();
    } catch {
      // Closed already.
    }
  }

  /** Closes it and takes it away. */
  discard(): void {
    this.close();
    removePart(this.path);
  }
}

/** Takes a part away, if it is there. */
export function removePart(path: string): void {
  if (!/^\..*\.part$/u.test(basename(path))) return; // never anything else
  try {
    Deno.removeSync(path);
  } catch {
    // It is not there, or may not be touched: nobody needs it.
  }
}

/** Gives a file its name, and takes it from nobody. */
function place(part: string, dir: string, name: string): string {
  for (let n = 1; n <= maxNumber; n++) {
    const path = join(dir, numberedName(name, n));
    try {
      Deno.linkSync(part, path); // refuses what is there, a link too
      Deno.removeSync(part);
      return path;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) {
        if (!isSameFile(part, path)) continue;
        Deno.removeSync(part); // a program that was killed had come so far
        return path;
      }
      if (renamed(part, path)) return path; // not every file system has links
      throw error;
    }
  }
  throw new CannotSave(dir, "too many files of that name are there", "give another folder");
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [Deno.lstatSync(one), Deno.lstatSync(other)];
  return a.ino !== null && a.ino === b.ino && a.dev === b.dev;
}

/**
 * The file that is at its place already: a program that was killed had come so far.
 *
 * @param part where its part was @returns null when it is not
 */
export async function savedBefore(
  part: string,
  name: string,
  { size, sha256 }: { readonly size: number; readonly sha256: Uint8Array },
): Promise<string | null> {
  for (let n = 1; n <= maxNumber; n++) {
    const path = join(dirname(part), numberedName(name, n));
    if (!exists(path)) return null;
    if (await isThatFile(path, size, sha256)) return path;
  }
  return null;
}

async function isThatFile(path: string, size: number, sha256: Uint8Array): Promise<boolean> {
  try {
    const info = Deno.lstatSync(path);
    if (!info.isFile || info.size !== size) return false;
    const source = await FileSource.open(path);
    try {
      await source.skipTo(size, () => true);
      return equals(source.digest(), sha256);
    } finally {
      source.close();
    }
  } catch {
    return false; // it cannot be read: it is not ours to judge
  }
}

/** Renames over a name that was free and is ours now. @returns false when it was not free */
function renamed(part: string, path: string): boolean {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
  try {
    Deno.renameSync(part, path);
  } catch (error) {
    Deno.removeSync(path); // ours, and empty
    throw error;
  }
  return true;
}

/** Windows asks before it runs what came from somebody else. */
async function markAsForeign(path: string): Promise<void> {
  if (Deno.build.os !== "windows") return;
  await Deno.writeTextFile(`${path}:Zone.Identifier`, "[ZoneTransfer]\r\nZoneId=3\r\n").catch(() => {});
}
