/** Floods: how long somebody who has the server pinned takes to join and say something, while strangers do their worst. */

import { attacks } from "../../tests/fakes/attacks.ts";
import { median } from "./rows.ts";
import { ServerProcess } from "./server_process.ts";

const joins = 5;

/** Names of all attacks, in the order of their numbers. */
export const floods: readonly string[] = attacks.map(({ name }) => name);

/** In a process of its own: one attack for so long. */
export async function runFlood(run: { flood: number; port: number; seconds: number }): Promise<void> {
  const signal = AbortSignal.timeout(run.seconds * 1000);
  await attacks[run.flood].run({ port: run.port, signal });
}

/** Rows `flood "NAME" join_ms slowest_ms rss_MB`, at the default limits. @param begin starts an attack in its own process */
export async function measureFloods(
  begin: (run: { flood: number; port: number; seconds: number }) => Promise<void>,
): Promise<string[]> {
  const rows: string[] = [];
  const home = await Deno.makeTempDir({ prefix: "chat-bench-" });
  for (const [flood, name] of [...floods.keys(), -1].map((i) => [i, floods[i] ?? "none"] as const)) {
    const server = await ServerProcess.start({ executable: "dist/chat", lift: false });
    const join = async () => {
      const began = performance.now();
      const args = ["join", "-u", "pinned", "-p", String(server.port), "-m", "hello", "--home", home];
      const { success } = await new Deno.Command("dist/chat", { args, stdout: "null", stderr: "null" })
        .output();
      return success ? performance.now() - began : Infinity;
    };
    await join(); // keys and pin
    const over = flood < 0 ? null : begin({ flood, port: server.port, seconds: 8 });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const taken: number[] = [];
    for (let i = 0; i < joins; i++) taken.push(await join());
    const rss = server.rssKb / 1024;
    await over;
    await server.stop();
    rows.push(
      `flood "${name.replaceAll(" ", "-")}" ${median(taken).toFixed(0)} ${Math.max(...taken).toFixed(0)} ${
        rss.toFixed(0)
      }`,
    );
    console.error(rows.at(-1));
  }
  await Deno.remove(home, { recursive: true });
  return rows;
}
