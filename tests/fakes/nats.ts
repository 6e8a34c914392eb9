/** Real NATS servers of a test's own; `task setup` fetches what runs them. */

import { natsConfig } from "../../scripts/cluster/nats_config.ts";
import { natsBinary } from "../../scripts/cluster/nats_nodes.ts";
import { freePort } from "./ports.ts";
import { test } from "./test.ts";
import { until } from "./until.ts";

export const hasNats = (() => {
  try {
    return Deno.statSync(natsBinary).isFile;
  } catch {
    return false;
  }
})();

/** A test with one node of its own. */
export function natsTest(name: string, act: (nats: Nats) => Promise<void>, ignore = false): void {
  // The library's timers and sockets end a moment after it says so.
  test({ name, ignore: ignore || !hasNats, sanitizeOps: false, sanitizeResources: false }, async () => {
    const nats = await Nats.start();
    try {
      await act(nats);
    } finally {
      await nats.close();
    }
  });
}

/** One node, which keeps what it confirms. */
export class Nats {
  readonly port = freePort();
  #child: Deno.ChildProcess | null = null;

  private constructor(private readonly dir: string) {}

  /** @param dir where its files are made */
  static async start(isSynced = true, dir?: string): Promise<Nats> {
    const nats = new Nats(await Deno.makeTempDir({ prefix: "chat-nats-", dir }));
    await nats.configure(isSynced);
    await nats.begin();
    return nats;
  }

  /** Says how it is run from its next beginning on. @param more of its jetstream part */
  async configure(isSynced = true, more = ""): Promise<void> {
    const { port, dir } = this;
    const config = natsConfig(`
      host: 127.0.0.1
      port: ${port}
      server_name: one
      jetstream { store_dir: "${dir}/js", sync_interval: ${isSynced ? "always" : "2m"}${more} }`);
    await Deno.writeTextFile(`${dir}/nats.conf`, config);
  }

  /** Its process. */
  get pid(): number {
    return this.#child!.pid;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async begin(): Promise<void> {
    this.#child = new Deno.Command(natsBinary, {
      args: ["-c", `${this.dir}/nats.conf`],
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(
      "NATS answers",
      () =>
        Deno.connect({ hostname: "127.0.0.1", port: this.port }).then(
          (conn) => (conn.close(), true),
          () => false,
        ),
    );
  }

  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    this.#child?.kill(signal);
    await this.#child?.status;
    this.#child = null;
  }

  async close(): Promise<void> {
    await this.kill();
    await Deno.remove(this.dir, { recursive: true });
  }
}
