/**
 * Secret files that a person names: passphrases, passwords, tokens, key files. Unlike files of our own they may be links
 * and pipes (`<(pass show x)`, credentials of Kubernetes and systemd), and may be somebody else's, whose modes are not
 * ours to judge.
 */

import type { Bytes } from "../crypto/bytes.ts";
import { ChatError } from "../errors.ts";
import { FileTrouble, trouble } from "./file_trouble.ts";
import { FileExposed } from "./private_file.ts";

const maxBytes = 64 * 1024;

/** Whether a path is standard input by another name: the runtime opens that for nobody, so its owner must read it. */
export function isStandardInput(path: string): boolean {
  return ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].includes(path);
}

/** Reads one; an empty answer is an empty file. @throws FileExposed when it is ours and open to others; FileTrouble */
export function readSecretBytes(path: string): Bytes {
  try {
    const info = Deno.statSync(path);
    if (info.isDirectory) {
      throw new FileTrouble(`Cannot read "${path}": it is a folder`, "give the path of a file");
    }
    refuseExposed(path, info);
    if (info.size > maxBytes) {
      throw new FileTrouble(`Cannot read "${path}": it is too large for a secret`, "check the path");
    }
    return Deno.readFileSync(path) as Bytes;
  } catch (error) {
    if (error instanceof ChatError) throw error;
    throw trouble("read", path, error);
  }
}

/** Refuses a file that is ours and readable by others: somebody else's has the mode that he wants. @throws FileExposed */
export function refuseExposed(
  path: string,
  { isFile, mode, uid }: Deno.FileInfo = Deno.statSync(path),
): void {
  if (!isFile || Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0) return;
  if (uid === null || uid === Deno.uid()) throw new FileExposed(path, mode & 0o7777);
}
