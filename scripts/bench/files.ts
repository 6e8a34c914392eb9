/**
 * Files: what a megabyte costs the executable on its way up and down, and the server; how much memory it takes; and how
 * long the lines of others wait meanwhile.
 */

import { ClientHome, type ClientProcess } from "./client_process.ts";
import { makePeople } from "./member.ts";
import { Load } from "./fan_out.ts";
import { cpuMs, peakRssKb, rssKb } from "./process_usage.ts";
import { RoomOfLoad } from "./room_of_load.ts";

/** One run. */
export interface FilesRun {
  /** For the rows. */
  readonly label: string;
  /** Millions of bytes. */
  readonly megabytes: number;
  /** The executable that sends and fetches. */
  readonly executable: string;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

const talkers = 20;
const linesPerSecond = 20;
const idleSeconds = 5;
const mostWithTalkers = 1000;

/**
 * Runs it: `file-up` and `file-down`: `label MB MB/s cli_cpu_ms/MB srv_cpu_ms/MB cli_MB_above_idle`, and `file-talk`: the
 * p99 in ms of others' lines, when nothing moves, and while the same file goes up and down.
 */
export async function runFiles(run: FilesRun, print: (row: string) => void): Promise<void> {
  const { label, executable, port, megabytes } = run;
  const dir = await Deno.makeTempDir({ prefix: "chat-bench-" });
  const [sender, reader] = [
    await ClientHome.make(executable, port, "sender"),
    await ClientHome.make(executable, port, "reader"),
  ];
  try {
    const path = `${dir}/file.bin`;
    await fillFile(path, megabytes);
    const up = sender.join("--room", "files", "--json", "--listen");
    await up.until('"type":"entered"');
    const down = reader.join("--room", "files", "--json", "--listen", "--download-dir", `${dir}/in`);
    await down.until('"type":"entered"');
    const send = async (text: string) => {
      await up.say(`${JSON.stringify({ type: "send", path, text })}\n`);
      await up.until('"type":"file"');
    };
    print(await measured("file-up", run, up, () => send("first")));
    const told = await down.lineWith('"type":"file"');
    const get = async (id: string) => {
      await down.say(`${JSON.stringify({ type: "get", id })}\n`);
      await down.until('"type":"saved"');
    };
    print(await measured("file-down", run, down, () => get(JSON.parse(told).id)));
    // Links that say nothing for so long are let go.
    if (megabytes <= mostWithTalkers) {
      const again = () =>
        send("again").then(async () => await get(JSON.parse(await down.lineWith('"type":"file"')).id));
      print(`file-talk ${label} ${megabytes} ${await talkWhile(port, again)}`);
    }
    await up.end(true);
    await down.end(true);
  } finally {
    await sender.remove();
    await reader.remove();
    await Deno.remove(dir, { recursive: true });
  }
}

/** The p99 in ms of others' lines, when nothing moves, and while something does. */
async function talkWhile(port: number, move: () => Promise<void>): Promise<string> {
  const others = new RoomOfLoad(await makePeople(talkers, "t"), port);
  await others.login(8);
  await others.join();
  const load = new Load(others, 4);
  const quiet = p99(await load.paced(linesPerSecond, idleSeconds));
  let busy: number[] = [], isMoving = true;
  const moving = move().finally(() => isMoving = false);
  while (isMoving) busy = [...busy, ...await load.paced(linesPerSecond, 1)];
  await moving;
  others.onEnd = () => {};
  others.close();
  return `${quiet.toFixed(1)} ${p99(busy).toFixed(1)}`;
}

async function measured(
  kind: string,
  run: FilesRun,
  client: ClientProcess,
  act: () => Promise<void>,
): Promise<string> {
  const { megabytes, pid, label } = run;
  const idleKb = rssKb(client.pid);
  const [own, server, began] = [cpuMs(client.pid), cpuMs(pid), performance.now()];
  await act();
  const seconds = (performance.now() - began) / 1000;
  const per = (ms: number) => (ms / megabytes).toFixed(1);
  return `${kind} ${label} ${megabytes} ${(megabytes / seconds).toFixed(1)} ${
    per(cpuMs(client.pid) - own)
  } ` +
    `${per(cpuMs(pid) - server)} ${((peakRssKb(client.pid) - idleKb) / 1000).toFixed(0)}`;
}

/** Bytes that look random, without taking the memory of all of them. */
export async function fillFile(path: string, megabytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const part = new Uint8Array(1_000_000);
  for (let at = 0; at < part.length; at += 50_000) crypto.getRandomValues(part.subarray(at, at + 50_000));
  for (let i = 0; i < megabytes; i++) {
    new DataView(part.buffer).setUint32(0, i);
    for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
  }
}

function p99(latencies: readonly number[]): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)];
}
