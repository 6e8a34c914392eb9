/** The system's own Process: real streams, signals, clock and randomness. */

import { systemClock } from "../clock.ts";
import { systemRandom } from "../crypto/random.ts";
import { exitCodes } from "../errors.ts";
import type { Process } from "./process.ts";

/** @param askSecret reads a line without echo */
export function systemProcess(askSecret: (question: string) => string | null): Process {
  return {
    env: (name) => Deno.env.get(name),
    get input() {
      return Deno.stdin.readable;
    },
    inputIsTerminal: Deno.stdin.isTerminal(),
    outputIsTerminal: Deno.stdout.isTerminal(),
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
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
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    // Whoever read our output is gone (`chat join | head -1`): so are we, without noise.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(exitCodes.done);
    throw error;
  }
}
