/** FileTrouble: what the system says of files, as a sentence and what to do next. */

import { dirname } from "@std/path";
import { ChatError } from "../errors.ts";
import { shellWord } from "../shell_word.ts";

/** The system would not read or write a file. */
export class FileTrouble extends ChatError {}

const notSupported =
  /os error (37|38|45|77|78|95|102)\)|ENOLCK|EOPNOTSUPP|ENOTSUP|ENOSYS|No locks available|not supported|not implemented/i;

/** An error of the system as a sentence and a hint. @param doing as "read" or "lock" */
export function trouble(doing: string, path: string, error: unknown): FileTrouble {
  if (error instanceof FileTrouble) return error;
  const text = error instanceof Error ? error.message : String(error);
  const cannot = `Cannot ${doing} "${path}"`;
  if (error instanceof Deno.errors.NotFound) {
    return new FileTrouble(`${cannot}: there is no such file or folder`, "check the path");
  }
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return refusedBy(cannot, path);
  }
  if (/os error 20\b|Not a directory/i.test(text)) {
    return new FileTrouble(`${cannot}: a part of that path is a file, and no folder`, "check the path");
  }
  if (/os error 21\b|Is a directory/i.test(text)) {
    return new FileTrouble(`${cannot}: it is a folder`, "give the path of a file");
  }
  if (/os error 28|No space left/.test(text)) {
    return new FileTrouble(`${cannot}: the disk is full`, "free some space and try again");
  }
  if (/os error (122|69)\)|quota/i.test(text)) {
    return new FileTrouble(`${cannot}: your share of the disk is used up`, "free some space and try again");
  }
  if (/os error 30|Read-only file system/.test(text)) {
    return new FileTrouble(
      `${cannot}: the disk is read-only`,
      "choose another place with --home, or for a server with --data",
    );
  }
  if (notSupported.test(text)) {
    return new FileTrouble(
      `${cannot}: the disk that it is on does not support that`,
      "choose a place on a local disk, with --home DIR or CHAT_HOME",
    );
  }
  return new FileTrouble(`${cannot}: ${withoutNumbers(text)}`, "check the path, and the disk that it is on");
}

/** The nearest thing on a path that can be looked at; null when nothing can. */
function nearestThere(path: string): { at: string; info: Deno.FileInfo } | null {
  for (let at = path;; at = dirname(at)) {
    try {
      return { at, info: Deno.statSync(at) };
    } catch {
      if (at === dirname(at)) return null;
    }
  }
}

/** Permission was denied: by whom, and what to do about it. */
function refusedBy(cannot: string, path: string): FileTrouble {
  const there = nearestThere(path);
  if (there && isAnothers(there.info)) {
    return new FileTrouble(
      `${cannot}: "${there.at}" belongs to ${whose(there.info)}`,
      `${toOwn(there.at)}choose another place`,
    );
  }
  const at = there?.at ?? path;
  return new FileTrouble(`${cannot}: permission denied`, `look at its modes: ls -ld ${shellWord(at)}`);
}

function isAnothers({ uid }: Deno.FileInfo): boolean {
  return Deno.build.os !== "windows" && uid !== null && uid !== Deno.uid();
}
function whose({ uid }: Deno.FileInfo): string {
  return uid === 0 ? "root" : `another user (number ${uid})`;
}

/** What stands in a folder of ours is ours to have back (`sudo chat …` made it); anything else is the system's. */
function toOwn(at: string): string {
  try {
    if (isAnothers(Deno.statSync(dirname(at)))) return "";
  } catch {
    return "";
  }
  return `if it is yours: sudo chown -R "$(id -un)" ${shellWord(at)}; or `;
}

/** What the system says, without its number and what the runtime adds. */
function withoutNumbers(text: string): string {
  return text.replace(/ ?\(os error \d+\).*/s, "").replace(/[.:]\s*$/, "");
}

/**
 * An error of the system that nobody has put into words yet; null for anything else.
 *
 * @param error as it was thrown
 */
export function systemTrouble(error: unknown): FileTrouble | null {
  if (!(error instanceof Error) || error instanceof ChatError) return null;
  const isSystems = /\(os error \d+\)/.test(error.message) ||
    Object.values(Deno.errors).some((each) => error instanceof each);
  if (!isSystems) return null;
  const path = /'([^']+)'/.exec(error.message)?.[1];
  if (path !== undefined) return trouble("use", path, error);
  return new FileTrouble(
    `The system refused something: ${withoutNumbers(error.message)}`,
    "check the disk and the network; CHAT_DEBUG=1 shows where it was",
  );
}

/**
 * Says whose a folder of ours is, when somebody else made it (`sudo chat …` did).
 *
 * @param what names it @param path need not be there: the nearest folder above that is counts
 * @param root folders above this one are the system's, not ours to ask for
 * @throws FileTrouble
 */
export function refuseForeign(what: string, path: string, root: string): void {
  if (Deno.build.os === "windows" || Deno.uid() === 0) return; // root may use all
  for (let at = path; at.startsWith(root) && at !== dirname(at); at = dirname(at)) {
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(at);
    } catch {
      continue;
    }
    if (!isAnothers(info)) return;
    const says = at === path ? `${what} belongs to ${whose(info)}: "${at}"` : (
      `${what} cannot be made in "${at}", which belongs to ${whose(info)}`
    );
    throw new FileTrouble(says, `${toOwn(at)}choose another place with --home DIR`);
  }
}
