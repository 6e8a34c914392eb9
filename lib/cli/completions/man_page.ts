/** The manual page, chat(1), in the macros of man(7). */

import { commands } from "../../client/commands/commands.ts";
import { keyHelp } from "../../ui/terminal/key_help.ts";
import { version } from "../../version.ts";
import type { CommandSpec, Option } from "../options.ts";

const exitStatus: readonly (readonly [number, string])[] = [
  [0, "done"],
  [1, "failed; the reason is on standard error"],
  [2, "wrong usage"],
  [3, "the server cannot be reached"],
  [4, "trust: a key is unknown, changed or refused"],
  [5, "the login was refused"],
  [130, "interrupted"],
];

/** All of it. */
export function manPage(specs: readonly CommandSpec[]): string {
  return `${
    [
      `.TH CHAT 1 "" "chat ${version}" "User Commands"`,
      ".SH NAME",
      "chat \\- end-to-end-encrypted group chat for the terminal that anyone can host",
      ".SH SYNOPSIS",
      ...specs.flatMap(({ name, usage }) => [`.B chat ${name}`, escaped(usage), ".br"]),
      ".SH DESCRIPTION",
      "A server, started with",
      '.BR "chat serve" ,',
      "stores and orders sealed messages that it cannot read. People talk with",
      '.BR "chat join" .',
      "Keys are made at the first use; no flag is needed on one machine.",
      ...specs.flatMap((spec) => [
        `.SH ${spec.name.toUpperCase()}`,
        escaped(spec.about),
        ...spec.options.flatMap(optionLines),
      ]),
      ".SH IN A ROOM",
      "What is typed is said. A line that begins with a slash is a command:",
      ...commands.flatMap((
        { name, args, help },
      ) => [".TP", `.B /${escaped(`${name} ${args}`.trim())}`, escaped(help)]),
      ".TP",
      ".B //TEXT",
      "Say a line that starts with a slash",
      ".SH KEYS",
      ...keyHelp.flatMap(([keys, does]) => [".TP", `.B ${escaped(keys)}`, escaped(does)]),
      ".SH EXIT STATUS",
      ...exitStatus.flatMap(([code, what]) => [".TP", `.B ${code}`, escaped(what)]),
      ".SH ENVIRONMENT",
      ".TP",
      ".B CHAT_HOME",
      "where profiles and server data are kept, unless",
      ".B \\-\\-home",
      "says otherwise",
      ".TP",
      ".B NO_COLOR",
      "no colours",
      ".TP",
      ".B CHAT_DEBUG",
      "1: stack traces with errors",
      ".SH EXAMPLES",
      ...specs.flatMap(({ examples }) =>
        examples.flatMap((example) => [".PP", ".EX", escaped(example), ".EE"])
      ),
    ].join("\n")
  }\n`;
}

function optionLines({ name, alias, short, value, help }: Option): string[] {
  const flags = [...(short ? [`-${short}`] : []), `--${name}`, ...(alias ? [`--${alias}`] : [])];
  const spelled = flags.map((flag) => `\\fB${escaped(flag)}\\fR`).join(", ");
  return [".TP", `${spelled}${value === undefined ? "" : ` \\fI${escaped(value)}\\fR`}`, escaped(help)];
}

/** Text that roff shows as it stands. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("~", "\\(ti").replace(
    /^[.']/,
    "\\&$&",
  );
}
