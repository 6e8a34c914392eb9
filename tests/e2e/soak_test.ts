/** The short form of `deno task soak`: a steady load, and strangers who come and go, in the time that CI has. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { fromFileUrl } from "@std/path";
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

e2e(
  "ten identities do the worst they may: what others say arrives, nobody is put off, and memory stays bounded",
  async (home) => {
    const port = freePort();
    const server = home.start(
      "serve",
      "-p",
      String(port),
      "--send-burst",
      "1000",
      "--sends-per-second",
      "1000",
    );
    await server.shows("Invite");
    const ira = home.start("join", "-u", "ira", "-p", String(port));
    await ira.shows("In the room", "err");
    const room = new RoomOfLoad(await makePeople(12, "s"), port);
    await room.login(4);
    await room.join();
    const load = new Load(room, 4);
    const before = await rssOf(port);
    // In a process of their own: they would starve the members of this one, and not those of the server.
    const run = { flooders: 10, port, seconds: 8, room: encodeHex(room.room) };
    const generator = fromFileUrl(new URL("../../scripts/bench/generator.ts", import.meta.url));
    const command =
      `exec ${Deno.execPath()} run -q --allow-net=127.0.0.0/8 --allow-read ${generator} member-floods '${
        JSON.stringify(run)
      }'`;
    const flooding = new Deno.Command("sh", { args: ["-c", command], stderr: "null" }).output();
    // Each line is confirmed, and reaches every member: else these never end.
    for (let round = 0; round < 3; round++) assertEquals((await load.paced(20, 2)).length, 40);
    await ira.type("still here\n");
    await ira.shows("ira: still here");
    const told = new TextDecoder().decode((await flooding).stdout).trim().split("\n");
    assertEquals([told.length, told.every((row) => row.includes("WELCOME"))], [10, true], told.join("\n"));
    assertGreater(before + 250_000, await rssOf(port));
    assertEquals((await load.paced(20, 1)).length, 20);
    room.close();
    await ira.type("/quit\n");
    assertEquals(await ira.code, 0, ira.err);
    server.kill("SIGTERM");
    assertEquals(await server.code, 0);
    assertEquals(/fault of this program|error/.test(server.out + server.err), false, server.out);
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
