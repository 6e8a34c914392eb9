/**
 * Wormhole: magic-wormhole as Debian has it (magic-wormhole, python3-magic-wormhole-mailbox-server), which sends a file
 * from one program to another while both are there, here over this machine's loopback, with nothing stored on the way.
 */

import { fillFile } from "./files.ts";
import { freePort } from "../free_port.ts";

const code = "7-bench-file";

/** What a program took. */
interface Used {
  readonly cpuMs: number;
  readonly seconds: number;
}

/**
 * Sends one file, its start-up taken off: rows `wormhole-up` and `wormhole-down`: `wormhole MB MB/s cpu_ms/MB`.
 *
 * @param megabytes millions of bytes
 */
export async function measureWormhole(megabytes: number): Promise<string[]> {
  const dir = await Deno.makeTempDir({ prefix: "chat-bench-" });
  const relay = freePort();
  const server = new Deno.Command("twist3", {
    args: ["wormhole-mailbox", `--port=tcp:${relay}:interface=127.0.0.1`],
    cwd: dir,
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await listens(relay);
    const empty = await sendOne(dir, relay, 0);
    const whole = await sendOne(dir, relay, megabytes);
    return (["up", "down"] as const).map((way) => {
      const [before, after] = [empty[way], whole[way]];
      const seconds = after.seconds - before.seconds;
      const cpu = (after.cpuMs - before.cpuMs) / megabytes;
      return `wormhole-${way} wormhole ${megabytes} ${(megabytes / seconds).toFixed(1)} ${cpu.toFixed(1)}`;
    });
  } finally {
    server.kill("SIGTERM");
    await server.status;
    await Deno.remove(dir, { recursive: true });
  }
}

async function sendOne(dir: string, relay: number, megabytes: number): Promise<{ up: Used; down: Used }> {
  const path = `${dir}/file-${megabytes}`;
  await fillFile(path, megabytes);
  const common = ["--relay-url", `ws://127.0.0.1:${relay}/v1`];
  const sending = timed([...common, "send", "--hide-progress", "--code", code, path]);
  const receiving = timed([
    ...common,
    "receive",
    "--accept-file",
    "--hide-progress",
    "-o",
    `${path}.got`,
    code,
  ]);
  const [up, down] = [await sending, await receiving];
  const { size } = await Deno.stat(`${path}.got`);
  if (size !== megabytes * 1_000_000) throw new Error("the file did not come whole");
  return { up, down };
}

/** bash's own clock counts what its child has used. */
async function timed(args: readonly string[]): Promise<Used> {
  const { success, stderr } = await new Deno.Command("bash", {
    args: ["-c", 'TIMEFORMAT="used %R %U %S"; time wormhole "$@"', "bash", ...args],
    stdout: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  const [, real, user, system] = /used ([\d.]+) ([\d.]+) ([\d.]+)/.exec(text) ?? [];
  if (!success || real === undefined) throw new Error(`wormhole has failed: ${text}`);
  return { seconds: Number(real), cpuMs: (Number(user) + Number(system)) * 1000 };
}

async function listens(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("the mailbox server does not answer");
}
