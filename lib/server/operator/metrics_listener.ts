/** MetricsListener: `/metrics` for Prometheus and `/healthz` for the supervisor that restarts an unhealthy service. */

import { isIP } from "node:net";
import { splitHostPort } from "../../host_port.ts";
import type { Metrics } from "./metrics.ts";
import type { ChatServer } from "../server.ts";

/**
 * Answers until closed.
 *
 * @param names by which it is asked for beside addresses and localhost; a page that a browser was led to (DNS rebinding)
 * comes by a name of its own
 * @returns ends it
 * @throws what Deno.serve throws when it cannot listen
 */
export function serveMetrics(
  { hostname, port, names }: MetricsPlace,
  metrics: Metrics,
  server: ChatServer,
): () => void {
  const own = new Set(["localhost", hostname, ...names].map((name) => name.toLowerCase()));
  const stop = new AbortController();
  const { signal } = stop;
  Deno.serve(
    { hostname, port, signal, onListen: () => {}, onError: () => text("error", 500) },
    async (request) => {
      if (!isOwn(request.headers.get("host"), own)) {
        return text("not by this name: see --metrics-host\n", 421); // RFC 9110 section 15.5.20
      }
      if (request.method !== "GET" && request.method !== "HEAD") return text("only GET\n", 405);
      const { pathname } = new URL(request.url);
      if (pathname === "/metrics") {
        const { body, contentType } = await metrics.text();
        return new Response(body, { headers: { "content-type": contentType } });
      }
      if (pathname === "/healthz") {
        const trouble = server.trouble();
        return trouble === null ? text("ok\n", 200) : text(`${trouble}\n`, 503);
      }
      return text("there is /metrics and /healthz\n", 404);
    },
  );
  return () => stop.abort(); // whoever is still reading is cut off: the server ends in time
}

/** Where metrics are served. */
export interface MetricsPlace {
  /** Host to listen at. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
  /** More names, without ports. */
  readonly names: readonly string[];
}

/** Whether a Host header has an address, or a name of ours. */
function isOwn(host: string | null, own: ReadonlySet<string>): boolean {
  const place = host === null ? null : splitHostPort(host.includes(":") ? host : `${host}:80`);
  const name = place?.host.toLowerCase();
  return name !== undefined && (own.has(name) || isIP(name) !== 0);
}

function text(body: string, status: number): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
