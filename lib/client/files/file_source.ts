/**
 * FileSource: a file of this machine that is sent. It may change while it is: then it is another file, and what was sent
 * of it is of no use.
 */

import { basename } from "@std/path";
import type { Bytes } from "../../crypto/bytes.ts";
import { RunningSha256 } from "../../crypto/hash.ts";
import { ChatError } from "../../errors.ts";
import { trouble } from "../../storage/file_trouble.ts";
import { shellWord } from "../../shell_word.ts";
import { chunkBytes, maxFileBytes } from "../../protocol/file/file_chunk.ts";

/** What tells one state of a file from another. */
export interface FileStamp {
  /** Bytes. */
  readonly size: number;
  /** When it was written last, milliseconds since 1970. */
  readonly mtimeMs: number;
}

/** A file that cannot be sent. */
export class CannotSend extends ChatError {
  /** @param path as the person gave it */
  constructor(path: string, why: string, hint: string) {
    super(`Cannot send "${path}": ${why}`, hint);
  }
}

/** What stands at a path. @throws CannotSend for what is no regular file */
export function stampOf(path: string): FileStamp {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    throw cannotRead(path, error);
  }
  if (info.isDirectory) {
    const archive = shellWord(`${basename(path)}.tar.gz`);
    throw new CannotSend(
      path,
      "it is a folder",
      `make one file of it: tar czf ${archive} ${shellWord(path)}`,
    );
  }
  if (!info.isFile) throw new CannotSend(path, "it is not a regular file", "give the path of a file");
  if (info.size > maxFileBytes) throw new CannotSend(path, "it is too large", "send it in parts");
  return { size: info.size, mtimeMs: info.mtime?.getTime() ?? 0 };
}

function cannotRead(path: string, error: unknown): ChatError {
  if (error instanceof Deno.errors.NotFound) {
    return new CannotSend(path, "there is no such file", "see the path");
  }
  return trouble("read", path, error);
}

/** A file that is read from its beginning, and hashed as it is. */
export class FileSource {
  #hash = new RunningSha256();
  #at = 0;

  private constructor(private readonly file: Deno.FsFile, private readonly path: string) {}

  /** Opens it. @throws CannotSend, FileTrouble */
  static async open(path: string): Promise<FileSource> {
    stampOf(path);
    try {
      return new FileSource(await Deno.open(path, { read: true }), path);
    } catch (error) {
      throw cannotRead(path, error);
    }
  }

  /** Reads the next part into `into`. @returns how many bytes: fewer than fit at the end only @throws FileTrouble */
  async read(into: Uint8Array): Promise<number> {
    let done = 0;
    try {
      while (done < into.length) {
        const n = await this.file.read(into.subarray(done));
        if (n === null) break;
        done += n;
      }
    } catch (error) {
      throw cannotRead(this.path, error);
    }
    this.#hash.update(into.subarray(0, done));
    this.#at += done;
    return done;
  }

  /** Reads and hashes up to a place. @param isWanted asked now and then: false ends it */
  async skipTo(at: number, isWanted: () => boolean): Promise<void> {
    const buffer = new Uint8Array(16 * chunkBytes);
    while (this.#at < at && isWanted()) {
      const n = await this.read(buffer.subarray(0, Math.min(buffer.length, at - this.#at)));
      if (n === 0) return;
    }
  }

  /** SHA-256 of what was read. */
  digest(): Bytes {
    return this.#hash.digest();
  }

  /** Closes it. */
  close(): void {
    this.file.close();
  }
}
