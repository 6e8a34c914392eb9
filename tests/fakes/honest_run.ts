/**
 * One honest run (property 16): a real server, real clients, and a random mixture of talk, coming and going,
 * cuts, restarts and crashes. At its end everybody has heard everybody, and nobody was warned of anything but
 * lost connections.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import { test } from "./test.ts";
import type { RandomSource } from "../../lib/crypto/random.ts";
import { sampled, seed, times } from "./sampled.ts";
import { seededRandom } from "./seeded_random.ts";
import { defaultLimits, type Limits } from "../../lib/server/limits.ts";
import { JumpingClock } from "./jumping_clock.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { type ClusterServer, serverOn } from "./cluster.ts";
import { hasNats, Nats } from "./nats.ts";
import { type Client, headIn, memoryStore, type ServerOptions, World } from "./world.ts";
import { until } from "./until.ts";

const limits = {
  ...defaultLimits,
  handshakeBurst: 10_000,
  linksPerAddress: 1000,
  pendingPerAddress: 1000,
  sendBurst: 10_000,
  sendsPerSecond: 10_000,
  commitEveryMs: 1,
};
const names = ["ira", "sahnawaz", "dana", "erin"];
const dir = isDirectory("/dev/shm") ? "/dev/shm" : undefined;

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

const lostData = /has lost its data, or is not the one it was/;
const connectionTrouble =
  /connection was cut|gone silent|shutting down|Nothing answers|handshake with|Cannot connect to|is not a chat server|ended the connection|cannot keep anything/;

/** What the server keeps, and what becomes of that. */
export type Keeping =
  /** Everything. */
  | "durable"
  /** Nothing: each of its runs begins anew. */
  | "memory"
  /** An operator puts old copies back, as the book says. */
  | "restored"
  /** Everything, at three servers on one log: people go to another one at each cut. */
  | "shared";

/** Runs one. @returns what was done, for whoever wants to see it again @throws when anybody was warned */
export async function honestRun(
  random: RandomSource,
  over: Partial<Limits>,
  keeping: Keeping = "durable",
  steps = 6,
): Promise<string[]> {
  const clock = new JumpingClock();
  const options = { limits: { ...limits, ...over }, dir, clock };
  if (keeping === "shared") return await sharedRun(random, clock, options, steps);
  const world = await World.open(keeping === "memory" ? { ...options, store: memoryStore() } : options);
  const startAnew = () =>
    world.startServer(keeping === "memory" ? { ...options, store: memoryStore() } : options);
  try {
    return await whole(new Run(world, [{ world, start: startAnew }], clock, random, keeping), steps);
  } finally {
    await world.close();
  }
}

/** The same at three servers. */
async function sharedRun(
  random: RandomSource,
  clock: JumpingClock,
  options: ServerOptions,
  steps: number,
): Promise<string[]> {
  const nats = await Nats.start(true, dir);
  const servers: ClusterServer[] = [];
  try {
    servers.push(...await Promise.all([1, 2, 3].map(() => serverOn(nats, options))));
    const [{ world }] = servers;
    world.spread = servers.map((each) => each.world.port);
    const all = servers.map((each, i) => ({
      world: each.world,
      start: async () => void (servers[i] = await serverOn(nats, options, each.world)),
    }));
    const done = await whole(new Run(world, all, clock, random, "shared"), steps);
    const [stopped] = servers.flatMap((each) => each.stopped);
    if (stopped) throw stopped;
    return done;
  } finally {
    await servers[0]?.world.leaveAll();
    for (const { world } of servers) await world.close();
    await nats.close();
  }
}

/** @returns what was done @throws with what everybody has seen */
async function whole(run: Run, steps: number): Promise<string[]> {
  try {
    await run.begin();
    for (let i = 0; i < steps; i++) await run.step(i);
    await run.end();
    return run.done;
  } catch (error) {
    const views = [...run.here].map(([name, { view }]) =>
      `${name}: ${JSON.stringify([view.said, view.warnings, view.notices, view.promptText])}`
    );
    throw new Error(`${error}\nafter: ${run.done.join(", ")}\n${views.join("\n")}`);
  }
}

/** A server, and how it is started again. */
interface RunServer {
  readonly world: World;
  start(): Promise<void>;
}

class Run {
  readonly here = new Map<string, Client>();
  readonly done: string[] = [];
  #away = new Set<string>();

  constructor(
    /** Of the people. */
    private readonly world: World,
    private readonly servers: readonly RunServer[],
    private readonly clock: JumpingClock,
    private readonly random: RandomSource,
    private readonly keeping: Keeping,
  ) {}

  startServer(): Promise<void> {
    return this.servers[0].start();
  }

  async begin(): Promise<void> {
    for (const name of names.slice(0, 2)) this.here.set(name, await this.world.enter(name));
    if (this.keeping === "restored") await this.#copy();
  }

  /** A copy of the server's data, at rest. */
  async #copy(): Promise<void> {
    await this.world.server.stop();
    await Deno.copyFile(this.world.storePath, `${this.world.storePath}.old`);
    await this.startServer();
  }

  /** The operator puts the copy back, and says so to the server; everybody is told to go on. */
  async #restore(): Promise<void> {
    const { storePath } = this.world;
    await this.world.server.stop();
    for (const tail of ["-wal", "-shm"]) await Deno.remove(storePath + tail).catch(() => {});
    await Deno.copyFile(`${storePath}.old`, storePath);
    const store = new SqliteStore(storePath, systemRandom);
    store.beginAnew(systemRandom(16));
    store.close();
    await this.startServer();
    this.#restores++;
    for (const client of this.here.values()) await this.#goesOn(client);
    for (const client of this.here.values()) await this.#settled(client);
  }
  #restores = 0;

  /** She is told that the server has lost its data, and says that this is to be. */
  async #goesOn({ view }: Client): Promise<void> {
    const told = () => view.warnings.filter((text) => lostData.test(text)).length;
    await this.#until("told of the loss", () => told() > (this.#accepted.get(view) ?? 0));
    this.#accepted.set(view, told());
    view.type("/retry");
  }
  readonly #accepted = new WeakMap<object, number>();

  async step(i: number): Promise<void> {
    const [a, b] = this.random(2);
    const name = [...this.here.keys()][b % this.here.size];
    const client = this.here.get(name)!;
    const kinds = [
      "say",
      "say",
      "say",
      "burst",
      "cut",
      "again",
      "crash",
      "server",
      "server crash",
      "join",
      "leave",
      "rekey",
      ...(this.keeping === "restored" ? ["restore", "restore", "copy"] : []),
    ];
    const kind = kinds[a % kinds.length];
    this.done.push(`${name} ${kind}`);
    switch (kind) {
      case "say":
        return client.view.type(`${i}`);
      case "burst":
        return client.view.type(...Array.from({ length: 5 }, (_, k) => `${i}.${k}`));
      case "cut":
        return client.cut();
      case "again":
        client.view.type(`${i} last`);
        await this.#ends(client, "EXIT");
        return await this.#comeBack(name);
      case "crash":
        // Nothing more is sent or stored: what is on disk is what comes back.
        client.view.type(`${i} maybe`);
        client.cut();
        client.chat.quit();
        await client.done;
        return await this.#comeBack(name);
      case "server": {
        const server = this.servers[i % this.servers.length];
        await server.world.server.stop();
        return await server.start();
      }
      case "server crash": {
        const server = this.servers[i % this.servers.length];
        await server.world.crashServer();
        return await server.start();
      }
      case "restore":
        return await this.#restore();
      case "copy":
        return await this.#copy();
      case "join":
        return await this.#join();
      case "leave":
        return await this.#leave(name);
      case "rekey":
        // At a server that begins anew she may be in no room, and be told so.
        if (this.keeping === "durable" || this.keeping === "shared" || headIn(client)) {
          client.view.type("/rekey");
        }
        return;
    }
  }

  async #comeBack(name: string): Promise<void> {
    const client = await this.world.join(name);
    this.here.set(name, client);
    await this.#settled(client);
  }

  /** Types the word that ends it, again if a cut came between. */
  async #ends(client: Client, word: string): Promise<void> {
    let over = false;
    void client.done.then(() => over = true);
    client.view.type(word);
    let tries = 0;
    await this.#until(`${word} ends it`, () => {
      if (!over && ++tries % 200 === 0) client.view.type(word);
      return over;
    });
  }

  /** In the room, whatever backing off it takes. */
  async #settled(client: Client): Promise<void> {
    await this.#until("in the room", () => client.chat.conversation.room?.isCaughtUp === true);
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    await until(what, () => {
      if (condition()) return true;
      this.clock.jump(20); // nobody waits for seconds to pass
      return false;
    });
  }

  async #join(): Promise<void> {
    const name = names.find((each) => !this.here.has(each) && !this.#away.has(each));
    if (!name) return;
    const client = await this.world.join(name);
    await this.#settled(client);
    this.here.set(name, client);
  }

  async #leave(name: string): Promise<void> {
    if (this.here.size < 3) return;
    const client = this.here.get(name)!;
    await this.#settled(client);
    await this.#ends(client, "/leave");
    this.here.delete(name);
    this.#away.add(name);
  }

  /**
   * Whether all are members of the same room at what the server is now: one that began anew is entered one by
   * one, and whoever has not noticed yet that it did has everybody's old room.
   */
  #isOneRoom(all: readonly Client[]): boolean {
    const { site } = this.world.server.rooms;
    const heads = all.map(headIn);
    const hashes = new Set(heads.map((head) => head && encodeHex(head.commitHash)));
    return hashes.size === 1 && heads.every((head) => head !== null && head.roster.length >= all.length) &&
      all.every(({ chat }) => equals(chat.conversation.room!.context.site, site));
  }

  async end(): Promise<void> {
    const all = [...this.here.values()];
    for (const client of all) await this.#settled(client);
    if (this.keeping === "memory" || this.keeping === "restored") {
      await this.#until("all in one room", () => this.#isOneRoom(all));
    }
    for (const [name, { view }] of this.here) view.type(`end of ${name}`);
    for (const name of this.here.keys()) {
      await this.#until(
        `all hear ${name}`,
        () => all.every(({ view }) => view.said.includes(`${name}: end of ${name}`)),
      );
    }
    const roster = headIn(all[0])!.epoch;
    await this.#until("one epoch", () => all.every((client) => headIn(client)!.epoch >= roster));
    for (const [name, { view }] of this.here) {
      const warned = view.warnings.filter((text) =>
        !connectionTrouble.test(text) && !(this.#restores > 0 && lostData.test(text))
      );
      if (warned.length > 0) throw new Error(`${name} was warned: ${warned.join(" | ")}`);
      const odd = view.notices.filter((text) => /missing|expired|without a key/.test(text));
      if (odd.length > 0) throw new Error(`${name} was told: ${odd.join(" | ")}`);
      if (new Set(view.said).size !== view.said.length) throw new Error(`${name} heard something twice`);
    }
  }
}

/** Runs many, some at once, so that nobody's waiting costs time. */
async function honestRuns(
  of: string,
  count: number,
  atOnce: number,
  limits: Partial<Limits>,
  keeping: Keeping,
): Promise<void> {
  let done = 0;
  const worker = async () => {
    while (done < count) await honestRun(seededRandom(`${seed} ${of} ${done++}`), limits, keeping);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Sixty runs, or two thousand; what is done in each follows from the seed. */
export function honestRunsTest(
  of: string,
  limits: Partial<Limits> = {},
  keeping: Keeping = "durable",
  sample = 60,
): void {
  test({
    ignore: keeping === "shared" && !hasNats,
    name:
      `property 16: honest runs with cuts, restarts and crashes at random points never warn: ${of} (${sampled})`,
    sanitizeOps: false,
    sanitizeResources: false,
    boundMs: times(240_000, 7_200_000),
    fn: () => honestRuns(of, times(sample, 2000), 8, limits, keeping),
  });
}
