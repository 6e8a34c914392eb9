/** The system's own Process: real streams, signals, clock and randomness. */

import { systemClock } from "../clock.ts";
import { systemRandom } from "../crypto/random.ts";
import { type Bytes, concat } from "../crypto/bytes.ts";
import { exitCodes } from "../errors.ts";
import { UsageError } from "./options.ts";
import { TerminalQuestions } from "./questions.ts";
import type { StartedAs } from "../program.ts";
import type { Environment } from "../storage/home.ts";
import type { Process } from "./process.ts";
import { systemTty } from "./system_tty.ts";

/** How this program was started: by a shell head that says so, or as one compiled file. */
export function howStarted(env: Environment): StartedAs {
  const said = env("CHAT_STARTED_AS") ?? "";
  if (said !== "") return { path: said, isTask: said.endsWith(" task") };
  return { path: Deno.build.standalone ? Deno.execPath() : "chat", isTask: false };
}

/** A process that can be asked whether it goes on after a fault. */
export interface SystemProcess extends Process {
  /** Whether somebody has said by {@link Process.onFault} that it goes on. */
  goesOnAfter(error: unknown): boolean;
}

/** The system's. */
export function systemProcess(): SystemProcess {
  let judge: (error: unknown) => boolean = () => false;
  const env = (name: string) => Deno.env.get(name);
  const questions = new TerminalQuestions({
    isThere: Deno.stdin.isTerminal(),
    read: readInput,
    setRaw,
    err: (text) => writeQuietly(Deno.stderr, text),
  });
  return {
    env,
    get input() {
      return Deno.stdin.readable;
    },
    readInput,
    inputIsTerminal: Deno.stdin.isTerminal(),
    outputIsTerminal: Deno.stdout.isTerminal(),
    out(text) {
      try {
        writeAll(Deno.stdout, text);
      } catch (error) {
        // The reader of our output has gone (`chat join | head -1`): end quietly.
        if (error instanceof Deno.errors.BrokenPipe) Deno.exit(exitCodes.done);
        const full = /os error 28|No space left/.test(String(error));
        const why = full ? "the disk is full" : "it is closed";
        writeQuietly(
          Deno.stderr,
          `error: Cannot write to standard output: ${why}\nhint: send the output elsewhere\n`,
        );
        Deno.exit(exitCodes.failed);
      }
    },
    tty: systemTty((text) => writeQuietly(Deno.stdout, text), env),
    log: (text) => writeQuietly(Deno.stdout, text),
    err: (text) => writeQuietly(Deno.stderr, text),
    echo: (on) => Deno.stdin.isTerminal() && Deno.stdin.setRaw(!on, { cbreak: Deno.build.os !== "windows" }),
    ask: (question) => questions.line(question),
    askSecret: (question) => questions.secret(question),
    takeInput,
    onStop(act) {
      const signals = Deno.build.os === "windows"
        ? ["SIGINT"] as const
        : ["SIGINT", "SIGTERM", "SIGHUP"] as const;
      const undo = signals.map((signal) => {
        const handler = () => act(signal);
        Deno.addSignalListener(signal, handler);
        return () => Deno.removeSignalListener(signal, handler);
      });
      return () => undo.forEach((each) => each());
    },
    onFault(act) {
      judge = act;
      return () => void (judge = () => false);
    },
    goesOnAfter: (error) => judge(error),
    exit: (code) => Deno.exit(code),
    clock: systemClock,
    random: systemRandom,
  };
}

async function readInput(): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(4096);
  const n = await Deno.stdin.read(bytes);
  return n === null ? null : bytes.subarray(0, n);
}

/** A process that is ended while it asks must not leave the terminal without echo. */
function setRaw(on: boolean): void {
  Deno.stdin.setRaw(on);
  if (Deno.build.os === "windows") return;
  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    if (on) Deno.addSignalListener(signal, endRaw);
    else Deno.removeSignalListener(signal, endRaw);
  }
}
function endRaw(): never {
  Deno.stdin.setRaw(false);
  Deno.exit(exitCodes.interrupted);
}

const maxInputBytes = 64 * 1024;
let isInputTaken = false;

function takeInput(): Bytes {
  if (isInputTaken) {
    throw new UsageError(
      "Standard input can hold one secret, and two are to be read from it",
      "put one into a file",
    );
  }
  if (Deno.stdin.isTerminal()) {
    throw new UsageError(
      "A secret is to be read from standard input, which is a terminal",
      "leave the flag out, and you are asked for it",
    );
  }
  isInputTaken = true;
  const parts: Uint8Array[] = [];
  for (let size = 0; size <= maxInputBytes;) {
    const part = new Uint8Array(4096);
    const n = Deno.stdin.readSync(part);
    if (n === null) return concat(...parts);
    parts.push(part.subarray(0, n));
    size += n;
  }
  throw new UsageError("What comes from standard input is too large for a secret", "check what is piped in");
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += stream.writeSync(bytes.subarray(at));
    } catch (error) {
      // Another process has set O_NONBLOCK on the shared terminal or pipe: it is full, and will be read.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(pause, 0, 0, pauseMs);
    }
  }
}

const pauseMs = 5;
const pause = new Int32Array(new SharedArrayBuffer(4));

function writeQuietly(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  try {
    writeAll(stream, text);
  } catch {
    // There is nobody to tell.
  }
}
