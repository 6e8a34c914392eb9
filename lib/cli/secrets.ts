/**
 * Secrets of a command line: read from files or asked for without echo, never taken as arguments.
 *
 * Secrets are bytes: what is not text is refused, since two files that cannot be told apart after decoding would open
 * each other's doors.
 */

import type { Bytes } from "../crypto/bytes.ts";
import { BadPassphrase } from "../crypto/identity_pem.ts";
import { decodeRoomKey } from "../crypto/room_key.ts";
import { ChatError, exitCodes } from "../errors.ts";
import { command } from "../program.ts";
import { shellWord } from "../shell_word.ts";
import { inFile } from "../storage/key_files.ts";
import { FileTrouble } from "../storage/file_trouble.ts";
import { FileExposed } from "../storage/private_file.ts";
import { isStandardInput, readSecretBytes } from "../storage/secret_file.ts";
import { UsageError } from "./options.ts";
import type { Process } from "./process.ts";

/** The one line of a secret file. @throws FileExposed, FileTrouble; UsageError for a terminal as the file */
export function readSecretFile(path: string, process: Process): string {
  return secretLine(path, secretBytes(path, process));
}

/** A file as text, of any number of lines. @throws FileExposed, FileTrouble */
export function readTextFile(path: string, process: Process): string {
  return decoded(path, secretBytes(path, process));
}

function secretBytes(path: string, process: Process): Bytes {
  return isStandardInput(path) ? process.takeInput() : readSecretBytes(path);
}

function secretLine(path: string, bytes: Bytes): string {
  const lines = decoded(path, bytes).replace(/(\r?\n)+$/, "").split(/\r?\n/);
  if (lines.length > 1) {
    throw new FileTrouble(
      `"${path}" holds ${lines.length} lines, and a secret is one`,
      /^\/(dev|proc)\//.test(path) || path === "-"
        ? "give only the one that is meant, for example: <(… | head -n 1)"
        : `keep the one that is meant, for example: head -n 1 ${shellWord(path)} > FILE`,
    );
  }
  if (lines[0] === "") {
    throw new FileTrouble(`"${path}" holds no secret: its first line is empty`, "put it there");
  }
  return lines[0];
}

/** Editors of Windows write UTF-16, or mark UTF-8 at its beginning. */
function decoded(path: string, bytes: Bytes): string {
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch {
    // Told below.
  }
  throw new FileTrouble(
    `"${path}" is not text: a secret is one line of UTF-8`,
    'for random bytes as text: "head -c 24 /dev/urandom | base64"; another encoding: iconv -f latin1 -t utf-8',
  );
}

/** The 32 bytes of a room key file. @throws FileExposed, FileTrouble */
export function readRoomKey(path: string, process: Process): Bytes {
  let bytes: Bytes;
  try {
    bytes = secretBytes(path, process);
  } catch (error) {
    // A file that holds no key must not have its mode changed.
    if (error instanceof FileExposed) inFile(path, () => decodeRoomKey(Deno.readFileSync(path)));
    if (!(error instanceof FileTrouble) || !error.message.includes("no such file")) throw error;
    throw new FileTrouble(error.message, `make one: ${command(`keygen --room ${shellWord(path)}`)}`);
  }
  return inFile(path, () => decodeRoomKey(bytes));
}

/**
 * Opens an existing key with its passphrase: from a file, else asked for, again while it is wrong.
 *
 * @param open throws BadPassphrase @throws ChatError when nobody can be asked, GivenUp
 */
export async function openWithPassphrase<T>(
  process: Process,
  file: string | undefined,
  what: string,
  open: (passphrase: string) => T | Promise<T>,
  flag = "--passphrase-file",
): Promise<T> {
  if (file !== undefined) return await open(readSecretFile(file, process));
  for (let tries = 1;; tries++) {
    const typed = await process.askSecret(`Passphrase of ${what}: `);
    if (typed === null) {
      if (process.inputIsTerminal) throw new GivenUp();
      throw new ChatError(`The key of ${what} is protected by a passphrase`, `give it with ${flag} FILE`);
    }
    try {
      return await open(typed);
    } catch (error) {
      if (!(error instanceof BadPassphrase) || tries === maxTries) throw error;
      process.err("That is not it; once more.\n");
    }
  }
}
const maxTries = 3;

/** The person has answered a question with Ctrl+C, and knows it: nothing is said. */
export class GivenUp extends ChatError {
  /** Exit code 130. */
  constructor() {
    super("", "", exitCodes.interrupted);
  }
}

/**
 * The passphrase for a new key: from a file, or asked for twice on a terminal, else none.
 *
 * @param protectedBefore the key had a passphrase: going without must be asked for
 * @returns null for none
 * @throws UsageError when the flags contradict each other; ChatError when the person gives up
 */
export async function newPassphrase(
  process: Process,
  file: string | undefined,
  none: boolean,
  protectedBefore = false,
): Promise<string | null> {
  if (none && file !== undefined) {
    throw new UsageError("--no-passphrase and --passphrase-file contradict each other", "give one of them");
  }
  if (none) return null;
  if (file !== undefined) return readSecretFile(file, process);
  if (!process.inputIsTerminal) {
    if (!protectedBefore) return null;
    throw new UsageError(
      "The key had a passphrase, and no new one is given",
      "give --passphrase-file FILE or --no-passphrase",
    );
  }
  for (;;) {
    const first = answered(await process.askSecret("Passphrase (Enter for none): "));
    if (first === "") {
      process.err("No passphrase: whoever gets the file can use the key.\n");
      return null;
    }
    if (answered(await process.askSecret("The same again: ")) === first) return first;
    process.err("The two differ; once more.\n");
  }
}

function answered(typed: string | null): string {
  if (typed !== null) return typed;
  throw new ChatError("No passphrase was given; nothing was written", "run the command again");
}
