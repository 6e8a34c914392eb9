/** The manual page, chat(1), in the macros of man(7): options from their table, the rest from the pages. */

import { version } from "../../version.ts";
import { pageRoff, roffText } from "../pages/page_roff.ts";
import { pagesOfManual } from "../pages/topics.ts";
import type { CommandSpec, Option } from "../options.ts";

/** All of it. */
export function manPage(specs: readonly CommandSpec[]): string {
  return `${
    [
      `.TH CHAT 1 "" "chat ${version}" "User Commands"`,
      ".SH NAME",
      "chat \\- end-to-end-encrypted group chat for the terminal that anyone can host",
      ".SH SYNOPSIS",
      ...specs.flatMap(({ name, usage }) => [`.B chat ${name}`, roffText(usage), ".br"]),
      ".SH DESCRIPTION",
      "A server, started with",
      '.BR "chat serve" ,',
      "stores and orders sealed messages that it cannot read. People talk with",
      '.BR "chat join" .',
      "Keys are made at the first use; no flag is needed on one machine.",
      ...specs.flatMap((spec) => [
        `.SH ${spec.name.toUpperCase()}`,
        roffText(spec.about),
        ...spec.options.flatMap(optionLines),
      ]),
      ...pageRoff(pagesOfManual()),
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
      "1: stacks of faults, and frames by type and size, on standard error",
      ".SH EXAMPLES",
      ...specs.flatMap(({ examples }) =>
        examples.flatMap((example) => [".PP", ".EX", roffText(example), ".EE"])
      ),
    ].join("\n")
  }\n`;
}

function optionLines({ name, alias, short, value, optional, help }: Option): string[] {
  const flags = [...(short ? [`-${short}`] : []), `--${name}`, ...(alias ? [`--${alias}`] : [])];
  const spelled = flags.map((flag) => `\\fB${roffText(flag)}\\fR`).join(", ");
  const open = optional === undefined ? "" : `[=\\fI${roffText(optional)}\\fR]`;
  const given = value === undefined ? open : ` \\fI${roffText(value)}\\fR`;
  return [".TP", `${spelled}${given}`, roffText(help)];
}
