/** VersionOne: what a program of protocol 1 has left. It is moved aside, and never read as what we write; keys stay. */

import { join } from "@std/path";
import { trouble } from "./file_trouble.ts";
import { exists, makePrivateDir, readPrivate } from "./private_file.ts";

/** The card goes last: it tells that something is still to be moved. */
const names = ["state", "known.jsonl", "rooms.db", "rooms.db-wal", "rooms.db-journal", "card"];

/**
 * Moves aside what a folder of keys holds from version 1: its card begins with that number.
 *
 * @returns where to; null when there was nothing
 * @throws FileTrouble
 */
export function moveVersionOne(dir: string): string | null {
  if (readPrivate(join(dir, "card"))?.[0] !== 1) return null;
  const to = join(dir, "v1");
  makePrivateDir(to);
  for (const name of names) {
    const from = join(dir, name);
    if (!exists(from)) continue;
    try {
      Deno.renameSync(from, join(to, name));
    } catch (error) {
      throw trouble("write", to, error);
    }
  }
  return to;
}

/** What is said of it. @param to where it is */
export function movedWords(to: string): string {
  return `What was kept by version 1 of the protocol is in "${to}" now, and is not read; your keys stay, and rooms begin anew.`;
}
