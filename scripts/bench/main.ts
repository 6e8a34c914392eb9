/**
 * `deno task bench`: all measurements of this project, each against a fresh server, generators in processes of their
 * own. What it prints and what it found: RESULTS.md beside this file.
 *
 *   --only KIND,…   of fan-out, small-rooms, handshakes, storm, login, room-storm, files, catch-up, entry, paste, seal,
 *                   idle, start, logs, floods (default: all)
 *                   and not unless named: cluster (three servers on three nodes of NATS, beside one), cluster-faults
 *   --times N       for cluster-faults: kills of servers (default: 50), and a fifth of it of leading nodes
 *   --rooms N,…     for small-rooms: of 5, and of 2 (default: 1,100,1000)
 *   --against FILE  fan-out and small-rooms in turns with another executable, paste and catch-up with it as the client
 *   --logs N,…      for logs: stored messages (default: 1000,10000,100000,1000000)
 *   --megabytes N   for files (default: 300)
 *   --files-work-ms N   for files: what the server gives them a second (default: 4000, which is all of it)
 *   --members N,…   for fan-out (default: 10,100,250,500,1000)
 *   --reps N        how often each is run (default: 3); medians are printed
 *   --seconds N     for each mode of fan-out (default: 2)
 *   --sources       measure the sources instead of dist/chat
 *   --peers         InspIRCd, ngIRCd, NATS and Mosquitto, with TLS, in turns with this; --harness DIR says where
 *                   their harness is (default: ../shared/peers); only fan-out, N = 500 unless --members; with
 *                   --only small-rooms: Prosody with its archive in SQLite (prosody and lua-dbi-sqlite3 of Debian); with
 *                   --only files: magic-wormhole (magic-wormhole and python3-magic-wormhole-mailbox-server)
 *   --draw          write scripts/bench/performance.svg of what was measured; with --peers, scripts/bench/sizes.svg; with
 *                   cluster, scripts/bench/cluster.svg
 *   --rows FILE,…   take what earlier runs have printed as measured
 *   --profile MODE  one run of lat, thr or few at N = 500, or of small1 or small64 in 100 rooms of five, with the
 *                   server's profile
 */

import { parseArgs } from "@std/cli/parse-args";
import { clusterPanels, drawBars, panelsOf } from "./bars.ts";
import { measureBigLogs } from "./big_logs.ts";
import { measureClusterFaults } from "./cluster_faults.ts";
import { ClusterProcess } from "./cluster_process.ts";
import { measureFloods } from "./floods.ts";
import { asTable, columns, medians } from "./rows.ts";
import { comparePeers } from "./peers.ts";
import { Prosody } from "./prosody.ts";
import { profileServer } from "./profile.ts";
import { buildReceivers } from "./receivers.ts";
import { freePort } from "../free_port.ts";
import { ServerProcess } from "./server_process.ts";
import { drawSizes } from "./size_curves.ts";
import { startUpTimes } from "./start_up.ts";
import { measureWormhole } from "./wormhole.ts";

const options = parseArgs(Deno.args, {
  string: [
    "only",
    "members",
    "rooms",
    "reps",
    "seconds",
    "harness",
    "profile",
    "against",
    "logs",
    "megabytes",
    "files-work-ms",
    "times",
    "rows",
  ],
  boolean: ["peers", "sources", "draw"],
});
const text = (flag: string) => options[flag] as string | undefined;
const reps = Number(text("reps") ?? 3);
const executable = options.sources ? null : "dist/chat";
const kinds = text("only")?.split(",") ??
  [
    "fan-out",
    "small-rooms",
    "handshakes",
    "storm",
    "login",
    "room-storm",
    "files",
    "catch-up",
    "entry",
    "paste",
    "seal",
    "idle",
    "start",
    "logs",
    "floods",
  ].filter((kind) => !options.peers || kind === "fan-out");
const rows: string[] = (text("rows") ?? "").split(",").filter((path) => path !== "").flatMap((path) =>
  Deno.readTextFileSync(path).split("\n").filter((line) =>
    (line.split(" ")[0] in columns) && !line.includes("  ")
  )
);

const own = { executable, label: "chat" };
let receivers: Promise<string | null> | null = null;

async function fanOut(members: number): Promise<Record<string, unknown>> {
  receivers ??= buildReceivers();
  const seconds = Number(text("seconds") ?? 2);
  return { members, seconds, warmUpSeconds: 0.5, window: 64, senders: 8, receivers: await receivers };
}

/** Runs one measurement against a fresh server, and prints its rows as they come. */
async function measure(
  what: string,
  run: Record<string, unknown>,
  choice: { executable: string | null; label: string; flags?: string[] } = own,
): Promise<void> {
  const server = await ServerProcess.start(choice);
  try {
    await generate(what, { label: choice.label, port: server.port, pid: server.pid, ...run });
  } finally {
    await server.stop();
  }
}

/** The same beside a server of another executable, each in its turn. */
async function measureBoth(what: string, run: Record<string, unknown>): Promise<void> {
  const other = await ServerProcess.start({ executable: text("against")! });
  try {
    await measure(what, { ...run, against: { label: "before", port: other.port, pid: other.pid } });
  } finally {
    await other.stop();
  }
}

/** Rooms of five on Prosody, which stores what is said as we do, in turns with ours. */
async function measureBesideProsody(run: Record<string, unknown>): Promise<void> {
  const prosody = await Prosody.start(freePort());
  try {
    const { port, pid, certificate } = prosody;
    await measure("small-rooms", { ...run, against: { label: "prosody", port, pid, certificate } });
  } finally {
    await prosody.stop();
  }
}

async function generate(what: string, run: Record<string, unknown>): Promise<void> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      ...generatorPermissions,
      "scripts/bench/generator.ts",
      what,
      JSON.stringify(run),
    ],
    stderr: "inherit",
  }).output();
  for (const row of new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "")) {
    console.error(row);
    rows.push(row);
  }
}

/** It reads what the system says of processes, and for one measurement runs the executable in a folder of its own. */
const generatorPermissions = [
  "--allow-net=127.0.0.0/8",
  "--allow-read",
  "--allow-write",
  `--allow-run=cat,dist/chat,dist/receivers${text("against") ? `,${text("against")}` : ""}`,
];

/** Rooms of five whose people are at three servers, in turns with one server; and what those who are only linked cost. */
async function measureCluster(executable: string, seconds: number): Promise<void> {
  for (const rooms of (text("rooms") ?? "1,1000").split(",").map(Number)) {
    const cluster = await ClusterProcess.start(executable);
    const { ports, pids } = cluster;
    const three = { label: "three", port: ports[0], ports, pid: pids[0], pids };
    try {
      await measure("small-rooms", { rooms, members: 5, seconds, windows: [1, 64, 512], against: three }, {
        ...own,
        label: "one",
      });
    } finally {
      await cluster.stop();
    }
  }
}

async function all(): Promise<void> {
  const sizes = (text("members") ?? "10,100,250,500,1000").split(",").map(Number);
  const seconds = Number(text("seconds") ?? 2);
  const others = text("against") ? [{ executable: text("against")!, label: "before" }] : [];
  for (let rep = 0; rep < reps; rep++) {
    if (kinds.includes("fan-out")) {
      for (const members of sizes) {
        for (const server of [own, ...others]) await measure("fan-out", await fanOut(members), server);
      }
    }
    if (kinds.includes("small-rooms")) {
      for (const rooms of (text("rooms") ?? "1,100,1000").split(",").map(Number)) {
        for (const members of [5, 2]) {
          await (text("against") ? measureBoth : measure)("small-rooms", {
            rooms,
            members,
            seconds,
          });
        }
      }
    }
    if (kinds.includes("cluster") && executable) await measureCluster(executable, seconds);
    if (kinds.includes("cluster-faults") && executable) {
      rows.push(...await measureClusterFaults(executable, Number(text("times") ?? 50)));
    }
    if (kinds.includes("handshakes")) await measure("handshakes", { kind: "shake", people: 400, atOnce: 8 });
    if (kinds.includes("storm")) await measure("handshakes", { kind: "storm", people: 500, atOnce: null });
    if (kinds.includes("login")) {
      const withAccounts = { ...own, flags: ["--accounts", "sqlite:", "--registration", "open"] };
      await measure("login", { people: 100, atOnce: 8 }, withAccounts);
    }
    if (kinds.includes("room-storm") && executable) {
      await measure("room-storm", { people: 200, executable });
    }
    if (kinds.includes("files") && executable) {
      const megabytes = Number(text("megabytes") ?? 300);
      const most = ["file-bytes", "files-per-user", "files-per-room", "files-per-address", "files-bytes"];
      const flags = [
        ...most.map((flag) => `--${flag}=100G`),
        `--files-work-ms=${text("files-work-ms") ?? 4000}`,
      ];
      await measure("files", { megabytes, executable }, { ...own, flags });
      if (options.peers) {
        for (const row of await measureWormhole(megabytes)) {
          console.error(row);
          rows.push(row);
        }
      }
    }
    if (kinds.includes("catch-up")) {
      await measure("catch-up", { messages: 10_000, executable, others });
      if (executable) await measure("members-catch-up", { messages: 10_000, executable, others });
    }
    if (kinds.includes("entry") && executable) {
      for (const members of [10, 100, 250]) await measure("entry", { members, executable });
    }
    if (kinds.includes("paste") && executable) {
      for (const client of [executable, ...text("against") ? [text("against")!] : []]) {
        const label = client === executable ? "chat" : "before";
        await measure("paste", { label, lines: [100, 400, 1200], executable: client });
      }
    }
    if (kinds.includes("idle")) {
      for (const members of [10, 100, 250, 500, 1000]) await measure("idle", { members, seconds: 20 });
    }
    if (kinds.includes("seal")) await generate("sealing", {});
    if (kinds.includes("floods")) rows.push(...await measureFloods((run) => generate("flood", run)));
    if (kinds.includes("logs") && executable) {
      const sizes = (text("logs") ?? "1000,10000,100000,1000000").split(",").map(Number);
      rows.push(...await measureBigLogs([{ label: "chat", executable }], sizes));
    }
    if (kinds.includes("start")) rows.push(...await startUpTimes());
  }
  console.log(asTable(medians(rows)));
  if (options.draw && kinds.some((kind) => kind.startsWith("cluster"))) {
    const title = "Three servers on three nodes of NATS beside one server, all on the same two shared cores";
    await Deno.writeTextFile(
      "scripts/bench/cluster.svg",
      drawBars(title, clusterPanels(medians(rows)), "one server"),
    );
  } else if (options.draw) {
    const title =
      "Medians of one run, two shared cores; this version, and the one that it is measured against";
    await Deno.writeTextFile("scripts/bench/performance.svg", drawBars(title, panelsOf(medians(rows))));
  }
}

const profiled = text("profile");
if (profiled) await profileServer(profiled);
else if (options.peers && kinds.includes("small-rooms")) {
  for (let rep = 0; rep < reps; rep++) {
    for (const rooms of (text("rooms") ?? "100").split(",").map(Number)) {
      await measureBesideProsody({ rooms, members: 5, seconds: Number(text("seconds") ?? 5) });
    }
  }
  console.log(asTable(medians(rows)));
} else if (options.peers && !kinds.includes("files")) {
  const measured = await comparePeers({
    harness: text("harness") ?? "../shared/peers",
    sizes: (text("members") ?? "500").split(",").map(Number),
    reps,
    seconds: Number(text("seconds") ?? 2),
    ours: async (members) => {
      const before = rows.length;
      await measure("fan-out", await fanOut(members));
      return rows.slice(before);
    },
  });
  if (options.draw) {
    const title = "CPU of the server for a delivery; medians of one run, two shared cores";
    await Deno.writeTextFile("scripts/bench/sizes.svg", drawSizes(title, measured));
  }
} else await all();
