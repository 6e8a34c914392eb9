/**
 * Errors that a person will read: what failed, and what to try next.
 *
 * Every typed error of the project extends ChatError. Only cli/report.ts prints them and only main.ts
 * turns their exit code into the end of the process. A plain Error is a bug of ours: nobody can act on it.
 */

/** What the process exits with. */
export const exitCodes = {
  /** All went well. */
  done: 0,
  /** It failed, for the reason on stderr. */
  failed: 1,
  /** The command line was wrong. */
  usage: 2,
  /** The server cannot be reached. */
  unreachable: 3,
  /** A key is unknown, changed or refused. */
  trust: 4,
  /** The server refused the login. */
  login: 5,
  /** Stopped by Ctrl+C. */
  interrupted: 130,
} as const;

/** What each of them means, in words. */
export const exitMeanings: readonly (readonly [code: number, what: string])[] = [
  [exitCodes.done, "done"],
  [exitCodes.failed, "failed; the reason is on standard error"],
  [exitCodes.usage, "wrong usage"],
  [exitCodes.unreachable, "the server cannot be reached"],
  [exitCodes.trust, "trust: a key is unknown, changed or refused"],
  [
    exitCodes.login,
    "the login was refused: name taken, access token, password, in use elsewhere, put out or banned",
  ],
  [exitCodes.interrupted, "interrupted"],
];

/** One sentence that names the thing, a hint with what to do next, and the exit code. */
export class ChatError extends Error {
  /**
   * Makes one.
   *
   * @param message one sentence; values in double quotes; never a secret
   * @param hint what the person can do next; may be empty
   * @param exitCode one of {@link exitCodes}
   */
  constructor(message: string, readonly hint = "", readonly exitCode: number = exitCodes.failed) {
    super(message);
    this.name = new.target.name;
  }
}

/** An error as a line for somebody who goes on: the sentence, then the hint. */
export function inWords({ message, hint }: ChatError): string {
  return hint === "" ? `${message}.` : `${message}. ${hint[0].toUpperCase()}${hint.slice(1)}.`;
}

/** The same as part of a sentence, without its end. */
export function inOneSentence({ message, hint }: ChatError): string {
  return hint === "" ? message : `${message}; ${hint}`;
}

/** Bytes from a peer or a file that do not follow the format; the reason is for tests, not for peers. */
export class Malformed extends ChatError {
  /** Makes one. @param what which rule of the format was broken */
  constructor(what: string) {
    super(what, "the other side may be broken, of another version, or hostile");
  }
}

/** What `act` returns, or null when it refuses its input with a {@link ChatError}; a bug of ours still throws. */
export function unlessRefused<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof ChatError) return null;
    throw error;
  }
}
