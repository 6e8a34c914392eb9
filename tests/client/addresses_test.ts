/** Several addresses: which is tried next, which is remembered, and what a client does when its server goes. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Addresses } from "../../lib/client/connection/addresses.ts";
import { LastAddress } from "../../lib/client/profile/last_address.ts";
import { exitCodes } from "../../lib/errors.ts";
import { hostPort } from "../../lib/host_port.ts";
import { listenOnOwnPort } from "../fakes/ports.ts";
import { test } from "../fakes/test.ts";
import { World, worldTest } from "../fakes/world.ts";

const all = ["a", "b", "c"].map((host) => ({ host, port: 1 }));

test("each address is tried once before anybody waits; one that works is stayed with", () => {
  const addresses = new Addresses(all, "b:1");
  const tries: string[] = [];
  const fails = () => {
    tries.push(addresses.current.host);
    return addresses.next();
  };
  assertEquals([fails(), fails(), fails(), fails()], [true, true, false, true]);
  assertEquals(tries, ["b", "c", "a", "b"]);
  addresses.worked();
  assertEquals([fails(), fails(), fails()], [true, true, false]);
  assertEquals(new Addresses([all[0]], null).next(), false);
  assertEquals(new Addresses(all, "gone:1").current.host, "a");
});

test("the address that worked last is remembered for its list, and for no other", () => {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const last = new LastAddress({
    read: (name) => files.get(name) ?? null,
    write: (name, bytes) => void files.set(name, new Uint8Array(bytes)),
  });
  assertEquals(last.of("a:1,b:1"), null);
  last.keep("a:1,b:1", "b:1");
  last.keep("c:1,d:1", "c:1");
  last.keep("a:1,b:1", "a:1");
  assertEquals([last.of("a:1,b:1"), last.of("c:1,d:1"), last.of("a:1")], ["a:1", "c:1", null]);
  for (let n = 0; n < 100; n++) last.keep(`list ${n}`, "x:1");
  assertEquals([last.of("a:1,b:1"), last.of("list 99")], [null, "x:1"]);
});

worldTest(
  "an address at which nothing answers costs nothing; the one that worked is tried first next time",
  async (world) => {
    using dead = listenOnOwnPort();
    const { port } = dead.addr as Deno.NetAddr;
    dead.close();
    const tried: number[] = [];
    const { dial } = world;
    world.dial = (host, to) => {
      tried.push(to);
      return dial(host, to);
    };
    const list = { port, others: [{ host: "127.0.0.1", port: world.port }] };
    const ira = await world.enter("ira", list);
    assertEquals([tried, ira.view.warnings], [[port, world.port], []]);
    ira.chat.quit();
    await ira.done;
    tried.length = 0;
    await world.enter("ira", list);
    assertEquals(tried, [world.port]);
  },
);

worldTest("where none of them answers, all are named, with exit code 3", async (world) => {
  const ports = [0, 1].map(() => {
    using listener = listenOnOwnPort();
    return (listener.addr as Deno.NetAddr).port;
  });
  const ira = await world.join("ira", { port: ports[0], others: [{ host: "127.0.0.1", port: ports[1] }] });
  const error = await ira.done as Error & { exitCode: number };
  assertEquals(error.exitCode, exitCodes.unreachable);
  for (const port of ports) assertStringIncludes(error.message, hostPort("127.0.0.1", port));
});

worldTest(
  "an address that shows another key than the list's is never gone on with: exit code 4",
  async (world) => {
    const other = await World.open({ identity: "mallory" });
    try {
      const list = { others: [{ host: "127.0.0.1", port: other.port }] };
      const ira = await world.enter("ira", list);
      await world.crashServer(); // nobody is there any more: the other address is tried
      const error = await ira.done as Error & { exitCode: number };
      assertEquals(error.exitCode, exitCodes.trust);
      assertStringIncludes(error.message, "has changed");
      assertEquals(other.server.rooms.store.rooms().length, 0);
    } finally {
      await other.close();
    }
  },
);
