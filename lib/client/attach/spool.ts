/**
 * Spool: copies of files that other programs of this person send through this one: those programs may end, and their
 * files may be where this one cannot look. A copy goes when its file is with the server.
 */

import { dirname, join } from "@std/path";
import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { type FileTrouble, trouble } from "../../storage/file_trouble.ts";
import { makePrivateDir } from "../../storage/private_file.ts";
import { removePart } from "../files/part_file.ts";

/** What is still there was left by a program that was killed. */
const maxAgeMs = 30 * 86_400_000;

/** What is written at once at the end would keep everybody waiting. */
const syncedEvery = 16 * 1024 * 1024;

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
  #unsynced = 0;
  #trouble: FileTrouble | null = null;

  /** @param path in the spool; nothing is there yet */
  constructor(readonly path: string) {}

  /** Adds what follows; nothing more once that has failed. One at a time. */
  async add(bytes: Uint8Array): Promise<void> {
    if (this.#trouble) return;
    await this.#try(async () => {
      makePrivateDir(dirname(this.path));
      this.#file ??= await Deno.open(this.path, { write: true, createNew: true, mode: 0o600 });
      for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
      this.#unsynced += bytes.length;
      if (this.#unsynced < syncedEvery) return;
      await this.#file.syncData();
      this.#unsynced = 0;
    });
  }

  /** All of it is there, and on the disk. @returns why it is not; then there is nothing */
  async finish(): Promise<FileTrouble | null> {
    await this.#try(async () => {
      await this.#file?.sync();
      this.#close();
    });
    return this.#trouble;
  }

  async #try(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#trouble ??= trouble("write", this.path, error);
      this.discard();
    }
  }

  /** Takes it away. */
  discard(): void {
    this.#close();
    removePart(this.path);
  }

  #close(): void {
    this.#file?.close();
    this.#file = null;
  }
}
