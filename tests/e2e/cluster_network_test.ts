/** Several servers on machines of their own: ways between them, and to people, are cut under load. */

import { hasNats } from "../fakes/nats.ts";
import { sampled, some } from "../fakes/sampled.ts";
import { e2e } from "./chat_process.ts";
import { hearsMore, oneHearsMore, TestCluster } from "./cluster.ts";
import { hasNamespaces, TestNetwork } from "./network.ts";
import { allHeardOnceAndInOrder, talkOf } from "./talk.ts";

e2e(
  `a machine that is cut off from the others, from people, or from both: people talk on elsewhere, and nothing is lost, doubled or moved (${sampled})`,
  async (home) => {
    const network = await TestNetwork.make(3);
    const rates = ["--sends-per-second", "1000", "--send-burst", "1000"];
    const cluster = await TestCluster.start(home, rates, network);
    try {
      const people = [
        await cluster.joined("ira", 0),
        await cluster.joined("sahnawaz", 1),
        await cluster.joined("dana", 2),
      ];
      const end = talkOf(people, 50);
      await hearsMore(people);
      const both = ["hosts", "people"] as const;
      const cuts = [[0, ["hosts"]], [1, ["people"]], [2, both]] as const;
      for (const [host, ways] of some(1, cuts.length).map((n) => cuts[n - 1])) {
        for (const way of ways) await network.cut(host, way);
        await oneHearsMore(people);
        await hearsMore(people); // also whoever was there, by now elsewhere
        for (const way of ways) await network.mend(host, way);
        await hearsMore(people);
      }
      await allHeardOnceAndInOrder(people, end(), 60_000);
    } finally {
      await cluster.close();
      for (const process of home.running) process.kill("SIGKILL");
      await Promise.all(home.running.map(({ code }) => code));
      await network.close();
    }
  },
  !hasNats || !hasNamespaces,
);
