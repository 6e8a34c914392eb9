/**
 * LogFile: a file that lines are added to, and that others may move away at any time (logrotate): it is then made
 * anew, without a signal. A full disk costs lines, never the server; how many is written once there is room.
 */

import type { Clock } from "../clock.ts";
import { ChatError } from "../errors.ts";
import { trouble } from "./file_trouble.ts";

const lookEveryMs = 1000;

/** One file, 0600. */
export class LogFile {
  #file: Deno.FsFile | null;
  #lookedMs = 0;
  #lost = 0;
  #isCut = false;

  /** Opens or makes it. @param onTrouble told when lines begin to be lost @throws ChatError when it cannot be written */
  constructor(
    private readonly path: string,
    private readonly clock: Clock,
    private readonly onTrouble: () => void = () => {},
  ) {
    try {
      this.#file = open(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        throw new ChatError(
          `The log cannot be "${path}": the program may not open devices`,
          "for lines on standard output give --log-format without --log-file",
        );
      }
      throw trouble("write the log", path, error);
    }
    this.#lookedMs = clock.now();
  }

  /** Adds one line; never throws. @param lostLine makes the line that tells how many were lost */
  write(line: string, lostLine: (lost: number) => string): void {
    this.#reopenIfMoved();
    try {
      if (!this.#file) throw new Error("not open");
      if (this.#lost > 0) {
        this.#append(lostLine(this.#lost));
        this.#lost = 0;
      }
      this.#append(line);
    } catch {
      if (this.#lost++ === 0) this.onTrouble();
    }
  }

  /** A whole line, or an error; a line of which the disk took a part ends there. */
  #append(line: string): void {
    const bytes = new TextEncoder().encode(this.#isCut ? `\n${line}` : line);
    for (let at = 0; at < bytes.length;) {
      at += this.#file!.writeSync(bytes.subarray(at));
      this.#isCut = at < bytes.length;
    }
  }

  #reopenIfMoved(): void {
    const now = this.clock.now();
    if (now >= this.#lookedMs && now - this.#lookedMs < lookEveryMs && this.#file) return;
    this.#lookedMs = now;
    try {
      if (this.#file && isSame(this.#file.statSync(), this.path)) return;
      this.close();
      this.#file = open(this.path);
    } catch {
      // Tried again with a later line.
    }
  }

  /** Lets go of it. */
  close(): void {
    this.#file?.close();
    this.#file = null;
  }
}

function open(path: string): Deno.FsFile {
  // An existing file keeps the mode that its owner chose.
  return Deno.openSync(path, { append: true, create: true, mode: 0o600 });
}

function isSame(opened: Deno.FileInfo, path: string): boolean {
  if (!opened.isFile) return true; // a pipe or a terminal does not move
  try {
    const there = Deno.statSync(path);
    return there.ino === opened.ino && there.dev === opened.dev;
  } catch {
    return false;
  }
}
