/** The short form of `deno task soak`: a steady load, and strangers who come and go, in the time that CI has. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { drawCurves } from "../../scripts/bench/curves.ts";
import { Load } from "../../scripts/bench/fan_out.ts";
import { enter } from "../../scripts/bench/handshakes.ts";
import { makePeople } from "../../scripts/bench/member.ts";
import { RoomOfLoad } from "../../scripts/bench/room_of_load.ts";
import { e2e, freePort } from "./chat_process.ts";

const lifted = ["--max-links-per-address", "--handshake-burst", "--send-burst", "--sends-per-second"];

e2e(
  "40 members at a steady load: nothing is lost, doubled or refused, and memory does not run away",
  async (home) => {
    const port = freePort();
    const server = home.start("serve", "-p", String(port), ...lifted.flatMap((flag) => [flag, "1000"]));
    await server.shows("Invite");
    const room = new RoomOfLoad(await makePeople(40, "s"), port);
    await room.login(4);
    await room.join();
    const load = new Load(room, 8);
    const strangers = await makePeople(5, "v");
    const rssKb: number[] = [];
    for (let round = 0; round < 4; round++) {
      (await enter(strangers[round % strangers.length], port)).close();
      assertEquals((await load.paced(40, 2)).length, 80);
      rssKb.push(await rssOf(port));
    }
    room.close();
    assertGreater(rssKb[1] + 40_000, Math.max(...rssKb.slice(2)));
    server.kill("SIGTERM");
    assertEquals(await server.code, 0);
    assertEquals(server.out.includes("fault of this program"), false);
  },
);

async function rssOf(port: number): Promise<number> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `grep -h VmRSS /proc/$(pgrep -f -- "serve -p ${port} " | head -1)/status`],
  }).output();
  return Number(/\d+/.exec(new TextDecoder().decode(stdout))![0]);
}

test("the picture of a soak has a panel and a line for each curve, and axes that end at round numbers", () => {
  const svg = drawCurves("a title", [{ name: "memory, MB", points: [[0, 80], [10, 130]] }, {
    name: "latency, ms",
    points: [[0, 7], [10, 6]],
  }]);
  assertEquals(svg.match(/<polyline/g)?.length, 2);
  for (const text of ["a title", "memory, MB", "latency, ms", ">200<", ">10<", "10 min"]) {
    assertStringIncludes(svg, text);
  }
});
