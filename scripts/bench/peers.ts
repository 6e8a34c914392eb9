/**
 * Peers: other servers through their own harness, and a bare relay on this runtime, taking turns with ours, so that a
 * slow minute hits all of them.
 */

import { asTable, median, medians } from "./rows.ts";
import { freePort } from "../free_port.ts";

const servers = ["inspircd", "ngircd", "nats", "mosquitto"];
const bare = "bare-deno";
const names = [...servers, bare];

/** What to compare. */
export interface Comparison {
  /** The folder with run.sh. */
  readonly harness: string;
  /** Members. */
  readonly sizes: readonly number[];
  /** Turns. */
  readonly reps: number;
  /** Per mode. */
  readonly seconds: number;
  /** Runs ours once. */
  ours(members: number): Promise<string[]>;
}

/** Runs all in turns and prints medians, then our numbers divided by each peer's, by turn. @returns the medians */
export async function comparePeers({ harness, sizes, reps, seconds, ours }: Comparison): Promise<string[][]> {
  const rows: string[] = [];
  for (const n of sizes) {
    for (let rep = 0; rep < reps; rep++) {
      for (const peer of servers) rows.push(...await runPeer(harness, peer, n, seconds));
      rows.push(...await runBareRelay(harness, n, seconds));
      rows.push(...await ours(n));
    }
  }
  const all = medians(rows);
  console.log(asTable(all));
  console.log(
    "ratios, ours / theirs: the median over turns of cpu_us/deliv and of p99_us (below 1: ours is less)",
  );
  for (const n of sizes) {
    for (const peer of names) {
      const parts = ["lat", "thr", "few"].map((mode) => {
        const [own, other] = ["chat", peer].map((who) => rowsOf(rows, mode, who, n));
        const ratio = (cell: number) =>
          median(own.map((cells, i) => Number(cells[cell]) / Number(other[i]?.[cell]))).toFixed(2);
        return `${mode} ${ratio(6)} (p99 ${ratio(5)})`;
      });
      console.log(`chat / ${peer} N=${n}: ${parts.join(" · ")}`);
    }
  }
  return all;
}

function rowsOf(rows: readonly string[], mode: string, peer: string, n: number): string[][] {
  return rows.map((row) => row.trim().split(/\s+/)).filter((c) =>
    c[0] === mode && c[1] === peer && c[2] === String(n)
  );
}

async function runPeer(harness: string, peer: string, n: number, seconds: number): Promise<string[]> {
  const raw = await Deno.makeTempFile();
  try {
    await new Deno.Command("bash", {
      args: [`${harness}/run.sh`, peer],
      env: { NS: String(n), REPS: "1", SECS: String(seconds), RAW: raw },
      stdout: "null",
      stderr: "null",
    }).output();
    const rows = (await Deno.readTextFile(raw)).split("\n").filter((line) => line !== "");
    if (rows.length === 0) console.error(`${peer} gave no rows: run ${harness}/run.sh ${peer} to see why`);
    for (const row of rows) console.error(row);
    return rows;
  } finally {
    await Deno.remove(raw);
  }
}

/** By the harness's own generator, which its other servers have built. */
async function runBareRelay(harness: string, n: number, seconds: number): Promise<string[]> {
  const port = freePort();
  const relay = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-net=127.0.0.1", "scripts/bench/bare_relay.ts", String(port)],
  }).spawn();
  try {
    while (!await isUp(port)) await new Promise((resolve) => setTimeout(resolve, 50));
    const { stdout } = await new Deno.Command(`${harness}/load`, {
      args: `-P relay-plain -p ${port} -i ${relay.pid} -n ${n} -t ${seconds} -l ${bare}`.split(" "),
      stderr: "inherit",
    }).output();
    const rows = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
    for (const row of rows) console.error(row);
    return rows;
  } finally {
    relay.kill("SIGKILL");
    await relay.status;
  }
}

async function isUp(port: number): Promise<boolean> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
  conn?.close();
  return conn !== null;
}
