/** What convicts a server is a text that OpenSSL checks by itself, with the commands that stand in it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { nextHistory } from "../../lib/protocol/group/history.ts";
import { convictionText } from "../../lib/client/rooms/conviction.ts";
import { unhex } from "../fakes/vectors.ts";
import { hostileTest } from "../fakes/hostile_server.ts";
import { person } from "../fakes/people.ts";
import { runOf, signedBy, testSite } from "../fakes/site.ts";
import { test } from "../fakes/test.ts";
import { run } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";

const { card } = await person("server");
const bytes = (fill: number) => new Uint8Array(32).fill(fill);

/** Runs the commands of a text in a folder of their own. @returns how many signatures were found good */
async function checked(text: string): Promise<number> {
  const dir = Deno.makeTempDirSync({ prefix: "chat-conviction-" });
  try {
    const commands = text.split("\n").filter((line) => line.startsWith("echo "));
    assertEquals(commands.length, 3);
    let good = 0;
    for (const command of commands) {
      const result = await run("sh", ["-c", `cd "$0" && ${command}`, dir]);
      if (/Signature Verified Successfully/.test(result.text)) good++;
    }
    return good;
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function evidence(at: number, entries: Uint8Array<ArrayBuffer>[] = []) {
  const room = bytes(3);
  const ours = bytes(4);
  const last = entries.reduce(nextHistory, ours);
  return {
    card,
    runId: runOf(1),
    place: { site: testSite, room },
    theirs: signedBy(room, { pos: at, hash: bytes(5) }),
    ours,
    head: signedBy(room, { pos: at + entries.length, hash: last }),
    entries,
  };
}

test("two heads of one position: both signatures are good, by OpenSSL and the text alone", async () => {
  assertEquals(await checked(convictionText(evidence(7))), 2);
});
test("a later head: what it rests on follows from what was shown by the hashes in the text", async () => {
  const text = convictionText(evidence(7, [bytes(8), bytes(9)]));
  assertEquals(await checked(text), 2);
  const values = (name: string) =>
    [...text.matchAll(new RegExp(`^  ${name} ([0-9a-f]{64})$`, "gm"))].map((m) => m[1]);
  const [theirs, last, ours] = values("L");
  assert(theirs !== ours);
  const follows = values("e").map((e) => unhex(e)).reduce((l, e) => nextHistory(l, e), unhex(ours));
  assertEquals(follows, unhex(last));
});
test("a text with a signature that was changed convicts nobody", async () => {
  const true_ = evidence(7);
  const forged = { ...true_, theirs: { ...true_.theirs, headSig: true_.head.headSig } };
  assertEquals(await checked(convictionText(forged)), 1);
});
hostileTest(
  "a server that shows two histories convicts itself: the file is there, and OpenSSL checks it",
  async (world, server) => {
    const { sahnawaz: log } = server.bends("sahnawaz");
    const ira = await world.enter("ira", { port: server.port });
    const sam = await world.enter("sahnawaz", { port: server.port });
    log.next = "swap";
    ira.view.type("one", "two");
    await until("swapped", () => log.done > 0 && sam.view.said.length + sam.view.warnings.length > 1);
    ira.view.type("three");
    const told = () =>
      [ira, sam].flatMap(({ view }) => view.warnings).find((text) => /is in ".*txt"/.test(text));
    await until("told where", () => told() !== undefined);
    const text = Deno.readTextFileSync(/"(.*)"/.exec(told()!)![1]);
    assertMatch(text, /has signed two histories/);
    assertEquals(await checked(text), 2);
  },
);
