/**
 * Files, with the real programs killed by SIGKILL at their write points: whoever sends, whoever fetches, and the server.
 * What comes of it is one whole file, told of once.
 */

import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { sha256 } from "../../lib/crypto/hash.ts";
import { exitCodes } from "../../lib/errors.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { makePrivateDir, writeAtomically } from "../../lib/storage/private_file.ts";
import { person } from "../fakes/people.ts";
import { listenOnOwnPort } from "../fakes/ports.ts";
import { sampled, some, times } from "../fakes/sampled.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { test } from "../fakes/test.ts";
import { until } from "../fakes/until.ts";
import { type Client, World } from "../fakes/world.ts";

const limits = { ...defaultLimits, handshakeBurst: 1000, commitEveryMs: 1, sendBurst: 1000 };
const wrapper = new URL("../fakes/kill_at_write.ts", import.meta.url).pathname;
const content = seededRandom("file crash points")(40 * 61_440 + 77);
const pointsTried = 4;

interface Running {
  readonly child: Deno.ChildProcess;
  /** What it ends with. */
  readonly code: Promise<number>;
  readonly err: Promise<string>;
}

function start(args: string[], env: Record<string, string> = {}): Running {
  const run = ["run", "--no-check", "-q", "-A", wrapper, ...args];
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec "$0" "$@"', Deno.execPath(), ...run],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env,
  }).spawn();
  const err = new Response(child.stderr).text();
  return { child, code: child.status.then(({ code }) => code), err };
}

async function makeHome(dir: string, name: string): Promise<string> {
  const home = `${dir}/home`;
  const own = `${home}/profiles/${name}`;
  makePrivateDir(own);
  const { privatePem, card } = await person(name);
  writeAtomically(`${own}/client_private_key.pem`, new TextEncoder().encode(privatePem));
  writeAtomically(`${own}/card`, card.bytes);
  return home;
}

/** Who joins as a program. */
function join(
  world: { readonly port: number },
  home: string,
  name: string,
  more: string[],
  env = {},
): Running {
  return start(["join", "-u", name, "--home", home, "-p", `${world.port}`, "--accept-new", ...more], env);
}

async function end({ child, code }: Running): Promise<void> {
  try {
    child.kill("SIGTERM");
  } catch {
    // Over already.
  }
  await code;
}

/** Names of a folder; none where there is no folder. */
function names(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].map(({ name }) => name).toSorted();
  } catch {
    return [];
  }
}

function answers(port: number): Promise<boolean> {
  return Deno.connect({ hostname: "127.0.0.1", port }).then((conn) => {
    conn.close();
    return true;
  }, () => false);
}

function filesTold({ view }: Client): number {
  return view.events.filter((e) => e.type === "message" && e.file !== undefined).length;
}

async function inOneWorld(
  act: (world: World, home: string, path: string) => Promise<number>,
): Promise<number> {
  const world = await World.open({ limits });
  try {
    const path = `${world.dir}/report.bin`;
    await Deno.writeFile(path, content);
    return await act(world, await makeHome(world.dir, "sahnawaz"), path);
  } finally {
    await world.close();
  }
}

function sender(at: number): Promise<number> {
  return inOneWorld(async (world, home, path) => {
    const ira = await world.enter("ira", { downloadDir: `${world.dir}/got` });
    const count = `${world.dir}/count`;
    const env = { KILL_AT: `${at}`, KILL_COUNT: count };
    const killed = join(world, home, "sahnawaz", ["--send", path], env);
    const code = await killed.code;
    if (at === 0) {
      assertEquals(code, 0, await killed.err);
      return Number(Deno.readTextFileSync(count));
    }
    const server = `${home}/profiles/sahnawaz/state`;
    const hasUploads = () =>
      names(server).some((folder) => names(`${server}/${folder}`).includes("uploads.state"));
    // Whoever was killed before it was written down that there is something to send, has sent nothing.
    const expected = hasUploads() || world.server.rooms.blobs.index.size > 0 ? 1 : 0;
    const again = join(world, home, "sahnawaz", ["--listen"]);
    await until(
      "she is in",
      () => ira.view.events.some((e) => (e.type === "presence" && e.here) || e.type === "added"),
    );
    await until("nothing is on its way", () => !hasUploads());
    await until("it is told of", () => filesTold(ira) >= expected);
    if (expected > 0) {
      ira.view.type("/get");
      await ira.view.until((e) => e.type === "saved");
      assertEquals(
        encodeHex(sha256(Deno.readFileSync(`${world.dir}/got/report.bin`))),
        encodeHex(sha256(content)),
      );
    }
    await end(again);
    assertEquals(filesTold(ira), expected, `point ${at}, which ended with ${code}`);
    assertEquals(ira.view.warnings, [], `point ${at}`);
    return 0;
  });
}

function reader(at: number): Promise<number> {
  return inOneWorld(async (world, home, path) => {
    const ira = await world.enter("ira");
    const into = `${world.dir}/got`;
    const take = ["--listen", "--take", "100M", "--download-dir", into];
    const first = join(world, home, "sahnawaz", ["-m", "here"]);
    assertEquals(await first.code, 0, await first.err);
    ira.view.type(`/send ${path}`);
    await ira.view.until((e) => e.type === "message" && e.file !== undefined);
    const count = `${world.dir}/count`;
    const killed = join(world, home, "sahnawaz", take, { KILL_AT: `${at}`, KILL_COUNT: count });
    const isThere = () => names(into).includes("report.bin");
    const over = killed.code.then(() => true);
    let isOver = false;
    void over.then(() => isOver = true);
    await until("it is there, or killed", () => isThere() || isOver);
    if (at === 0) {
      await end(killed);
      return Number(Deno.readTextFileSync(count));
    }
    if (!isOver) await end(killed);
    const again = join(world, home, "sahnawaz", take);
    await until("it is there", () => isThere() && !names(into).some((name) => name.endsWith(".part")), {
      instead: () => ` at point ${at}; instead: ${names(into)}`,
    });
    await end(again);
    assertEquals(names(into).filter((name) => !name.startsWith("report")), [], `point ${at}`);
    for (const name of names(into)) {
      assertEquals(
        encodeHex(sha256(Deno.readFileSync(`${into}/${name}`))),
        encodeHex(sha256(content)),
        `point ${at}: ${name}`,
      );
    }
    assertEquals(await again.err.then((text) => /warning|\[!\]/.test(text)), false, await again.err);
    return 0;
  });
}

async function server(at: number): Promise<number> {
  const dir = await Deno.makeTempDir({ prefix: "chat-test-" });
  const listener = listenOnOwnPort();
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const all: Running[] = [];
  const run = (...started: Running[]) => {
    all.push(...started);
    return started[0];
  };
  const serve = (env = {}) =>
    run(start(["serve", "--data", `${dir}/data`, "-p", `${port}`, "--proxy", "127.0.0.1"], env));
  try {
    const count = `${dir}/count`;
    const path = `${dir}/report.bin`;
    await Deno.writeFile(path, content);
    const [ira, sam] = [await makeHome(`${dir}/i`, "ira"), await makeHome(`${dir}/s`, "sahnawaz")];
    // The first start makes keys, which is another test's.
    const begun = serve();
    await until("the server answers", () => answers(port));
    const first = run(join({ port }, ira, "ira", ["-m", "the room begins"]));
    assertEquals(await first.code, 0, await first.err);
    const second = run(join({ port }, sam, "sahnawaz", ["-m", "here"]));
    assertEquals(await second.code, 0, await second.err);
    await end(begun);
    const doomed = serve({ KILL_AT: `${at}`, KILL_COUNT: count });
    let isOver = false, isSent = false;
    void doomed.code.then(() => isOver = true);
    await until("the server answers, or is killed as it starts", async () => isOver || await answers(port));
    const isKilledEarly = isOver;
    if (isKilledEarly) serve();
    await until("the server answers", () => answers(port));
    // Who finds no server at the very start ends, and comes again.
    const insisting = async (home: string, name: string, more: string[]): Promise<number> => {
      for (;;) {
        const code = await run(join({ port }, home, name, more)).code;
        if (code !== exitCodes.unreachable) return code;
        await until("the server answers", () => answers(port));
      }
    };
    void insisting(sam, "sahnawaz", ["--listen", "--take", "100M", "--download-dir", `${dir}/got`]);
    const sending = insisting(ira, "ira", ["--send", path]);
    void sending.then(() => isSent = true);
    await until("it is sent, or the server is killed", () => isSent || isOver);
    if (at !== 0 && !isKilledEarly) {
      await end(doomed);
      serve();
    }
    assertEquals(await sending, 0, `point ${at}`);
    await until("it has arrived", () => names(`${dir}/got`).join() === "report.bin");
    assertEquals(encodeHex(sha256(Deno.readFileSync(`${dir}/got/report.bin`))), encodeHex(sha256(content)));
    if (at !== 0) return 0;
    await end(doomed);
    return Number(Deno.readTextFileSync(count));
  } finally {
    for (const each of all) await end(each);
    await Deno.remove(dir, { recursive: true });
  }
}

for (
  const [who, killedAt] of [["who sends", sender], ["who fetches", reader], ["the server", server]] as const
) {
  test({
    name: `a file is whole and told of once, wherever ${who} is killed while it moves (${sampled})`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const count = await killedAt(0);
      assert(count > 20, `only ${count} write points`);
      for (const at of some(pointsTried, count)) await killedAt(at);
    },
    boundMs: times(180_000, 3_600_000),
  });
}
