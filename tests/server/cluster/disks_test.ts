/** Disks of several servers: one that is full, that of NATS, and one that is slow. */

import { assertEquals, assertMatch } from "@std/assert";
import type { ServerEvent } from "../../../lib/server/events.ts";
import { serverOn } from "../../fakes/cluster.ts";
import { type Nats, natsTest } from "../../fakes/nats.ts";
import { run } from "../../fakes/tools.ts";
import { sampled, some } from "../../fakes/sampled.ts";
import { until } from "../../fakes/until.ts";

const hasStrace = await run("strace", ["-o", "/dev/null", "true"]).then(({ ok }) => ok, () => false);

/** Each of them waits for what takes its time. */
const chosen = new Set(some(2, 3));
let count = 0;

function diskTest(name: string, act: (nats: Nats) => Promise<void>, ignore = false): void {
  if (chosen.has(++count)) natsTest(`${name} (${sampled})`, act, ignore);
}

diskTest(
  "a server whose disk is full stands still, and its people go elsewhere; once there is room it has what the others have",
  async (nats) => {
    const [one, two] = [await serverOn(nats), await serverOn(nats)];
    const [a, b] = [one.world, two.world];
    try {
      const ira = await a.enter("ira");
      await until("known elsewhere", () => [...b.server.rooms.others.links()].length === 1);
      const dana = await b.enter("dana", { others: [{ host: "127.0.0.1", port: a.port }] });
      await ira.view.until((event) => event.type === "added" && event.who === "dana");
      const { view } = two.cluster;
      const flush = view.flush.bind(view);
      let isFull = true;
      view.flush = () => {
        if (!isFull) return flush();
        const [room] = view.rooms();
        view.createRoom(room, null); // there already: SQLite fails, and undoes what was written since the last flush
      };
      dana.view.type("said at a full disk");
      await ira.view.hears("dana: said at a full disk"); // the log has it, and the others' disks
      await until("it says so", () => b.server.trouble() === "the disk refuses what is written");
      await until("she is at the other one", () => a.server.linked === 2, { timeoutMs: 40_000 });
      dana.view.type("and elsewhere");
      await ira.view.hears("dana: and elsewhere");
      isFull = false;
      const last = ({ world }: typeof one) => world.server.rooms.all()[0]?.last;
      await until("the same at both", () => last(one) === last(two) && b.server.trouble() === null);
      assertEquals([ira.view.said, new Set(dana.view.said).size], [dana.view.said, 2]);
      assertEquals([...one.stopped, ...two.stopped], []);
    } finally {
      await a.close();
      await b.close();
    }
  },
);

diskTest(
  "NATS with a full disk is told in its words; what was said waits, and goes on when there is room",
  async (nats) => {
    await nats.kill();
    await nats.configure(true, ", max_file_store: 4MB");
    await nats.begin();
    const events: ServerEvent[] = [];
    const one = await serverOn(nats, { events: { tell: (event) => void events.push(event) } });
    const { world, cluster } = one;
    try {
      const ira = await world.enter("ira");
      const value = new Uint8Array(100_000);
      const notes = Array.from(
        { length: 60 },
        (_, i) => cluster.journal.propose({ kind: "note", key: `n${i}`, value }),
      );
      await until("away", () => events.some(({ type }) => type === "log away"), { timeoutMs: 30_000 });
      const away = events.find((event) => event.type === "log away");
      assertMatch(away?.type === "log away" ? away.why : "", /storage|resources/);
      assertEquals(world.server.trouble(), "the log cannot be reached");
      ira.view.type("waits");
      const dana = await world.join("dana", { message: "x", joinTimeoutMs: 2_000 }, false);
      assertEquals(await dana.done instanceof Error, true);
      await nats.kill();
      await nats.configure();
      await nats.begin();
      await ira.view.hears("ira: waits");
      assertEquals(new Set((await Promise.all(notes)).map(({ type }) => type)), new Set(["done"]));
      await until("told", () => events.some(({ type }) => type === "log back"));
      assertEquals(ira.view.warnings, []);
    } finally {
      await world.close();
    }
  },
);

diskTest(
  "a disk of NATS that takes a third of a second for each write costs time, and nothing else",
  async (nats) => {
    const one = await serverOn(nats);
    const { world } = one;
    const slow = new Deno.Command("strace", {
      args: [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync",
        "-e",
        "inject=fsync:delay_enter=300000",
        "-p",
        String(nats.pid),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const ira = await world.enter("ira");
      const dana = await world.enter("dana");
      await ira.view.until((event) => event.type === "added" && event.who === "dana");
      for (let i = 0; i < 10; i++) {
        ira.view.type(`one ${i}`);
        dana.view.type(`two ${i}`);
      }
      await until("all is heard", () => [ira, dana].every(({ view }) => view.said.length === 20), {
        timeoutMs: 40_000,
      });
      assertEquals(ira.view.said, dana.view.said);
      assertEquals([ira.view.warnings, dana.view.warnings, one.stopped], [[], [], []]);
    } finally {
      slow.kill("SIGKILL");
      await slow.status;
      await world.close();
    }
  },
  !hasStrace,
);
