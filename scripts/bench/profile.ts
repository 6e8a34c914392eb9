/** Profile: one run with the runtime's own profiler on the server, and where its time went, by function. */

import { ServerProcess } from "./server_process.ts";
import { runFanOut } from "./fan_out.ts";
import { runSmallRooms } from "./small_rooms.ts";

const shown = 40;
const profiledSeconds = 20;

interface CpuProfile {
  nodes: {
    id: number;
    children?: number[];
    callFrame: { functionName: string; url: string; lineNumber: number };
  }[];
  samples: number[];
  timeDeltas: number[];
}

/**
 * Profiles 20 s of one mode of fan-out at N = 500, or of 100 rooms of five; prints the functions that took most, and
 * those that took most with what they called.
 */
export async function profileServer(mode: string): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "chat-profile-" });
  const server = await ServerProcess.start({
    executable: null,
    runtimeFlags: ["--cpu-prof", `--cpu-prof-dir=${dir}`, "--cpu-prof-interval=200"],
  });
  const { port, pid } = server;
  const run = { label: "chat", port, pid, seconds: profiledSeconds };
  const small = /^small(\d+)$/.exec(mode);
  if (small) {
    await runSmallRooms({ ...run, rooms: 100, members: 5, windows: [Number(small[1])] }, console.log);
  } else {
    const fanOut = {
      members: 500,
      warmUpSeconds: 0.5,
      window: 64,
      senders: 8,
      modes: [mode],
      receivers: null,
    };
    await runFanOut({ ...run, ...fanOut }, console.log);
  }
  await server.stop();
  const [{ name }] = [...Deno.readDirSync(dir)];
  const profile = lastOf(JSON.parse(Deno.readTextFileSync(`${dir}/${name}`)), profiledSeconds);
  for (const [what, share] of summarize(profile)) {
    console.log(`${(share * 100).toFixed(1).padStart(5)} % ${what}`);
  }
  console.log("with what they called:");
  for (const [what, share] of inclusive(profile)) {
    console.log(`${(share * 100).toFixed(1).padStart(5)} % ${what}`);
  }
  await Deno.remove(dir, { recursive: true });
  Deno.exit(0);
}

/** What was sampled in so many seconds before the end: the traffic, without the joining before it. */
function lastOf({ nodes, samples, timeDeltas }: CpuProfile, seconds: number): CpuProfile {
  let from = samples.length;
  for (let us = 0; from > 0 && us < seconds * 1_000_000; from--) us += timeDeltas[from - 1];
  return { nodes, samples: samples.slice(from), timeDeltas: timeDeltas.slice(from) };
}

/** Functions by their own share of the time that was not idle. */
function summarize(profile: CpuProfile): [string, number][] {
  return shares(profile, (frames) => frames.slice(-1));
}

/** The same, with what they called. */
function inclusive(profile: CpuProfile): [string, number][] {
  return shares(profile, (frames) => new Set(frames));
}

/** @param chosen which of the frames of a sample its time counts for, the outermost first */
function shares(
  { nodes, samples, timeDeltas }: CpuProfile,
  chosen: (frames: string[]) => Iterable<string>,
): [string, number][] {
  const parents = new Map(nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
  const names = new Map(nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
    id,
    `${functionName || "(anonymous)"} ${url.split("/").at(-1)}${url ? `:${lineNumber + 1}` : ""}`.trim(),
  ]));
  const stackOf = (id: number): string[] => {
    const frames: string[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      frames.unshift(names.get(at)!);
    }
    return frames.length > 1 ? frames.slice(1) : frames; // without the root
  };
  const spent = new Map<string, number>();
  let total = 0;
  for (const [i, sample] of samples.entries()) {
    const frame = names.get(sample)!;
    if (frame === "(idle)" || frame === "(root)") continue;
    for (const each of chosen(stackOf(sample))) spent.set(each, (spent.get(each) ?? 0) + timeDeltas[i]);
    total += timeDeltas[i];
  }
  return [...spent].toSorted((a, b) => b[1] - a[1]).slice(0, shown).map(([what, us]) => [what, us / total]);
}
