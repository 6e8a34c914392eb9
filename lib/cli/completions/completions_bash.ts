/** Completions for bash, 3.2 and later; nothing else has to be installed. */

import { helpWords } from "../help.ts";
import type { CommandSpec, Option } from "../options.ts";

/** A script to be sourced. */
export function bashCompletions(specs: readonly CommandSpec[]): string {
  return `# Completions of chat for bash: source <(chat completions bash)
_chat() {
  local IFS=$'\\n' words=() cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  # bash cuts --flag=value at the equals sign.
  if [ "$cur" = "=" ]; then
    cur=""
  elif [ "$prev" = "=" ]; then
    prev="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    words=(${quoted([...specs.map(({ name }) => name), "help", "--help", "--version"])})
  else
    case "\${COMP_WORDS[1]} $prev" in
${specs.flatMap((spec) => spec.options.flatMap((option) => valueCase(spec, option))).join("\n")}
      "help "*) words=(${quoted([...helpWords])}) ;;
${
    specs.map((spec) =>
      `      "${spec.name} "*) words=(${quoted([...spec.choices ?? [], ...flags(spec)])}) ;;`
    )
      .join("\n")
  }
    esac
  fi
  COMPREPLY=($(compgen -W "\${words[*]}" -- "$cur"))
}
_chat_files() {
  # Left to bash itself where it can be, since it knows how names with blanks are quoted.
  COMPREPLY=()
  compopt -o "$2" 2> /dev/null || COMPREPLY=($(compgen "$1" -- "$cur"))
}
complete -F _chat chat
`;
}

function flags({ options }: CommandSpec): string[] {
  return options.flatMap(({ name, alias, short }) => [
    `--${name}`,
    ...(alias ? [`--${alias}`] : []),
    ...(short ? [`-${short}`] : []),
  ]);
}

function valueCase(spec: CommandSpec, option: Option): string[] {
  if (option.value === undefined) return [];
  const spellings = flags({ ...spec, options: [option] }).map((flag) => `"${spec.name} ${flag}"`).join(" | ");
  return [`      ${spellings}) ${valueWords(option)} ;;`];
}

function valueWords({ value, choices }: Option): string {
  if (choices) return `words=(${quoted(choices)})`;
  if (value === "FILE") return "_chat_files -f default; return";
  if (value === "DIR") return "_chat_files -d dirnames; return";
  return "return";
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(" ");
}
