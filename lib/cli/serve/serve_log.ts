/** `--log-format`, `--log-file`, `--log-level`, `--log-addresses`: where a server's events are written. */

import type { ServerEvents } from "../../server/events.ts";
import { Log, type LogFormat, logFormats, type LogLevel, logLevels } from "../../server/operator/log.ts";
import { LogFile } from "../../storage/log_file.ts";
import { type Parsed, UsageError } from "../options.ts";
import type { Process } from "../process.ts";

/** What the flags ask for. */
export interface ServeLog {
  /** Told of every event; null when no log is asked for. */
  readonly log: Log & ServerEvents | null;
  /** Whether standard output holds the log, and so nothing for people. */
  readonly takesOutput: boolean;
  /** Lets go of the file. */
  close(): void;
}

/** Opens the log. @throws UsageError, ChatError when the file cannot be written */
export function openLog(
  { values, switches }: Parsed,
  process: Process,
  warn: (line: string) => void,
): ServeLog {
  const path = values["log-file"];
  const format = oneOf("log-format", values["log-format"] ?? "text", logFormats) as LogFormat;
  const isAsked = values["log-format"] !== undefined;
  const level = oneOf("log-level", values["log-level"] ?? "info", logLevels) as LogLevel;
  const takesOutput = path === undefined && isAsked;
  if (path === undefined && !takesOutput) {
    const idle = [values["log-level"] && "log-level", switches.has("log-addresses") && "log-addresses"].find(
      Boolean,
    );
    if (idle) {
      throw new UsageError(
        `--${idle} needs a log`,
        "add --log-file FILE, or --log-format for standard output",
      );
    }
    return { log: null, takesOutput, close() {} };
  }
  const file = path === undefined ? null : new LogFile(
    path,
    process.clock,
    () => warn(`[!] The log "${path}" cannot be written; lines are lost until it can`),
  );
  const options = { format, level, addresses: switches.has("log-addresses"), clock: process.clock };
  const lost = (lines: number) => {
    let made = "";
    new Log((line) => made += line, options).say("error", "log-lines-lost", { lines });
    return made;
  };
  const log = new Log((line) => file ? file.write(line, lost) : process.log(line), options);
  return { log, takesOutput, close: () => file?.close() };
}

function oneOf(flag: string, value: string, choices: readonly string[]): string {
  if (choices.includes(value)) return value;
  throw new UsageError(`--${flag} cannot be "${value}"`, `choose one of ${choices.join(", ")}`);
}
