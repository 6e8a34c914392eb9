/**
 * Several servers, on the executable: three of them on three nodes of NATS, killed and paused under load. CHAT_KILLS says
 * how often; `deno task long` does it a hundred times.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { hasNats } from "../fakes/nats.ts";
import { sampled, seed, seededNumbers, some } from "../fakes/sampled.ts";
import { e2e, freePort } from "./chat_process.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { encodeGathered } from "../../lib/server/cluster/log_entry.ts";
import { dialNats, whileElecting } from "../../lib/server/cluster/nats_connection.ts";
import { NatsLog } from "../../lib/server/cluster/nats_log.ts";
import { beginning } from "../../lib/server/cluster/standing.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import { sharedNotes } from "../../lib/server/store/store.ts";
import { until } from "../fakes/until.ts";
import { hearsMore, type Member, oneHearsMore, TestCluster } from "./cluster.ts";
import { allHeardOnceAndInOrder, talkOf } from "./talk.ts";

const faults = Number(Deno.env.get("CHAT_KILLS") ?? 3);
const rates = ["--sends-per-second", "1000", "--send-burst", "1000"];

e2e(
  `servers and nodes are killed and paused ${faults} times under load: nothing confirmed is lost, doubled or moved, nobody is warned (${sampled})`,
  async (home) => {
    const cluster = await TestCluster.start(home, rates);
    try {
      const people = [
        await cluster.joined("ira", 0),
        await cluster.joined("sahnawaz", 1),
        await cluster.joined("dana", 2),
      ];
      const end = talkOf(people, 40);
      await hearsMore(people);
      const random = seededNumbers(seed);
      const any = <T>(all: readonly T[]) => all[Math.floor(random() * all.length)];
      /** Kills them, and starts them again once somebody has heard more without them. */
      const revive = async (some: readonly Member[], goesOn = true) => {
        for (const each of some) await cluster.kill(each);
        if (goesOn) await oneHearsMore(people);
        for (const each of some.toReversed()) await each.start(); // nodes first
      };
      const held = async ({ process }: Member) => {
        process!.kill("SIGSTOP");
        await oneHearsMore(people);
        process!.kill("SIGCONT");
      };
      const acts: Record<string, () => Promise<void>> = {
        "kill a server": () => revive([any(cluster.servers)]),
        "kill a node": () => revive([any(cluster.nats)]),
        "kill a server and a node": () => revive([any(cluster.servers), any(cluster.nats)]),
        "pause a server": () => held(any(cluster.servers)),
        "pause a node": () => held(any(cluster.nats)),
        "kill all nodes": () => revive(cluster.nats, false),
      };
      const names = Object.keys(acts).toSorted(() => random() - 0.5);
      for (let i = 0; i < faults; i++) {
        await acts[faults > names.length ? any(names) : names[i]]();
        await hearsMore(people);
      }
      await allHeardOnceAndInOrder(people, end(), 120_000);
    } finally {
      await cluster.close();
    }
  },
  !hasNats,
  120_000 + faults * 20_000,
);

e2e("what is wrong with a cluster is told before anything is served, with what mends it", async (home) => {
  const cluster = await TestCluster.start(home);
  try {
    const check = await home.run(["serve", "--cluster-check", cluster.natsAddresses]);
    assertEquals(check.code, 0);
    for (
      const part of [
        "nats1: version 2.",
        "writes before it confirms",
        "each on 3 nodes",
        "Servers can share this NATS",
      ]
    ) {
      assertStringIncludes(check.out, part);
    }
    const other = await home.run([
      "serve",
      "-p",
      "1",
      "--data",
      `${home.dir}/other`,
      "--cluster",
      cluster.natsAddresses,
    ]);
    assertEquals(other.code, 4);
    assertStringIncludes(other.err, "have another key");
    await cluster.kill(cluster.servers[2]);
    const gone = await home.run(["serve", "--data", cluster.dataOf(2), "--cluster", "127.0.0.1:1"]);
    assertEquals(gone.code, 3);
    assertStringIncludes(gone.err, "NATS cannot be reached");
    for (
      const [args, words] of [
        [["--ephemeral"], "--ephemeral and --cluster contradict"],
        [["--accounts", "sqlite:"], "one server's own"],
        [["--cluster-tls-cert", "x"], "belong together"],
      ] as const
    ) {
      const { code, err } = await home.run(["serve", "--cluster", cluster.natsAddresses, ...args]);
      assertEquals(code, 2);
      assertStringIncludes(err, words);
    }
    const secret = await home.run(["serve", "--cluster", "nats://me:secret@127.0.0.1:4222"]);
    assertEquals([secret.code, secret.err.includes("secret")], [2, false]);
  } finally {
    await cluster.close();
  }
}, !hasNats);

/** Of those that start a cluster several times one runs in each sample. */
const chosen = some(1, 2);
let count = 0;
function sampledTest(name: string, act: Parameters<typeof e2e>[1], ignore: boolean): void {
  if (chosen.includes(++count)) e2e(`${name} (${sampled})`, act, ignore);
}

sampledTest(
  "metrics and /healthz tell of the log; a record of a newer version ends a server with words, and it goes on from there when it is updated",
  async (home) => {
    const metrics = `127.0.0.1:${freePort()}`;
    const cluster = await TestCluster.start(home);
    try {
      await cluster.kill(cluster.servers[0]);
      const server = home.start("serve", ...cluster.argsOf(0), "--metrics", metrics);
      await server.shows("Metrics on");
      const health = async () => {
        const response = await fetch(`http://${metrics}/healthz`);
        return `${response.status} ${(await response.text()).trim()}`;
      };
      assertEquals(await health(), "200 ok");
      await until("the others are there", async () => {
        const text = await (await fetch(`http://${metrics}/metrics`)).text();
        return /^chat_servers 3$/m.test(text) && /^chat_log_behind 0$/m.test(text) &&
          /^chat_log_confirm_seconds_count [1-9]/m.test(text);
      });
      for (const node of cluster.nats) await cluster.kill(node);
      await until("unwell", async () => await health() === "503 the log cannot be reached");
      assertStringIncludes(await (await fetch(`http://${metrics}/metrics`)).text(), "chat_log_away 1");
      await server.shows("The log in NATS cannot be reached");
      for (const node of cluster.nats) await node.start();
      await until("well again", async () => await health() === "200 ok", { timeoutMs: 30_000 });
      await server.shows("The log can be reached again");
      const servers = cluster.natsAddresses.split(",");
      const connection = await dialNats({ servers, tls: null, isUnsafe: false });
      const parts = { connection, replicas: 3, clock: systemClock, fault: () => {} };
      const log = await whileElecting(systemClock, "keep a log", () => NatsLog.open(parts));
      const newer = {
        proposer: new Uint8Array(16),
        n: 1,
        standing: beginning,
        records: [Uint8Array.of(200, 1, 2)],
      };
      await log.append("newer", encodeGathered(newer));
      await log.close();
      assertEquals(await server.code, 1);
      assertStringIncludes(server.err, "a kind (200) that this version does not know");
      assertStringIncludes(server.err, "run the same version here");
      const again = await home.run(["serve", ...cluster.argsOf(0)]);
      assertEquals(again.code, 1); // it does not serve before it knows
      assertStringIncludes(again.err, "a kind (200)");
      assertEquals(again.out.includes("Invite"), false);
    } finally {
      await cluster.close();
    }
  },
  !hasNats,
);

sampledTest(
  "NATS that was put back from a copy is refused, until one server begins anew for all; people go on in another run",
  async (home) => {
    const cluster = await TestCluster.start(home);
    const dir = (name: string) => `${home.dir}/nats/${name}/data`;
    try {
      const ira = await cluster.joined("ira", 0);
      await ira.type('{"type":"say","text":"in the copy"}\n');
      await ira.shows('"text":"in the copy"');
      const stopAll = async () => {
        for (const each of [...cluster.servers, ...cluster.nats]) if (each.process) await cluster.kill(each);
      };
      await stopAll();
      for (const { name } of cluster.nats) await copyFolder(dir(name), `${dir(name)}.old`);
      for (const node of cluster.nats) await node.start();
      await Promise.all(cluster.servers.map((server) => server.start()));
      await ira.type('{"type":"say","text":"after it"}\n');
      await ira.shows('"text":"after it"', "out", 40_000);
      await stopAll();
      for (const { name } of cluster.nats) {
        await Deno.remove(dir(name), { recursive: true });
        await Deno.rename(`${dir(name)}.old`, dir(name));
      }
      for (const node of cluster.nats) await node.start();
      const refused = await home.run(["serve", ...cluster.argsOf(0)]);
      assertEquals(refused.code, 1);
      assertStringIncludes(refused.err, "it is an old copy, or another log");
      for (const i of [1, 2]) await Deno.remove(`${cluster.dataOf(i)}/rooms.db`);
      const anew = await home.run(["serve", ...cluster.argsOf(0), "--restored"]);
      assertEquals(anew.code, 0);
      assertStringIncludes(anew.out + anew.err, "dropped at all servers");
      await Promise.all(cluster.servers.map((server) => server.start()));
      await ira.shows("has lost its data", "out", 40_000);
      const dana = await cluster.joined("dana", 1);
      await dana.type('{"type":"say","text":"in another run"}\n');
      await dana.shows('"text":"in another run"');
    } finally {
      await cluster.close();
    }
  },
  !hasNats,
);

e2e(
  "a server whose rooms are shared does not start alone by mistake; with --restored it is one server again",
  async (home) => {
    const data = `${home.dir}/server`;
    await home.run(["keygen", "--server", "--no-passphrase", "--out", data]);
    const view = new SqliteStore(`${data}/rooms.db`, systemRandom);
    view.putNote(sharedNotes.begin, new Uint8Array(48));
    view.close();
    const alone = ["serve", "-p", String(freePort()), "--data", data];
    const refused = await home.run(alone);
    assertEquals(refused.code, 1);
    for (const words of ["shared with other servers", "--cluster", "--restored"]) {
      assertStringIncludes(refused.err, words);
    }
    assertEquals((await home.run([...alone, "--restored"])).code, 0);
    await home.start(...alone).shows("Invite");
  },
);

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
