/**
 * Private files: what only their owner may read, and writes that leave either the old content or the new.
 *
 * A file is written beside its place, synced, and renamed; a power cut at any point loses nothing that
 * was there before.
 */

import { dirname } from "@std/path";
import type { Bytes } from "../crypto/bytes.ts";
import { ChatError } from "../errors.ts";
import { shellWord } from "../shell_word.ts";
import { FileTrouble, trouble } from "./file_trouble.ts";

/** A private file that others can open. */
export class FileExposed extends ChatError {
  /** @param mode permission bits */
  constructor(path: string, mode: number) {
    super(
      `Cannot use "${path}": other users can read it (mode ${mode.toString(8).padStart(4, "0")})`,
      `run "chmod 600 ${shellWord(path)}"`,
    );
  }
}

/** Whether anything stands at `path`, a broken link included. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Makes a directory for private files, 0700, with its parents. @throws FileTrouble */
export function makePrivateDir(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw trouble("make the directory", path, error);
  }
}

/** Makes a directory of ours that was there already 0700: nobody else has business in it. @throws FileTrouble */
export function tightenDir(path: string): void {
  try {
    const { mode } = Deno.statSync(path);
    if (Deno.build.os !== "windows" && mode !== null && (mode & 0o077) !== 0) Deno.chmodSync(path, 0o700);
  } catch (error) {
    throw trouble("protect", path, error);
  }
}

/**
 * Reads a private file.
 *
 * @returns null when there is none
 * @throws FileExposed when group or others may open it; FileTrouble
 */
export function readPrivate(path: string): Bytes | null {
  try {
    // lstat: a link inside a granted folder would be followed out of it.
    const info = Deno.lstatSync(path);
    if (info.isSymlink) {
      throw new FileTrouble(`Cannot use "${path}": it is a symbolic link`, "put the file itself there");
    }
    if (!info.isFile) {
      throw new FileTrouble(`Cannot use "${path}": it is not a file`, "give the path of a file");
    }
    if (Deno.build.os !== "windows" && info.mode !== null && (info.mode & 0o077) !== 0) {
      throw new FileExposed(path, info.mode & 0o7777);
    }
    return Deno.readFileSync(path) as Bytes;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof ChatError) throw error;
    throw trouble("read", path, error);
  }
}

/**
 * Makes an empty private file, unless it is there: what a database then makes beside it follows its mode.
 *
 * @throws FileExposed when group or others may open the one that is there; FileTrouble
 */
export function createPrivateFile(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw trouble("make", path, error);
    const { mode } = Deno.statSync(path);
    if (Deno.build.os !== "windows" && mode !== null && (mode & 0o077) !== 0) {
      throw new FileExposed(path, mode & 0o7777);
    }
  }
}

/** Replaces or makes a file in one step, 0600 unless told otherwise. @throws FileTrouble */
export function writeAtomically(path: string, bytes: Uint8Array, mode = 0o600): void {
  const temporary = `${path}.tmp`;
  try {
    try {
      Deno.removeSync(temporary); // of a run that was cut: its mode is not to be trusted
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const file = Deno.openSync(temporary, { write: true, createNew: true, mode });
    try {
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(temporary, path);
    syncDirectory(dirname(path));
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch {
      // Never made, or in place already.
    }
    throw trouble("write", path, error);
  }
}

/** Adds a line at the end of a private file and syncs it. @throws FileTrouble */
export function appendLine(path: string, line: string): void {
  try {
    const file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
    try {
      const { size } = file.statSync();
      try {
        const bytes = new TextEncoder().encode(line + "\n");
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
        file.syncSync();
      } catch (error) {
        file.truncateSync(size); // half a line would spoil the next one
        throw error;
      }
    } finally {
      file.close();
    }
  } catch (error) {
    throw trouble("write", path, error);
  }
}

/** A rename lasts once its directory is on disk; not every system lets a directory be synced. */
export function syncDirectory(path: string): void {
  if (Deno.build.os === "windows") return;
  try {
    const dir = Deno.openSync(path, { read: true });
    try {
      dir.syncSync();
    } finally {
      dir.close();
    }
  } catch {
    // The file itself is synced.
  }
}
