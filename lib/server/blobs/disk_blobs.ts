/** DiskBlobs: a file for each blob, 0600, in 256 folders by the first two digits of its name. */

import { dirname, join } from "@std/path";
import type { Bytes } from "../../crypto/bytes.ts";
import { makePrivateDir, syncDirectory } from "../../storage/private_file.ts";
import { type BlobBytes, BlobsFailed, wholeChunkBytes } from "./blob_bytes.ts";

/** Files that are open at a time. */
const maxOpen = 32;
const nameForm = /^[0-9a-f]{32}$/;

/** One file, and what is to be done with it, one after the other: place and bytes are two calls. */
interface Handle {
  readonly file: Deno.FsFile;
  /** Its name is not on the disk for sure. */
  isNew: boolean;
  doing: Promise<unknown>;
  isRemoved: boolean;
}

/** The blobs of one folder. */
export class DiskBlobs implements BlobBytes {
  /** The one that was used last is the last. */
  #open = new Map<string, Handle>();

  /** @param dir made at the first blob */
  constructor(private readonly dir: string) {}

  async write(name: string, index: number, bytes: Uint8Array): Promise<void> {
    await this.#using(name, true, async (file) => {
      await file.seek(index * wholeChunkBytes, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    });
  }

  async sync(name: string): Promise<void> {
    await this.#using(name, false, async (file, handle) => {
      await file.syncData();
      if (!handle.isNew) return;
      syncDirectory(dirname(this.#path(name)));
      syncDirectory(this.dir); // its folder may be new, too
      handle.isNew = false;
    });
  }

  async read(name: string, index: number, length: number): Promise<Bytes | null> {
    const bytes = new Uint8Array(length);
    return await this.#using(name, false, async (file) => {
      await file.seek(index * wholeChunkBytes, Deno.SeekMode.Start);
      for (let done = 0; done < length;) {
        const n = await file.read(bytes.subarray(done));
        if (n === null) return null;
        done += n;
      }
      return bytes;
    }) ?? null;
  }

  async remove(name: string): Promise<void> {
    const handle = this.#open.get(name);
    this.#open.delete(name);
    if (handle) {
      handle.isRemoved = true;
      await handle.doing.catch(() => {});
      handle.file.close();
    }
    await failing(async () => {
      try {
        await Deno.remove(this.#path(name));
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    });
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    const entries = async (path: string) => {
      try {
        return await Array.fromAsync(Deno.readDir(path));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return [];
        throw error;
      }
    };
    await failing(async () => {
      for (const folder of await entries(this.dir)) {
        if (!folder.isDirectory) continue;
        for (const { name } of await entries(join(this.dir, folder.name))) {
          if (nameForm.test(name)) names.push(name);
        }
      }
    });
    return names;
  }

  async close(): Promise<void> {
    for (const name of [...this.#open.keys()]) await this.#close(name);
  }

  #path(name: string): string {
    if (!nameForm.test(name)) throw new Error(`not the name of a blob: ${name}`);
    return join(this.dir, name.slice(0, 2), name);
  }

  /** Runs `act` behind what is being done with the file. @returns undefined when there is none */
  async #using<T>(
    name: string,
    create: boolean,
    act: (file: Deno.FsFile, handle: Handle) => Promise<T>,
  ): Promise<T | undefined> {
    return await failing(async () => {
      const handle = this.#handle(name, create);
      if (!handle) return undefined;
      const doing = handle.doing.catch(() => {}).then(() =>
        handle.isRemoved ? undefined : act(handle.file, handle)
      );
      handle.doing = doing;
      return await doing;
    });
  }

  #handle(name: string, create: boolean): Handle | null {
    const known = this.#open.get(name);
    if (known) this.#open.delete(name);
    const handle = known ?? this.#openFile(name, create);
    if (!handle) return null;
    this.#open.set(name, handle);
    if (this.#open.size > maxOpen) void this.#close(this.#open.keys().next().value!);
    return handle;
  }

  #openFile(name: string, create: boolean): Handle | null {
    const path = this.#path(name);
    if (create) makePrivateDir(dirname(path));
    try {
      const file = Deno.openSync(path, { read: true, write: true, create, mode: 0o600 });
      return { file, isNew: create, doing: Promise.resolve(), isRemoved: false };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && !create) return null;
      throw error;
    }
  }

  async #close(name: string): Promise<void> {
    const handle = this.#open.get(name);
    if (!handle) return;
    this.#open.delete(name);
    for (let seen; seen !== handle.doing;) await (seen = handle.doing).catch(() => {}); // more may have joined the line
    handle.file.close();
  }
}

/** What the system says, as ours. */
async function failing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof BlobsFailed ? error : new BlobsFailed((error as Error).message);
  }
}
