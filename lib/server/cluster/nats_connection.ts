/** NatsConnection: the way to NATS, and patience while its nodes elect who leads. */

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

/** NATS is not there, or does not do. */
export class NatsUnfit extends ChatError {}

const connectMs = 5_000;
const electionTries = 60, electionMs = 500;
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
