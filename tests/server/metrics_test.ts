import { test } from "../fakes/test.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { StoreFailed } from "../../lib/server/store/store.ts";
import { Metrics } from "../../lib/server/operator/metrics.ts";
import { serveMetrics } from "../../lib/server/operator/metrics_listener.ts";
import { Console } from "../../lib/server/operator/console.ts";
import { type ServerOptions, World } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

async function watched(
  act: (world: World, url: string) => Promise<void>,
  options: ServerOptions = {},
): Promise<void> {
  const metrics = new Metrics("0.0.0");
  const world = await World.open({ ...options, events: metrics });
  const unwatch = metrics.watch(world.server, systemClock, () => 1234);
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr as Deno.NetAddr;
  free.close();
  const close = serveMetrics(
    { hostname: "127.0.0.1", port: port, names: ["metrics.example.org"] },
    metrics,
    world.server,
  );
  try {
    await act(world, `http://127.0.0.1:${port}`);
  } finally {
    unwatch();
    close();
    await world.close();
  }
}
const get = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text() };
};
const metricsTest = (name: string, fn: () => Promise<void>) =>
  test({ name, sanitizeOps: false, sanitizeResources: false, fn });

metricsTest(
  "only who asks by an address, localhost or a given name is answered: no page by a name of its own",
  () =>
    watched(async (_world, url) => {
      const port = new URL(url).port;
      const ask = async (host: string | null) => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
        const line = host === null ? "" : `Host: ${host}\r\n`;
        await conn.write(
          new TextEncoder().encode(`GET /metrics HTTP/1.1\r\n${line}Connection: close\r\n\r\n`),
        );
        const answer = await new Response(conn.readable).text();
        return [Number(answer.split(" ")[1]), answer.includes("chat_connections")];
      };
      for (
        const host of [
          "127.0.0.1",
          `127.0.0.1:${port}`,
          `localhost:${port}`,
          "LOCALHOST",
          "[::1]:80",
          "metrics.example.org:1",
        ]
      ) {
        assertEquals(await ask(host), [200, true], host);
      }
      for (
        const host of [
          "evil.example.org",
          `evil.example.org:${port}`,
          "127.0.0.1.evil.example.org",
          "localhost.evil.org",
        ]
      ) {
        assertEquals(await ask(host), [421, false], host);
      }
    }),
);
metricsTest(
  "/metrics tells connections, members, messages, bytes, queues, handshakes, the store and the event loop",
  () =>
    watched(async (world, url) => {
      const ira = await world.enter("ira");
      const sam = await world.enter("sahnawaz");
      ira.view.type("hello");
      await sam.view.hears("ira: hello");
      const garbage = await Deno.connect({ hostname: "127.0.0.1", port: world.port });
      await garbage.write(new Uint8Array([0, 1, 2]));
      await until("the handshake failed", () => world.server.tally.handshakesFailed.malformed === 1);
      const { text } = await get(`${url}/metrics`);
      for (
        const line of [
          "chat_connections 2",
          "chat_pending_connections 1",
          "chat_members 2",
          'chat_rooms{kind="ordinary"} 1',
          "chat_messages_total 1",
          'chat_queue_bytes{of="all"} 0',
          "chat_handshakes_total 2",
          'chat_handshake_failures_total{why="malformed"} 1',
          'chat_handshake_failures_total{why="crypto"} 0',
          "chat_store_bytes_most 10737418240",
          "process_resident_memory_bytes 1234",
          "chat_rsa_decryptions_total 2",
        ]
      ) assertStringIncludes(text, `\n${line}\n`);
      assertMatch(text, /chat_bytes_total\{direction="in"\} [1-9]\d{3,}/);
      assertMatch(text, /chat_store_flush_seconds_count [1-9]/);
      assertMatch(text, /chat_event_loop_lag_seconds_bucket/);
      assertEquals(/ira|lobby|hello/.test(text), false);
      garbage.close();
    }),
);
metricsTest(
  "what is counted twice is not doubled: a second look gives the same numbers",
  () =>
    watched(async (world, url) => {
      await world.enter("ira");
      await get(`${url}/metrics`);
      assertStringIncludes((await get(`${url}/metrics`)).text, "\nchat_handshakes_total 1\n");
    }),
);
metricsTest(
  "/healthz is ok, says when the disk refuses, and is ok again",
  () =>
    watched(async (world, url) => {
      assertEquals(await get(`${url}/healthz`), { status: 200, text: "ok\n" });
      const ira = await world.enter("ira");
      const { store } = world.server.rooms;
      const { flush } = store;
      store.flush = () => {
        throw new StoreFailed("rooms.db", "database or disk is full");
      };
      ira.view.type("lost for now");
      await until("the store failed", () => world.server.rooms.isStoreFailing);
      assertEquals((await get(`${url}/healthz`)).status, 503);
      store.flush = flush;
      await world.enter("sahnawaz");
      await until("it works again", () => !world.server.rooms.isStoreFailing);
      assertEquals((await get(`${url}/healthz`)).status, 200);
    }),
);
metricsTest("other paths are 404, other methods 405", () =>
  watched(async (_, url) => {
    assertEquals((await get(`${url}/`)).status, 404);
    assertEquals((await get(`${url}/metrics`, { method: "POST", body: "x" })).status, 405);
  }));
metricsTest("STATS tells the same on the console", () =>
  watched(async (world) => {
    const ira = await world.enter("ira");
    ira.view.type("hello");
    await until("said", () => world.server.tally.messages === 1);
    const console = new Console({
      server: world.server,
      invite: () => "",
      now: () => world.server.startedMs,
    });
    const stats = console.enter("stats").lines.join("\n");
    for (
      const what of ["connected   1", "messages    1,", "handshakes  1 done, none failed", "turned away 0"]
    ) {
      assertStringIncludes(stats, what);
    }
    assertMatch(stats, /store {7}\d+ writes of [\d.]+ ms, 0 failed/);
  }));
