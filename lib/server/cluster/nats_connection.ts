/**
 * NatsConnection: the way to NATS, and whether what is there does: new enough, and writing to the disk before it confirms.
 * What is not fit is refused at the start, with what mends it.
 */

import { connect, type NatsConnection, type TlsOptions } from "@nats-io/transport-node";
import { checkServerIdentity } from "node:tls";
import { type Clock, sleep } from "../../clock.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { splitHostPort } from "../../host_port.ts";

/** Where NATS is, and how to talk to it. */
export interface NatsOptions {
  /** `host:port` of each node. */
  readonly servers: readonly string[];
  /** Our certificate, its key and the authority of theirs, in PEM; null without TLS. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | null;
  /** It may lose what it has confirmed: for trials. */
  readonly isUnsafe: boolean;
}

/** One node, as far as it says. */
export interface NatsNode {
  /** Its name. */
  readonly name: string;
  /** As x.y.z. */
  readonly version: string;
  /** Whether it writes to the disk before it confirms. */
  readonly isSynced: boolean;
}

/** NATS is not there, or does not do. */
export class NatsUnfit extends ChatError {}

const connectMs = 5_000;
const electionTries = 60, electionMs = 500;
/** JetStream as of 2.12 gives many entries at once, and has the fixes of 2.11's leaders. */
const oldest = [2, 12];
/** Needs a system account that lets ours ask; asked of all nodes. */
const nodesSubject = "$SYS.REQ.SERVER.PING.VARZ";
const nodesMs = 2_000, nodesStallMs = 500;
/** Sixty-four records of one entry, and a commit with its boxes. */
const leastPayload = 1_000_000;

/** Connects; goes on by itself when a node goes. @throws NatsUnfit */
export async function dialNats({ servers, tls }: NatsOptions): Promise<NatsConnection> {
  try {
    return await connect({
      servers: [...servers],
      name: "chat",
      timeout: connectMs,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true, // its configuration may lack us for a moment
      reconnectTimeWait: 250,
      // A node that is stopped, and neither answers nor goes, is noticed within 6 seconds.
      pingInterval: 2_000,
      maxPingOut: 2,
      noAsyncTraces: true, // they would be taken with each request
      ignoreClusterUpdates: true, // those that were named, by the names that were given
      ...tls ? { tls: { ...tls, checkServerIdentity: isOneOf(servers) } as TlsOptions } : {},
    });
  } catch (error) {
    const why = (error as Error).message || (error as Error).name;
    const at = servers.join(", ");
    if (/authorization/i.test(why)) {
      throw new NatsUnfit(
        `NATS at ${at} does not let this server in`,
        "the certificate of --cluster-tls-cert must be that of a user in its accounts",
      );
    }
    if (/certificate|tls|self.signed|UnknownIssuer/i.test(why)) {
      throw new NatsUnfit(
        `NATS at ${at} cannot be reached by TLS: ${why}`,
        "check --cluster-tls-cert, --cluster-tls-key and --cluster-ca, and the names in its certificates",
        exitCodes.trust,
      );
    }
    throw new NatsUnfit(
      `NATS cannot be reached at ${at}: ${why}`,
      "start it, and check the addresses",
      exitCodes.unreachable,
    );
  }
}

/**
 * Holds a node's certificate against the hosts that were named: whichever of them it is, they are one cluster. The
 * library itself tells the runtime no name for a node that is given by its address.
 */
function isOneOf(servers: readonly string[]): typeof checkServerIdentity {
  const hosts = servers.map((server) => splitHostPort(server)!.host);
  return (_, certificate) => {
    const errors = hosts.map((host) => checkServerIdentity(host, certificate));
    return errors.includes(undefined) ? undefined : errors[0];
  };
}

/** All nodes; null when they may not be asked. */
export async function nodesOf(connection: NatsConnection): Promise<NatsNode[] | null> {
  const nodes: NatsNode[] = [];
  try {
    const answers = await connection.requestMany(nodesSubject, "", {
      strategy: "stall",
      maxWait: nodesMs,
      stall: nodesStallMs,
    });
    for await (const answer of answers) {
      const { data } = answer.json() as { data?: Varz };
      if (!data?.server_name) continue;
      const isSynced = data.jetstream?.config?.sync_always === true;
      nodes.push({ name: data.server_name, version: data.version ?? "", isSynced });
    }
  } catch {
    return null; // nobody answers, or it is not allowed
  }
  return nodes.length > 0 ? nodes.toSorted((a, b) => a.name < b.name ? -1 : 1) : null;
}

/**
 * Does something that needs leaders, which the nodes may be electing.
 *
 * @param what NATS does for us
 * @throws NatsUnfit when it has not come about after a while, and at once what is a ChatError
 */
export async function whileElecting<T>(clock: Clock, what: string, act: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await act();
    } catch (error) {
      if (error instanceof ChatError) throw error;
      if (tries === electionTries) {
        throw new NatsUnfit(
          `NATS does not ${what}: ${(error as Error).message}`,
          "it needs JetStream and the rights that the page about servers lists, and more than half of its nodes",
        );
      }
      await sleep(clock, electionMs);
    }
  }
}

/** `/varz` of NATS, as far as it is read. */
interface Varz {
  readonly server_name?: string;
  readonly version?: string;
  readonly jetstream?: { readonly config?: { readonly sync_always?: boolean } };
}

/** What stands against a log there; each with what mends it. */
export function faultsOf(
  connection: Pick<NatsConnection, "info">,
  nodes: readonly NatsNode[] | null,
  isUnsafe: boolean,
): NatsUnfit[] {
  const faults: NatsUnfit[] = [];
  const old = (version: string) => {
    const [major, minor] = version.split(".").map(Number);
    return !(major > oldest[0] || (major === oldest[0] && minor >= oldest[1]));
  };
  const all = nodes ?? [{ name: "NATS there", version: connection.info?.version ?? "", isSynced: true }];
  for (const { name, version, isSynced } of all) {
    if (old(version)) {
      faults.push(
        new NatsUnfit(
          `${name} is version ${version || "unknown"}, which is too old`,
          `run ${oldest.join(".")} or newer: older ones have lost what they had confirmed`,
        ),
      );
    }
    if (isSynced || isUnsafe) continue;
    faults.push(
      new NatsUnfit(
        `${name} confirms before it has written to the disk: a power cut can lose what people were told is stored`,
        'write "sync_interval: always" into the jetstream part of its configuration; for a trial, --cluster-unsafe-sync',
      ),
    );
  }
  if (!nodes && !isUnsafe) {
    faults.push(
      new NatsUnfit(
        "NATS does not say whether it writes to the disk before it confirms",
        `let this account ask ${nodesSubject}, as the page about servers shows; for a trial, --cluster-unsafe-sync`,
      ),
    );
  }
  const payload = connection.info?.max_payload ?? 0;
  if (payload < leastPayload) {
    faults.push(new NatsUnfit(`NATS takes only ${payload} bytes at once`, "raise max_payload to 1MB"));
  }
  return faults;
}
