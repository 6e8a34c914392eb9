/** The answering server (protocol §8.5), over real sockets: with a person at the console, and by itself. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { Answering } from "../../lib/server/rooms/answering.ts";
import { Console } from "../../lib/server/operator/console.ts";
import { person } from "../fakes/people.ts";
import { until } from "../fakes/until.ts";
import { World } from "../fakes/world.ts";

const key = new Uint8Array(32).fill(7);

function answeringTest(
  name: string,
  acknowledge: boolean,
  act: (
    world: World & { restartServer(): Promise<void> },
    enter: (line: string) => string[],
    heard: string[],
  ) => Promise<void>,
): void {
  test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const heard: string[] = [];
      const { identity } = await person("server");
      const make = () =>
        new Answering({
          key,
          identity,
          clock: systemClock,
          random: systemRandom,
          acknowledge,
          heard: (from, _, text) => void heard.push(`${from}: ${text}`),
          partner: () => {},
        });
      const answering = make();
      const opened = await World.open({ answering });
      const restartServer = async () => {
        await opened.server.stop();
        await opened.startServer({ answering: make() });
      };
      const world = Object.assign(opened, { restartServer });
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
    const people = await Promise.all(names.map((name) => world.enter(name, { fernetKey: key })));
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
    const ira = await world.enter("ira", { fernetKey: key });
    const sam = await world.enter("sahnawaz", { fernetKey: key });
    assertStringIncludes(enter("nobody has spoken")[0], "Nobody who has said something is here");
    ira.view.type("first");
    await until("heard", () => heard.includes("ira: first"));
    sam.view.type("second");
    await until("heard", () => heard.includes("sahnawaz: second"));
    assertEquals(enter("who are you?"), ["[+] Answered sahnawaz"]);
    await sam.view.hears("server: who are you?");
    assertEquals(enter("WHO").length, 2);
    // A command that takes words must be meant: it is neither done nor said.
    for (const line of ["notice that this goes to all", "kick ira", "Ban sahnawaz"]) {
      assertStringIncludes(enter(line)[0], "was neither done nor sent");
    }
    assertEquals(enter("@Ira to you"), ["[+] Answered ira"]);
    await ira.view.hears("server: to you");
    assertEquals(ira.view.said.filter((line) => line.startsWith("server")), ["server: to you"]);
    sam.view.type("EXIT");
    await sam.done;
    await until("gone", () => world.server.linked === 1);
    assertStringIncludes(enter("@sahnawaz still there?")[0], "not here");
    const dana = await world.enter("dana");
    assertStringIncludes(enter("@dana hello")[0], "has said nothing to be answered yet");
    dana.chat.quit();
    assertEquals(enter("then you"), ["[+] Answered ira"]);
  },
);

answeringTest(
  "--answer-ack replies to each message by itself, to its sender only",
  true,
  async (world, _, heard) => {
    const ira = await world.enter("ira", { fernetKey: key });
    const sam = await world.enter("sahnawaz", { fernetKey: key });
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
    const again = await world.enter("ira", { fernetKey: key });
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
    const ira = await world.enter("ira", { fernetKey: key, room: "attic" });
    const elsewhere = await world.enter("dana", { fernetKey: new Uint8Array(32).fill(9) });
    assertEquals(ira.view.notices.join().includes("The server reads this room"), false);
    ira.view.type("hello");
    elsewhere.view.type("not for the server");
    await until("told", () => ira.view.notices.some((text) => text.includes("The server reads this room")));
    await elsewhere.view.hears("dana: not for the server");
    assertEquals(heard, ["ira: hello"]);
    ira.view.type("more");
    await until("heard", () => heard.length === 2);
    await ira.view.hears("ira: more");
    assertEquals(ira.view.said, ["ira: hello", "ira: more"]);
  },
);

answeringTest(
  "the asker leaves while the operator types: nothing is shown to the others",
  false,
  async (world, enter, heard) => {
    const ira = await world.enter("ira", { fernetKey: key });
    const sam = await world.enter("sahnawaz");
    ira.view.type("what is the code?");
    await until("heard", () => heard.length === 1);
    ira.view.type("EXIT");
    await ira.done;
    await until("gone", () => world.server.linked === 1);
    assertStringIncludes(enter("notice the code is 4711")[0], "neither done nor sent");
    assertStringIncludes(enter("the code is 4711")[0], "Nobody who has said something is here");
    assertEquals(sam.view.notices.filter((text) => text.includes("4711")), []);
  },
);

answeringTest("answers go on after a restart, however many there were in a second", true, async (world) => {
  const ira = await world.enter("ira", { fernetKey: key });
  for (let i = 0; i < 12; i++) ira.view.type(`${i}`);
  await ira.view.hears("server: Server received: 11");
  await world.restartServer();
  ira.view.type("after");
  await ira.view.hears("server: Server received: after");
  assertEquals(ira.view.warnings.filter((text) => text.includes("repeated")), []);
});

answeringTest(
  "a room that was read is marked after a restart, whatever was said there last",
  false,
  async (world, _, heard) => {
    const ira = await world.enter("ira", { fernetKey: key, room: "attic" });
    ira.view.type("hello");
    await until("heard", () => heard.length === 1);
    await world.restartServer();
    const dana = await world.enter("dana", { fernetKey: key, room: "attic" });
    assertStringIncludes(dana.view.notices.join(), "The server reads this room");
  },
);
