/**
 * Floods (protocol §12) against the executable with its default limits: while strangers do their worst from their own
 * addresses, somebody who has the server pinned joins, says something and goes, and the server's memory stays bounded.
 * How long the join takes is measured by `deno task bench --only floods`, since no test depends on the wall clock.
 */

import { assertEquals, assertGreater } from "@std/assert";
import { type Attack, attacks } from "../fakes/attacks.ts";
import { e2e, freePort } from "./chat_process.ts";

const memoryMostKb = 400_000;

for (const attack of attacks) {
  e2e(`${attack.name}: a pinned client joins all the same, and memory stays bounded`, async (home) => {
    const port = freePort();
    const server = home.start(
      "serve",
      "-p",
      String(port),
      "--log-file",
      `${home.dir}/log`,
      "--log-format",
      "json",
    );
    await server.shows("Invite");
    const pinned = await home.run(["join", "-u", "ira", "-p", String(port), "-m", "before"]);
    assertEquals(pinned.code, 0, pinned.err);
    const stop = new AbortController();
    const over = run(attack, port, stop.signal);
    try {
      // The attack is under way once the server has noticed any of it, or has had a while to.
      await new Promise((resolve) => setTimeout(resolve, 1500));
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
      const { stdout } = await new Deno.Command("sh", {
        args: ["-c", `grep -h VmRSS /proc/$(pgrep -f -- "serve -p ${port} " | head -1)/status`],
      }).output();
      const rssKb = Number(/\d+/.exec(new TextDecoder().decode(stdout))![0]);
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

async function run(attack: Attack, port: number, signal: AbortSignal): Promise<void> {
  await attack.run({ port, signal });
}
