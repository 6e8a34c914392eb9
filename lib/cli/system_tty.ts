/** The system's own terminal: raw mode, size and job control. */

import type { Environment } from "../storage/home.ts";
import type { Reflow } from "../ui/terminal/screen.ts";
import type { Tty } from "../ui/terminal/tty.ts";

const secondScreen = (on: boolean) => `\x1b[?1049${on ? "h" : "l"}`;
const bracketedPaste = (on: boolean) => `\x1b[?2004${on ? "h" : "l"}`;

/** @param write to standard output, whole @param env tells which terminal it is */
export function systemTty(write: (text: string) => void, env: Environment): Tty {
  const hasJobs = Deno.build.os !== "windows";
  let isEditing = false;
  let isAlternate = false;
  // Restores the terminal on every exit that can be caught; the runtime itself undoes raw mode.
  globalThis.addEventListener("unload", () => {
    if (isAlternate) write(secondScreen(false));
    if (isEditing) write(bracketedPaste(false));
  });
  const onSignal = (signal: Deno.Signal, act: () => void) => {
    if (!hasJobs) return () => {};
    Deno.addSignalListener(signal, act);
    return () => Deno.removeSignalListener(signal, act);
  };
  return {
    get input() {
      return Deno.stdin.readable;
    },
    write,
    get reflow() {
      return reflowOf(env);
    },
    size() {
      try {
        const { columns, rows } = Deno.consoleSize();
        return { columns: columns || 80, rows: rows || 24 }; // a serial line does not know
      } catch {
        return { columns: 80, rows: 24 }; // it is gone
      }
    },
    edit(on) {
      if (on === isEditing) return;
      isEditing = on;
      try {
        Deno.stdin.setRaw(on);
      } catch {
        // The terminal is gone: what is written to it goes nowhere, and the end of input comes next.
      }
      write(bracketedPaste(on));
    },
    alternate(on) {
      if (on === isAlternate) return;
      isAlternate = on;
      write(secondScreen(on));
    },
    onResize: (act) => onSignal("SIGWINCH", act),
    onContinue: (act) => onSignal("SIGCONT", act),
    suspend() {
      // Not SIGSTOP: the kernel ignores SIGTSTP where no shell could continue us.
      if (hasJobs) Deno.kill(Deno.pid, "SIGTSTP");
    },
  };
}

/** xterm breaks no row anew, and what is built with xterm.js not the one that is edited. */
function reflowOf(env: Environment): Reflow {
  if ((env("TMUX") ?? "") !== "") return "all";
  if ((env("XTERM_VERSION") ?? "") !== "") return "none";
  return env("TERM_PROGRAM") === "vscode" ? "all but the cursor's" : "all";
}
