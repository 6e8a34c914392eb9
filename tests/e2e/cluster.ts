/** Three servers on three nodes of NATS, as processes that can be killed, paused and started again. */

import { join } from "@std/path";
import { planNodes, startNode } from "../../scripts/cluster/nats_nodes.ts";
import { shareKey } from "../../scripts/cluster/server_keys.ts";
import { until } from "../fakes/until.ts";
import type { TestNetwork } from "./network.ts";
import { type ChatProcess, freePort, type Home } from "./chat_process.ts";

/** One of the six. */
export interface Member {
  readonly name: string;
  readonly kind: "nats" | "chat";
  /** Its process; null while it is not running. */
  process: { kill(signal: Deno.Signal): void; ended: Promise<unknown> } | null;
  start(): Promise<void>;
}

/** All six. */
export class TestCluster {
  readonly ports = [freePort(), freePort(), freePort()];
  readonly nats: Member[];
  readonly servers: Member[];
  /** The newest process of each server. */
  readonly processes: ChatProcess[] = [];
  readonly #nodes;

  private constructor(
    private readonly home: Home,
    private readonly options: readonly string[],
    private readonly network: TestNetwork | null,
  ) {
    this.#nodes = planNodes(3, join(home.dir, "nats"), freePort).map((node, i) =>
      network ? { ...node, host: network.inside(i) } : node
    );
    this.nats = this.#nodes.map((node, i) => {
      const member: Member = {
        name: node.name,
        kind: "nats",
        process: null,
        start: async () => {
          const child = await startNode(node, this.#nodes, network?.at(i));
          member.process = { kill: (signal) => child.kill(signal), ended: child.status };
        },
      };
      return member;
    });
    this.servers = this.ports.map((_, i) => {
      const member: Member = {
        name: `chat${i + 1}`,
        kind: "chat",
        process: null,
        start: async () => {
          const process = this.processes[i] = this.home.startWithin(
            network?.at(i) ?? [],
            "serve",
            ...this.argsOf(i),
          );
          member.process = { kill: (signal) => process.kill(signal), ended: process.code };
          await process.shows("Invite", "out", 40_000);
        },
      };
      return member;
    });
  }

  /** Starts all. @param options of each server @param network on which each pair has a host; this machine by default */
  static async start(
    home: Home,
    options: readonly string[] = [],
    network: TestNetwork | null = null,
  ): Promise<TestCluster> {
    const cluster = new TestCluster(home, options, network);
    for (const node of cluster.nats) await node.start();
    const [first, ...others] = [0, 1, 2].map((i) => cluster.dataOf(i));
    await home.run(["keygen", "--server", "--no-passphrase", "--out", first]);
    await shareKey(first, others);
    await Promise.all(cluster.servers.map((server) => server.start()));
    return cluster;
  }

  dataOf(i: number): string {
    return join(this.home.dir, `server${i + 1}`);
  }
  get natsAddresses(): string {
    return this.#nodes.map(({ host, port }) => `${host}:${port}`).join(",");
  }
  argsOf(i: number): string[] {
    const host = this.network ? ["--host", "0.0.0.0"] : [];
    const own = ["-p", String(this.ports[i]), "--data", this.dataOf(i)];
    return [...host, ...own, "--cluster", this.natsAddresses, ...this.options];
  }

  /** All addresses, that of one server first. */
  addressesFrom(i: number): string {
    const all = this.ports.map((port, n) => `${this.network?.outside(n) ?? "127.0.0.1"}:${port}`);
    return [...all.slice(i), ...all.slice(0, i)].join(",");
  }

  /** Somebody who begins at one of them. */
  async joined(name: string, i: number, ...more: string[]): Promise<ChatProcess> {
    const args = ["join", "-u", name, "-s", this.addressesFrom(i), "--accept-new", "--json", ...more];
    const process = this.home.startWithin(this.network?.people ?? [], ...args);
    await process.shows('"type":"entered"', "out", 40_000);
    return process;
  }

  async kill(member: Member): Promise<void> {
    member.process!.kill("SIGKILL");
    await member.process!.ended;
    member.process = null;
  }

  async close(): Promise<void> {
    const all = [...this.nats, ...this.servers].filter(({ process }) => process);
    for (const { process } of all) {
      process!.kill("SIGKILL");
      await process!.ended;
    }
  }
}

const count = ({ out }: ChatProcess) => out.split('"type":"message"').length;

/** Waits until all hear some more. */
export async function hearsMore(people: readonly ChatProcess[]): Promise<void> {
  const before = people.map(count);
  await until("all hear more", () => people.every((each, i) => count(each) > before[i] + 5), {
    timeoutMs: 45_000,
    instead: () => people.map(({ out, err }) => out.split("\n").slice(-6).join(" ") + err).join("; "),
  });
}

/** Waits until somebody does. */
export async function oneHearsMore(people: readonly ChatProcess[]): Promise<void> {
  const before = people.map(count);
  await until("somebody hears more", () => people.some((each, i) => count(each) > before[i] + 5), {
    timeoutMs: 60_000,
  });
}
