/**
 * Spool: copies of files that other programs of this person send through this one: those programs may end, and their
 * files may be where this one cannot look. A copy goes when its file is with the server.
 */

import { dirname, join } from "@std/path";
import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { trouble } from "../../storage/file_trouble.ts";
import { makePrivateDir } from "../../storage/private_file.ts";
import { removePart } from "../files/part_file.ts";

/** What is still there was left by a program that was killed. */
const maxAgeMs = 30 * 86_400_000;

/** The copies of one profile. */
export class Spool {
  #dir: string;

  /** @param dir of the profile */
  constructor(dir: string, private readonly random: RandomSource, clock: Pick<Clock, "now">) {
    this.#dir = join(dir, "spool");
    this.#sweep(clock.now());
  }

  #sweep(now: number): void {
    try {
      for (const { name } of Deno.readDirSync(this.#dir)) {
        const path = join(this.#dir, name);
        const { mtime } = Deno.lstatSync(path);
        if (now - (mtime?.getTime() ?? 0) > maxAgeMs) removePart(path);
      }
    } catch {
      // There is none yet.
    }
  }

  /** Begins a copy. */
  begin(): SpooledFile {
    return new SpooledFile(join(this.#dir, `.${encodeHex(this.random(16))}.part`));
  }
}

/** A copy that is being made. */
export class SpooledFile {
  #file: Deno.FsFile | null = null;
  #hasFailed = false;

  /** @param path in the spool; nothing is there yet */
  constructor(readonly path: string) {}

  /** Adds what follows; nothing more once that has failed. @throws FileTrouble the first time */
  add(bytes: Uint8Array): void {
    if (this.#hasFailed) return;
    try {
      makePrivateDir(dirname(this.path));
      this.#file ??= Deno.openSync(this.path, { write: true, createNew: true, mode: 0o600 });
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    } catch (error) {
      this.discard();
      throw trouble("write", this.path, error);
    }
  }

  /** All of it is there, and on the disk; if not, there is nothing. */
  finish(): void {
    try {
      this.#file?.syncSync();
      this.#close();
    } catch {
      this.discard();
    }
  }

  /** Takes it away. */
  discard(): void {
    this.#hasFailed = true;
    this.#close();
    removePart(this.path);
  }

  #close(): void {
    this.#file?.close();
    this.#file = null;
  }
}
