/** Tables: the program's own tables as aligned lines: for --help, the pages and "chat help TOPIC". */

import { commands } from "../../client/commands/commands.ts";
import { exitMeanings } from "../../errors.ts";
import { accountWords, consoleWords } from "../../server/operator/console.ts";
import { keyHelp } from "../../ui/terminal/key_help.ts";
import type { Option } from "../options.ts";

function aligned(rows: readonly (readonly [string, string])[], indent = ""): string[] {
  const width = Math.max(...rows.map(([term]) => term.length)) + 2;
  return rows.map(([term, text]) => `${indent}${term.padEnd(width)}${text}`);
}

function valueOf({ value, optional }: Option): string {
  return value ? ` ${value}` : optional ? `[=${optional}]` : "";
}

/** Flags and what they do. */
export function optionLines(options: readonly Option[], indent = ""): string[] {
  const none = options.some(({ short }) => short !== undefined) ? "    " : "";
  return aligned(
    options.map((option) => {
      const short = option.short ? `-${option.short}, ` : none;
      return [`${short}--${option.name}${valueOf(option)}`, option.help];
    }),
    indent,
  );
}

/** What can be typed in a room. */
export function commandLines(): string[] {
  const rows = commands.map(({ name, args, help }) => [`/${name} ${args}`.trim(), help] as const);
  return aligned([...rows, ["//TEXT", "Say a line that starts with a slash"]]);
}

/** What the keys of the prompt do. */
export function keyLines(): string[] {
  return aligned(keyHelp);
}

/** Words of the server's console. @param aboutAccounts those about accounts, or all others */
export function consoleLines(aboutAccounts: boolean): string[] {
  const some = consoleWords.filter(({ word }) => accountWords.has(word) === aboutAccounts);
  return aligned(some.map(({ word, args, help }) => [`${word} ${args}`.trim(), help]));
}

/** What exit codes mean. */
export function exitLines(): string[] {
  return aligned(exitMeanings.map(([code, what]) => [String(code), what]));
}
