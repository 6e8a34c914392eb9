/**
 * NatsFitness: whether NATS does for a log: new enough, and writing to the disk before it confirms. What is not fit is
 * refused at the start, with what mends it.
 */

import type { NatsConnection } from "@nats-io/transport-node";
import { splitHostPort } from "../../host_port.ts";
import { isLoopback } from "../../loopback.ts";
import { type NatsOptions, NatsUnfit } from "./nats_connection.ts";

/** As many nodes as keep each entry, if there are so many. */
const keptOn = 3;
/** JetStream as of 2.12 gives many entries at once, and has the fixes of 2.11's leaders. */
const oldest = [2, 12];
/** Needs a system account that lets ours ask; asked of all nodes. */
const nodesSubject = "$SYS.REQ.SERVER.PING.VARZ";
const nodesMs = 2_000, nodesStallMs = 500;
/** Sixty-four records of one entry, and a commit with its boxes. */
const leastPayload = 1_000_000;

/** One node, as far as it says. */
export interface NatsNode {
  /** Its name. */
  readonly name: string;
  /** As x.y.z. */
  readonly version: string;
  /** Whether it writes to the disk before it confirms. */
  readonly isSynced: boolean;
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

/** What an operator should know of a NATS that does, in words. @param replicas how many nodes keep each entry */
export function cautionsOf({ isUnsafe, tls, servers }: NatsOptions, replicas: number): string[] {
  const isHere = servers.every((server) => isLoopback(splitHostPort(server)!.host));
  return [
    ...replicas === 1 ? ["NATS is one node: while it is away, nobody can say anything"] : [],
    ...isUnsafe ? ["NATS may lose what it has confirmed: this is for trials"] : [],
    ...tls || isHere ? [] : ["Without TLS to NATS: whoever is on the way can pose as a server"],
  ];
}

/** One node keeps it alone; of several, three do. */
export function replicasOf({ info }: Pick<NatsConnection, "info">): number {
  return info?.cluster ? keptOn : 1;
}
