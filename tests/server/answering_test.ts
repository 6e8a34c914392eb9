/** The answering server (protocol §8.5), over real sockets: with a person at the console, and by itself. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { Answering } from "../../lib/server/answering.ts";
import { Console } from "../../lib/server/console.ts";
import { person } from "../fakes/people.ts";
import { until, World } from "../fakes/world.ts";

const key = new Uint8Array(32).fill(7);

function answeringTest(
  name: string,
  acknowledge: boolean,
  act: (world: World, enter: (line: string) => string[], heard: string[]) => Promise<void>,
): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const heard: string[] = [];
      const { identity } = await person("server");
      const answering = new Answering({
        key,
        identity,
        clock: systemClock,
        random: systemRandom,
        acknowledge,
        heard: (from, _, text) => void heard.push(`${from}: ${text}`),
        partner: () => {},
      });
      const world = await World.open({ answering });
      const console = new Console({ server: world.server, answering, invite: () => "", now: () => 0 });
      try {
        await act(world, (line) => console.enter(line).lines, heard);
      } finally {
        await world.close();
      }
    },
  });
}

answeringTest(
  "several ask at once: each gets its own answer, and nobody another's",
  false,
  async (world, enter, heard) => {
    const names = ["ira", "sahnawaz", "dana", "erin"];
    const people = await Promise.all(names.map((name) => world.enter(name, { fernet: key })));
    assertStringIncludes(people[0].view.notices.join(), "The server reads this room");
    for (const [i, { view }] of people.entries()) view.type(`question ${i}`);
    await until("heard", () => heard.length === 4);
    for (const [i, name] of names.entries()) enter(`@${name} answer ${i}`);
    for (const [i, { view }] of people.entries()) {
      await view.until((e) => e.type === "message" && e.answer === true);
      await view.hears(`server: answer ${i}`);
      const answers = view.events.filter((e) => e.type === "message" && e.answer);
      assertEquals(answers.length, 1);
      assertEquals(view.warnings, []);
    }
  },
);

answeringTest(
  "a plain line answers whoever spoke last; commands stay commands",
  false,
  async (world, enter, heard) => {
    const ira = await world.enter("ira", { fernet: key });
    const sam = await world.enter("sahnawaz", { fernet: key });
    assertStringIncludes(enter("nobody has spoken")[0], "not a command");
    ira.view.type("first");
    await until("heard", () => heard.includes("ira: first"));
    sam.view.type("second");
    await until("heard", () => heard.includes("sahnawaz: second"));
    assertEquals(enter("who are you?"), ["[+] Answered sahnawaz"]);
    await sam.view.hears("server: who are you?");
    assertEquals(enter("WHO").length, 2);
    assertStringIncludes(enter("notice that this goes to one").join(), "Answered sahnawaz");
    await sam.view.hears("server: notice that this goes to one");
    assertEquals(enter("@Ira to you"), ["[+] Answered ira"]);
    await ira.view.hears("server: to you");
    assertEquals(ira.view.said.filter((line) => line.startsWith("server")), ["server: to you"]);
    sam.view.type("EXIT");
    await sam.done;
    await until("gone", () => world.server.linked === 1);
    assertStringIncludes(enter("@sahnawaz still there?")[0], "not here");
    assertEquals(enter("then you"), ["[+] Answered ira"]);
  },
);

answeringTest(
  "--answer-ack replies to each message by itself, to its sender only",
  true,
  async (world, _, heard) => {
    const ira = await world.enter("ira", { fernet: key });
    const sam = await world.enter("sahnawaz", { fernet: key });
    ira.view.type("one", "two");
    sam.view.type("three");
    await ira.view.hears("server: Server received: two");
    await sam.view.hears("server: Server received: three");
    const answers = (view: typeof ira.view) => view.said.filter((line) => line.startsWith("server"));
    assertEquals(answers(ira.view), ["server: Server received: one", "server: Server received: two"]);
    assertEquals(answers(sam.view), ["server: Server received: three"]);
    assertEquals(heard.length, 3);
    // Answers are no part of the log: who returns is not told them again.
    ira.view.type("EXIT");
    await ira.done;
    const again = await world.enter("ira", { fernet: key });
    again.view.type("four");
    await again.view.hears("server: Server received: four");
    assertEquals(answers(again.view), ["server: Server received: four"]);
    assertEquals(again.view.warnings, []);
  },
);

answeringTest(
  "a room of the key by another name is known by its first message, and its members are told",
  false,
  async (world, _, heard) => {
    const ira = await world.enter("ira", { fernet: key, room: "attic" });
    const elsewhere = await world.enter("dana", { fernet: new Uint8Array(32).fill(9) });
    assertEquals(ira.view.notices.join().includes("The server reads this room"), false);
    ira.view.type("hello");
    elsewhere.view.type("not for the server");
    await until("told", () => ira.view.notices.some((text) => text.includes("The server reads this room")));
    await elsewhere.view.hears("dana: not for the server");
    assertEquals(heard, ["ira: hello"]);
    ira.view.type("more");
    await until("heard", () => heard.length === 2);
    assertEquals(ira.view.said, ["ira: hello", "ira: more"]);
  },
);
