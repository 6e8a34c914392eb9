/** Several programs of one person, as real processes: through the first, over its end, its death and its Ctrl+Z. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { until } from "../fakes/until.ts";
import { e2e, executable, freePort, type Home } from "./chat_process.ts";
import { hasTmux, Terminals } from "./terminal.ts";

async function serve(home: Home) {
  const port = String(freePort());
  const server = home.start("serve", "-p", port);
  await server.shows("Invite:");
  return { port, server };
}
async function listener(home: Home, port: string) {
  const sam = home.start("join", "-u", "sam", "-p", port, "--listen");
  await sam.closeInput();
  await sam.shows("In the room", "err");
  return sam;
}

e2e(
  "kill -9 of the holder: a pipe and a program beside it go on, and each line is said once",
  async (home) => {
    const { port } = await serve(home);
    const sam = await listener(home, port);
    const first = home.start("join", "-u", "ira", "-p", port, "--listen");
    await first.closeInput();
    await first.shows("In the room", "err");
    const pipe = home.start("join", "-u", "ira", "-p", port);
    const bot = home.start("join", "-u", "ira", "-p", port, "--json");
    await bot.shows('"type":"entered"');
    const all: string[] = [];
    for (let i = 0; i < 30; i++) {
      await pipe.type(`line ${i}\n`);
      all.push(`line ${i}`);
      await sam.shows(`line ${i < 3 ? i : i - 3}\n`);
      if (i === 10) first.kill("SIGKILL");
    }
    await pipe.closeInput();
    assertEquals(await pipe.code, 0, pipe.err);
    await sam.shows("line 29\n");
    const heard = sam.out.trim().split("\n").map((line) => line.replace(/^.*ira: /, ""));
    assertEquals(heard, all);
    await bot.type('{"type":"say","text":"the bot is there"}\n{"type":"quit"}\n');
    await sam.shows("the bot is there");
    assertEquals(await bot.code, 0, bot.err);
    // What came while it went from one holder to the next was shown to it as well.
    for (const line of all) assertStringIncludes(bot.out, `"text":"${line}"`);
    assertEquals(bot.out.match(/"type":"entered"/g)?.length, 1, "it is told once that the room is entered");
  },
);
e2e(
  "-m beside a running client is silent, leaves what is unread, and adds no noise; --to says it to one",
  async (home) => {
    const { port } = await serve(home);
    const sam = await listener(home, port);
    for (const beside of [true, false]) {
      const client = beside ? home.start("join", "-u", "ira", "-p", port, "--listen") : null;
      await client?.closeInput();
      await client?.shows("In the room", "err");
      const job = await home.run(["join", "-u", "ira", "-p", port, "-m", `beside ${beside}`, "--quiet"]);
      assertEquals([job.code, job.out, job.err], [0, "", ""]);
      await sam.shows(`ira: beside ${beside}`);
      const alone = await home.run(["join", "-u", "ira", "-p", port, "-m", "psst", "--to", "sam"]);
      assertEquals([alone.code, alone.out], [0, ""], alone.err);
      client?.kill("SIGTERM");
      await client?.code;
    }
    await until("both", () => sam.out.split("[@ira] ira: psst").length === 3);
  },
);
e2e(
  "a holder that is stopped with Ctrl+Z is told of within two seconds; so is another version",
  async (home) => {
    const { port } = await serve(home);
    const terminals = new Terminals(home);
    try {
      const window = await terminals.open("bash --norc -i");
      await window.enter(`${executable} join -u ira -p ${port}`);
      await window.shows("In the room");
      await window.press("C-z");
      await window.shows("Stopped");
      const job = await home.run(["join", "-u", "ira", "-p", port, "-m", "hello"]);
      assertEquals(job.code, 1);
      assertMatch(
        job.err,
        /^error: The profile is in use by another chat \(process \d+\), which does not answer\nhint: .*Ctrl\+Z/m,
      );
      await window.enter("fg");
      await window.shows("lobby>");
      assertEquals((await home.run(["join", "-u", "ira", "-p", port, "-m", "hello"])).code, 0);
      await window.shows("ira: hello");
      const file = `${home.dir}/.config/chat/profiles/ira/holder`;
      const holder = Deno.readTextFileSync(file);
      Deno.writeTextFileSync(file, holder.replace(/"version":"[^"]*"/, '"version":"9.9.9"'));
      const other = await home.run(["join", "-u", "ira", "-p", port, "-m", "hello"]);
      assertMatch(
        other.err,
        /^error: The profile is held by chat 9\.9\.9 \(process \d+\), and this is chat /m,
      );
      Deno.writeTextFileSync(file, holder);
    } finally {
      await terminals.close();
    }
  },
  !hasTmux,
);
e2e(
  "a second terminal has its own room and draft, completes and pages; it takes over when the first leaves",
  async (home) => {
    const { port } = await serve(home);
    const sam = await listener(home, port);
    const terminals = new Terminals(home);
    try {
      const one = await terminals.open(`${executable} join -u ira -p ${port}`);
      await one.shows("In the room");
      const two = await terminals.open(`${executable} join -u ira -p ${port}`);
      await two.shows("In the room");
      await two.enter("/join dev");
      await two.until("dev is on the screen", (screen) => /dev>/.test(screen.trimEnd().split("\n").at(-1)!));
      await one.enter("in the lobby");
      await sam.shows("ira: in the lobby");
      await two.enter("/switch lobby");
      await two.shows("ira: in the lobby");
      await two.type("sa");
      await two.press("Tab");
      await two.until("completed", (screen) => screen.includes("sam:"));
      await two.press("C-u", "PageUp");
      await two.shows("kept here, the end");
      await two.press("Escape");
      await two.until("the prompt is back", (screen) => screen.includes("lobby>"));
      await two.type("half a line");
      await one.enter("EXIT");
      await one.shows("code 0");
      await two.type(" more");
      await two.until("the line stays", (screen) => screen.includes("lobby> half a line more"));
      await two.press("Enter");
      await sam.shows("ira: half a line more");
      assertEquals((await two.screen()).includes("Exchanging keys"), false, "the way in is not told again");
      await two.enter("EXIT");
      await two.shows("code 0");
    } finally {
      await terminals.close();
    }
  },
  !hasTmux,
);
e2e(
  "a protected key is asked for by the first alone; who takes over asks for it, or has it from a file",
  async (home) => {
    const { port } = await serve(home);
    const sam = await listener(home, port);
    const secret = `${home.dir}/passphrase`;
    Deno.writeTextFileSync(secret, "correct horse\n", { mode: 0o600 });
    assertEquals((await home.run(["keygen", "-u", "ira", "--passphrase-file", secret])).code, 0);
    const first = home.start("join", "-u", "ira", "-p", port, "--listen", "--passphrase-file", secret);
    await first.closeInput();
    await first.shows("In the room", "err");
    assertEquals((await home.run(["join", "-u", "ira", "-p", port, "-m", "without"])).code, 0);
    await sam.shows("ira: without");
    const able = home.start("join", "-u", "ira", "-p", port, "--passphrase-file", secret);
    await able.type("before\n");
    await sam.shows("ira: before");
    first.kill("SIGKILL");
    await able.type("after\n");
    await sam.shows("ira: after");
    await able.closeInput();
    assertEquals(await able.code, 0, able.err);
  },
);
