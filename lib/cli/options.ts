/** Options: what a command line may say, and how it is read. The table of all commands is command_specs.ts. */

import { parseArgs } from "@std/cli/parse-args";
import { ChatError, exitCodes } from "../errors.ts";
import { didYouMean } from "../nearest.ts";
import { command } from "../program.ts";

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
  /** What a value is called that may be left out, and is given as `--name=VALUE` only; then `value` is none. */
  readonly optional?: string;
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
  const help = `see "${command(`${spec.name} --help`)}"`;
  const withValue = spec.options.filter((option) => (option.value ?? option.optional) !== undefined);
  const parsed = parseArgs(boundValues(spec, args, help), {
    alias,
    string: [...withValue.map((option) => option.name), "_"],
    boolean: spec.options.filter((option) => !withValue.includes(option)).map((option) => option.name),
    collect: withValue.map((option) => option.name),
    unknown: (arg, key) => {
      if (key !== undefined) throw unknownFlag(spec, arg.split("=")[0]);
    },
  });
  const values: Record<string, string> = {};
  for (const { name, value } of withValue) {
    const all = parsed[name] as string[];
    // Whoever copies a whole line keeps its NAME beside her own.
    const own = all.filter((each) => each !== value);
    const given = all.length > 1 ? own.length > 0 ? own : all.slice(0, 1) : all;
    if (given.length > 1) throw new UsageError(`--${name} is given ${given.length} times`, "give it once");
    if (given.length === 0) continue;
    if (given[0] === "" && value === undefined) {
      values[name] = "";
      continue;
    }
    if (given[0].trim() === "") throw new UsageError(`--${name} is empty, and needs a value: ${value}`, help);
    values[name] = given[0];
  }
  const switches = new Set(
    spec.options.filter((o) => !withValue.includes(o) && parsed[o.name]).map((o) => o.name),
  );
  const positionals = parsed._.map(String);
  if (positionals.length > spec.positionals) {
    const where = spec.name === "serve" ? "where to listen: --host ADDRESS and -p PORT; " : "";
    throw new UsageError(`"${positionals[spec.positionals]}" is one argument too many`, where + help);
  }
  return { values, switches, positionals };
}

/**
 * Binds each value to its flag: what follows a flag that takes a value is its value, whatever it looks like. `-uira` is
 * `-u ira`, as everywhere. What comes after `--` is left alone.
 */
function boundValues({ options }: CommandSpec, args: readonly string[], help: string): string[] {
  const bound: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") return [...bound, ...args.slice(i)];
    if (options.some(({ name, optional }) => optional !== undefined && arg === `--${name}`)) {
      bound.push(`${arg}=`);
      continue;
    }
    const flag = valuedFlag(options, arg);
    if (!flag) {
      bound.push(arg);
      continue;
    }
    const { option: { name, value }, switches, inline } = flag;
    if (inline === null && i + 1 === args.length) {
      throw new UsageError(`--${name} needs a value: ${value}`, help);
    }
    if (switches !== "") bound.push(`-${switches}`);
    bound.push(`--${name}=${inline ?? args[++i]}`);
  }
  return bound;
}

/** A flag whose value is not bound to it by `--name=` yet. */
interface ValuedFlag {
  readonly option: Option;
  /** Letters of switches that stand before it in one word, as in `-qm TEXT`. */
  readonly switches: string;
  /** The value in the same word, as in `-uira`; null when it is the next one. */
  readonly inline: string | null;
}

function valuedFlag(options: readonly Option[], arg: string): ValuedFlag | null {
  const withValue = options.filter((option) => option.value !== undefined);
  const long = withValue.find(({ name, alias }) => arg === `--${name}` || (alias && arg === `--${alias}`));
  if (long) return { option: long, switches: "", inline: null };
  if (!/^-[^-]/.test(arg)) return null;
  const switches = switchesAtFront(options, arg.slice(1));
  const rest = arg.slice(1 + switches.length);
  const short = withValue.find((option) => option.short && rest.startsWith(option.short));
  if (!short) return null;
  return { option: short, switches, inline: rest.length === 1 ? null : rest.slice(1).replace(/^=/, "") };
}

/** The letters at the front that are switches. */
function switchesAtFront(options: readonly Option[], letters: string): string {
  const isSwitch = (letter: string) =>
    options.some((each) => each.short === letter && each.value === undefined);
  const end = [...letters].findIndex((letter) => !isSwitch(letter));
  return end < 0 ? letters : letters.slice(0, end);
}

function unknownFlag(spec: CommandSpec, flag: string): UsageError {
  const known = spec.options.flatMap((o) => [o.name, ...(o.alias ? [o.alias] : [])]);
  const meant = didYouMean(flag.replace(/^-+/, "").replace(/^no-/, ""), known, (name) => `--${name}`);
  return new UsageError(
    `"chat ${spec.name}" has no flag ${flag}`,
    `${meant}${meant === "" ? "see" : "See"} "${command(`${spec.name} --help`)}"`,
  );
}

const paths = ["FILE", "DIR"];

/** Paths with the home directory in place of `~`, which a shell leaves alone after `=`. @param home of the user */
export function withHome(spec: CommandSpec, parsed: Parsed, home: string | undefined): Parsed {
  if (home === undefined) return parsed;
  const isPath = (name: string) =>
    name === "accounts" || paths.includes(spec.options.find((o) => o.name === name)?.value ?? "");
  const values = Object.entries(parsed.values).map((
    [name, value],
  ) => [name, value !== undefined && isPath(name) ? expanded(value, home) : value]);
  return { ...parsed, values: Object.fromEntries(values) };
}

/** A path, with the home directory in place of `~`. */
function expanded(path: string, home: string): string {
  return path.replace(/^(sqlite:)?~(?=\/|$)/, (_, kind = "") => kind + home);
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
