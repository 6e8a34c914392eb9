/** The built executable, run as a stranger would: an empty home, real pipes, real signals. */

import { test } from "../fakes/test.ts";
import { dirname, fromFileUrl } from "@std/path";
import { until } from "../fakes/until.ts";

export { freePort } from "../fakes/ports.ts";

export const executable = fromFileUrl(
  new URL(Deno.build.os === "windows" ? "../../dist/chat.exe" : "../../dist/chat", import.meta.url),
);

/** One home for a test, with nothing in it but the unpacked executable's cache. */
export class Home {
  readonly dir = Deno.makeTempDirSync({ prefix: "chat-e2e-" });
  readonly running: ChatProcess[] = [];
  get env(): Record<string, string> {
    const PATH = `${dirname(executable)}:/usr/bin:/bin`; // so that the commands it prints can be typed
    return { HOME: this.dir, PATH, TERM: "xterm", XDG_CACHE_HOME: cacheDir() };
  }
  start(...args: string[]): ChatProcess {
    return this.startWithin([], ...args);
  }
  /** @param within a command that runs it, as in `ip netns exec NAME` */
  startWithin(within: readonly string[], ...args: string[]): ChatProcess {
    const process = new ChatProcess(args, this.env, within);
    this.running.push(process);
    return process;
  }
  /** Runs to the end. */
  async run(args: string[], input = ""): Promise<{ code: number; out: string; err: string }> {
    const process = this.start(...args);
    await process.type(input);
    await process.closeInput();
    const code = await process.code;
    return { code, out: process.out, err: process.err };
  }
  async close(): Promise<void> {
    for (const process of this.running) process.kill("SIGKILL");
    await Promise.all(this.running.map((p) => p.code));
    // What runs in the windows of a terminal that was closed goes on for a moment.
    for (let i = 0;; i++) {
      try {
        return await Deno.remove(this.dir, { recursive: true });
      } catch (error) {
        if (i === 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

let cache = "";
/** Shared by the tests of one run, so that the self-extracting form unpacks once. */
function cacheDir(): string {
  return cache ||= Deno.makeTempDirSync({ prefix: "chat-e2e-cache-" });
}
export function removeCache(): void {
  if (cache) Deno.removeSync(cache, { recursive: true });
  cache = "";
}

export class ChatProcess {
  out = "";
  err = "";
  readonly code: Promise<number>;
  #child: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(args: string[], env: Record<string, string>, within: readonly string[] = []) {
    const [command, ...rest] = [...within, executable, ...args];
    this.#child = new Deno.Command(command, {
      args: rest,
      env,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    const drain = async (stream: ReadableStream<Uint8Array>, add: (text: string) => void) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) add(text);
    };
    const both = Promise.all([
      drain(this.#child.stdout, (text) => this.out += text),
      drain(this.#child.stderr, (text) => this.err += text),
    ]);
    this.code = this.#child.status.then(async ({ code }) => {
      await both;
      return code;
    });
  }
  async type(text: string): Promise<void> {
    if (text !== "") await this.#writer.write(new TextEncoder().encode(text)).catch(() => {});
  }
  /** Its process id: the shell head of the executable ends in exec. */
  get pid(): number {
    return this.#child.pid;
  }
  async closeInput(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // Over already.
    }
  }
  /** Waits until the output has this text. */
  async shows(text: string, where: "out" | "err" = "out", timeoutMs = 20_000): Promise<void> {
    const instead = () => `\nstdout: ${this.out}\nstderr: ${this.err}`;
    await until(`printed "${text}"`, () => this[where].includes(text), { timeoutMs, instead });
  }
}

/** A test with a home of its own. */
export function e2e(
  name: string,
  act: (home: Home) => Promise<void>,
  ignore = false,
  boundMs?: number,
): void {
  test({
    name,
    ignore,
    ...boundMs === undefined ? {} : { boundMs },
    async fn() {
      const home = new Home();
      try {
        await act(home);
      } finally {
        await home.close();
      }
    },
  });
}
