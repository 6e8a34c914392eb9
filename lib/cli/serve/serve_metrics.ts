/** `--metrics HOST:PORT`: loaded only when it is asked for. */

import { ChatError } from "../../errors.ts";
import type { ServerEvents } from "../../server/events.ts";
import type { ChatServer } from "../../server/server.ts";
import { version } from "../../version.ts";
import type { Process } from "../process.ts";
import { UsageError } from "../options.ts";

/** Metrics that count, and can be served once there is a server. */
export interface ServeMetrics extends ServerEvents {
  /** Begins to answer. @returns ends it @throws ChatError when it cannot listen there */
  serve(server: ChatServer): () => void;
  /** As it was asked for. */
  readonly address: string;
  /** Its host. */
  readonly hostname: string;
}

/** Makes them. @param hosts names, with commas between @throws UsageError for what is no HOST:PORT */
export async function openMetrics(
  address: string | undefined,
  hosts: string | undefined,
  { clock }: Process,
): Promise<ServeMetrics | null> {
  if (address === undefined) {
    if (hosts === undefined) return null;
    throw new UsageError("--metrics-host is for metrics", "add --metrics HOST:PORT");
  }
  const names = (hosts ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
  const { hostname, port } = parseAddress(address);
  const { Metrics } = await import("../../server/operator/metrics.ts");
  const { serveMetrics } = await import("../../server/operator/metrics_listener.ts");
  const metrics = new Metrics(version);
  return {
    address,
    hostname,
    tell: (event) => metrics.tell(event),
    serve(server) {
      const unwatch = metrics.watch(server, clock, () => Deno.memoryUsage().rss);
      try {
        const close = serveMetrics({ hostname, port, names }, metrics, server);
        return () => {
          unwatch();
          close();
        };
      } catch (error) {
        unwatch();
        throw new ChatError(
          `Cannot serve metrics on "${address}": ${error instanceof Error ? error.message : error}`,
          "end the program that uses it, or give another HOST:PORT with --metrics",
        );
      }
    },
  };
}

function parseAddress(address: string): { hostname: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(address);
  const port = Number(match?.[3]);
  if (match && port >= 1 && port <= 65_535) return { hostname: match[1] ?? match[2], port };
  throw new UsageError(`--metrics cannot be "${address}"`, "give HOST:PORT, as 127.0.0.1:9444 or [::1]:9444");
}
