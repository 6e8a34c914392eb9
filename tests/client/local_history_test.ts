/** What is kept, at the borders of its segments and after a crash between keeping and acknowledging. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { LocalHistory } from "../../lib/client/profile/local_history.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { person } from "../fakes/people.ts";
import { said } from "../fakes/terminal_bench.ts";

const room = new Uint8Array(32).fill(1);

async function inFolder(
  act: (open: (isOn?: boolean) => LocalHistory, files: SealedFiles) => void,
): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  const files = await SealedFiles.open(dir, (await person("ira")).identity, systemRandom);
  act((isOn = true) => new LocalHistory(files, isOn), files);
  Deno.removeSync(dir, { recursive: true });
}
for (const lines of [1, 127, 128, 129, 256, 300]) {
  test(`${lines} lines are kept once each, also when the last come again after a restart`, async () => {
    await inFolder((open) => {
      const all = Array.from({ length: lines }, (_, i) => said(`line ${i}`));
      const first = open();
      for (const event of all) first.record(room, [event]);
      const second = open();
      second.record(room, all.slice(-100));
      second.record(room, [all.at(-1)!, { type: "held", room: "lobby", message: all.at(-1)! }]);
      assertEquals(second.last(room, 1000).map(({ text }) => text), all.map(({ text }) => text));
      assertEquals(second.last(room, 2).length, Math.min(2, lines));
    });
  });
}
test("what is late was kept when it came; with the history off nothing is", async () => {
  await inFolder((open) => {
    open().record(room, [said("late", { late: true })]);
    open(false).record(room, [said("off")]);
    assertEquals(open().last(room, 10), []);
  });
});
test("long lines begin new segments, and all are found", async () => {
  await inFolder((open) => {
    const history = open();
    for (let i = 0; i < 20; i++) history.record(room, [said(`${i} ${"x".repeat(16_000)}`)]);
    assertEquals(open().last(room, 100).length, 20);
    assertEquals(open().search(["19", "Xx"], 10).length, 1);
  });
});
test("a line that could not be written is kept when it comes again", async () => {
  await inFolder((open, files) => {
    const history = open();
    const [one, two, three] = ["one", "two", "three"].map((text) => said(text));
    history.record(room, [one]);
    const folder = `${files.dir}/history`;
    Deno.renameSync(folder, `${folder}-away`);
    assertThrows(() => history.record(room, [two]));
    Deno.renameSync(`${folder}-away`, folder);
    history.record(room, [two]);
    history.record(room, [three]);
    assertEquals(open().last(room, 10).map(({ text }) => text), ["one", "two", "three"]);
  });
});
