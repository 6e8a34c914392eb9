/**
 * Floods (protocol §12) against the executable with its default limits: while strangers do their worst from their own
 * addresses, somebody who has the server pinned joins, says something and goes, and the server's memory stays bounded.
 * How long the join takes is measured by `deno task bench --only floods`, since no test depends on the wall clock.
 */

import { run as shell } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";
import { assertEquals, assertGreater } from "@std/assert";
import { type Attack, attacks } from "../fakes/attacks.ts";
import { e2e, freePort } from "./chat_process.ts";

const memoryMostKb = 400_000;

for (const attack of attacks) {
  e2e(`${attack.name}: a pinned client joins all the same, and memory stays bounded`, async (home) => {
    const port = freePort();
    const metrics = `127.0.0.1:${freePort()}`;
    const server = home.start(
      "serve",
      "-p",
      String(port),
      "--log-file",
      `${home.dir}/log`,
      "--log-format",
      "json",
      "--metrics",
      metrics,
    );
    await server.shows("Invite");
    const pinned = await home.run(["join", "-u", "ira", "-p", String(port), "-m", "before"]);
    assertEquals(pinned.code, 0, pinned.err);
    const stop = new AbortController();
    const over = run(attack, port, stop.signal);
    try {
      await until("the attack is under way", async () => await noticed(metrics) >= 5, { everyMs: 50 });
      for (let i = 0; i < 2; i++) {
        const { code, err } = await home.run([
          "join",
          "-u",
          "ira",
          "-p",
          String(port),
          "-m",
          `meanwhile ${i}`,
        ]);
        assertEquals(code, 0, err);
      }
      const { text } = await shell("sh", ["-c", `grep VmRSS /proc/${server.pid}/status`]);
      const rssKb = Number(/\d+/.exec(text)![0]);
      assertGreater(memoryMostKb, rssKb);
    } finally {
      stop.abort();
      await over;
    }
    const last = await home.run(["join", "-u", "ira", "-p", String(port), "-m", "after"]);
    assertEquals(last.code, 0, last.err);
    server.kill("SIGTERM");
    assertEquals(await server.code, 0);
    const log = Deno.readTextFileSync(`${home.dir}/log`);
    assertEquals(
      /"event":"(handshake-failed|turned-away)"/.test(log),
      true,
      "the operator sees it in the log",
    );
    assertEquals(server.err.includes("error"), false, server.err);
    assertEquals(server.out.includes("fault of this program"), false);
  });
}

/** How much of an attack the server has seen: who is at the door, was turned away, or has failed. */
async function noticed(metrics: string): Promise<number> {
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  const counts = text.matchAll(
    /^chat_(?:pending_connections|handshake_failures_total|turned_away_total)(?:{.*})? (\d+)$/gm,
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function run(attack: Attack, port: number, signal: AbortSignal): Promise<void> {
  await attack.run({ port, signal });
}
