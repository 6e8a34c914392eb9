/** The system's own Process: real streams, signals, clock and randomness. */

import { systemClock } from "../clock.ts";
import { systemRandom } from "../crypto/random.ts";
import { exitCodes } from "../errors.ts";
import type { Process } from "./process.ts";
import { systemTty } from "./system_tty.ts";

/** @param askSecret reads a line without echo */
export function systemProcess(askSecret: (question: string) => string | null): Process {
  const env = (name: string) => Deno.env.get(name);
  return {
    env,
    get input() {
      return Deno.stdin.readable;
    },
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
    ask: (question) => Deno.stdin.isTerminal() ? prompt(question) : null,
    askSecret,
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
    exit: (code) => Deno.exit(code),
    clock: systemClock,
    random: systemRandom,
  };
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
