/** What is kept: once each, after cuts and crashes, from older versions, and no longer than is wished. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { systemRandom } from "../../lib/crypto/random.ts";
import { ChatError } from "../../lib/errors.ts";
import { HistoryChoice, parseKeptDays } from "../../lib/client/profile/history_choice.ts";
import { LocalHistory } from "../../lib/client/profile/local_history.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { encodeState } from "../../lib/storage/state_json.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { person } from "../fakes/people.ts";
import { said } from "../fakes/terminal_bench.ts";

const room = new Uint8Array(32).fill(1);
const other = new Uint8Array(32).fill(2);
const dayMs = 24 * 3600 * 1000;

interface Folder {
  readonly files: SealedFiles;
  readonly clock: FakeClock;
  open(days?: number): LocalHistory;
}

async function inFolder(act: (folder: Folder) => void): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  const files = await SealedFiles.open(dir, (await person("ira")).identity, systemRandom);
  const clock = new FakeClock(Date.UTC(2026, 10, 21, 12));
  act({ files, clock, open: (days = 30) => new LocalHistory(files, days, clock) });
  Deno.removeSync(dir, { recursive: true });
}
const texts = (lines: readonly { text: string }[]) => lines.map(({ text }) => text);
const filesIn = ({ files }: Folder) =>
  [...Deno.readDirSync(`${files.dir}/history`)].map(({ name }) => name).sort();

for (const lines of [1, 127, 300]) {
  test(`${lines} lines are kept once each, also when the last come again after a restart`, async () => {
    await inFolder(({ open }) => {
      const all = Array.from({ length: lines }, (_, i) => said(`line ${i}`));
      const first = open();
      for (const event of all) first.record(room, [event]);
      const second = open();
      second.record(room, all.slice(-100));
      second.record(room, [all.at(-1)!, { type: "held", room: "lobby", message: all.at(-1)! }]);
      assertEquals(texts(second.last(room, 1000)), texts(all));
      assertEquals(second.last(room, 2).length, Math.min(2, lines));
    });
  });
}
test("positions that begin anew (a key-file room of a memory-only server) lose no line", async () => {
  await inFolder(({ open }) => {
    open().record(room, [said("before", { pos: 900 })]);
    const history = open();
    history.record(room, [said("one", { pos: 1 }), said("two", { pos: 2 })]);
    assertEquals(texts(history.last(room, 9)), ["before", "one", "two"]);
  });
});
test("what is late was kept when it came; with the history off nothing is", async () => {
  await inFolder(({ open }) => {
    open().record(room, [said("late", { late: true })]);
    open(0).record(room, [said("off")]);
    assertEquals(open().last(room, 10), []);
  });
});
test("lines of any length come back, as one batch and one by one", async () => {
  await inFolder(({ open }) => {
    const all = Array.from({ length: 20 }, (_, i) => said(`${i} ${"\u0001".repeat(16_000)}`));
    open().record(room, all);
    for (const each of all) open().record(other, [each]);
    assertEquals(texts(open().last(room, 100)), texts(all));
    assertEquals(texts(open().last(other, 100)), texts(all));
    assertEquals(open().search(["19"], 10).length, 2);
  });
});
test("a line that could not be written is kept when it comes again", async () => {
  await inFolder(({ open, files }) => {
    const history = open();
    const [one, two, three] = ["one", "two", "three"].map((text) => said(text));
    history.record(room, [one]);
    const folder = `${files.dir}/history`;
    Deno.renameSync(folder, `${folder}-away`);
    assertThrows(() => history.record(room, [two]), ChatError);
    Deno.renameSync(`${folder}-away`, folder);
    history.record(room, [two]);
    history.record(room, [three]);
    assertEquals(texts(open().last(room, 10)), ["one", "two", "three"]);
  });
});
test("a record that was cut off at any byte, or is zeros, is taken away, and what comes next is kept", async () => {
  await inFolder((folder) => {
    folder.open().record(room, [said("whole")]);
    const [name] = filesIn(folder);
    const path = `${folder.files.dir}/history/${name}`;
    const whole = Deno.readFileSync(path);
    folder.open().record(room, [said("cut")]);
    const both = Deno.readFileSync(path);
    const torn = [];
    for (let end = whole.length + 1; end < both.length; end++) torn.push(both.slice(0, end));
    const zeros = both.slice();
    zeros.fill(0, whole.length + 20);
    const blocks = new Uint8Array(whole.length + 8192);
    blocks.set(whole);
    for (const bytes of [...torn, zeros, blocks]) {
      Deno.writeFileSync(path, bytes);
      assertEquals(texts(folder.open().last(room, 9)), ["whole"]);
      folder.open().record(room, [said("next")]);
      assertEquals(texts(folder.open().last(room, 9)), ["whole", "next"]);
    }
  });
});
test("a record that was changed, moved, or put into another room's file is refused", async () => {
  await inFolder((folder) => {
    const history = folder.open();
    for (let i = 0; i < 3; i++) history.record(room, [said(`same ${i}`)]);
    const [name] = filesIn(folder);
    const path = `${folder.files.dir}/history/${name}`;
    const bytes = Deno.readFileSync(path);
    const size = (bytes.length - 1) / 3; // after the number of the format
    const changed = bytes.slice();
    changed[size + 41] ^= 1;
    const swapped = bytes.slice();
    swapped.set(bytes.subarray(1, 1 + size), 1 + size);
    swapped.set(bytes.subarray(1 + size, 1 + 2 * size), 1);
    for (const each of [changed, swapped]) {
      Deno.writeFileSync(path, each);
      assertThrows(() => folder.open().last(room, 9), ChatError, "changed or is damaged");
    }
    Deno.writeFileSync(`${folder.files.dir}/history/${name.replaceAll("01", "02")}`, bytes, { mode: 0o600 });
    assertThrows(() => folder.open().last(other, 9), ChatError, "changed or is damaged");
  });
});
test("a day and room is a file; one that is too old is removed, with 30d at the 31st day", async () => {
  await inFolder((folder) => {
    const { clock, open } = folder;
    const history = open();
    for (let day = 0; day < 33; day++) {
      history.record(room, [said(`day ${day}`)]);
      clock.advance(dayMs);
    }
    history.last(room, 1);
    assertEquals(filesIn(folder).length, 30);
    assertEquals(filesIn(folder)[0], `${encodeHex(room)}-2026-11-24`);
    open(Infinity).record(room, [said("kept for good")]);
    assertEquals(filesIn(folder).length, 31);
    open(1).last(room, 1);
    assertEquals(texts(open(1).last(room, 99)), ["day 32", "kept for good"]);
    open(0).last(room, 1);
    assertEquals(filesIn(folder).length, 2, "what is off removes nothing");
  });
});
test("segments of versions before are taken over once, in order, also after a kill in between", async () => {
  await inFolder((folder) => {
    const old = folder.files.folder("history");
    const lines = Array.from({ length: 256 }, (_, i) => {
      const { pos: _pos, ...line } = said(`old ${i}`);
      return line;
    });
    const segment = (number: number) => {
      const name = `${encodeHex(room)}-${number}`;
      old.write(name, encodeState(lines.slice(number * 128, number * 128 + 128)));
      Deno.utimeSync(`${old.dir}/${name}`, new Date(), new Date(folder.clock.now() - (3 - number) * dayMs));
    };
    for (const number of [0, 1]) segment(number);
    assertEquals(folder.open().last(room, 999).length, 256);
    segment(1); // as if it had been taken over, and not been removed
    const history = folder.open();
    history.record(room, [said("new")]);
    assertEquals(texts(history.last(room, 999)), [...texts(lines), "new"]);
    assertEquals(filesIn(folder).length, 3);
    assert(filesIn(folder).every((name) => /-2026-11-(18|19|21)$/.test(name)), filesIn(folder).join());
  });
});
test("the last choice of a person holds; what is kept is told once for each; a pipe changes nothing", async () => {
  await inFolder(({ files }) => {
    const run = (days: number | null, isPersons = true) => {
      const choice = new HistoryChoice(files, { days, isPersons });
      return [choice.days, choice.takeNotice()] as const;
    };
    const [days, notice] = run(null);
    assertEquals(days, 30);
    assertEquals(
      notice,
      "What is said here is kept on this machine for 30 days, sealed to your key " +
        '("/forget" wipes it, "--history off" ends it).',
    );
    assertEquals(run(null), [30, null]);
    assertEquals(run(null, false), [0, null]);
    assertEquals(run(Infinity, false), [Infinity, null]);
    assertMatch(run(Infinity)[1]!, /for good/);
    assertEquals(run(null), [Infinity, null]);
    assertEquals(run(0), [0, null]);
    assertEquals(run(null), [0, null]);
    assertMatch(run(1)[1]!, /for 1 day,/);
  });
});
test("--history takes off, all and days, and names them when it is given anything else", () => {
  assertEquals([parseKeptDays("off"), parseKeptDays("all"), parseKeptDays("30d")], [0, Infinity, 30]);
  for (const bad of ["", "on", "30", "0d", "d", "4000d", "chat://h:1/lobby#x", "30D ", "1e2d"]) {
    const error = assertThrows(() => parseKeptDays(bad), ChatError);
    assertMatch(error.hint, /30d .* off or all/);
    assertEquals(error.exitCode, 2);
  }
});
