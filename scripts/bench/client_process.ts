/** ClientProcess: the executable as a client of a server on this machine, with a home of its own. */

import { cpuMs, writtenBytes } from "./process_usage.ts";

/** A folder with keys, and what was said with them. */
export class ClientHome {
  private constructor(
    private readonly executable: string,
    private readonly port: number,
    private readonly dir: string,
    /** Whose it is. */
    readonly name: string,
  ) {}

  /** Makes the keys. */
  static async make(executable: string, port: number, name: string): Promise<ClientHome> {
    const dir = await Deno.makeTempDir({ prefix: "chat-bench-" });
    const args = ["keygen", "-u", name, "--no-passphrase", "--home", dir];
    await new Deno.Command(executable, { args, stdin: "null", stdout: "null", stderr: "null" }).output();
    return new ClientHome(executable, port, dir, name);
  }

  /** Writes a file into it. @returns its path */
  async write(name: string, text: string): Promise<string> {
    const path = `${this.dir}/${name}`;
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    return path;
  }

  /** `chat join` with these arguments. */
  join(...args: string[]): ClientProcess {
    const { executable, port, dir, name } = this;
    const all = ["join", "-u", name, "-p", String(port), "--home", dir, ...args];
    const piped = { stdin: "piped", stdout: "piped", stderr: "null" } as const;
    return new ClientProcess(new Deno.Command(executable, { args: all, ...piped }).spawn());
  }

  /** Forgets it. */
  async remove(): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** A running one. */
export class ClientProcess {
  readonly #shown: ReadableStreamDefaultReader<string>;
  readonly #typed: WritableStreamDefaultWriter<Uint8Array>;
  #rest = "";

  /** @param child with its input and output piped */
  constructor(private readonly child: Deno.ChildProcess) {
    this.#shown = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#typed = child.stdin.getWriter();
  }

  /** CPU so far, and bytes written. */
  usage(): { cpuMs: number; writtenBytes: number } {
    return { cpuMs: cpuMs(this.child.pid), writtenBytes: writtenBytes(this.child.pid) };
  }

  /** Its process. */
  get pid(): number {
    return this.child.pid;
  }

  /** The next line with this text. @throws when the client ends before */
  async lineWith(text: string): Promise<string> {
    for (;;) {
      const line = this.#lines.find((each) => each.includes(text));
      if (line !== undefined) {
        this.#lines = this.#lines.slice(this.#lines.indexOf(line) + 1);
        return line;
      }
      this.#lines = [];
      await this.#more();
    }
  }
  #lines: string[] = [];

  /** Types. */
  async say(text: string): Promise<void> {
    await this.#typed.write(new TextEncoder().encode(text));
  }

  /** Waits until a line with this text was shown. @throws when the client ends before */
  async until(text: string): Promise<void> {
    await this.untilCount(text, 1);
  }

  /** Waits until so many lines with this text were shown. @throws when the client ends before */
  async untilCount(text: string, count: number): Promise<void> {
    for (let seen = 0; seen < count; seen++) await this.lineWith(text);
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#shown.read();
    if (done) throw new Error("the client ended before its time");
    const lines = (this.#rest + value).split("\n");
    this.#rest = lines.pop()!;
    this.#lines.push(...lines);
  }

  /** Ends its input, or ends it at once. */
  async end(isAtOnce = false): Promise<void> {
    if (isAtOnce) this.child.kill("SIGTERM");
    await this.#typed.close().catch(() => {});
    await this.#shown.cancel();
    await this.child.status;
  }
}
