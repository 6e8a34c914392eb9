/**
 * Spool: copies of files that other programs of this person send through this one: those programs may end, and their
 * files may be where this one cannot look. A copy goes when its file is with the server.
 */

import { join } from "@std/path";
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

  /** Begins a copy. @throws FileTrouble */
  begin(): SpooledFile {
    makePrivateDir(this.#dir);
    const path = join(this.#dir, `.${encodeHex(this.random(16))}.part`);
    try {
      return new SpooledFile(path, Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }));
    } catch (error) {
      throw trouble("make", path, error);
    }
  }
}

/** A copy that is being made. */
export class SpooledFile {
  #isOpen = true;

  /** @param file empty */
  constructor(readonly path: string, private readonly file: Deno.FsFile) {}

  /** Adds what follows. @throws FileTrouble */
  add(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += this.file.writeSync(bytes.subarray(at));
    } catch (error) {
      this.discard();
      throw trouble("write", this.path, error);
    }
  }

  /** All of it is there, and on the disk. @throws FileTrouble */
  finish(): void {
    try {
      this.file.syncSync();
      this.#close();
    } catch (error) {
      this.discard();
      throw trouble("write", this.path, error);
    }
  }

  /** Takes it away. */
  discard(): void {
    this.#close();
    removePart(this.path);
  }

  #close(): void {
    if (this.#isOpen) this.file.close();
    this.#isOpen = false;
  }
}
