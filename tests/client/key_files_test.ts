/** Key files: mixed into an ordinary room (--key), and rooms of their own (--fernet), over real sockets. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { ChatError, exitCodes } from "../../lib/errors.ts";
import { headIn, worldTest } from "../fakes/world.ts";
import { sealToken } from "../../lib/crypto/fernet.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { lineOf } from "../../lib/ui/lines.ts";
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

worldTest(
  "in a key-file room who comes and goes is told as far as the server can say, and marked so",
  async (world) => {
    const ira = await world.enter("ira", { fernetKey: key });
    const sam = await world.enter("sahnawaz", { fernetKey: key });
    const came = await ira.view.until((e) => e.type === "presence" && e.here);
    assertEquals(came, { type: "presence", room: "lobby", who: "sahnawaz", here: true, isClaim: true });
    assertEquals(lineOf(came, { room: "lobby" })!.text, "[+] sahnawaz has come, says the server.");
    sam.view.type("EXIT");
    await sam.done;
    const went = await ira.view.until((e) => e.type === "presence" && !e.here);
    assertEquals(lineOf(went, { room: "lobby" })!.text, "[+] sahnawaz has gone, says the server.");
    assertEquals(
      sam.view.events.some((e) => e.type === "presence"),
      false,
      "who was there before is no news",
    );
  },
);
worldTest(
  "/why in a room with a key file names who has shown to have it, and apart who has not",
  async (world) => {
    const roomKey = new Uint8Array(32).fill(5);
    const ira = await world.enter("ira", { roomKey });
    const dana = await world.enter("dana", { room: "other" });
    ira.view.type("/invite dana");
    await ira.view.until((e) => e.type === "added" && e.who === "dana");
    const sam = await world.enter("sahnawaz", { roomKey });
    sam.view.type("hello");
    await ira.view.hears("sahnawaz: hello");
    ira.view.type("answer");
    await ira.view.hears("ira: answer");
    ira.view.type("/why");
    await until("told", () => ira.view.answers.some((line) => line.includes("Could be read by")));
    const at = ira.view.answers.findIndex((line) => line.includes("Could be read by"));
    assertEquals(ira.view.answers.slice(at, at + 2), [
      "  Could be read by: ira, sahnawaz; not by the server.",
      "  dana has not shown yet to have the key file: without it nobody can read it.",
    ]);
    dana.chat.quit();
  },
);
worldTest(
  "a token that another program has made is said as it is; one that does not open is refused",
  async (world) => {
    const ira = await world.enter("ira", { fernetKey: key });
    const sam = await world.enter("sahnawaz", { fernetKey: key });
    const token = (with_: Uint8Array<ArrayBuffer>, text: string) =>
      new TextDecoder().decode(
        sealToken(with_, 1_700_000_000, systemRandom(16), new TextEncoder().encode(text)),
      );
    const own = token(key, "by Python");
    const refused: string[] = [];
    ira.view.type({ texts: [own], isToken: true });
    const other = token(new Uint8Array(32).fill(9), "other key");
    ira.view.type({ texts: [other], isToken: true, refused: (error) => void refused.push(error.message) });
    const long = token(key, "x".repeat(17_000));
    ira.view.type({ texts: [long], isToken: true, refused: (error) => void refused.push(error.message) });
    await sam.view.hears("ira: by Python");
    const heard = await sam.view.until((e) => e.type === "message");
    assertEquals(heard.type === "message" && heard.token, own);
    await until("both refused", () => refused.length === 2);
    assertEquals(refused[0], "The token does not open with the key file of this room");
    const dana = await world.enter("dana");
    dana.view.type({ texts: [own], isToken: true, refused: (error) => void refused.push(error.message) });
    await until("refused", () => refused.length === 3);
    assertEquals(refused[2], "A token is for key-file rooms");
  },
);
