/** Options: what a command line may say, and how it is read. The table of all commands is command_specs.ts. */

import { parseArgs } from "@std/cli/parse-args";
import { closestString } from "@std/text/closest-string";
import { ChatError, exitCodes } from "../errors.ts";

/** One flag. */
export interface Option {
  /** Without dashes. */
  readonly name: string;
  /** One letter, if there is a short form. */
  readonly short?: string;
  /** Another long form. */
  readonly alias?: string;
  /** What the value is called; none for a switch. FILE and DIR are completed as such. */
  readonly value?: string;
  /** All that the value may be. */
  readonly choices?: readonly string[];
  /** One line. */
  readonly help: string;
}

/** One subcommand. */
export interface CommandSpec {
  /** As typed. */
  readonly name: string;
  /** What follows it, for the usage line. */
  readonly usage: string;
  /** One sentence. */
  readonly about: string;
  /** Its flags. */
  readonly options: readonly Option[];
  /** Most positional arguments. */
  readonly positionals: number;
  /** All that the first of them may be. */
  readonly choices?: readonly string[];
  /** Command lines that work. */
  readonly examples: readonly string[];
}

/** A parsed command line. */
export interface Parsed {
  /** Values of flags that take one, by long name. */
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Switches that were given, by long name. */
  readonly switches: ReadonlySet<string>;
  /** The rest. */
  readonly positionals: readonly string[];
}

/** Parses what follows a subcommand. @throws UsageError naming the nearest flag */
export function parseOptions(spec: CommandSpec, args: readonly string[]): Parsed {
  const alias: Record<string, string[]> = {};
  for (const option of spec.options) {
    const others = [option.short, option.alias].filter((other) => other !== undefined);
    if (others.length > 0) alias[option.name] = others;
  }
  const withValue = spec.options.filter((option) => option.value !== undefined);
  const parsed = parseArgs(args, {
    alias,
    string: withValue.map((option) => option.name),
    boolean: spec.options.filter((option) => option.value === undefined).map((option) => option.name),
    collect: withValue.map((option) => option.name),
    unknown: (arg, key) => {
      if (key !== undefined) throw unknownFlag(spec, arg.split("=")[0]);
    },
  });
  const values: Record<string, string> = {};
  for (const { name, value } of withValue) {
    const given = parsed[name] as string[];
    if (given.length > 1) throw new UsageError(`--${name} is given ${given.length} times`, "give it once");
    if (given.length === 0) continue;
    if (given[0] === "") {
      throw new UsageError(`--${name} needs a value: ${value}`, `see "chat ${spec.name} --help"`);
    }
    values[name] = given[0];
  }
  const switches = new Set(
    spec.options.filter((o) => o.value === undefined && parsed[o.name]).map((o) => o.name),
  );
  const positionals = parsed._.map(String);
  if (positionals.length > spec.positionals) {
    throw new UsageError(
      `"${positionals[spec.positionals]}" is one argument too many`,
      `see "chat ${spec.name} --help"`,
    );
  }
  return { values, switches, positionals };
}

function unknownFlag(spec: CommandSpec, flag: string): UsageError {
  const known = spec.options.flatMap((o) => [o.name, ...(o.alias ? [o.alias] : [])]);
  const nearest = closestString(flag.replace(/^-+/, "").replace(/^no-/, ""), known);
  return new UsageError(
    `"chat ${spec.name}" has no flag ${flag}`,
    `did you mean --${nearest}? See "chat ${spec.name} --help"`,
  );
}

/** A port from a flag or an invite. @throws UsageError */
export function parsePort(text: string | undefined): number {
  if (text === undefined) return 9443;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new UsageError(`"${text}" is not a port`, "give a number from 1 to 65535");
}

/** The command line was wrong. */
export class UsageError extends ChatError {
  /** Exit code 2. */
  constructor(message: string, hint: string) {
    super(message, hint, exitCodes.usage);
  }
}
