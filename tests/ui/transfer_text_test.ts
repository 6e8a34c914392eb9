/** Files in words: rows over the prompt, lines for who reads line by line, and what somebody has sent. */

import { assertEquals } from "@std/assert";
import { lineOf } from "../../lib/ui/lines.ts";
import { ProgressLines } from "../../lib/ui/progress_lines.ts";
import { PendingLines } from "../../lib/ui/terminal/pending_lines.ts";
import { type Progress, progressRow } from "../../lib/ui/transfer_text.ts";
import { sizeInWords } from "../../lib/size_in_words.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { said } from "../fakes/terminal_bench.ts";
import { test } from "../fakes/test.ts";

const moving = (done: number, over: Partial<Progress> = {}): Progress => ({
  type: "progress",
  room: "lobby",
  id: "ab",
  way: "up",
  name: "report.pdf",
  done,
  size: 12_300_000,
  rate: 1_200_000,
  leftMs: 6_000,
  isWaiting: false,
  ...over,
});
const file = {
  name: "report.pdf",
  size: 12_300_000,
  sha256: "00",
  untilMs: new Date(2026, 11, 2, 12).getTime(),
};

for (
  const [bytes, words] of [
    [0, "0 bytes"],
    [1, "1 byte"],
    [999, "999 bytes"],
    [1000, "1.0 kB"],
    [12_345_678, "12.3 MB"],
    [999_999, "1.0 MB"],
    [99_960, "100 kB"],
    [5e9, "5.0 GB"],
    [2 ** 44, "17.6 TB"],
  ] as const
) {
  test(`${bytes} bytes are ${words}`, () => assertEquals(sizeInWords(bytes), words));
}

test("a row tells how much, how fast and how long yet, without colour or movement", () => {
  assertEquals(progressRow(moving(5_043_000)), "↑ report.pdf 41 % of 12.3 MB · 1.2 MB/s · 6 s");
  assertEquals(progressRow(moving(0, { way: "down", rate: 0, leftMs: null })), "↓ report.pdf 0 % of 12.3 MB");
  assertEquals(
    progressRow(moving(12_299_999, { leftMs: 7_200_000 })),
    "↑ report.pdf 99 % of 12.3 MB · 1.2 MB/s · 2.0 h",
  );
  assertEquals(progressRow(moving(6_150_000, { isWaiting: true })), "↑ report.pdf 50 % of 12.3 MB · waiting");
});
test("rows stand over the prompt until the file is told of, saved, refused or cancelled", () => {
  const own = { ...said("", { own: true, file }), msgId: "ab" };
  for (
    const end of [own, { type: "cancelled", room: "lobby", id: "ab" }, {
      type: "failed",
      room: "lobby",
      msgId: "ab",
      why: "x",
      file: "report.pdf",
    }] as const
  ) {
    const pending = new PendingLines();
    pending.take(moving(6_150_000));
    assertEquals(pending.rows("lobby"), ["↑ report.pdf 50 % of 12.3 MB · 1.2 MB/s · 6 s"]);
    assertEquals(pending.rows("dev")[0].startsWith("[lobby] ↑"), true);
    assertEquals([pending.take(end), pending.rows("lobby")], [true, []]);
  }
});
test("line by line: at the start and at quarters, not more often than every ten seconds", () => {
  const clock = new FakeClock();
  const lines = new ProgressLines(clock);
  const told: string[] = [];
  for (let part = 0; part <= 100; part++) {
    const line = lines.take(moving(part * 123_000));
    if (line !== null) told.push(line);
    clock.advance(part < 40 ? 100 : 1000);
  }
  assertEquals(told, [
    "Sending report.pdf, 12.3 MB.",
    "Sending report.pdf: 50 % of 12.3 MB.",
    "Sending report.pdf: 75 % of 12.3 MB.",
  ]);
});
test("what somebody has sent cannot look like a line, nor a line like that; words stand below it", () => {
  const text = (event: Parameters<typeof lineOf>[0]) =>
    lineOf(event, { room: "lobby", time: () => "" })?.text;
  const sent = said("", { file, room: "lobby", address: "" });
  assertEquals(text(sent), `${sent.from} sent report.pdf, 12.3 MB, until 2 Dec: /get report.pdf`);
  assertEquals(text({ ...sent, text: "as\npromised" }), `${text(sent)}\n    as\n    promised`);
  assertEquals(text({ ...sent, own: true }), `${sent.from} sent report.pdf, 12.3 MB, until 2 Dec`);
  const faked = said("sent report.pdf, 12.3 MB, until 2 Dec: /get report.pdf", {
    room: "lobby",
    address: "",
    action: true,
  });
  assertEquals(text(faked)!.startsWith("* "), true);
});
