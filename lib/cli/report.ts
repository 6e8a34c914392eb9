/** Report: an error as one sentence and a hint on stderr, and the exit code it means. */

import { ChatError, exitCodes } from "../errors.ts";
import { systemTrouble } from "../storage/file_trouble.ts";
import { sanitize } from "../sanitize.ts";

/**
 * Writes an error for a person.
 *
 * @param debug with it a stack trace is shown: CHAT_DEBUG=1
 * @returns the exit code
 */
export function report(error: unknown, err: (text: string) => void, debug: boolean): number {
  const told = error instanceof ChatError ? error : systemTrouble(error);
  if (told) {
    if (told.message !== "") err(`error: ${sanitize(told.message)}\n`);
    if (told.hint !== "") err(`hint: ${sanitize(told.hint)}\n`);
    if (debug) err(`${(error as Error).stack}\n`);
    return told.exitCode;
  }
  err("error: chat has a fault and cannot go on\n");
  err("hint: run it again with CHAT_DEBUG=1 and report what it prints\n");
  if (debug) err(`${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCodes.failed;
}
