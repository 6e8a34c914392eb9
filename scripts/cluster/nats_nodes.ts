/** NatsNodes: NATS nodes of a trial on this machine, in one cluster, which write to the disk before they confirm. */

import { natsConfig } from "./nats_config.ts";

/** What `task setup` fetches. */
export const natsBinary: string = new URL("../../.nats/nats-server", import.meta.url).pathname;

/** Where a node listens, and where it keeps its data. */
export interface NatsNode {
  /** Its name in the cluster. */
  readonly name: string;
  /** The address on which it listens. */
  readonly host: string;
  /** For clients. */
  readonly port: number;
  /** For the other nodes. */
  readonly routePort: number;
  /** Below which all of it is. */
  readonly dir: string;
}

/** Makes so many, not started. @param dir of their data @param freePort gives a port each time */
export function planNodes(count: number, dir: string, freePort: () => number): NatsNode[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `nats${i + 1}`,
    host: "127.0.0.1",
    port: freePort(),
    routePort: freePort(),
    dir: `${dir}/nats${i + 1}`,
  }));
}

/** Starts one of them. @param within a command that runs it, as in `ip netns exec NAME` */
export async function startNode(
  node: NatsNode,
  all: readonly NatsNode[],
  within: readonly string[] = [],
): Promise<Deno.ChildProcess> {
  await Deno.mkdir(node.dir, { recursive: true });
  const routes = all.map(({ host, routePort }) => `"nats://${host}:${routePort}"`).join(", ");
  await Deno.writeTextFile(
    `${node.dir}/nats.conf`,
    natsConfig(`
    host: ${node.host}
    port: ${node.port}
    server_name: ${node.name}
    jetstream { store_dir: "${node.dir}/data", sync_interval: always }
    cluster { name: chat, host: ${node.host}, port: ${node.routePort}, routes: [ ${routes} ] }`),
  );
  const [command, ...args] = [...within, natsBinary, "-c", `${node.dir}/nats.conf`, "-l", `${node.dir}/log`];
  return new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}
