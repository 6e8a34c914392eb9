/** Servers on one log in a real NATS, each a {@link World} with a view of its own. */

import { Cluster } from "../../lib/server/cluster/cluster.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { defaultLimits, type Limits } from "../../lib/server/limits.ts";
import { defaultRetention } from "../../lib/server/rooms/retention.ts";
import { settingsOf } from "../../lib/server/settings.ts";
import { type Nats, natsTest } from "./nats.ts";
import { person } from "./people.ts";
import { type ServerOptions, World } from "./world.ts";

export interface ClusterServer {
  readonly world: World;
  /** Its part in the cluster, anew at each start. */
  readonly cluster: Cluster;
  /** Why it must not go on. */
  readonly stopped: Error[];
}

/** Several of them, and what they share. */
export interface TestServers {
  readonly nats: Nats;
  readonly servers: readonly ClusterServer[];
  /** Theirs, in the same order. */
  readonly worlds: readonly World[];
}

/** A test with several servers, of which none may have to stop by itself. @param each what each is started with */
export function clusterTest(
  name: string,
  act: (servers: TestServers) => Promise<void>,
  each: readonly ServerOptions[] = [{}, {}],
): void {
  natsTest(name, async (nats) => {
    const servers: ClusterServer[] = [];
    try {
      servers.push(...await Promise.all(each.map((options) => serverOn(nats, options))));
      await act({ nats, servers, worlds: servers.map(({ world }) => world) });
      const [stopped] = servers.flatMap((each) => each.stopped);
      if (stopped) throw stopped;
    } finally {
      for (const { world } of servers) await world.leaveAll();
      for (const { world } of servers) await world.close();
    }
  });
}

/** A test in a world whose people are at three servers, by turns: with the first server's for the world's own. */
export function sharedWorldTest(
  name: string,
  act: (world: World) => Promise<void>,
  options: ServerOptions = {},
): void {
  clusterTest(name, async ({ worlds }) => {
    const [world] = worlds;
    world.spread = worlds.map(({ port }) => port);
    await act(world);
  }, [options, options, options]);
}

/** Starts one more. @param of a world whose server has been stopped: its directory, port and people stay */
export async function serverOn(
  nats: Nats,
  options: ServerOptions = {},
  of?: World,
): Promise<ClusterServer> {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const stopped: Error[] = [];
  let cluster: Cluster;
  const { identity } = await person(options.identity ?? "server");
  const all: ServerOptions = {
    ...options,
    cluster: async (world, defer) => {
      cluster = await Cluster.open({
        nats: { servers: [nats.address], tls: null, isUnsafe: false },
        path: world.storePath,
        server: identity.id,
        name: options.place ?? "a server",
        settings: settingsOf(limits, options.retention ?? defaultRetention),
        clock: options.clock ?? systemClock,
        random: systemRandom,
        events: options.events ?? { tell() {} },
        defer,
        stop: (error) => void stopped.push(error),
        fault: (error) => void stopped.push(error as Error),
      });
      return cluster;
    },
  };
  if (of) await of.startServer(all);
  const world = of ?? await World.open(all);
  return {
    world,
    get cluster() {
      return cluster;
    },
    stopped,
  };
}
