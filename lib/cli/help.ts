/** Help: what "chat help", "chat help TOPIC" and "chat COMMAND --help" print. */

import { exitCodes, exitMeanings } from "../errors.ts";
import { didYouMean } from "../nearest.ts";
import { command } from "../program.ts";
import { specs } from "./command_specs.ts";
import { type CommandSpec, UsageError } from "./options.ts";
import type { Process } from "./process.ts";
import { pageText } from "./pages/page_text.ts";
import { optionLines } from "./pages/tables.ts";
import { blocksOfTopic, type Topic, topics } from "./pages/topics.ts";

const pageColumns = 100;

/** `chat help [COMMAND|TOPIC]`. @returns the exit code @throws UsageError for a word that is neither */
export function help(word: string | undefined, process: Process): number {
  const spec = specs.find(({ name }) => name === word);
  const topic = topics.find(({ name }) => name === word);
  if (spec) process.out(helpOf(spec));
  else if (topic) {
    process.out(helpOfTopic(topic, process.outputIsTerminal ? process.tty.size().columns : undefined));
  } else if (word === undefined) process.out(helpOfAll());
  else {
    const meant = didYouMean(word, helpWords, (name) => `"${command(`help ${name}`)}"`);
    throw new UsageError(`There is no help on "${word}"`, `${meant}"${command("help")}" lists all`);
  }
  return exitCodes.done;
}

/** Everything that there is help on. */
export const helpWords: readonly string[] = [...specs, ...topics].map(({ name }) => name);

/** The help of one subcommand. */
export function helpOf(spec: CommandSpec): string {
  return [
    spec.about,
    "",
    `Usage: ${command(`${spec.name} ${spec.usage}`)}`,
    "",
    "Options:",
    ...optionLines(spec.options, "  "),
    "",
    "Examples:",
    ...spec.examples.map((example) => `  ${asTyped(example)}`),
    "",
  ].join("\n");
}

/** An example of the table, as this person can type it. */
function asTyped(example: string): string {
  return example.replace(/\bchat (?=[a-z])(.*)$/, (_, words) => command(words));
}

/** A topic, as plain text. @param columns of the terminal, if it is one */
function helpOfTopic(topic: Topic, columns = pageColumns): string {
  return pageText(blocksOfTopic(topic), Math.max(40, Math.min(columns, pageColumns)));
}

/** The help of the whole program. */
export function helpOfAll(): string {
  return [
    "End-to-end-encrypted group chat for the terminal that anyone can host.",
    "",
    `Usage: ${command("COMMAND [OPTIONS]")}`,
    "",
    "Commands:",
    ...specs.map((spec) => `  ${spec.name.padEnd(11)} ${spec.about}`),
    "",
    `Topics, with "${command("help TOPIC")}":`,
    ...topics.map(({ name, about }) => `  ${name.padEnd(11)} ${about}`),
    "",
    "Five minutes:",
    `  ${command("serve").padEnd(20)}  # one terminal`,
    `  ${command("join -u ira").padEnd(20)}  # another`,
    `  ${command("join -u sam").padEnd(20)}  # and one more`,
    "",
    `Each command has its own help: "${command("join --help")}". "${
      command("--version")
    }" prints the version.`,
    `Exit codes: ${exitMeanings.map(([code, what]) => `${code} ${what.split(/[;:]/)[0]}`).join(", ")}.`,
    "",
  ].join("\n");
}
