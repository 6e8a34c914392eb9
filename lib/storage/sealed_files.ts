/**
 * Sealed files: local state that a thief of the disk, without the identity's keys, cannot read, and whose
 * parts cannot be exchanged for one another (protocol §10).
 *
 *   file = u8 2 ‖ salt[16] ‖ Seal(storage_key, "state", salt, file name, content)
 *
 * The storage key is wrapped to the own RSA key, so the passphrase of that key guards the state as well.
 */

import { basename, join } from "@std/path";
import { type Bytes, concat } from "../crypto/bytes.ts";
import type { Identity } from "../crypto/identity.ts";
import { importRsaPublic, oaepDecrypt, oaepEncrypt, oaepLabel } from "../crypto/oaep.ts";
import type { RandomSource } from "../crypto/random.ts";
import { open, seal, TagMismatch } from "../crypto/seal.ts";
import { type LogKind, SealedLog } from "./sealed_log.ts";
import { FileTrouble, trouble } from "./file_trouble.ts";
import { withFormat, withoutFormat } from "./state_format.ts";
import { makePrivateDir, readPrivate, writeAtomically } from "./private_file.ts";

const label = oaepLabel("chat2 state");

/** Reads and writes the sealed files of one directory. */
export class SealedFiles {
  private constructor(
    readonly dir: string,
    private readonly key: Bytes,
    private readonly random: RandomSource,
  ) {}

  /** Opens a profile's storage, making its key at the first use. @throws FileTrouble */
  static async open(dir: string, identity: Identity, random: RandomSource): Promise<SealedFiles> {
    makePrivateDir(dir);
    const path = join(dir, "storage.key");
    const wrapped = readPrivate(path);
    if (wrapped === null) {
      const key = random(32);
      writeAtomically(
        path,
        withFormat(await oaepEncrypt(await importRsaPublic(identity.rsaSpki), label, key)),
      );
      return new SealedFiles(dir, key, random);
    }
    const ciphertext = withoutFormat(path, wrapped);
    try {
      return new SealedFiles(dir, await oaepDecrypt(identity.rsa, label, ciphertext), random);
    } catch {
      throw new FileTrouble(
        `Cannot open the saved state in "${dir}": it belongs to other keys, or is damaged`,
        `move "${dir}" away to begin anew; messages that were not sent yet are lost with it`,
      );
    }
  }

  /** The same storage, one folder further down. */
  folder(name: string): SealedFiles {
    const dir = join(this.dir, name);
    makePrivateDir(dir);
    return new SealedFiles(dir, this.key, this.random);
  }

  /** The files of this folder that only grow. */
  log(kind: LogKind): SealedLog {
    const { dir, key, random } = this;
    return new SealedLog({ dir, key, random, context: (name) => this.#context(name) }, kind);
  }

  /** Replaces a file in one step. @throws FileTrouble */
  write(name: string, content: Uint8Array): void {
    const salt = this.random(16);
    writeAtomically(
      join(this.dir, name),
      withFormat(concat(salt, seal(this.key, "state", salt, this.#context(name), content))),
    );
  }

  /** A file's content, or null when there is none. @throws FileTrouble when it was changed */
  read(name: string): Bytes | null {
    const path = join(this.dir, name);
    const stored = readPrivate(path);
    if (stored === null) return null;
    const bytes = withoutFormat(path, stored);
    try {
      return open(this.key, "state", bytes.subarray(0, 16), this.#context(name), bytes.subarray(16));
    } catch (error) {
      if (!(error instanceof TagMismatch)) throw error;
      throw new FileTrouble(
        `Cannot open "${path}": it was changed or is damaged`,
        "restore it from a copy, or remove it to begin that room anew",
      );
    }
  }

  /** The names of all files here. */
  names(): string[] {
    try {
      return [...Deno.readDirSync(this.dir)].filter((e) => e.isFile && !e.name.endsWith(".tmp")).map((e) =>
        e.name
      );
    } catch (error) {
      throw trouble("read", this.dir, error);
    }
  }

  /** When a file was last written, in milliseconds since 1970. @throws FileTrouble */
  changedMs(name: string): number {
    const path = join(this.dir, name);
    try {
      return Deno.statSync(path).mtime?.getTime() ?? 0;
    } catch (error) {
      throw trouble("read", path, error);
    }
  }

  /** Removes a file, if it is there. */
  remove(name: string): void {
    try {
      Deno.removeSync(join(this.dir, name));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw trouble("remove", join(this.dir, name), error);
    }
  }

  /** Removes a folder and all in it, if it is there. */
  removeFolder(name: string): void {
    try {
      Deno.removeSync(join(this.dir, name), { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw trouble("remove", join(this.dir, name), error);
    }
  }

  /** The names of all folders here. */
  folders(): string[] {
    return [...Deno.readDirSync(this.dir)].filter((e) => e.isDirectory).map((e) => e.name);
  }

  /** The folder is bound in too: a file of one server is none of another's. */
  #context(name: string): Bytes {
    return new TextEncoder().encode(`${basename(this.dir)}/${name}`) as Bytes;
  }
}
