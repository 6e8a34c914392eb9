/**
 * Faults of the server's machine, on the executable: killed at random points under load, out of file descriptors, its
 * log moved away. CHAT_KILLS says how often it is killed; `deno task long` does it a hundred times.
 */

import { run } from "../fakes/tools.ts";
import { exists } from "../../lib/storage/private_file.ts";
import { sampled, seed, seededNumbers } from "../fakes/sampled.ts";
import { until } from "../fakes/until.ts";
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { allHeardOnceAndInOrder, heard } from "./talk.ts";
import { type ChatProcess, e2e, executable, freePort, type Home } from "./chat_process.ts";

const kills = Number(Deno.env.get("CHAT_KILLS") ?? 5);

async function joined(home: Home, name: string, port: string): Promise<ChatProcess> {
  const process = home.start("join", "-u", name, "-p", port, "--json");
  await process.shows('"type":"entered"');
  return process;
}

e2e(
  `killed ${kills} times at random points under load: nothing confirmed is lost, doubled or moved, nobody is warned (${sampled})`,
  async (home) => {
    const port = String(freePort());
    const serve = async () => {
      const server = home.start("serve", "-p", port, "--sends-per-second", "1000", "--send-burst", "1000");
      await server.shows("Invite");
      return server;
    };
    let server = await serve();
    const people = [await joined(home, "ira", port), await joined(home, "sahnawaz", port)];
    people.push(await joined(home, "dana", port));
    let said = 0;
    const talk = setInterval(() => {
      void people[said % people.length].type(`${JSON.stringify({ type: "say", text: `line ${said}` })}\n`);
      said++;
    }, 20);
    const random = seededNumbers(seed);
    for (let i = 0; i < kills; i++) {
      // Under way again: somebody has heard some lines since the restart.
      const enough = heard(people[0]).length + 1 + Math.floor(random() * 20);
      await until(`something is heard after kill ${i}`, () => heard(people[0]).length >= enough, {
        timeoutMs: 60_000,
        everyMs: 1,
        instead: () => people[0].err,
      });
      server.kill("SIGKILL");
      await server.code;
      server = await serve();
    }
    clearInterval(talk);
    await allHeardOnceAndInOrder(people, said);
    assertGreater(said, kills);
  },
);

e2e(
  "out of file descriptors, the server goes on, and lets people in once there are some again",
  async (home) => {
    const port = freePort();
    // More than the descriptors there are: no limit of its own stops the server before.
    const many = "--max-pending 1000 --max-pending-per-address 1000 --handshake-burst 1000";
    const child = new Deno.Command("sh", {
      args: ["-c", `ulimit -n 60; exec "$0" serve -p ${port} ${many}`, executable],
      env: home.env,
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let out = "";
    const printed = (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) out += text;
    })();
    await until("it serves", () => out.includes("Invite"));
    const conns: Deno.TcpConn[] = [];
    for (let i = 0; i < 200; i++) conns.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    await until("out of descriptors", async () => {
      return Number((await run("sh", ["-c", `ls /proc/${child.pid}/fd | wc -l`])).text) >= 59;
    });
    for (const conn of conns) conn.close();
    let told = "";
    // The address had its burst of handshakes; one more comes every six seconds.
    await until("it lets in again", async () => {
      const { code, err } = await home.run(["join", "-u", "ira", "-p", String(port), "-m", "hello"]);
      told = err;
      return code === 0;
    }, { timeoutMs: 60_000, everyMs: 500, instead: () => told });
    child.kill("SIGTERM");
    const { code } = await child.status;
    await printed;
    await child.stderr.cancel();
    assertEquals(code, 0);
  },
);

e2e(
  "a log file that is moved away goes on under its name, as JSON lines without names, texts or addresses",
  async (home) => {
    const port = String(freePort());
    const log = `${home.dir}/chat.log`;
    const server = home.start(
      "serve",
      "-p",
      port,
      "--log-file",
      log,
      "--log-format",
      "json",
      "--log-level",
      "debug",
    );
    await server.shows("Invite");
    assertEquals((await home.run(["join", "-u", "ira", "-p", port, "-m", "a secret"])).code, 0);
    Deno.renameSync(log, `${log}.1`);
    await until("it goes on under its name", async () => {
      assertEquals((await home.run(["join", "-u", "ira", "-p", port, "-m", "another"])).code, 0);
      return exists(log);
    });
    server.kill("SIGTERM");
    assertEquals(await server.code, 0);
    const [before, after] = [`${log}.1`, log].map((path) => Deno.readTextFileSync(path));
    for (const text of [before, after]) {
      for (const line of text.trim().split("\n")) assertMatch(JSON.parse(line).event, /^[a-z-]+$/);
      assertEquals(/ira|secret|another|127\.0\.0\.1:|lobby/.test(text), false);
    }
    assertMatch(before, /"event":"started"/);
    assertMatch(after, /"event":"stopped"/);
  },
);

e2e(
  "--log-format json puts the log on stdout alone; --metrics serves the executable's numbers",
  async (home) => {
    const port = String(freePort());
    const metrics = `127.0.0.1:${freePort()}`;
    const server = home.start("serve", "-p", port, "--log-format", "json", "--metrics", metrics);
    await server.shows("Invite", "err");
    assertEquals((await home.run(["join", "-u", "ira", "-p", port, "-m", "hello"])).code, 0);
    const get = async (path: string) => await (await fetch(`http://${metrics}${path}`)).text();
    assertEquals(await get("/healthz"), "ok\n");
    assertMatch(await get("/metrics"), /\nchat_messages_total 1\n/);
    const second = await home.run([
      "serve",
      "-p",
      String(freePort()),
      "--data",
      `${home.dir}/b`,
      "--metrics",
      metrics,
    ]);
    assertEquals(second.code, 1);
    assertMatch(second.err, /error: Cannot serve metrics on "127.0.0.1:\d+": .*\nhint: /);
    server.kill("SIGTERM");
    assertEquals(await server.code, 0);
    for (const line of server.out.trim().split("\n")) assertEquals(typeof JSON.parse(line).event, "string");
  },
);

for (
  const [args, hint] of [
    [["--metrics", "9444"], "127.0.0.1:9444"],
    [["--log-level", "loud", "--log-file", "x"], "error, warn, info, debug"],
    [["--log-level", "debug"], "--log-file"],
    [["--max-links", "0"], "1 to 100000"],
  ] as const
) {
  e2e(`serve ${args.join(" ")} is wrong usage, and says what is right`, async (home) => {
    const { code, err } = await home.run(["serve", ...args]);
    assertEquals(code, 2);
    assertEquals(err.includes(hint), true, err);
  });
}
