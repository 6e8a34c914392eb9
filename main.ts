/** Names the subcommand, hands over to lib/cli, and ends the process with its exit code. */

import { completions } from "./lib/cli/completions/completions.ts";
import { join } from "./lib/cli/join.ts";
import { keygen } from "./lib/cli/keygen.ts";
import { help, helpOf, helpOfAll } from "./lib/cli/help.ts";
import { exitCodes } from "./lib/errors.ts";
import { type Parsed, parseOptions, UsageError, withHome } from "./lib/cli/options.ts";
import { specs } from "./lib/cli/command_specs.ts";
import type { Process } from "./lib/cli/process.ts";
import { report } from "./lib/cli/report.ts";
import { serve } from "./lib/cli/serve/serve.ts";
import { howStarted, systemProcess } from "./lib/cli/system_process.ts";
import { selfTest } from "./lib/crypto/self_test.ts";
import { didYouMean } from "./lib/nearest.ts";
import { command, startedAs } from "./lib/program.ts";
import { hasInvite } from "./lib/protocol/identity/invite.ts";
import { version } from "./lib/version.ts";

const run: Record<string, (parsed: Parsed, process: Process) => number | Promise<number>> = {
  keygen,
  serve,
  join,
  completions,
};

async function main(args: string[], process: Process): Promise<number> {
  const [word, ...rest] = args;
  if (word === undefined) {
    process.out(helpOfAll());
    return exitCodes.usage;
  }
  if (word === "help" || word === "--help" || word === "-h") return help(rest[0], process);
  if (word === "--version" || word === "-V") {
    process.out(`chat ${version}\n`);
    return 0;
  }
  const spec = specs.find((s) => s.name === word);
  if (!spec) {
    throw new UsageError(`chat has no command "${word}"`, hintFor(word));
  }
  const parsed = withHome(spec, parseOptions(spec, rest), process.env("HOME"));
  if (parsed.switches.has("help")) {
    process.out(helpOf(spec));
    return 0;
  }
  await selfTest();
  return await run[word](parsed, process);
}

/** What somebody may have meant by a word that is no command. */
function hintFor(word: string): string {
  if (hasInvite(word)) return `to accept an invite: ${command("join -u NAME INVITE")}`;
  if (/^(quit|exit|stop|terminate)$/i.test(word)) {
    return "EXIT leaves a room that you are in; TERMINATE on its console, or Ctrl+C, ends a server";
  }
  const meant = didYouMean(word, [...specs.map((s) => s.name), "help"], (name) => `"${command(name)}"`);
  return `${meant}${meant === "" ? "see" : "See"} "${command("--help")}"`;
}

function toldOrEnded(fault: unknown): void {
  if (!process.goesOnAfter(fault)) Deno.exit(report(fault, process.err, process.env("CHAT_DEBUG") === "1"));
}

const process = systemProcess();
startedAs(howStarted(process.env), (process.env("PATH") ?? "").split(":"));
// A fault of ours, wherever it happens: told like any other, never as a bare stack. A server goes on where it can.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  toldOrEnded(event.reason);
});
globalThis.addEventListener("error", (event) => { // what a timer throws
  event.preventDefault();
  toldOrEnded(event.error);
});
let code: number;
try {
  code = await main(Deno.args, process);
} catch (error) {
  code = report(error, process.err, process.env("CHAT_DEBUG") === "1");
}
Deno.exit(code);
