/** Help: what "chat help", "chat help TOPIC" and "chat COMMAND --help" print. */

import { closestString } from "@std/text/closest-string";
import { exitCodes, exitMeanings } from "../errors.ts";
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
    const nearest = closestString(word, helpWords);
    throw new UsageError(
      `There is no help on "${word}"`,
      `did you mean "chat help ${nearest}"? "chat help" lists all`,
    );
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
    `Usage: chat ${spec.name} ${spec.usage}`,
    "",
    "Options:",
    ...optionLines(spec.options, "  "),
    "",
    "Examples:",
    ...spec.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
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
    "Usage: chat COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...specs.map((spec) => `  ${spec.name.padEnd(11)} ${spec.about}`),
    "",
    'Topics, with "chat help TOPIC":',
    ...topics.map(({ name, about }) => `  ${name.padEnd(11)} ${about}`),
    "",
    "Five minutes:",
    "  chat serve            # one terminal",
    "  chat join -u ira      # another",
    "  chat join -u sam      # and one more",
    "",
    'Each command has its own help: "chat join --help". "chat --version" prints the version.',
    `Exit codes: ${exitMeanings.map(([code, what]) => `${code} ${what.split(/[;:]/)[0]}`).join(", ")}.`,
    "",
  ].join("\n");
}
