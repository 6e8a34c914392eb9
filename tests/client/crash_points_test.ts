/**
 * Property 20: the real program, killed with SIGKILL at each of its write points. Whatever it had confirmed is
 * there, nothing is said twice, no key is used twice, and it goes on without a warning.
 */

import { sampled, some, times } from "../fakes/sampled.ts";
import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { parseMessage } from "../../lib/protocol/group/sealed_message.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { makePrivateDir, writeAtomically } from "../../lib/storage/private_file.ts";
import { person } from "../fakes/people.ts";
import { type Client, World } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

const limits = { ...defaultLimits, handshakeBurst: 1000, commitEveryMs: 1, sendBurst: 1000 };
const wrapper = new URL("../fakes/kill_at_write.ts", import.meta.url).pathname;

/** `chat join` as a program that says these lines. */
async function join(world: World, home: string, lines: string, env: Record<string, string>) {
  const args = [
    "run",
    "--no-check",
    "-q",
    "-A",
    wrapper,
    "join",
    "-u",
    "sahnawaz",
    "--home",
    home,
    "-p",
    `${world.port}`,
  ];
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec "$0" "$@"', Deno.execPath(), ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env,
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

async function makeHome(world: World): Promise<string> {
  const home = `${world.dir}/home`;
  const own = `${home}/profiles/sahnawaz`;
  makePrivateDir(own);
  const { privatePem, card } = await person("sahnawaz");
  writeAtomically(`${own}/client_private_key.pem`, new TextEncoder().encode(privatePem));
  writeAtomically(`${own}/card`, card.bytes);
  return home;
}

interface Scenario {
  readonly name: string;
  /** Before the run that is killed. */
  prepare(world: World, home: string, ira: Client): Promise<void>;
}

const scenarios: readonly Scenario[] = [
  { name: "a first join", prepare: () => Promise.resolve() },
  {
    name: "a return to new messages and new keys",
    async prepare(world, home, ira) {
      assertEquals((await join(world, home, "zero\n", {})).code, 0);
      ira.view.type("meanwhile", "/rekey");
      await until("a new epoch", () => world.server.rooms.all()[0].head.epoch === 2);
      ira.view.type("in new keys");
      await ira.view.hears("ira: in new keys");
    },
  },
];

/** Runs a scenario, killed at a point. @returns the number of points there are, for point 0 */
async function killedAt(scenario: Scenario, at: number): Promise<number> {
  const world = await World.open({ limits });
  try {
    const ira = await world.enter("ira");
    const home = await makeHome(world);
    await scenario.prepare(world, home, ira);
    const countFile = `${world.dir}/count`;
    const killed = await join(world, home, "one\ntwo\n", { KILL_AT: `${at}`, KILL_COUNT: countFile });
    if (at === 0) {
      assertEquals(killed.code, 0, killed.err);
      return Number(Deno.readTextFileSync(countFile));
    }
    const again = await join(world, home, "three\n", {});
    assertEquals(again.code, 0, `point ${at}: ${again.err}`);
    await ira.view.hears("sahnawaz: three");
    const said = ira.view.said.filter((line) => line.startsWith("sahnawaz"));
    const words = said.map((line) => line.slice(10));
    assertEquals(new Set(words).size, words.length, `point ${at}: said twice: ${words}`);
    const order = ["zero", "one", "two", "three"];
    assertEquals(words, order.filter((word) => words.includes(word)), `point ${at}: out of order`);
    assertEquals(words.at(-1), "three");
    // What had been shown as said, was said: own lines appear once the server has stored them.
    for (const word of order) {
      if (killed.out.includes(`sahnawaz: ${word}`)) {
        assertEquals(words.includes(word), true, `point ${at}: lost ${word}`);
      }
    }
    const warned = again.err.split("\n").filter((line) =>
      /backup|histor|broke|repeated|does not open/.test(line)
    );
    assertEquals([warned, ira.view.warnings], [[], []], `point ${at}`);
    assertPlacesUnique(world);
    return 0;
  } finally {
    await world.close();
  }
}

function assertPlacesUnique(world: World): void {
  const [room] = world.server.rooms.all();
  const places = room.read(1, 1000).filter((e) => e.kind === 2).map((e) => {
    const m = parseMessage(e.bytes!);
    return `${encodeHex(m.sender)} ${m.epoch} ${m.n}`;
  });
  assertEquals(new Set(places).size, places.length);
}

for (const scenario of scenarios) {
  test({
    name:
      `property 20: killed at any write point of ${scenario.name}, nothing is lost, doubled or used twice (${sampled})`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const count = await killedAt(scenario, 0);
      assertEquals(count > 20, true, `only ${count} write points`);
      const points = some(18, count);
      const worker = async () => {
        for (let at = points.shift(); at !== undefined; at = points.shift()) await killedAt(scenario, at);
      };
      await Promise.all([worker(), worker(), worker()]);
    },
    boundMs: times(180_000, 3_600_000),
  });
}
