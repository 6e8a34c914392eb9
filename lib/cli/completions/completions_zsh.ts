/** Completions for zsh. */

import { topics } from "../pages/topics.ts";
import type { CommandSpec, Option } from "../options.ts";

/** A function for zsh's fpath; it may be sourced as well. */
export function zshCompletions(specs: readonly CommandSpec[]): string {
  const commands = specs.map(({ name, about }) => `    ${quoted(`${name}:${about}`)}`);
  const cases = specs.map((spec) =>
    [
      `    ${spec.name})`,
      `      _arguments -s -S \\`,
      [
        ...spec.options.map((option) => `        ${argument(option)}`),
        ...positional(spec),
      ].join(" \\\n"),
      "      ;;",
    ].join("\n")
  );
  return `#compdef chat
# Completions of chat for zsh: chat completions zsh > "\${fpath[1]}/_chat"
_chat() {
  local -a commands
  commands=(
${commands.join("\n")}
    'help:Show the help of a command or topic'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
    help)
      local -a topics
      topics=(
${topics.map(({ name, about }) => `        ${quoted(`${name}:${about}`)}`).join("\n")}
      )
      _describe command commands
      _describe topic topics
      ;;
  esac
}
if [ "$funcstack[1]" = "_chat" ]; then
  _chat "$@"
else
  compdef _chat chat
fi
`;
}

/** Only where it can be completed: beside one that cannot, zsh lists flags instead of taking the only one. */
function positional({ choices }: CommandSpec): string[] {
  return choices ? [`        ${quoted(`1: :(${choices.join(" ")})`)}`] : [];
}

/** One flag in all its spellings, which exclude each other. */
function argument({ name, alias, short, value, choices, help }: Option): string {
  const spellings = [
    ...(short ? [`-${short}`] : []),
    `--${name}`,
    ...(alias ? [`--${alias}`] : []),
  ];
  const rest = `[${help.replace(/[[\]\\:]/g, "\\$&")}]${
    value === undefined ? "" : `:${value}:${action(value, choices)}`
  }`;
  const each = spellings.map((flag) => {
    const takes = value === undefined ? "" : flag.startsWith("--") ? "=" : "+";
    return quoted(`(${spellings.join(" ")})${flag}${takes}${rest}`);
  });
  return each.join(" ");
}

function action(value: string, choices: readonly string[] | undefined): string {
  if (choices) return `(${choices.join(" ")})`;
  if (value === "FILE") return "_files";
  return value === "DIR" ? "_files -/" : " ";
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
