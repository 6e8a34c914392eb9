/** Key files: mixed into an ordinary room (--key), and rooms of their own (--fernet), over real sockets. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { ChatError, exitCodes } from "../../lib/errors.ts";
import { headIn, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

const key = new Uint8Array(32).fill(7);
const other = new Uint8Array(32).fill(8);

worldTest(
  "--key: who has the file talks; who has none or another is told at once, and nothing is lost",
  async (world) => {
    const ira = await world.enter("ira", { roomKey: key });
    const sam = await world.enter("sahnawaz", { roomKey: key });
    ira.view.type("secret");
    await sam.view.hears("ira: secret");
    assertEquals(headIn(ira)!.policy, 0x80);

    const without = await world.join("dana", {}, false);
    assertStringIncludes(String(await without.done), "needs its key file");
    const wrong = await world.join("dana", { roomKey: other });
    const error = await wrong.done as ChatError;
    assertStringIncludes(error.message, "The key file does not fit");
    assertEquals(error.exitCode, exitCodes.trust);
    assertEquals(wrong.view.said, []);

    const right = await world.enter("dana", { roomKey: key });
    ira.view.type("to all three");
    await right.view.hears("ira: to all three");
    right.view.type("got it");
    await sam.view.hears("dana: got it");
    assertEquals([...ira.view.warnings, ...sam.view.warnings], []);
  },
);

worldTest(
  "--key: a member who returns with another file, or none, is told at once; with the right one goes on",
  async (world) => {
    const ira = await world.enter("ira", { roomKey: key });
    const sam = await world.enter("sahnawaz", { roomKey: key });
    sam.view.type("EXIT");
    await sam.done;
    ira.view.type("/rekey");
    await until("a new epoch", () => headIn(ira)!.epoch === 2);
    ira.view.type("meanwhile");
    await ira.view.hears("ira: meanwhile");
    assertStringIncludes(
      String(await (await world.join("sahnawaz", { roomKey: other })).done),
      "does not fit",
    );
    assertStringIncludes(String(await (await world.join("sahnawaz")).done), "needs its key file");
    const again = await world.enter("sahnawaz", { roomKey: key });
    await again.view.hears("ira: meanwhile");
    again.view.type("back");
    await ira.view.hears("sahnawaz: back");
    assertEquals([...ira.view.warnings, ...again.view.warnings], []);
  },
);

worldTest("--key in a room that has none is refused", async (world) => {
  await world.enter("ira");
  const sam = await world.join("sahnawaz", { roomKey: key });
  assertStringIncludes(String(await sam.done), "has no key file");
});

worldTest(
  "a key-file room that is not asked for is passed over, and the other room goes on",
  async (world) => {
    const ira = await world.enter("ira", { roomKey: key, room: "vault" });
    ira.view.type("EXIT");
    await ira.done;
    const again = await world.enter("ira", { room: "lobby" });
    again.view.type("fine");
    await again.view.hears("ira: fine");
    assertEquals(again.view.warnings, []);
    again.view.type("EXIT");
    await again.done;
    const vault = await world.enter("ira", { roomKey: key, room: "vault" });
    vault.view.type("still mine");
    await vault.view.hears("ira: still mine");
  },
);

worldTest(
  "--fernet: whoever has the file talks, without being let in, and what was said before is there",
  async (world) => {
    const ira = await world.enter("ira", { fernetKey: key });
    assertStringIncludes(ira.view.notices.join(), "anyone with this file reads everything, past and future");
    ira.view.type("first");
    await ira.view.hears("ira: first");
    const sam = await world.enter("sahnawaz", { fernetKey: key });
    await sam.view.hears("ira: first");
    sam.view.type("second");
    await ira.view.hears("sahnawaz: second");
    const dana = await world.enter("dana", { fernetKey: other });
    dana.view.type("elsewhere");
    await dana.view.hears("dana: elsewhere");
    assertEquals(ira.view.said, ["ira: first", "sahnawaz: second"]);
    assertEquals(dana.view.said, ["dana: elsewhere"]);
    for (const { view } of [ira, sam, dana]) assertEquals(view.warnings, []);
  },
);

worldTest(
  "--fernet: away and back, over a restart of the server: each line once, in order",
  async (world) => {
    const ira = await world.enter("ira", { fernetKey: key });
    const sam = await world.enter("sahnawaz", { fernetKey: key });
    sam.view.type("EXIT");
    await sam.done;
    ira.view.type("one", "two");
    await ira.view.hears("ira: two");
    await world.server.stop();
    ira.view.type("three");
    await world.startServer();
    await ira.view.hears("ira: three");
    const again = await world.enter("sahnawaz", { fernetKey: key });
    await again.view.hears("ira: three");
    again.view.type("four");
    await ira.view.hears("sahnawaz: four");
    assertEquals(again.view.said, ["ira: one", "ira: two", "ira: three", "sahnawaz: four"]);
    assertEquals(again.view.warnings, []);
  },
);

worldTest(
  "--fernet: a person without a file reads nothing, though the server would give it",
  async (world) => {
    const ira = await world.enter("ira", { fernetKey: key });
    ira.view.type("xyzzy");
    await ira.view.hears("ira: xyzzy");
    const stored = world.server.rooms.keyFileRooms()[0].read(1, 1)[0].bytes!;
    assertEquals(new TextDecoder("latin1").decode(stored).includes("xyzzy"), false);
  },
);
