/** Report: an error as one sentence and a hint on stderr, and the exit code it means. */

import { ChatError, exitCodes } from "../errors.ts";
import { sanitize } from "../sanitize.ts";

/**
 * Writes an error for a person.
 *
 * @param debug with it a stack trace is shown: CHAT_DEBUG=1
 * @returns the exit code
 */
export function report(error: unknown, err: (text: string) => void, debug: boolean): number {
  if (error instanceof ChatError) {
    err(`error: ${sanitize(error.message)}\n`);
    if (error.hint !== "") err(`hint: ${sanitize(error.hint)}\n`);
    if (debug) err(`${error.stack}\n`);
    return error.exitCode;
  }
  err("error: chat has a fault and cannot go on\n");
  err("hint: run it again with CHAT_DEBUG=1 and report what it prints\n");
  if (debug) err(`${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCodes.failed;
}
