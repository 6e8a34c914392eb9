/** A promise that is rejected unheard, in the real program: a server goes on, a client says what to do and ends. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { freePort } from "../fakes/ports.ts";
import { until } from "../fakes/until.ts";

const program = new URL("../fakes/fault_by_signal.ts", import.meta.url).pathname;

class Started {
  out = "";
  err = "";
  readonly child: Deno.ChildProcess;
  readonly code: Promise<number>;

  constructor(home: string, ...args: string[]) {
    this.child = new Deno.Command("sh", {
      args: ["-c", 'exec "$0" run --no-check -q -A "$@"', Deno.execPath(), program, ...args, "--home", home],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const read = async (from: ReadableStream<Uint8Array>, add: (text: string) => void) => {
      for await (const text of from.pipeThrough(new TextDecoderStream())) add(text);
    };
    const all = Promise.all([
      read(this.child.stdout, (text) => this.out += text),
      read(this.child.stderr, (text) => this.err += text),
    ]);
    this.code = this.child.status.then(async ({ code }) => {
      await all;
      return code;
    });
  }

  shows(text: string): Promise<void> {
    return until(`printed "${text}"`, () => (this.out + this.err).includes(text), {
      timeoutMs: 60_000,
      instead: () => `${this.out}\n${this.err}`,
    });
  }
}

test("a fault that nobody caught: the server counts it and goes on; a client tells it and ends", async () => {
  const home = Deno.makeTempDirSync({ prefix: "chat-fault-" });
  const port = `${freePort()}`;
  const metrics = `127.0.0.1:${freePort()}`;
  const server = new Started(home, "serve", "-p", port, "--metrics", metrics, "--log-file", `${home}/log`);
  try {
    await server.shows("Invite");
    const client = new Started(home, "join", "-u", "ira", "-p", port);
    await client.shows("In the room: ira");
    server.child.kill("SIGUSR2");
    await server.shows("A fault of this program: TypeError");
    const counted = await (await fetch(`http://${metrics}/metrics`)).text();
    assertEquals(counted.split("\n").filter((line) => line.startsWith("chat_faults")), [
      "chat_faults_total 1",
    ]);
    assertMatch(Deno.readTextFileSync(`${home}/log`), /TypeError/);
    const writer = client.child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("still here\n"));
    await client.shows("still here");
    client.child.kill("SIGUSR2");
    assertEquals(await client.code, 1);
    assertMatch(client.err, /^error: .+\nhint: .*CHAT_DEBUG=1/m);
    assertEquals(client.err.includes("    at "), false, "no stack for the person");
    await writer.close().catch(() => {});
  } finally {
    server.child.kill("SIGTERM");
    assertEquals(await server.code, 0);
    await server.child.stdin.close();
    Deno.removeSync(home, { recursive: true });
  }
});
