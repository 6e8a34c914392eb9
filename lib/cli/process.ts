/** Process: the parts of the operating system that a command uses, passed in by main.ts. */

import type { Clock } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import type { RandomSource } from "../crypto/random.ts";
import type { Environment } from "../storage/home.ts";
import type { Tty } from "../ui/terminal/tty.ts";

/** What a command runs in. */
export interface Process {
  /** Environment variables. */
  readonly env: Environment;
  /** Standard input as a stream; read by at most one. */
  readonly input: ReadableStream<Uint8Array>;
  /** The next bytes of standard input; null at its end. @throws when it cannot be read at the moment */
  readInput(): Promise<Uint8Array | null>;
  /** Whether standard input is a terminal. */
  readonly inputIsTerminal: boolean;
  /** Whether standard output is a terminal. */
  readonly outputIsTerminal: boolean;
  /** Writes to standard output; when nobody reads it any more, the process ends quietly. */
  out(text: string): void;
  /** The same for a server, which goes on when its output cannot be written. */
  log(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Whether what is typed is shown, while lines are read from standard input; only on a terminal. */
  echo(on: boolean): void;
  /** Standard input and output as a terminal whose cursor moves; only if they are one. */
  readonly tty: Tty;
  /** Asks for a line; null when nobody is there. */
  ask(question: string): Promise<string | null>;
  /** Asks for a secret without echo; null when nobody is there, or gives up. */
  askSecret(question: string): Promise<string | null>;
  /** All of standard input, which is a secret. @throws UsageError when it is a terminal, or was taken before */
  takeInput(): Bytes;
  /** Calls `act` on Ctrl+C and on the system's request to end. @returns undoes it */
  onStop(act: (signal: "SIGINT" | "SIGTERM" | "SIGHUP") => void): () => void;
  /**
   * Calls `act` with what no other part has caught, in place of ending with exit code 1.
   *
   * @param act returns whether the process goes on
   * @returns undoes it
   */
  onFault(act: (error: unknown) => boolean): () => void;
  /** Ends at once. */
  exit(code: number): never;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
}
