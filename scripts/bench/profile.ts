/** Profile: one run with the runtime's own profiler on the server, and where its time went, by function. */

import { ServerProcess } from "./server_process.ts";
import { runFanOut } from "./fan_out.ts";

const shown = 30;

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

/** Profiles 10 s of one mode at N = 500 (and the joining before it); prints the functions that took most. */
export async function profileServer(mode: string): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "chat-profile-" });
  const server = await ServerProcess.start({
    executable: null,
    runtimeFlags: ["--cpu-prof", `--cpu-prof-dir=${dir}`, "--cpu-prof-interval=200"],
  });
  const { port, pid } = server;
  const run = { label: "chat", members: 500, seconds: 10, warmUpSeconds: 0.5, window: 64, senders: 8 };
  await runFanOut({ ...run, port, pid, modes: [mode] }, console.log);
  await server.stop();
  const [{ name }] = [...Deno.readDirSync(dir)];
  for (const [what, share] of summarize(JSON.parse(Deno.readTextFileSync(`${dir}/${name}`)))) {
    console.log(`${(share * 100).toFixed(1).padStart(5)} % ${what}`);
  }
  await Deno.remove(dir, { recursive: true });
  Deno.exit(0);
}

/** Functions by their own share of the time that was not idle. */
function summarize({ nodes, samples, timeDeltas }: CpuProfile): [string, number][] {
  const frames = new Map(nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
    id,
    `${functionName || "(anonymous)"} ${url.split("/").at(-1)}${url ? `:${lineNumber + 1}` : ""}`.trim(),
  ]));
  const spent = new Map<string, number>();
  let total = 0;
  for (const [i, sample] of samples.entries()) {
    const frame = frames.get(sample)!;
    if (frame === "(idle)" || frame === "(root)") continue;
    spent.set(frame, (spent.get(frame) ?? 0) + timeDeltas[i]);
    total += timeDeltas[i];
  }
  return [...spent].toSorted((a, b) => b[1] - a[1]).slice(0, shown).map(([what, us]) => [what, us / total]);
}
