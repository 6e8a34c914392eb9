/** Servers on one log in a real NATS, each a {@link World} with a view of its own. */

import { Cluster } from "../../lib/server/cluster/cluster.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { defaultLimits, type Limits } from "../../lib/server/limits.ts";
import { defaultRetention } from "../../lib/server/rooms/retention.ts";
import { settingsOf } from "../../lib/server/settings.ts";
import { hasNats, Nats } from "./nats.ts";
import { person } from "./people.ts";
import { test } from "./test.ts";
import { type ServerOptions, World } from "./world.ts";

export interface ClusterServer {
  readonly world: World;
  /** Its part in the cluster, anew at each start. */
  readonly cluster: Cluster;
  /** Why it must not go on. */
  readonly stopped: Error[];
}

/** A test in a world whose people are at three servers, by turns: with the first server's for the world's own. */
export function sharedWorldTest(
  name: string,
  act: (world: World) => Promise<void>,
  options: ServerOptions = {},
): void {
  const given = { name, ignore: !hasNats, sanitizeOps: false, sanitizeResources: false };
  test(given, async () => {
    const nats = await Nats.start();
    const servers: ClusterServer[] = [];
    try {
      servers.push(...await Promise.all([1, 2, 3].map(() => serverOn(nats, options))));
      const [{ world }] = servers;
      world.spread = servers.map((each) => each.world.port);
      await act(world);
      const [stopped] = servers.flatMap((each) => each.stopped);
      if (stopped) throw stopped;
    } finally {
      await servers[0]?.world.leaveAll();
      for (const { world } of servers) await world.close();
      await nats.close();
    }
  });
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
