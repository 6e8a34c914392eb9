/** ClusterProcess: three servers on three nodes of NATS on this machine, for one measurement. */

import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type NatsNode, planNodes, startNode } from "../cluster/nats_nodes.ts";
import { shareKey } from "../cluster/server_keys.ts";
import { freePort } from "../free_port.ts";
import { ServerProcess } from "./server_process.ts";

/** All six. */
export class ClusterProcess {
  /** The servers. */
  readonly servers: ServerProcess[] = [];
  readonly #nats: (Deno.ChildProcess | null)[] = [];

  private constructor(
    private readonly executable: string,
    private readonly dir: string,
    private readonly nodes: readonly NatsNode[],
  ) {}

  /** Starts them on a folder of their own. */
  static async start(executable: string): Promise<ClusterProcess> {
    const dir = await Deno.makeTempDir({ prefix: "chat-bench-" });
    const cluster = new ClusterProcess(executable, dir, planNodes(3, dir, freePort));
    for (let i = 0; i < 3; i++) await cluster.startNats(i);
    const [first, ...others] = [0, 1, 2].map((i) => `${dir}/chat${i}`);
    const args = ["keygen", "--server", "--no-passphrase", "--out", first];
    await new Deno.Command(executable, { args, stdin: "null", stdout: "null", stderr: "null" }).output();
    await shareKey(first, others);
    for (let i = 0; i < 3; i++) await cluster.startServer(i);
    return cluster;
  }

  /** Starts a server, on the port that it had before. */
  async startServer(i: number): Promise<void> {
    const nats = this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(",");
    const { executable } = this;
    const port = this.servers[i]?.port ?? freePort();
    this.servers[i] = await ServerProcess.start({
      executable,
      port,
      dir: `${this.dir}/chat${i}`,
      flags: ["--cluster", nats],
    });
  }

  /** Starts a node. */
  async startNats(i: number): Promise<void> {
    this.#nats[i] = await startNode(this.nodes[i], this.nodes);
  }
  /** Ends it as `kill -9` does. */
  async killNats(i: number): Promise<void> {
    this.#nats[i]!.kill("SIGKILL");
    await this.#nats[i]!.status;
    this.#nats[i] = null;
  }
  /** The node that leads the log now. */
  async leader(): Promise<number> {
    const connection = await connect({ servers: this.nodes.map(({ port }) => `127.0.0.1:${port}`) });
    try {
      const { cluster } = await (await jetstreamManager(connection)).streams.info("CHAT");
      return this.nodes.findIndex(({ name }) => name === cluster?.leader);
    } finally {
      await connection.close();
    }
  }

  /** Ports of the servers. */
  get ports(): number[] {
    return this.servers.map(({ port }) => port);
  }
  /** All addresses as `-s` takes them, that of one server first. */
  addressesFrom(i: number): string {
    const { ports } = this;
    return [...ports.slice(i), ...ports.slice(0, i)].map((port) => `127.0.0.1:${port}`).join(",");
  }
  /** All processes. */
  get pids(): number[] {
    return [...this.servers, ...this.#nats.filter((node) => node !== null)].map(({ pid }) => pid);
  }

  /** Ends all, and forgets the folder. */
  async stop(): Promise<void> {
    for (const server of this.servers) await server.kill();
    for (const [i, node] of this.#nats.entries()) if (node) await this.killNats(i);
    await Deno.remove(this.dir, { recursive: true });
  }
}
