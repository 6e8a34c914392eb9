/** /ignore, /why, /history, /search, /forget, pasted lines, and what Tab offers. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { completion } from "../../lib/client/commands/completion.ts";
import { commands, wordsOf } from "../../lib/client/commands/commands.ts";
import { ChatError } from "../../lib/errors.ts";
import { type Client, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

async function ask({ view }: Client, line: string): Promise<string[]> {
  const before = view.answers.length + view.notices.length + view.warnings.length;
  const [answers, notices, warnings] = [view.answers.length, view.notices.length, view.warnings.length];
  view.type(line);
  await until("answered", () => view.answers.length + view.notices.length + view.warnings.length > before);
  return [...view.answers.slice(answers), ...view.notices.slice(notices), ...view.warnings.slice(warnings)];
}

worldTest(
  "/ignore: nothing of that key is shown, also after a restart, until it is taken back",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const dana = await world.enter("dana");
    assertEquals(await ask(dana, "/ignore"), ["You ignore nobody."]);
    assertMatch((await ask(dana, "/ignore IRA"))[0], /^Nothing that ira says is shown or kept any more/);
    ira.view.type("buy now", "/msg dana psst");
    sam.view.type("hello");
    await dana.view.hears("sahnawaz: hello");
    assertEquals(dana.view.said, ["sahnawaz: hello"]);
    assertEquals(await ask(dana, "/ignore"), ["You ignore ira."]);
    dana.view.type("EXIT");
    await dana.done;
    const back = await world.enter("dana");
    ira.view.type("buy again");
    sam.view.type("hello again");
    await back.view.hears("sahnawaz: hello again");
    assertEquals(back.view.said, ["sahnawaz: hello again"]);
    await ask(back, "/ignore ira");
    ira.view.type("sorry");
    await back.view.hears("ira: sorry");
    // The room of two may be read only now, and is told of then: the answer is not the next thing to come.
    back.view.type("/ignore nobody-here");
    const told = () => [...back.view.answers, ...back.view.notices, ...back.view.warnings];
    await until("refused", () => told().some((text) => text.startsWith("There is nobody called")));
  },
);

worldTest(
  "/why tells who could read a message, its epoch, its key, and whether others confirm it",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    assertStringIncludes((await ask(sam, "/why"))[0], "Nothing was said here since you joined");
    ira.view.type("the plan");
    await sam.view.hears("ira: the plan");
    const why = await ask(sam, "/why");
    assertMatch(why[0], /^\| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ira: the plan$/);
    assertMatch(
      why[1],
      /^ {2}Signed with the key (\d{5} ?)+, not verified; "\/verify ira" compares digits\.$/,
    );
    assertMatch(why[2], /^ {2}Sealed with the keys of epoch \d+, at position \d+ of lobby\.$/);
    assertEquals(why[3], "  Could be read by: ira, sahnawaz; not by the server.");
    assertEquals(why[4], "  Nobody else has confirmed yet to see the same up to there.");
    sam.view.type("/verify ira");
    await until("asked", () => sam.view.promptText.includes("Are they the same?"));
    sam.view.type("yes");
    await until("verified", () => sam.chat.conversation.isVerified("ira"));
    assertMatch((await ask(sam, "/why"))[1], /, which you have verified\.$/);
    const dana = await world.enter("dana");
    sam.view.type("for three");
    await dana.view.hears("sahnawaz: for three");
    assertStringIncludes((await ask(sam, "/why"))[3], "ira, sahnawaz, dana");
    assertMatch((await ask(sam, "/why"))[1], /^ {2}Signed by you, with the key /);
    assertStringIncludes((await ask(sam, "/why 2"))[0], "ira: the plan");
    await ira.view.hears("sahnawaz: for three");
    ira.view.type("seen");
    await sam.view.hears("ira: seen");
    assertEquals((await ask(sam, "/why 2"))[4], "  ira has confirmed to see the same up to there.");
    assertMatch((await ask(sam, "/who")).at(-1)!, /^ira has confirmed to see the same up to \d\d:\d\d \(/);
    for (const bad of ["0", "x", "1.5", "99"]) {
      assertMatch(
        (await ask(sam, `/why ${bad}`))[0],
        /^(Which|Fewer)/,
      );
    }
  },
);

worldTest("with --history off nothing is kept, and /history says how to", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("gone");
  await ira.view.hears("ira: gone");
  assertEquals(await ask(ira, "/history"), [
    "Nothing of lobby is kept here.",
    'Nothing is kept now; "chat join --history 30d" keeps what is said.',
  ]);
});
worldTest(
  "--history keeps what is said, sealed; /history, /search over all rooms, /forget wipes",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz", { history: { days: 30, isPersons: true } });
    for (let i = 0; i < 300; i++) ira.view.type(`the number ${i}`);
    await sam.view.hears("ira: the number 299");
    sam.view.type("/msg ira a Secret plan");
    await sam.view.until((e) => e.type === "message" && e.text === "a Secret plan");
    sam.view.type("EXIT");
    await sam.done;
    ira.view.type("said while sam was away");
    await ira.view.hears("ira: said while sam was away");

    const files: string[] = [];
    const walk = (dir: string) => {
      for (const { name, isDirectory } of Deno.readDirSync(dir)) {
        if (isDirectory) walk(`${dir}/${name}`);
        else if (dir.endsWith("/history")) files.push(`${dir}/${name}`);
      }
    };
    walk(`${world.dir}/profiles/sahnawaz`);
    assertEquals(files.length, 2); // a room and day each
    for (const path of files) {
      const bytes = new TextDecoder("latin1").decode(Deno.readFileSync(path));
      assert(!/the number|a Secret plan|lobby/.test(bytes), "a line lies open");
      assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    }

    const back = await world.enter("sahnawaz", { history: { days: 30, isPersons: true } });
    await back.view.hears("ira: said while sam was away");
    await until("entered", () => back.view.room === "lobby");
    assertEquals(back.view.titles, ["lobby: said before, kept here"]);
    assertEquals(back.view.answers.length, 20);
    assertStringIncludes(back.view.answers.at(-1)!, "ira: the number 299");
    const last = await ask(back, "/history 3");
    assertEquals(back.view.titles.at(-1), "lobby: the last 3 kept here");
    assertEquals(last.map((line) => line.slice(20)), [
      "ira: the number 298",
      "ira: the number 299",
      "ira: said while sam was away",
    ]);
    assertEquals((await ask(back, "/history 1000")).length, 301);
    assertEquals((await ask(back, "/history")).length, 20);
    assertEquals((await ask(back, "/search secret PLAN")).map((line) => line.slice(20)), [
      "[@ira] sahnawaz: a Secret plan",
    ]);
    assertEquals((await ask(back, "/search number 1")).length, 50);
    assertStringIncludes(back.view.titles.at(-1)!, "more words find fewer");
    assertEquals(await ask(back, "/search zebra"), ['No line that is kept here has "zebra" in it.']);
    for (const bad of ["/history 0", "/history many", "/search"]) {
      assert(
        (await ask(back, bad))[0].includes("?"),
      );
    }
    back.view.type("/forget");
    await until("asked", () => back.view.promptText.includes("Go on?"));
    back.view.type("yes");
    await until("wiped", () => back.view.notices.some((text) => text.startsWith("They are wiped")));
    assertEquals(await ask(back, "/search number"), ['No line that is kept here has "number" in it.']);
    ira.view.type("kept again");
    await back.view.hears("ira: kept again");
    assertEquals((await ask(back, "/history")).map((line) => line.slice(20)), ["ira: kept again"]);
  },
  { limits: { sendBurst: 2000, sendsPerSecond: 2000 } },
);
worldTest("--history keeps a line once that was held, and one that a cut brings again", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.join("sahnawaz", { history: { days: 30, isPersons: true } });
  sam.view.holds = true;
  await sam.view.until((event) => event.type === "entered");
  ira.view.type("/msg sahnawaz held");
  await until("held", () => sam.view.shown.rooms.some((room) => room.unread === 1));
  sam.cut();
  await until("back", () => sam.view.shown.offline === null && sam.chat.conversation.room!.isCaughtUp);
  sam.view.type("/switch @ira");
  await sam.view.hears("ira: held");
  sam.view.type("/search held");
  await until("found", () => sam.view.answers.length > 0);
  assertEquals(sam.view.answers.map((line) => line.slice(20)), ["ira: held"]);
});

worldTest("what is pasted, or said by a program, is said as it stands, where it is to go", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const pending: string[] = [];
  const refused: string[] = [];
  const told = {
    pending: (id: string) => void pending.push(id),
    refused: (e: Error) => void refused.push(e.message),
  };
  ira.view.type({ texts: ["/quit", "EXIT", "two\nlines"], ...told });
  await sam.view.hears("ira: two\nlines");
  assertEquals(sam.view.said, ["ira: /quit", "ira: EXIT", "ira: two\nlines"]);
  ira.view.type({ texts: ["psst"], to: "sahnawaz", action: true, ...told });
  await sam.view.until((e) => e.type === "message" && e.room === "@ira" && e.action);
  ira.view.type({ texts: ["again"], room: "@sahnawaz", ...told });
  await sam.view.hears("ira: again");
  assertEquals(pending.length, 5);
  ira.view.type({ texts: ["x"], room: "nowhere", ...told });
  ira.view.type({ texts: ["x"], to: "nobody-here", ...told });
  ira.view.type({ texts: ["x".repeat(20_000)], ...told });
  await until("refused", () => refused.length === 3);
  assertMatch(
    refused.join("|"),
    /^You are in no room called "nowhere"\|There is nobody called "nobody-here".*\|That is 20000 bytes/,
  );
});
worldTest(
  "put out of the room on the screen, what is pasted is said nowhere else, and what names a room is",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    ira.view.type("/join dev");
    await until("there", () => ira.view.room === "dev");
    sam.view.type("/join dev");
    await until("there too", () => sam.view.room === "dev" && sam.chat.conversation.room!.isCaughtUp);
    ira.view.type("/kick sahnawaz");
    await until("put out", () => sam.view.room === "lobby");
    const refused: string[] = [];
    sam.view.type({ texts: ["one", "two", "three"], refused: (error) => void refused.push(error.message) });
    await until("refused", () => refused.length === 1);
    assertEquals(refused, ["You are in lobby now, and nothing was sent"]);
    sam.view.type({ texts: ["  ", ""], refused: (error) => void refused.push(error.message) });
    await until("refused again", () => refused.length === 2);
    sam.view.type({ texts: ["for the lobby"], room: "lobby" }, "and this");
    await ira.view.hears("sahnawaz: and this");
    assertEquals(ira.view.said, ["sahnawaz: for the lobby", "sahnawaz: and this"]);
  },
);
worldTest("a history file that is damaged is told once, and keeps nobody from reading", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz", { history: { days: 30, isPersons: true } });
  ira.view.type("kept");
  await sam.view.hears("ira: kept");
  ira.view.type("kept too");
  await sam.view.hears("ira: kept too");
  sam.view.type("EXIT");
  await sam.done;
  const [profile] = [...Deno.readDirSync(`${world.dir}/profiles/sahnawaz`)].filter((e) => e.isDirectory);
  const server = `${world.dir}/profiles/sahnawaz/${profile.name}`;
  const folder = [server, ...[...Deno.readDirSync(server)].map((e) => `${server}/${e.name}`)]
    .map((dir) => `${dir}/history`).find((dir) => {
      try {
        return Deno.statSync(dir).isDirectory;
      } catch {
        return false;
      }
    })!;
  for (const { name } of Deno.readDirSync(folder)) {
    const bytes = Deno.readFileSync(`${folder}/${name}`);
    bytes[30] ^= 1;
    Deno.writeFileSync(`${folder}/${name}`, bytes);
  }
  const back = await world.enter("sahnawaz", { history: { days: 30, isPersons: true } });
  ira.view.type("one", "two");
  await back.view.hears("ira: two");
  assertEquals(back.view.warnings.length, 1);
  assertMatch(
    back.view.warnings[0],
    /^What was said cannot be shown: Cannot open .* \/forget begins the history anew\.$/,
  );
  back.view.type("/forget");
  await until("asked", () => back.view.promptText.includes("Go on?"));
  back.view.type("yes");
  await until("wiped", () => back.view.notices.some((text) => text.startsWith("They are wiped")));
  ira.view.type("three");
  await back.view.hears("ira: three");
  assertEquals((await ask(back, "/history")).map((line) => line.slice(20)), ["ira: three"]);
});
worldTest("/retry while cut off connects at once", async (world) => {
  const ira = await world.enter("ira");
  await world.crashServer();
  await until("offline", () => (ira.view.shown.offline?.retryMs ?? 0) > 0);
  await world.startServer();
  assertEquals((await ask(ira, "/retry"))[0], "Connecting now.");
  await until("back", () => ira.view.shown.offline === null);
});
worldTest("a program whose input was refused, or no input at all, ends with exit code 1", async (world) => {
  const bot = await world.join("ira", {}, false);
  bot.view.type(new ChatError("no", "no"), "hello");
  bot.view.end();
  const error = await bot.done;
  assert(error instanceof ChatError && error.exitCode === 1, String(error));
});
worldTest("--listen stays when the input has ended, and shows what is said", async (world) => {
  const ira = await world.enter("ira");
  const bot = await world.join("sahnawaz", { listen: true }, false);
  bot.view.end();
  await bot.view.until((event) => event.type === "entered");
  ira.view.type("hello");
  await bot.view.hears("ira: hello");
  bot.chat.quit();
  assertEquals(await bot.done, 0);
});
worldTest("lines typed while cut off wait in sight, and go out once", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  await world.crashServer();
  await until("offline", () => ira.view.shown.offline !== null);
  ira.view.type("typed offline");
  await ira.view.until((e) => e.type === "pending" && e.text === "typed offline");
  await world.startServer();
  await sam.view.hears("ira: typed offline");
  assertEquals(sam.view.said.filter((line) => line === "ira: typed offline").length, 1);
  await until("online", () => ira.view.shown.offline === null);
});

const words = {
  commands,
  people: ["sony", "sofia", "Bob"],
  rooms: ["lobby", "dev", "@sony"],
  files: ["report (2).pdf", "report.pdf", "other"],
  paths: (begun: string) => ["my notes.txt", "notes/", "now.txt"].filter((path) => path.startsWith(begun)),
};
const offers: [before: string, from: number, words: readonly string[]][] = [
  ["so", 0, ["sony: ", "sofia: "]],
  ["b", 0, ["Bob: "]],
  ["", 0, ["sony: ", "sofia: ", "Bob: "]],
  ["hello so", 6, ["sony ", "sofia "]],
  ["hello @so", 6, ["@sony ", "@sofia "]],
  ["/wh", 0, ["/who", "/whois ", "/why "]],
  ["/whois s", 7, ["sony ", "sofia "]],
  ["/whois sony s", 12, []],
  ["/msg so", 5, ["sony ", "sofia "]],
  ["/msg sony so", 10, ["sony ", "sofia "]],
  ["/me waves at so", 13, ["sony ", "sofia "]],
  ["/switch ", 8, ["lobby", "dev", "@sony"]],
  ["/switch @", 8, ["@sony"]],
  ["/help wh", 6, ["who", "whois", "why"]],
  ["/who s", 5, []],
  ["/get", 0, ["/get "]],
  ["/get re", 5, ["report (2).pdf", "report.pdf"]],
  ["/get report (", 5, ["report (2).pdf"]],
  ["/send no", 6, ["notes/", "now.txt"]],
  ["/send my notes", 6, ["my notes.txt"]],
  ["//so", 2, []],
  ["/nonsense s", 10, []],
  ["zz", 0, []],
];
for (const [before, from, expected] of offers) {
  test(`Tab after "${before}" offers ${expected.join("|") || "nothing"}`, () => {
    const offer = completion(before, words);
    assertEquals(offer.words, expected);
    if (expected.length > 0) assertEquals(offer.from, from);
  });
}
worldTest("Tab knows who spoke last, who else is here, and where lines wait", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const dana = await world.enter("dana");
  await sam.view.until((e) => e.type === "added" && e.who === "dana");
  assertEquals(wordsOf(sam.chat.conversation).people, ["dana", "ira"]);
  ira.view.type("first");
  await sam.view.hears("ira: first");
  assertEquals(wordsOf(sam.chat.conversation).people, ["ira", "dana"]);
  dana.view.type("second");
  await sam.view.hears("dana: second");
  assertEquals(wordsOf(sam.chat.conversation).people, ["dana", "ira"]);
  assertEquals(wordsOf(sam.chat.conversation).rooms, []);
});
