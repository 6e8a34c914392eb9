/** Completions for fish. */

import { helpWords } from "../help.ts";
import type { CommandSpec, Option } from "../options.ts";

/** A script for fish's folder of completions. */
export function fishCompletions(specs: readonly CommandSpec[]): string {
  const lines = specs.flatMap((spec) => [
    `complete -c chat -n __chat_begins -a ${spec.name} -d ${quoted(spec.about)}`,
    ...(spec.choices ? [`${after(spec)} -a ${quoted(spec.choices.join(" "))}`] : []),
    ...spec.options.map((option) => `${after(spec)} ${flagsOf(option)} -d ${quoted(option.help)}`),
  ]);
  return [
    "# Completions of chat for fish: chat completions fish > ~/.config/fish/completions/chat.fish",
    "function __chat_begins; test (count (commandline -opc)) -eq 1; end",
    "function __chat_is; set -l words (commandline -opc); test (count $words) -ge 2; and test $words[2] = $argv[1]; end",
    "complete -c chat -f",
    "complete -c chat -n __chat_begins -l help -d 'Show help'",
    "complete -c chat -n __chat_begins -l version -d 'Print the version'",
    `complete -c chat -n __chat_begins -a help -d 'Show the help of a command or topic'`,
    `complete -c chat -n '__chat_is help' -a ${quoted(helpWords.join(" "))}`,
    ...lines,
    "",
  ].join("\n");
}

function after({ name }: CommandSpec): string {
  return `complete -c chat -n '__chat_is ${name}'`;
}

function flagsOf({ name, alias, short, value, choices }: Option): string {
  const names = [...(short ? [`-s ${short}`] : []), `-l ${name}`, ...(alias ? [`-l ${alias}`] : [])].join(
    " ",
  );
  if (value === undefined) return names;
  if (choices) return `${names} -x -a ${quoted(choices.join(" "))}`;
  if (value === "FILE") return `${names} -r -F`;
  if (value === "DIR") return `${names} -x -a '(__fish_complete_directories)'`;
  return `${names} -x`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
