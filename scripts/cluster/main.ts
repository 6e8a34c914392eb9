/**
 * Cluster: three nodes of NATS and three servers on this machine, for a trial: prints an invite for each server. Type the
 * name of a process to kill it, as with kill -9, or to start it again; Ctrl+C ends all.
 */

import { LineSplitter } from "../../lib/ui/line_splitter.ts";
import { freePort } from "../free_port.ts";
import { planNodes, startNode } from "./nats_nodes.ts";
import { shareKey } from "./server_keys.ts";

const chat = new URL("../../dist/chat", import.meta.url).pathname;
const dir = await Deno.makeTempDir({ prefix: "chat-cluster-" });
const nodes = planNodes(3, dir, freePort);
const ports = [freePort(), freePort(), freePort()];
const nats = nodes.map(({ port }) => `127.0.0.1:${port}`).join(",");
const running = new Map<string, Deno.ChildProcess>();
let isOver = false;

/** Runs the executable to its end. */
async function run(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(chat, { args, stdin: "null", stdout: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** The lines of a stream. */
async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncIterable<string> {
  const splitter = new LineSplitter();
  for await (const text of stream.pipeThrough(new TextDecoderStream())) yield* splitter.feed(text);
}

/** Shows what a server says, with its name before it. */
async function show(name: string, stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
  for await (const line of linesOf(stream)) console.log(`${name}: ${line}`);
}

function startServer(i: number): Deno.ChildProcess {
  const places = [...ports.slice(i), ...ports.slice(0, i)].map((port) => `127.0.0.1:${port}`).join(",");
  const args = ["serve", "-p", String(ports[i]), "--data", `${dir}/chat${i + 1}`, "--cluster", nats];
  const child = new Deno.Command(chat, {
    args: [...args, "--public-host", places],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  void show(`chat${i + 1}`, child.stdout);
  void show(`chat${i + 1}`, child.stderr);
  return child;
}

/** All six, by name. */
const starts: Record<string, () => Deno.ChildProcess | Promise<Deno.ChildProcess>> = Object.fromEntries([
  ...nodes.map((node) => [node.name, () => startNode(node, nodes)]),
  ...ports.map((_, i) => [`chat${i + 1}`, () => startServer(i)]),
]);

async function start(name: string): Promise<void> {
  const child = await starts[name]();
  running.set(name, child);
  console.log(`${name}: started, process ${child.pid}`);
  void child.status.then(() => {
    running.delete(name);
    if (!isOver) console.log(`${name}: ended; type ${name} to start it again`);
  });
}

/** Waits until a program can be reached. */
async function reach(port: number): Promise<void> {
  for (;;) {
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function end(): Promise<void> {
  isOver = true;
  for (const child of running.values()) child.kill("SIGKILL");
  await Promise.all([...running.values()].map(({ status }) => status));
  await Deno.remove(dir, { recursive: true });
  Deno.exit(0);
}

Deno.addSignalListener("SIGINT", () => void end());
Deno.addSignalListener("SIGTERM", () => void end());
console.log(`Everything is below ${dir}, and goes with Ctrl+C.`);
await run("keygen", "--server", "--no-passphrase", "--out", `${dir}/chat1`);
await shareKey(`${dir}/chat1`, [`${dir}/chat2`, `${dir}/chat3`]);
for (const { name } of nodes) await start(name);
for (const { port } of nodes) await reach(port);
for (const i of [1, 2, 3]) await start(`chat${i}`);
for (const port of ports) await reach(port);
console.log("Join one of them with its invite, as in: dist/chat join -u ira 'INVITE' --home /tmp/ira");
console.log(`Type a name to kill it, or to start it again: ${Object.keys(starts).join(" ")}`);
for await (const line of linesOf(Deno.stdin.readable)) {
  const name = line.trim();
  const child = running.get(name);
  if (!starts[name]) console.log(`There is no "${name}": ${Object.keys(starts).join(" ")}`);
  else if (child) child.kill("SIGKILL");
  else await start(name);
}
await new Promise(() => {}); // until Ctrl+C
