/** Help: what "chat --help" and "chat COMMAND --help" print. */

import { specs } from "./command_specs.ts";
import type { CommandSpec, Option } from "./options.ts";

/** The help of one subcommand. */
export function helpOf(spec: CommandSpec): string {
  const left = (o: Option) => {
    const short = o.short ? `-${o.short}, ` : "    ";
    return `  ${short}--${o.name}${o.value ? ` ${o.value}` : ""}`;
  };
  const width = Math.max(...spec.options.map((o) => left(o).length)) + 2;
  return [
    spec.about,
    "",
    `Usage: chat ${spec.name} ${spec.usage}`,
    "",
    "Options:",
    ...spec.options.map((o) => left(o).padEnd(width) + o.help),
    "",
    "Examples:",
    ...spec.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
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
    "Five minutes:",
    "  chat serve            # one terminal",
    "  chat join -u ira      # another",
    "  chat join -u sam      # and one more",
    "",
    'Each command has its own help: "chat join --help". "chat --version" prints the version.',
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 cannot reach the server, 4 trust, 5 login refused, 130 interrupted.",
    "",
  ].join("\n");
}
