/** Real terminals: windows of a tmux of the test's own, with real keys and real screens. */

import { until } from "../fakes/until.ts";
import { hasTool, run } from "../fakes/tools.ts";
import type { Home } from "./chat_process.ts";

export const hasTmux = hasTool("tmux");

export class Terminals {
  #windows = 0;

  constructor(private readonly home: Home) {}

  async #tmux(...args: string[]): Promise<string> {
    return (await run("tmux", ["-S", `${this.home.dir}/tmux`, ...args])).text;
  }

  /** Opens a window with a command in it. */
  async open(command: string): Promise<Terminal> {
    const env = Object.entries(this.home.env).flatMap(([k, v]) => ["-e", `${k}=${v}`]);
    const window = `t:${this.#windows++}`;
    const rest = [...env, `${command}; echo code $?; sleep 60`];
    await this.#tmux(
      ...(window === "t:0"
        ? ["new-session", "-d", "-s", "t", "-x", "100", "-y", "30"]
        : ["new-window", "-t", window]),
      ...rest,
    );
    return new Terminal((...args) => this.#tmux(...args), window);
  }

  async close(): Promise<void> {
    await this.#tmux("kill-server");
  }
}

export class Terminal {
  constructor(
    private readonly tmux: (...args: string[]) => Promise<string>,
    private readonly window: string,
  ) {}

  /** Sends a signal to the program in the window, as another program would. */
  async signal(signal: "TERM" | "HUP"): Promise<void> {
    const shell = (await this.tmux("display-message", "-p", "-t", this.window, "#{pane_pid}")).trim();
    // The terminal's foreground process group: the job that the shell in the window waits for.
    await run("sh", ["-c", `kill -s ${signal} -- -$(cut -d" " -f8 /proc/${Number(shell)}/stat)`]);
  }
  /** Presses keys: text as it stands, or the names that tmux knows (Enter, C-c). */
  async press(...keys: string[]): Promise<void> {
    await this.tmux("send-keys", "-t", this.window, ...keys);
  }
  /** Types text, without Enter. */
  async type(text: string): Promise<void> {
    await this.tmux("send-keys", "-t", this.window, "-l", "--", text);
  }
  async enter(text: string): Promise<void> {
    await this.type(text);
    await this.press("Enter");
  }
  /** Pastes as a terminal does that marks pastes where the program wants them marked. */
  async paste(text: string): Promise<void> {
    await this.tmux("set-buffer", "--", text);
    await this.tmux("paste-buffer", "-p", "-t", this.window);
  }
  async resize(columns: number, rows: number): Promise<void> {
    await this.tmux("resize-window", "-t", this.window, "-x", String(columns), "-y", String(rows));
  }
  screen(): Promise<string> {
    return this.tmux("capture-pane", "-p", "-t", this.window);
  }
  /** The screen and what has scrolled off it. */
  all(): Promise<string> {
    return this.tmux("capture-pane", "-p", "-S", "-", "-t", this.window);
  }
  /** The last row of the screen that has something in it. */
  async lastRow(): Promise<string> {
    return (await this.screen()).trimEnd().split("\n").at(-1)!;
  }
  async shows(text: string): Promise<void> {
    await this.until(`"${text}" on the screen`, (screen) => screen.includes(text));
  }
  async until(what: string, condition: (screen: string) => boolean): Promise<void> {
    let screen = "";
    const holds = async () => condition(screen = await this.screen());
    await until(what, holds, { everyMs: 50, instead: () => `:\n${screen}` });
  }
}
