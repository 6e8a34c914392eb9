/** MetricsListener: `/metrics` for Prometheus and `/healthz` for the supervisor that restarts an unhealthy service. */

import type { Metrics } from "./metrics.ts";
import type { ChatServer } from "../server.ts";

/** Answers until closed. @returns ends it @throws what Deno.serve throws when it cannot listen */
export function serveMetrics(
  hostname: string,
  port: number,
  metrics: Metrics,
  server: ChatServer,
): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  Deno.serve(
    { hostname, port, signal, onListen: () => {}, onError: () => text("error", 500) },
    async (request) => {
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

function text(body: string, status: number): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
