/**
 * Network: machines of their own, as network namespaces: each host has a way to the other hosts and a way to people, and
 * each way can be cut. Only root can make them.
 */

import { hasTool, run } from "../fakes/tools.ts";

const ip = "/usr/sbin/ip";
export const hasNamespaces: boolean = Deno.uid() === 0 && hasTool(ip) && await canMake();

async function canMake(): Promise<boolean> {
  const name = `chat-try-${Deno.pid}`;
  const { ok } = await run(ip, ["netns", "add", name]);
  if (ok) await run(ip, ["netns", "del", name]);
  return ok;
}

let count = 0;

/** Hosts, and a machine where people are. */
export class TestNetwork {
  readonly #name = `chat${Deno.pid}x${count++}`;
  readonly #hub = `${this.#name}-hub`;
  readonly #all: string[] = [];

  private constructor(readonly hosts: number) {}

  static async make(hosts: number): Promise<TestNetwork> {
    const network = new TestNetwork(hosts);
    await network.#make();
    return network;
  }

  async #make(): Promise<void> {
    await this.#add(this.#hub);
    for (const way of ["hosts", "people"]) {
      await this.#in(this.#hub, "link", "add", way, "type", "bridge");
      await this.#in(this.#hub, "link", "set", way, "up");
    }
    for (let i = 0; i < this.hosts; i++) {
      await this.#add(this.#host(i));
      await this.#connect(this.#host(i), "hosts", `10.77.1.${i + 1}`, i);
      await this.#connect(this.#host(i), "people", `10.77.2.${i + 1}`, i);
    }
    await this.#add(this.#people);
    await this.#connect(this.#people, "people", "10.77.2.100", 100);
  }

  #host(i: number): string {
    return `${this.#name}-${i}`;
  }
  get #people(): string {
    return `${this.#name}-people`;
  }

  async #add(name: string): Promise<void> {
    await must("netns", "add", name);
    this.#all.push(name);
    await this.#in(name, "link", "set", "lo", "up");
  }
  #in(name: string, ...args: string[]): Promise<void> {
    return must("-n", name, ...args);
  }
  async #connect(name: string, way: string, address: string, i: number): Promise<void> {
    await this.#in(
      this.#hub,
      "link",
      "add",
      `${way}${i}`,
      "type",
      "veth",
      "peer",
      "name",
      way,
      "netns",
      name,
    );
    await this.#in(this.#hub, "link", "set", `${way}${i}`, "master", way, "up");
    await this.#in(name, "addr", "add", `${address}/24`, "dev", way);
    await this.#in(name, "link", "set", way, "up");
  }

  /** The command that runs something at a host. */
  at(i: number): string[] {
    return [ip, "netns", "exec", this.#host(i)];
  }
  /** The same where people are. */
  get people(): string[] {
    return [ip, "netns", "exec", this.#people];
  }
  /** Where other hosts reach one. */
  inside(i: number): string {
    return `10.77.1.${i + 1}`;
  }
  /** Where people reach it. */
  outside(i: number): string {
    return `10.77.2.${i + 1}`;
  }
  /** Cuts a host's way to the other hosts, or to people. */
  async cut(i: number, way: "hosts" | "people"): Promise<void> {
    await this.#in(this.#hub, "link", "set", `${way}${i}`, "down");
  }
  async mend(i: number, way: "hosts" | "people"): Promise<void> {
    await this.#in(this.#hub, "link", "set", `${way}${i}`, "up");
  }

  async close(): Promise<void> {
    for (const name of this.#all) await must("netns", "del", name);
  }
}

async function must(...args: string[]): Promise<void> {
  const { ok, text } = await run(ip, args);
  if (!ok) throw new Error(`ip ${args.join(" ")}: ${text}`);
}
