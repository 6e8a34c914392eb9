/** NatsNodes: NATS nodes of a trial on this machine, in one cluster, which write to the disk before they confirm. */

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

/** Ports that nobody uses now. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Makes so many, not started. @param dir of their data */
export function planNodes(count: number, dir: string): NatsNode[] {
  const ports = freePorts(count * 2);
  return Array.from({ length: count }, (_, i) => ({
    name: `nats${i + 1}`,
    host: "127.0.0.1",
    port: ports[2 * i],
    routePort: ports[2 * i + 1],
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
    `
    host: ${node.host}
    port: ${node.port}
    server_name: ${node.name}
    jetstream { store_dir: "${node.dir}/data", sync_interval: always }
    cluster { name: chat, host: ${node.host}, port: ${node.routePort}, routes: [ ${routes} ] }
    accounts {
      SYS { exports: [ { service: "$SYS.REQ.SERVER.PING.VARZ", response_type: stream, accounts: [CHAT] } ] }
      CHAT {
        jetstream: enabled
        users: [ { user: chat, password: chat } ]
        imports: [ { service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } } ]
      }
    }
    system_account: SYS
    no_auth_user: chat
    `,
  );
  const [command, ...args] = [...within, natsBinary, "-c", `${node.dir}/nats.conf`, "-l", `${node.dir}/log`];
  return new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}
