/** Secrets of a command line: read from files or asked for without echo, never taken as arguments. */

import type { Bytes } from "../crypto/bytes.ts";
import { decodeRoomKey } from "../crypto/room_key.ts";
import { ChatError } from "../errors.ts";
import { inFile } from "../storage/key_files.ts";
import { FileExposed, FileTrouble, readPrivate } from "../storage/private_file.ts";
import { UsageError } from "./options.ts";
import type { Process } from "./process.ts";

/** The first line of a secret file. @throws FileExposed, FileTrouble */
export function readSecretFile(path: string): string {
  const bytes = readPrivate(path);
  if (bytes === null) throw new FileTrouble(`Cannot read "${path}": there is no such file`, "check the path");
  return new TextDecoder().decode(bytes).split(/\r?\n/, 1)[0];
}

/** The 32 bytes of a room key file. @throws FileExposed, FileTrouble */
export function readRoomKey(path: string): Bytes {
  let bytes: Bytes | null;
  try {
    bytes = readPrivate(path);
  } catch (error) {
    // A file that holds no key must not have its mode changed.
    if (error instanceof FileExposed) inFile(path, () => decodeRoomKey(Deno.readFileSync(path)));
    throw error;
  }
  if (bytes === null) {
    throw new FileTrouble(
      `Cannot read "${path}": there is no such file`,
      `make one: chat keygen --room ${path}`,
    );
  }
  return inFile(path, () => decodeRoomKey(bytes));
}

/** The passphrase of an existing key: from a file, else asked for. @throws ChatError when nobody can be asked */
export function existingPassphrase(
  process: Process,
  file: string | undefined,
  what: string,
  flag = "--passphrase-file",
): string {
  if (file !== undefined) return readSecretFile(file);
  const typed = process.inputIsTerminal ? process.askSecret(`Passphrase of ${what}: `) : null;
  if (typed === null) {
    throw new ChatError(
      `The key of ${what} is protected by a passphrase`,
      `give it with ${flag} FILE`,
    );
  }
  return typed;
}

/** A passphrase from a file, which must hold one. @throws FileExposed, FileTrouble */
export function passphraseFile(path: string): string {
  const passphrase = readSecretFile(path);
  if (passphrase !== "") return passphrase;
  throw new FileTrouble(
    `The first line of "${path}" is empty`,
    "put the passphrase there, or give --no-passphrase",
  );
}

/**
 * The passphrase for a new key: from a file, or asked for twice on a terminal, else none.
 *
 * @param protectedBefore the key had a passphrase: going without must be asked for
 * @returns null for none
 * @throws ChatError when the two differ; UsageError when the flags contradict each other
 */
export function newPassphrase(
  process: Process,
  file: string | undefined,
  none: boolean,
  protectedBefore = false,
): string | null {
  if (none && file !== undefined) {
    throw new UsageError("--no-passphrase and --passphrase-file contradict each other", "give one of them");
  }
  if (none) return null;
  if (file !== undefined) return passphraseFile(file);
  if (!process.inputIsTerminal) {
    if (!protectedBefore) return null;
    throw new UsageError(
      "The key had a passphrase, and no new one is given",
      "give --passphrase-file FILE or --no-passphrase",
    );
  }
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
