/** Closed rooms, roles and removal, over real sockets: every change is a named person's act. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { headIn, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

worldTest(
  "/close keeps newcomers waiting; /invite NAME lets one in, by a named admin's act",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    ira.view.type("/close");
    await until("closed", () => headIn(sam)?.policy === 1);
    await until("told", () => sam.view.notices.join("\n").includes("ira closed the room"));
    const dana = await world.join("dana");
    await until("told", () => dana.view.notices.some((text) => text.includes("closed: only an admin")));
    assertEquals(dana.view.promptText, "lobby (waiting to be let in)> ");
    sam.view.type("/invite dana");
    await until("refused", () => sam.view.warnings.some((text) => text.includes("Only an admin of lobby")));
    ira.view.type("/invite dana");
    await dana.view.until((e) => e.type === "entered");
    const added = await sam.view.until((e) => e.type === "added" && e.who === "dana");
    assertEquals(added.type === "added" && added.by, "ira");
    dana.view.type("thanks");
    await ira.view.hears("dana: thanks");
  },
);

worldTest("/invite NAME lets in somebody who is away: the room is there on return", async (world) => {
  const dana = await world.enter("dana", { room: "elsewhere" });
  dana.view.type("EXIT");
  await dana.done;
  const ira = await world.enter("ira");
  ira.view.type("/close", "/invite dana");
  await until("let in", () => headIn(ira)?.roster.length === 2);
  ira.view.type("welcome");
  await ira.view.hears("ira: welcome");
  const back = await world.enter("dana", { room: "elsewhere" });
  await back.view.until((e) => e.type === "message" && e.room === "lobby" && e.text === "welcome");
  back.view.type("/switch lobby", "here I am");
  await ira.view.hears("dana: here I am");
});

worldTest(
  "/kick: shown to all as the admin's act; who is out reads nothing more, and may not return unseen",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const dana = await world.enter("dana");
    dana.view.type("/kick sahnawaz");
    await until("refused", () => dana.view.warnings.some((text) => text.includes("Only an admin")));
    ira.view.type("/close");
    await until("closed", () => headIn(dana)?.policy === 1);
    ira.view.type("/kick sahnawaz");
    await dana.view.until((e) => e.type === "removed" && e.who === "sahnawaz" && e.by === "ira" && !e.left);
    assertEquals(
      String(await sam.done),
      'NotMember: You are no longer in the room "lobby"'.replace("NotMember", "ChatError"),
    );
    ira.view.type("among us");
    await dana.view.hears("ira: among us");
    assertEquals(sam.view.said, []);
  },
);

worldTest(
  "who was kicked stays out of an open room until an admin says so; who was told to come back does",
  async (world) => {
    const ira = await world.enter("ira");
    const dana = await world.enter("dana");
    const sam = await world.enter("sahnawaz");
    ira.view.type("/kick --return sahnawaz");
    await sam.done;
    const again = await world.enter("sahnawaz");
    await dana.view.until((e) => e.type === "added" && e.who === "sahnawaz");
    ira.view.type("/kick sahnawaz");
    await again.done;
    const out = await world.join("sahnawaz");
    await until("told", () => out.view.notices.some((text) => text.includes('You were put out of "lobby"')));
    await until("asked", () => ira.view.notices.some((text) => text.includes("/invite sahnawaz")));
    dana.view.type("/invite sahnawaz");
    await until("refused", () => dana.view.warnings.some((text) => text.includes("Only an admin of lobby")));
    assertEquals(headIn(ira)?.roster.map(({ name }) => name), ["ira", "dana"]);
    ira.view.type("/ban");
    await until("listed", () => ira.view.answers.some((line) => line.startsWith("  sahnawaz (")));
    ira.view.type("/invite sahnawaz");
    await out.view.until((e) => e.type === "entered");
    assertEquals(headIn(ira)?.bans, []);
  },
);

worldTest("/ban keeps out who never was in, also by the hand of others, until /unban", async (world) => {
  const ira = await world.enter("ira");
  const dana = await world.enter("dana");
  const sam = await world.enter("sahnawaz", { room: "elsewhere" });
  dana.view.type("/ban sahnawaz");
  await until("refused", () => dana.view.warnings.some((text) => text.includes("Only an admin of lobby")));
  ira.view.type("/ban sahnawaz");
  await until("kept out", () => headIn(dana)?.bans.length === 1);
  assertStringIncludes(dana.view.notices.join("\n"), "ira keeps ");
  sam.view.type("/join lobby");
  await until("told", () => sam.view.notices.some((text) => text.includes("You were put out")));
  ira.view.type("/ban sahnawaz");
  await until("no need", () => ira.view.warnings.some((text) => text.includes("already")));
  ira.view.type("/unban nobody");
  await until("nobody", () => ira.view.warnings.some((text) => text.includes("is not kept out of lobby")));
  ira.view.type("/unban sahnawaz");
  await ira.view.until((e) => e.type === "added" && e.who === "sahnawaz");
  assertEquals(headIn(ira)?.bans, []);
});

worldTest("/open lets anyone in again", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("/close");
  await until("closed", () => headIn(ira)?.policy === 1);
  const sam = await world.join("sahnawaz");
  await until("told", () => sam.view.notices.some((text) => text.includes("closed")));
  ira.view.type("/open");
  await until("open", () => headIn(ira)?.policy === 0);
  sam.view.type("EXIT");
  await sam.done;
  const again = await world.enter("sahnawaz");
  again.view.type("in");
  await ira.view.hears("sahnawaz: in");
});

const nonsense: [string, RegExp][] = [
  ["/kick", /Whom\? \/kick NAME/],
  ["/kick nobody", /no member/],
  ["/kick --return", /Whom\? \/kick NAME/],
  ["/ban nobody", /nobody called/],
  ["/ban ira", /That is you/],
  ["/unban", /Whom\? \/unban NAME/],
  ["/unban nobody", /not kept out/],
  ["/kick ira", /That is you/],
  ["/invite ira", /That is you/],
  ["/invite --revoke", /No invite to lobby lets anybody in/],
  ["/invite --revoke dana", /No invite to lobby is for "dana"/],
  ["/invite --pass b/ad", /"b\/ad" is no name/],
  ["/invite --pas dana", /no option "--pas"/],
  ["/invite b\u001b[2Jad", /nobody called/],
  ["/open", /open already/],
  ["/msg", /To whom/],
  ["/msg ira hello", /That is you/],
  ["/msg nobody hello", /nobody called/],
  ["/query", /Whom/],
  ["/switch nowhere", /no room called/],
  ["/join bad name!", /cannot be a room name/],
  ["/verify nobody", /nobody called/],
  ["/whois nobody", /nobody called/],
];
worldTest("each command that cannot be done says why, and sends nothing", async (world) => {
  const ira = await world.enter("ira");
  for (const [line, why] of nonsense) {
    const before = ira.view.warnings.length;
    ira.view.type(line);
    await until(line, () => ira.view.warnings.length > before);
    assertEquals(why.test(ira.view.warnings.at(-1)!), true, `${line}: ${ira.view.warnings.at(-1)}`);
  }
  assertEquals(ira.view.said, []);
});

worldTest("the admin who leaves is followed by the first member, who can administer", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  const dana = await world.enter("dana");
  ira.view.type("/leave");
  await ira.done;
  await until("out", () => headIn(sam)?.roster.map(({ name }) => name).join() === "sahnawaz,dana");
  sam.view.type("/kick dana");
  await until("kicked", () => headIn(sam)?.roster.length === 1);
  assertEquals((await dana.done) instanceof Error, true);
});

worldTest("/invite NAME typed twice lets in once, and nothing is refused", async (world) => {
  const dana = await world.enter("dana", { room: "elsewhere" });
  const ira = await world.enter("ira");
  ira.view.type("/close", "/invite dana", "/invite DANA");
  await until("let in", () => headIn(ira)?.roster.length === 2);
  await dana.view.until((e) => e.type === "entered" && e.room === "lobby");
  assertEquals(ira.view.warnings.filter((text) => text.includes("refused a change")), []);
});
