/** ServerProcess: a server of this project for one measurement, from its sources or as the executable. */

import { cpuMs, rssKb } from "./process_usage.ts";
import { permissions, runtimeFlags as ownFlags } from "../permissions.ts";
import { freePort } from "../free_port.ts";

/** What a benchmark lifts, as all members come from one address and talk faster than people. */
const lifted = {
  "max-links": 5000,
  "max-links-per-address": 5000,
  "max-pending": 5000,
  "max-pending-per-address": 5000,
  "handshake-burst": 100_000,
  "hellos-per-second": 100_000,
  "identities-per-hour": 1_000_000,
  "send-burst": 10_000,
  "sends-per-second": 10_000,
  "rsa-queued": 5000,
  "work-ms": 1_000_000,
  "puts-at-once": 100_000,
  "join-burst": 100_000,
  // All come from one address: they must not have to solve puzzles for it.
  proxy: "127.0.0.1",
};

/** How to start one. */
export interface ServerChoice {
  /** `dist/chat` and the like; null for the sources. */
  readonly executable: string | null;
  /** Its folder, which stays; by default one of its own. */
  readonly dir?: string;
  /** Its port; by default one that is free. */
  readonly port?: number;
  /** More flags. */
  readonly flags?: readonly string[];
  /** Whether the limits are lifted; they are by default. */
  readonly lift?: boolean;
  /** For Deno itself, when run from the sources: `--cpu-prof`. */
  readonly runtimeFlags?: readonly string[];
}

/** A running one. */
export class ServerProcess {
  private constructor(
    private readonly child: Deno.ChildProcess,
    /** On 127.0.0.1. */
    readonly port: number,
    private readonly dir: string | null,
    /** From start to the first accepted connection. */
    readonly startedInMs: number,
  ) {}

  /** Starts one on a folder of its own and waits until it accepts. @throws when it does not come up */
  static async start(
    { executable, dir: given, port: asked, flags = [], lift = true, runtimeFlags = [] }: ServerChoice,
  ): Promise<ServerProcess> {
    const dir = given ?? await Deno.makeTempDir({ prefix: "chat-bench-" });
    const port = asked ?? freePort();
    const limits = Object.entries(lift ? lifted : {}).map(([flag, value]) => `--${flag}=${value}`);
    const serve = ["serve", "--data", dir, "-p", String(port), ...limits, ...flags];
    const began = performance.now();
    const child = executable
      ? new Deno.Command(executable, { args: serve, ...streams }).spawn()
      : new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          "--quiet",
          ...ownFlags,
          ...permissions,
          ...runtimeFlags,
          "main.ts",
          ...serve,
        ],
        ...streams,
      }).spawn();
    for (;;) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
      conn?.close();
      if (conn) break;
      if (performance.now() - began > 30_000) throw new Error("the server does not come up");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return new ServerProcess(child, port, given ? null : dir, performance.now() - began);
  }

  /** Its process. */
  get pid(): number {
    return this.child.pid;
  }
  /** CPU time so far, all threads. */
  get cpuMs(): number {
    return cpuMs(this.pid);
  }
  /** Resident memory. */
  get rssKb(): number {
    return rssKb(this.pid);
  }

  /** Ends it as `kill -9` does. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.status;
  }

  /** Ends it in good order and forgets its folder. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.status;
    if (this.dir) await Deno.remove(this.dir, { recursive: true });
  }
}

const streams = { stdin: "null", stdout: "null", stderr: "inherit" } as const;
