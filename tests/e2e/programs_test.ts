/** The executable as a part of scripts and services: pipes, JSON, signals, and streams that are closed, full or slow. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Ajv2020 } from "ajv";
import schema from "../../lib/ui/json/schema.json" with { type: "json" };
import { active, hostileTexts } from "../fakes/hostile_texts.ts";
import { until } from "../fakes/until.ts";
import { e2e, executable, freePort, type Home } from "./chat_process.ts";

const isOutput = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);

async function serve(home: Home, ...args: string[]) {
  const port = String(freePort());
  const server = home.start("serve", "-p", port, ...args);
  await server.shows("Invite:");
  return { port, server };
}
/** Runs a line of shell in the home, with CHAT standing for the executable. */
async function shell(home: Home, script: string): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", script.replaceAll("CHAT", executable)],
    cwd: home.dir,
    env: home.env,
    clearEnv: true,
    stdin: "null",
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}
/** All lines of JSON, each as the schema says. */
// deno-lint-ignore no-explicit-any
function objects(out: string): any[] {
  return out.trimEnd().split("\n").map((line) => {
    const object = JSON.parse(line);
    assert(isOutput(object), line);
    assert(!active.test(line));
    return object;
  });
}

e2e(
  "--json: say, to one person, in another room, a command, a mistake, and the refs of what became of them",
  async (home) => {
    const { port } = await serve(home);
    const ira = home.start("join", "-u", "ira", "-p", port, "--listen");
    await ira.closeInput();
    await ira.shows("In the room", "err");
    const bot = home.start("join", "-u", "bot", "-p", port, "--json");
    await bot.shows('"type":"entered"');
    const say = (object: unknown) => bot.type(`${JSON.stringify(object)}\n`);
    await say({ v: 1, type: "say", text: "/quit is text\nof two lines", ref: "a" });
    await say({ type: "say", text: "psst", to: "ira", ref: "b" });
    await say({ type: "command", line: "/join dev" });
    await bot.shows('"room":"dev","members":["bot"]');
    await say({ type: "say", text: "in dev", room: "dev", ref: "c" });
    await say({ type: "say", text: "in the lobby", room: "lobby", ref: "d" });
    await say({ type: "say", text: "x", room: "nowhere", ref: "e" });
    await say({ type: "say", text: "x".repeat(17_000), ref: "f" });
    await bot.type("not JSON\n");
    await bot.shows("no JSON object");
    await say({ type: "quit" });
    assertEquals(await bot.code, 1, bot.err);
    const told = objects(bot.out);
    const stored = told.filter(({ type, own }) => type === "message" && own);
    assertEquals(stored.map(({ ref, room }) => [ref, room]).toSorted(), [
      ["a", "lobby"],
      ["b", "@ira"],
      ["c", "dev"],
      ["d", "lobby"],
    ]);
    assertEquals(told.filter(({ type }) => type === "refused").map(({ ref }) => ref), ["e", "f", undefined]);
    assertEquals(told.at(-1).type, "error");
    assertEquals(told.at(-1).code, 1);
    await ira.shows("bot: /quit is text\n    of two lines\n");
    await ira.shows("[@bot] bot: psst\n");
  },
);

e2e("--json: an error before anything else is an object too, and the exit code is in it", async (home) => {
  const { code, out, err } = await home.run(["join", "-u", "bot", "-p", String(freePort()), "--json"]);
  assertEquals([code, objects(out).at(-1).code], [3, 3]);
  assertMatch(err, /^(Making .*\n)?error: .*\nhint: .*\n$/);
});

e2e("the bot of the example answers !ping, and ends with its chat", async (home) => {
  const { port } = await serve(home);
  const ira = home.start("join", "-u", "ira", "-p", port);
  await ira.shows("In the room", "err");
  const script = new URL("../../scripts/ping_bot.ts", import.meta.url).pathname;
  const bot = new Deno.Command("sh", {
    args: [
      "-c",
      `exec ${Deno.execPath()} run --no-config --allow-run=${executable} ${script} ${executable} join -u bot --json -p ${port}`,
    ],
    env: home.env,
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let told = "";
  const drained = bot.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (text) => void (told += text) }),
  );
  await until("the bot listens", () => told.includes("listening in lobby"), {
    timeoutMs: 20_000,
    instead: () => told,
  });
  await ira.type("hello\n!ping\n");
  await ira.shows("bot: pong, ira");
  assertEquals(ira.out.split("pong").length, 2);
  await ira.type("/kick bot\n");
  assertEquals((await bot.status).code, 1);
  await drained;
});

e2e(
  "texts that want a terminal to do something: pipes, JSON, stderr and the server's console show text only",
  async (home) => {
    const key = `${home.dir}/secret.key`;
    await home.run(["keygen", "--room", key]);
    const { port, server } = await serve(home, "--answer", key);
    const listeners = [
      home.start("join", "-u", "pipe", "-p", port, "--fernet", key, "--listen"),
      home.start("join", "-u", "json", "-p", port, "--fernet", key, "--listen", "--json"),
    ];
    for (const listener of listeners) await listener.closeInput();
    await listeners[0].shows("spoken here", "err");
    await listeners[1].shows('"type":"entered"');
    const mallory = home.start("join", "-u", "mallory", "-p", port, "--fernet", key, "--json");
    for (const { text } of hostileTexts) await mallory.type(`${JSON.stringify({ type: "say", text })}\n`);
    await mallory.type('{"type":"say","text":"the end"}\n');
    await listeners[0].shows("mallory: the end");
    await listeners[1].shows("the end");
    await server.shows("the end");
    for (const out of [listeners[0].out, listeners[0].err, listeners[1].err, server.out, server.err]) {
      assert(!active.test(out), "something active");
    }
    const said = objects(listeners[1].out).filter(({ type }) => type === "message").map(({ text }) => text);
    // What is blank alone is not said.
    const fitting = hostileTexts.filter(({ text }) => new TextEncoder().encode(text).length <= 16_384);
    for (const [i, { what, text }] of fitting.entries()) assert(said[i] === text, what);
    assertEquals(said.length, fitting.length + 1);
    assertEquals(mallory.out.split('"refused"').length - 1, hostileTexts.length - fitting.length);
    const lines = listeners[0].out.trimEnd().split("\n");
    assertEquals(lines.filter((line) => !/^(\d{4}-\d\d-\d\d \S+ mallory: | {4})/.test(line)), []);
    assertEquals(
      server.out.split("\n").filter((line) =>
        /ira left|I confess|shut down/.test(line) && !/mallory|^ {4}/.test(line)
      ),
      [],
    );
    // An error names what was given, and no more.
    const refused = await home.run(["join", "-u", "\x1b[2Jira", "-p", port]);
    assertEquals(refused.code, 2);
    assert(!active.test(refused.err));
  },
);

e2e("a slow reader of standard output loses nothing, and the chat goes on", async (home) => {
  const { port } = await serve(home);
  assertEquals((await home.run(["join", "-u", "slow", "-p", port, "-m", "I am here"])).code, 0);
  const slow = home.start("join", "-u", "slow", "-p", port);
  await slow.shows("In the room", "err");
  const ira = home.start("join", "-u", "ira", "-p", port);
  await ira.shows("In the room", "err");
  await slow.closeInput();
  assertEquals(await slow.code, 0);
  // More than a pipe holds, and then some.
  for (let i = 0; i < 30; i++) await ira.type(`${String(i).padStart(2, "0")} ${"x".repeat(15_000)}\n`);
  await ira.type("the end\n");
  await ira.shows("ira: the end");
  const { out } = await shell(
    home,
    `{ CHAT join -u slow -p ${port} --listen 2>/dev/null </dev/null & echo $! >pid; wait; } |
      { sleep 2; sed -u '/the end/q'; kill "$(cat pid)"; }`,
  );
  const numbers = [...out.matchAll(/ira: (\d\d) x{15000}\n/g)].map(([, n]) => Number(n));
  assertEquals(numbers, Array.from({ length: 30 }, (_, i) => i));
});

e2e(
  "streams that are closed, full or gone: an exit code and a sentence, and never a stack or a hang",
  async (home) => {
    const { port } = await serve(home);
    const join = `CHAT join -u ira -p ${port}`;
    assertEquals((await shell(home, `exec ${join} <&-`)).code, 0);
    assertEquals((await shell(home, `echo hi | ${join} >&-`)).code, 0);
    assertEquals((await shell(home, `echo hi | ${join} 2>&-`)).code, 0);
    const full = await shell(home, `echo hi | ${join} >/dev/full`);
    assertEquals(full.code, 1);
    assertStringIncludes(full.err, "error: Cannot write to standard output: the disk is full\nhint: ");
    const gone = await shell(
      home,
      `{ ${join} --listen </dev/null; echo "code $?" >&2; } | head -1 & sleep 2;
    CHAT join -u sam -p ${port} -m one; CHAT join -u sam -p ${port} -m two >/dev/null; wait`,
    );
    assertStringIncludes(gone.err, "code 0\n");
    assert(!/error|at file/.test(gone.err), gone.err);
    const stopped = await shell(home, `timeout 3 CHAT join -u ira -p ${port} --listen </dev/null`);
    assertEquals([stopped.code, stopped.err.includes("error")], [124, false]);
    const away = await shell(
      home,
      `nohup CHAT join -u ira -p ${port} -m "from nohup" >out 2>&1 & wait $!; echo "code $?"; setsid CHAT join -u ira -p ${port} -m "without a terminal"; echo "code $?"`,
    );
    assertEquals(away.out.match(/code 0/g)?.length, 2, away.out + away.err);
  },
);

e2e("a program in the background of a shell that has a terminal goes on", async (home) => {
  const { port } = await serve(home);
  const { out } = await shell(
    home,
    `script -qec 'bash --norc -ic "CHAT join -u ira -p ${port} -m background & wait; echo code \\$?"' /dev/null`,
  );
  assertStringIncludes(out, "code 0");
  const back = await home.run(["join", "-u", "ira", "-p", port]);
  assertEquals([back.code, back.out], [0, ""], "what -m has said is told to nobody twice");
});

e2e(
  "the Python example of the page joins a key-file room, opens what is said, answers, and goes",
  async (home) => {
    const page = Deno.readTextFileSync(new URL("../../lib/ui/json/README.md", import.meta.url));
    const code = /```python\n([\s\S]*?)```/.exec(page)![1];
    assert(code.trim().split("\n").length <= 35, "short enough to be read");
    Deno.writeTextFileSync(`${home.dir}/bot.py`, code);
    const { port } = await serve(home);
    assertEquals((await shell(home, "CHAT keygen --room secret.key")).code, 0);
    const ira = home.start("join", "-u", "ira", "-p", port, "--fernet", `${home.dir}/secret.key`);
    await ira.shows("A key-file room", "err");
    const bot = shell(home, `/usr/bin/python3 bot.py secret.key CHAT join -u python -p ${port}`);
    await ira.shows("python: Python is here");
    await ira.shows("python has come, says the server", "err");
    await ira.type("how are you\n");
    await ira.shows("python: heard: how are you");
    await ira.type("bye\n");
    assertEquals(await bot, { code: 0, out: "ira said how are you\nira said bye\n", err: (await bot).err });
    await ira.closeInput();
    assertEquals(await ira.code, 0, ira.err);
  },
);
