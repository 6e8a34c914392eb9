/** Lock: one process per profile or data directory, by a lock that ends with the process, however it ends. */

import { ChatError } from "../errors.ts";
import { trouble } from "./file_trouble.ts";

/** Somebody else holds the lock. */
export class InUse extends ChatError {
  /** @param what names what is locked @param hint what to do */
  constructor(what: string, hint: string) {
    super(`${what} is in use by another chat process`, hint);
  }
}

/** A held lock; the file stays, empty. */
export class Lock {
  #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Takes the lock, without waiting.
   *
   * @throws InUse when another process has it; FileTrouble
   */
  static take(path: string, what: string, hint: string): Lock {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
    } catch (error) {
      throw trouble("write", path, error);
    }
    let isTaken: boolean;
    try {
      isTaken = file.tryLockSync(true);
    } catch (error) {
      file.close();
      throw trouble("lock", path, error);
    }
    if (isTaken) return new Lock(file);
    file.close();
    throw new InUse(what, hint);
  }

  /** Lets go. */
  release(): void {
    try {
      this.#file.unlockSync(); // closing is not enough while a child that is being started still holds it
      this.#file.close();
    } catch {
      // Released already.
    }
  }
}
