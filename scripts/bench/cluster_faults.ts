/**
 * ClusterFaults: how long it takes until people talk again whose server was killed, and how late lines are while the node
 * that leads the log is gone. People are programs at pipes, one at each server, who all have the three addresses.
 */

import { ClusterProcess } from "./cluster_process.ts";
import { median } from "./rows.ts";

const everyMs = 50;
const settledMs = 1_500;

/** Somebody at a pipe, and what she has heard. */
class Talker {
  /** When each line was heard here, by its text. */
  readonly heard = new Map<string, number>();
  #child: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** Told once she is in. */
  readonly isIn: Promise<void>;

  constructor(executable: string, readonly name: string, addresses: string, home: string) {
    const args = ["join", "-u", name, "-s", addresses, "--json", "--home", `${home}/${name}`];
    this.#child = new Deno.Command(executable, { args, stdin: "piped", stdout: "piped", stderr: "null" })
      .spawn();
    this.#writer = this.#child.stdin.getWriter();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.isIn = promise;
    void this.#read(resolve);
  }

  async #read(entered: () => void): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.includes('"type":"entered"')) entered();
        const said = line.includes('"type":"message"') ? /"text":"([^"]*)"/.exec(line)?.[1] : undefined;
        if (said !== undefined) this.heard.set(said, performance.now());
      }
    }
  }

  say(text: string): void {
    void this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ type: "say", text })}\n`));
  }
  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** Rows `again` (servers killed) and `leader` (lines while the leading node is gone). @param times of each */
export async function measureClusterFaults(executable: string, times: number): Promise<string[]> {
  const cluster = await ClusterProcess.start(executable);
  const home = await Deno.makeTempDir({ prefix: "chat-bench-" });
  const talkers: Talker[] = [];
  try {
    for (const [i, name] of ["ira", "dana", "sam"].entries()) {
      const talker = new Talker(executable, name, cluster.addressesFrom(i), home);
      await talker.isIn;
      talkers.push(talker);
    }
    return [
      await talkAgain(cluster, talkers, times),
      await leaderless(cluster, talkers, Math.ceil(times / 5)),
    ];
  } finally {
    for (const talker of talkers) await talker.end();
    await cluster.stop();
    await Deno.remove(home, { recursive: true });
  }
}

/** From the kill until a line that was said after it, by somebody of that server, is heard by somebody at another. */
async function talkAgain(cluster: ClusterProcess, talkers: Talker[], times: number): Promise<string> {
  const took: number[] = [];
  for (let n = 0; n < times; n++) {
    const server = n % 3;
    // Whoever is there now: people stay where they went, so all of them say lines, and the last to be heard counts.
    await cluster.servers[server].kill();
    const began = performance.now();
    let said = 0;
    const first = new Map<Talker, number>();
    while (first.size < talkers.length && performance.now() - began < 60_000) {
      for (const talker of talkers) talker.say(`after ${n} ${talker.name} ${said}`);
      said++;
      await pause(everyMs);
      for (const talker of talkers) {
        const other = talkers.find((each) => each !== talker)!;
        const times = [...other.heard].filter(([text]) => text.startsWith(`after ${n} ${talker.name} `)).map((
          [, at],
        ) => at);
        if (times.length > 0 && !first.has(talker)) first.set(talker, Math.min(...times));
      }
    }
    took.push(Math.max(...first.values()) - began);
    for (const { heard } of talkers) heard.clear();
    await cluster.startServer(server);
    await pause(settledMs);
  }
  const sorted = took.toSorted((a, b) => a - b);
  return `again chat ${times} ${median(sorted).toFixed(0)} ${
    sorted[Math.floor(sorted.length * 0.9)].toFixed(0)
  } ${sorted.at(-1)!.toFixed(0)}`;
}

/** From saying to hearing, of lines said within fifteen seconds of the loss of the leading node. */
async function leaderless(cluster: ClusterProcess, talkers: Talker[], times: number): Promise<string> {
  const late: number[] = [];
  const stalls: number[] = [];
  for (let n = 0; n < times; n++) {
    const leader = await cluster.leader();
    const sentAt = new Map<string, number>();
    const began = performance.now();
    await cluster.killNats(leader);
    while (performance.now() - began < 15_000) {
      for (const [i, talker] of talkers.entries()) {
        const text = `leaderless ${n} ${i} ${sentAt.size}`;
        sentAt.set(text, performance.now());
        talker.say(text);
      }
      await pause(everyMs * 4);
    }
    const all = () => [...sentAt.keys()].every((text) => talkers.every(({ heard }) => heard.has(text)));
    while (!all() && performance.now() - began < 90_000) await pause(everyMs);
    const each = [...sentAt].map(([text, at]) =>
      Math.max(...talkers.map(({ heard }) => heard.get(text)! - at))
    );
    late.push(...each);
    stalls.push(Math.max(...each));
    for (const { heard } of talkers) heard.clear();
    await cluster.startNats(leader);
    await pause(settledMs * 2);
  }
  const sorted = late.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)].toFixed(0);
  return `leader chat ${times} ${at(0.5)} ${at(0.99)} ${median(stalls).toFixed(0)} ${
    Math.max(...stalls).toFixed(0)
  }`;
}
