/**
 * `deno task soak`: members at a steady load for a long time, and strangers who come and go: memory must stay flat and
 * nothing may be lost, doubled or refused. Draws what it saw.
 *
 *   --minutes N (20)   --members N (200)   --per-second N (10)   --out FILE (scripts/bench/soak.svg)
 *   --stored N (0)  the server begins with so many stored messages in 5,000 rooms, of which one in thirty-one is too old
 *   --flooders N (0)   after the first third, so many identities do the worst they may, each from its own address; the
 *                      server keeps its limits then, but for those on what the members say
 */

import { parseArgs } from "@std/cli/parse-args";
import { encodeMessage } from "../../lib/protocol/channel/link_messages.ts";
import { encodeHex } from "@std/encoding/hex";
import { fillRooms } from "./big_logs.ts";
import { drawCurves } from "./curves.ts";
import { Load } from "./fan_out.ts";
import { enter } from "./handshakes.ts";
import { makePeople } from "./member.ts";
import { RoomOfLoad } from "./room_of_load.ts";
import { median } from "./rows.ts";
import { ServerProcess } from "./server_process.ts";

const options = parseArgs(Deno.args, {
  string: ["minutes", "members", "per-second", "out", "flooders", "stored"],
});
const number = (flag: string, otherwise: number) => Number(options[flag] ?? otherwise);
const minutes = number("minutes", 20), members = number("members", 200), perSecond = number("per-second", 10);
const flooders = number("flooders", 0), stored = number("stored", 0);
const out = String(options.out ?? "scripts/bench/soak.svg");
const sampleSeconds = Math.min(10, minutes * 60 / 6);

interface Sample {
  readonly seconds: number;
  readonly rssMb: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpu: number;
  /** The longest that a PING has waited: the longest turn of the server's event loop, and a little more. */
  readonly lagMs: number;
}

const pingEveryMs = 5;

const spoken = ["--send-burst=10000", "--sends-per-second=10000"];
const executable = "dist/chat";
const dir = await Deno.makeTempDir({ prefix: "chat-bench-" });
if (stored > 0) await fillRooms(executable, dir, stored, 5000);
const server = await ServerProcess.start(
  flooders > 0 ? { executable, dir, lift: false, flags: spoken } : { executable, dir },
);
const room = new RoomOfLoad(await makePeople(members, "s"), server.port);
await room.login(8);
await room.join();
room.keepAlive();
const load = new Load(room, Math.min(8, members));
const waits: number[] = [];
const pinging = await pingAllTheTime();
const strangers = await makePeople(20, "v");
let visits = 0;
const visiting = setInterval(() => {
  void enter(strangers[visits++ % strangers.length], server.port).then((link) => link.close());
}, 1000);

const samples: Sample[] = [];
const began = performance.now();
let flooding: Deno.ChildProcess | null = null;
while (performance.now() - began < minutes * 60_000) {
  if (flooders > 0 && !flooding && performance.now() - began >= minutes * 20_000) {
    const run = { flooders, port: server.port, seconds: minutes * 40, room: encodeHex(room.room) };
    const args = ["run", "-q", "--allow-net=127.0.0.0/8", "--allow-read", "scripts/bench/generator.ts"];
    // Their own work, the puzzles, is done on machines of theirs.
    const command = ["-n", "19", Deno.execPath(), ...args, "member-floods", JSON.stringify(run)];
    flooding = new Deno.Command("nice", { args: command })
      .spawn();
  }
  const cpu = server.cpuMs, from = performance.now();
  waits.length = 0;
  const latencies = await load.paced(perSecond, sampleSeconds);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)];
  const sample = {
    seconds: (performance.now() - began) / 1000,
    rssMb: server.rssKb / 1024,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpu: (server.cpuMs - cpu) / (performance.now() - from) * 100,
    lagMs: Math.max(...waits),
  };
  samples.push(sample);
  console.log(
    `soak ${sample.seconds.toFixed(0)} s  ${sample.rssMb.toFixed(1)} MB  p50 ${
      sample.p50Ms.toFixed(1)
    } ms  ` +
      `p99 ${sample.p99Ms.toFixed(1)} ms  lag ${sample.lagMs.toFixed(1)} ms  ${
        sample.cpu.toFixed(1)
      } % of a core`,
  );
}
clearInterval(visiting);
clearInterval(pinging);
await flooding?.status;
room.close();
await server.stop();
await Deno.remove(dir, { recursive: true });

const third = Math.floor(samples.length / 3);
const middle = median(samples.slice(third, 2 * third).map(({ rssMb }) => rssMb));
const last = median(samples.slice(-third).map(({ rssMb }) => rssMb));
const early = median(samples.slice(0, third).map(({ p50Ms }) => p50Ms));
const late = median(samples.slice(-third).map(({ p50Ms }) => p50Ms));
const flat = last <= middle * 1.05 + 2;
Deno.writeTextFileSync(
  out,
  drawCurves(`${members} members, ${perSecond} messages a second, ${visits} visits of strangers`, [
    { name: "resident memory, MB", points: samples.map((s) => [s.seconds / 60, s.rssMb]) },
    {
      name: "until the last member has a message, median, ms",
      points: samples.map((s) => [s.seconds / 60, s.p50Ms]),
    },
    {
      name: "longest wait of a PING in ten seconds, ms",
      points: samples.map((s) => [s.seconds / 60, s.lagMs]),
    },
    { name: "CPU, % of a core", points: samples.map((s) => [s.seconds / 60, s.cpu]) },
  ]),
);
console.log(
  `memory: ${middle.toFixed(1)} MB in the middle third, ${last.toFixed(1)} MB in the last: ${
    flat ? "flat" : "GROWING"
  }`,
);
console.log(`latency: p50 ${early.toFixed(1)} ms in the first third, ${late.toFixed(1)} ms in the last`);
const lags = samples.map(({ lagMs }) => lagMs);
console.log(
  `lag: longest ${Math.max(...lags).toFixed(1)} ms, median of the samples ${median(lags).toFixed(1)} ms`,
);
let isFelt = false;
if (flooders > 0) {
  const p99 = (some: Sample[]) => median(some.map(({ p99Ms }) => p99Ms));
  const [idle, flooded] = [p99(samples.slice(0, third)), p99(samples.slice(third))];
  isFelt = flooded > Math.max(2 * idle, 100);
  console.log(
    `floods: p99 ${idle.toFixed(1)} ms before, ${flooded.toFixed(1)} ms during: ${
      isFelt ? "FELT" : "bounded"
    }`,
  );
}
console.log(`drawn: ${out}`);
Deno.exit(flat && !isFelt ? 0 : 1);

/** From a link of its own. @returns the timer */
async function pingAllTheTime(): Promise<ReturnType<typeof setInterval>> {
  const link = await enter((await makePeople(1, "p"))[0], server.port);
  const sent: number[] = [];
  link.onMessage = ({ type }) => {
    if (type === "PONG") waits.push(performance.now() - sent.shift()!);
  };
  const ping = encodeMessage({ type: "PING", any: 1 });
  return setInterval(() => {
    sent.push(performance.now());
    link.sayEncoded(ping);
  }, pingEveryMs);
}
