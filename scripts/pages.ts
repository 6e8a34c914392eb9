/**
 * Pages: fills the tables of the pages from the program's own: options, commands, keys, console words, exit codes. Nothing
 * of them is typed twice; `--check` fails when a page differs.
 */

import { commandLines, consoleLines, exitLines, keyLines, optionLines } from "../lib/cli/pages/tables.ts";
import { joinSpec, keygenSpec, serveSpec } from "../lib/cli/command_specs.ts";
import { limitOptions } from "../lib/cli/limit_options.ts";
import type { Option } from "../lib/cli/options.ts";

const pages = ["lib/client/README.md", "lib/server/README.md", "lib/server/cluster/README.md"];

const accountOptions = new Set(["registration", "print-schema", "audit"]);
const isLimit = (option: Option) => limitOptions.includes(option);
const isAboutCluster = ({ name }: Option) => name.startsWith("cluster");
const isAboutAccounts = ({ name }: Option) => name.startsWith("accounts") || accountOptions.has(name);

const made: Record<string, () => string[]> = {
  "options join": () => optionLines(joinSpec.options),
  "options keygen": () => optionLines(keygenSpec.options),
  "options serve": () =>
    optionLines(serveSpec.options.filter((o) => !isLimit(o) && !isAboutAccounts(o) && !isAboutCluster(o))),
  "options cluster": () => optionLines(serveSpec.options.filter(isAboutCluster)),
  "options accounts": () => optionLines(serveSpec.options.filter(isAboutAccounts)),
  "options limits": () => optionLines(serveSpec.options.filter(isLimit)),
  "commands": commandLines,
  "keys": keyLines,
  "console": () => consoleLines(false),
  "console accounts": () => consoleLines(true),
  "exit codes": exitLines,
};

/** A page with its tables as they are now. */
function filled(page: string, name: string): string {
  return page.replaceAll(/(<!-- made: (.*?) -->\n).*?(<!-- end -->)/gs, (_, begin, what, end) => {
    if (!made[what]) throw new Error(`${name}: nothing makes "${what}"`);
    return `${begin}\n\`\`\`\n${made[what]().map((line) => line.trimEnd()).join("\n")}\n\`\`\`\n\n${end}`;
  });
}

let differing = 0;
for (const name of pages) {
  const page = await Deno.readTextFile(name);
  const now = filled(page, name);
  if (now === page) continue;
  differing++;
  if (Deno.args.includes("--check")) {
    console.error(`error: the tables of ${name} are not the program's\nhint: run "scripts/deno task pages"`);
  } else {
    await Deno.writeTextFile(name, now);
    console.log(`${name}: filled`);
  }
}
if (Deno.args.includes("--check") && differing > 0) Deno.exit(1);
