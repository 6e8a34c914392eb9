import { ChatError, exitCodes } from "../errors.ts";

/** The command line was wrong. */
export class UsageError extends ChatError {
  /** Exit code 2. */
  constructor(message: string, hint: string) {
    super(message, hint, exitCodes.usage);
  }
}
