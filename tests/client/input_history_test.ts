/** What the arrow keys bring back: kept over runs, sealed, and bounded. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { InputHistory } from "../../lib/client/profile/input_history.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { person } from "../fakes/people.ts";

async function inFolder(act: (open: () => InputHistory, dir: string) => void): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  const files = await SealedFiles.open(dir, (await person("ira")).identity, systemRandom);
  act(() => new InputHistory(files), dir);
  Deno.removeSync(dir, { recursive: true });
}
test("lines that were typed are there in the next run, once each, and nowhere in clear", async () => {
  await inFolder((open, dir) => {
    const lines = open();
    for (const line of ["first", "second", "second", "first"]) lines.add(line);
    assertEquals(open().all, ["first", "second", "first"]);
    assert(!new TextDecoder("latin1").decode(Deno.readFileSync(`${dir}/lines.state`)).includes("second"));
    open().forget();
    assertEquals(open().all, []);
  });
});
test("they are at most 200, and few when they are long", async () => {
  await inFolder((open) => {
    const lines = open();
    for (let i = 0; i < 250; i++) lines.add(`line ${i}`);
    assertEquals([lines.all.length, lines.all[0]], [200, "line 50"]);
    for (const letter of ["a", "b", "c", "d"]) lines.add(letter.repeat(15_000));
    assertEquals(lines.all.map((line) => line[0]), ["c", "d"]);
    lines.add("e".repeat(60_000));
    assertEquals(lines.all.length, 1);
  });
});
