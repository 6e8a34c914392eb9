/** Secrets of a command line: read from files or asked for without echo, never taken as arguments. */

import { ChatError } from "../errors.ts";
import { FileTrouble, readPrivate } from "../storage/private_file.ts";
import type { Process } from "./process.ts";

/** The first line of a secret file. @throws FileExposed, FileTrouble */
export function readSecretFile(path: string): string {
  const bytes = readPrivate(path);
  if (bytes === null) throw new FileTrouble(`Cannot read "${path}": there is no such file`, "check the path");
  return new TextDecoder().decode(bytes).split(/\r?\n/, 1)[0];
}

/** The passphrase of an existing key: from a file, else asked for. @throws ChatError when nobody can be asked */
export function existingPassphrase(process: Process, file: string | undefined, what: string): string {
  if (file !== undefined) return readSecretFile(file);
  const typed = process.inputIsTerminal ? process.askSecret(`Passphrase of ${what}: `) : null;
  if (typed === null) {
    throw new ChatError(
      `The key of ${what} is protected by a passphrase`,
      "give it with --passphrase-file FILE",
    );
  }
  return typed;
}

/**
 * The passphrase for a new key: from a file, or asked for twice on a terminal, else none.
 *
 * @returns null for none
 * @throws ChatError when the two differ
 */
export function newPassphrase(process: Process, file: string | undefined, none: boolean): string | null {
  if (none) return null;
  if (file !== undefined) return readSecretFile(file) || null;
  if (!process.inputIsTerminal) return null;
  const first = process.askSecret("Passphrase (Enter for none): ");
  if (first === null || first === "") {
    process.err("No passphrase: whoever gets the file can use the key.\n");
    return null;
  }
  if (process.askSecret("The same again: ") !== first) {
    throw new ChatError("The two passphrases differ; nothing was written", "run the command again");
  }
  return first;
}
