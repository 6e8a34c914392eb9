/** `chat completions`: what a shell needs to complete this program's command line, and the manual page. */

import { exitCodes } from "../../errors.ts";
import { bashCompletions } from "./completions_bash.ts";
import { fishCompletions } from "./completions_fish.ts";
import { zshCompletions } from "./completions_zsh.ts";
import { manPage } from "./man_page.ts";
import { type Parsed, UsageError } from "../options.ts";
import { shells, specs } from "../command_specs.ts";
import type { Process } from "../process.ts";

const makers = { bash: bashCompletions, zsh: zshCompletions, fish: fishCompletions, man: manPage };

/** Prints it. @returns the exit code @throws UsageError */
export function completions({ positionals: [word] }: Parsed, process: Process): number {
  const shell = shells.find((each) => each === word);
  if (!shell) {
    throw new UsageError(
      word === undefined ? "For which shell?" : `There are no completions for "${word}"`,
      `give ${shells.join(", ")}`,
    );
  }
  process.out(makers[shell](specs));
  return exitCodes.done;
}
