/** The terminal view on an emulated terminal: what a person sees while typing, pasting, resizing and being attacked. */

import { test } from "../../fakes/test.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { timestamp } from "../../../lib/timestamp.ts";
import type { Reflow } from "../../../lib/ui/terminal/screen.ts";
import { active, hostileTexts } from "../../fakes/hostile_texts.ts";
import { said, TerminalBench } from "../../fakes/terminal_bench.ts";

const esc = "\x1b";

test("what is typed stands after the prompt, Enter gives it, and the line is empty again", async () => {
  const bench = new TerminalBench();
  await bench.tty.press("Hi ira");
  assertEquals(await bench.tty.cursorRow(), "lobby> Hi ira|");
  await bench.tty.press("\r");
  assertEquals(bench.entered, ["Hi ira"]);
  assertEquals(bench.remembered, ["Hi ira"]);
  assertEquals(await bench.tty.cursorRow(), "lobby> |");
});
test("messages go above the line that is being typed; cursor and text stay", async () => {
  const bench = new TerminalBench();
  await bench.tty.press("half a thou", "\x1b[D", "\x1b[D");
  bench.hears("Hello");
  bench.hears("two\nlines");
  const now = timestamp(bench.clock.now());
  assertEquals(await bench.tty.cursorRow(), "lobby> half a th|ou");
  assertEquals(await bench.last(3), [`${now} ira: two`, "    lines", "lobby> half a thou"]);
});
test("at 50 messages a second, between all keys, none is lost and the line stays whole", async () => {
  const bench = new TerminalBench({ columns: 40, rows: 10 });
  const text = "the quick brown fox jumps over the lazy dog, 日本語 and a family 👨‍👩‍👧 of three";
  let typed = "";
  for (const char of new Intl.Segmenter().segment(text)) {
    await bench.tty.press(char.segment);
    typed += char.segment;
    for (let i = 0; i < 5; i++) bench.hears(`message ${typed.length}.${i}`);
  }
  const lines = await bench.tty.all();
  assertEquals(
    lines.filter((line) => / ira: message /.test(line)).length,
    5 * [...new Intl.Segmenter().segment(text)].length,
  );
  await bench.tty.press("\r");
  assertEquals(bench.entered, [text]);
});
test("a long line wraps, the cursor moves through its rows, and nothing above is touched", async () => {
  const bench = new TerminalBench({ columns: 20, rows: 10 });
  bench.hears("above");
  await bench.tty.press("0123456789".repeat(4));
  assertEquals(await bench.last(4), [
    "    ira: above",
    "lobby> 012345678901",
    "2345678901234567890",
    "123456789",
  ]);
  await bench.tty.press("\x01", "x");
  assertEquals(await bench.tty.cursorRow(), "lobby> x|01234567890");
  await bench.tty.press("\x05", ..."\x7f".repeat(40));
  assertEquals(await bench.last(2), ["    ira: above", "lobby> x"]);
});
test("wide characters never straddle the edge, and the cursor stands right of them", async () => {
  const bench = new TerminalBench({ columns: 12, rows: 10 });
  await bench.tty.press("日本語");
  assertEquals(await bench.last(2), ["lobby> 日本", "語"]);
  assertEquals(await bench.tty.cursorRow(), "語|");
  await bench.tty.press("\x1b[D", "\x1b[D", "e\u0301");
  assertEquals(await bench.tty.cursorRow(), "lobby> 日e\u0301|");
});
test("a line longer than the window scrolls within it", async () => {
  const bench = new TerminalBench({ columns: 20, rows: 5 });
  bench.hears("above");
  await bench.tty.press(Array.from({ length: 20 }, (_, i) => `row ${i} of the line.`).join(" "));
  assertMatch(await bench.tty.cursorRow(), /\|$/);
  await bench.tty.press("\x01");
  assertStringIncludes(await bench.tty.cursorRow(), "lobby> |row 0");
  await bench.tty.press(..."\x7f", "\x0b");
  assertEquals(await bench.tty.cursorRow(), "lobby> |");
  assertEquals((await bench.tty.all()).filter((row) => /above|ve$/.test(row)).length, 1);
});
const windows = [[60, 30, 60], [60, 17, 100], [30, 60, 10, 60], [60, 59, 58, 57, 61]];
const reflows: Reflow[] = ["all", "all but the cursor's", "none"];
for (
  const [widths, reflow] of windows.flatMap((widths) => reflows.map((reflow) => [widths, reflow] as const))
) {
  test(`resized from ${widths.join(" to ")} columns, where ${reflow} rows are broken anew: one line, all messages`, async () => {
    const bench = new TerminalBench({ columns: widths[0], rows: 20, reflow });
    bench.hears("the message before");
    await bench.tty.press(
      "a line that is long enough to be broken into some rows by a narrow window, 日本語",
    );
    for (const columns of widths.slice(1)) await bench.tty.resize(columns);
    const text = (await bench.tty.lines()).join("\n");
    assertEquals(text.split("lobby> ").length - 1, 1, text);
    const squeezed = (lines: string[]) => lines.join("").replaceAll(" ", "");
    assertStringIncludes(squeezed(await bench.tty.lines()), "themessagebefore");
    await bench.tty.press("\x15");
    bench.hears("the message after");
    assertEquals((await bench.tty.lines()).slice(-1), ["lobby> "]);
    const after = squeezed(await bench.tty.lines());
    assertStringIncludes(after, "themessagebefore");
    assertStringIncludes(after, "themessageafter");
  });
}
test("a window that becomes lower and higher again keeps the prompt at the bottom", async () => {
  const bench = new TerminalBench({ columns: 40, rows: 20 });
  for (let i = 0; i < 30; i++) bench.hears(`message ${i}`);
  await bench.tty.press("typing");
  for (const rows of [5, 30, 1, 12]) await bench.tty.resize(40, rows);
  assertEquals(await bench.tty.cursorRow(), "lobby> typing|");
  const rows = await bench.tty.all();
  assertEquals(rows.filter((row) => row.startsWith("lobby> ")).length, 1, rows.join("\n"));
});

// ---- paste

test("pasted lines are asked about; each answer does what it says, and none runs a command", async () => {
  const bench = new TerminalBench({ columns: 110 });
  await bench.tty.press("draft ");
  await bench.tty.paste("one\n/quit\nEXIT");
  assertEquals(
    (await bench.last(1))[0],
    "Pasted: 3 lines, 14 bytes. Send o: as one message, l: line by line, n: not at all; then Enter: ",
  );
  assertEquals(bench.entered, []);
  bench.hears("meanwhile");
  await bench.tty.press("n", "\r");
  assertEquals(await bench.tty.cursorRow(), "lobby> draft |");
  await bench.tty.paste("one\n/quit\nEXIT");
  await bench.tty.press("l", "\r");
  await bench.tty.paste("one\ntwo");
  await bench.tty.press("o", "\r");
  assertEquals(bench.entered, [{ texts: ["draft one", "/quit", "EXIT"] }, { texts: ["one\ntwo"] }]);
});
test("a paste over 16 KiB is refused with its size, and the line stays", async () => {
  const bench = new TerminalBench({ columns: 100 });
  await bench.tty.press("draft");
  await bench.tty.paste("x".repeat(20_000));
  assertStringIncludes(
    (await bench.last(2))[0],
    "[!] That would be 20005 bytes; a message holds at most 16384. Nothing was taken.",
  );
  assertEquals(await bench.tty.cursorRow(), "lobby> draft|");
  await bench.tty.paste("y\n".repeat(10_000));
  await bench.tty.press("o", "\r");
  assertStringIncludes((await bench.last(2))[0], "[!] That would be");
  assertEquals(bench.entered, []);
});
test("what a paste wants the terminal to do is gone from it", async () => {
  const bench = new TerminalBench({ columns: 60 });
  await bench.tty.press("\x1b[200~a\x1b[2Jb\x07\x1b[201~");
  assertEquals(await bench.tty.cursorRow(), "lobby> a[2Jb|");
});

test("keys that were meant for the line do not answer for a paste", async () => {
  const bench = new TerminalBench({ columns: 100 });
  await bench.tty.paste("one\ntwo");
  await bench.tty.press("lunch is at one", "\r");
  assertEquals(bench.entered, []);
  assertMatch(await bench.tty.cursorRow(), /^Pasted: .*Enter: \|$/);
  await bench.tty.press("line", "\r");
  assertEquals(bench.entered, [{ texts: ["one", "two"] }]);
});

// ---- secrets

test("what is typed before the first question is not sent, and a question for a secret takes it away", async () => {
  const bench = new TerminalBench({ columns: 100 });
  bench.status({ room: "" });
  await bench.tty.press("correct horse", "\r", "/quit", "\r");
  assertEquals([bench.entered, bench.remembered], [[], []]);
  assertStringIncludes((await bench.last(2))[0], "[+] You are not in yet: Enter sends the line");
  const asked = bench.view.secret("Password: ");
  await bench.tty.press("battery staple", "\r");
  assertEquals(await asked, "battery staple");
  bench.clock.advance(1000);
  bench.status({ room: "lobby" });
  assertEquals(await bench.tty.cursorRow(), "lobby> |");
  await bench.tty.press("\x1b[A");
  assertEquals(await bench.tty.cursorRow(), "lobby> |");
  bench.status({ room: "" });
  await bench.tty.press("/quit", "\r");
  assertEquals(bench.entered, ["/quit"]);
});

test("a secret is neither shown nor remembered, and the line that was begun comes back", async () => {
  const bench = new TerminalBench();
  await bench.tty.press("half a ");
  const asked = bench.view.secret("Password: ");
  assertEquals(await bench.tty.cursorRow(), "Password: |");
  await bench.tty.press("hunter12", "\x7f", "2 hunter2");
  bench.hears("meanwhile");
  assertEquals(await bench.tty.cursorRow(), "Password: |");
  await bench.tty.press("\r");
  assertEquals(await asked, "hunter12 hunter2");
  bench.clock.advance(1000);
  await bench.tty.press("line", "\x1b[A", "\x1b[A");
  assertEquals(await bench.tty.cursorRow(), "lobby> half a line|");
  await bench.tty.press("\x19", "\x1f", "\x1f");
  const all = bench.tty.written + JSON.stringify([bench.entered, bench.remembered, await bench.tty.all()]);
  assert(!all.includes("hunter"), "the secret shows");
});
test("lines pasted at a question for a secret answer it with the first at most, and never reach the room", async () => {
  const bench = new TerminalBench();
  const first = bench.view.secret("Password: ");
  await bench.tty.paste("correct horse\nsecond line\nthird line\n");
  await bench.tty.press("\r");
  assertEquals(await first, "correct horse");
  await bench.tty.press("\r");
  bench.clock.advance(1000);
  assertEquals(bench.entered, []);
  assertEquals(await bench.tty.cursorRow(), "lobby> |");
});
test("where pastes are not marked, lines after an answer are dropped however they are cut, unless asked for", async () => {
  const bench = new TerminalBench();
  const first = bench.view.secret("Password: ");
  await bench.tty.press("one\rtwo\rthr");
  assertEquals(await first, "one");
  const second = bench.view.secret("The same again: ");
  assertEquals(await second, "two");
  await bench.tty.press("ee\r", "four\r");
  bench.clock.advance(1000);
  await bench.tty.settle();
  assertEquals([bench.entered, await bench.tty.cursorRow()], [[], "lobby> |"]);
});
for (const [what, key] of [["Ctrl+C", "\x03"], ["Ctrl+D", "\x04"]]) {
  test(`${what} at a question for a secret is no answer, and nothing else`, async () => {
    const bench = new TerminalBench();
    const asked = bench.view.secret("Password: ");
    await bench.tty.press(key);
    assertEquals([await asked, bench.interrupts, bench.ended], [null, [], false]);
  });
}

// ---- what the prompt tells

test("the prompt tells room, worries, unread lines and the countdown in words", async () => {
  const bench = new TerminalBench({ columns: 100 });
  const rooms = [{ label: "lobby", unread: 0 }, { label: "dev", unread: 3 }, { label: "@ira", unread: 1 }];
  bench.status({ rooms, worry: "key changed: bob" });
  assertEquals(await bench.tty.cursorRow(), "lobby (key changed: bob) [2:dev 3 new, 3:@ira 1 new]> |");
  bench.status({ rooms: [], worry: "", offline: { retryMs: bench.clock.now() + 3000 } });
  assertEquals(await bench.tty.cursorRow(), "lobby (offline, trying again in 3 s)> |");
  bench.clock.advance(2000);
  assertEquals(await bench.tty.cursorRow(), "lobby (offline, trying again in 1 s)> |");
  await bench.tty.press("typed while away");
  bench.status({ offline: null });
  assertEquals(await bench.tty.cursorRow(), "lobby> typed while away|");
});
test("own lines: waiting over the prompt, then once among the others; refused ones are marked", async () => {
  const bench = new TerminalBench({ columns: 100 });
  const pending = { type: "pending", room: "lobby", from: "sam", timeMs: 0, action: false } as const;
  bench.view.event({ ...pending, msgId: "1", text: "first" });
  bench.view.event({ ...pending, msgId: "2", text: "waves", action: true });
  bench.view.event({ ...pending, msgId: "3", text: "psst", room: "@ira" });
  assertEquals(await bench.last(4), ["… first", "… /me waves", "… [@ira] psst", "lobby> "]);
  bench.hears("first", { own: true, from: "sam", msgId: "1" });
  bench.view.event({ type: "failed", room: "lobby", msgId: "2", why: "the server refused it" });
  bench.view.event({ type: "withdrawn", room: "@ira", msgId: "3" });
  const rows = await bench.last(4);
  assertMatch(rows[0], /^\S+ \S+ sam: first$/);
  assertStringIncludes(rows[1], "[!] A line of yours was not delivered (the server refused it)");
  assertEquals(rows.slice(2), ["! /me waves (refused; /retry sends it again)", "lobby> "]);
  bench.view.event({ ...pending, msgId: "2", text: "waves", action: true });
  assertEquals((await bench.last(2))[0], "… /me waves");
  for (let i = 0; i < 9; i++) bench.view.event({ ...pending, msgId: `m${i}`, text: `line ${i}` });
  assertEquals(await bench.last(6), ["… 6 more", "… line 5", "… line 6", "… line 7", "… line 8", "lobby> "]);
});
test("each room keeps its own unsent line", async () => {
  const bench = new TerminalBench({ columns: 80 });
  const rooms = [{ label: "lobby", unread: 0 }, { label: "dev", unread: 0 }];
  bench.status({ rooms });
  await bench.tty.press("for the lobby", "\x1b[D", "\x1b2");
  assertEquals(bench.switched, [2]);
  bench.status({ room: "dev" });
  assertEquals(await bench.tty.cursorRow(), "dev> |");
  await bench.tty.press("for dev");
  bench.status({ room: "lobby" });
  assertEquals(await bench.tty.cursorRow(), "lobby> for the lobb|y");
  bench.status({ room: "dev", rooms: rooms.slice(1) });
  assertEquals(await bench.tty.cursorRow(), "dev> for dev|");
  assertStringIncludes(
    (await bench.tty.all()).join("\n"),
    "[+] What you had begun to type in lobby: for the lobby",
  );
  bench.status({ room: "", rooms: [] });
  bench.status({ room: "dev", rooms });
  const titles = (await bench.tty.all()).filter((row) => row.startsWith("[+] ----"));
  assertEquals(titles, ["[+] ---- dev ----", "[+] ---- lobby ----", "[+] ---- dev ----"]);
});
test("who writes to us alone elsewhere is told once, until we have looked; the rest is only counted", async () => {
  const bench = new TerminalBench({ columns: 80 });
  const rooms = (dev: number, ira: number) => [
    { label: "lobby", unread: 0 },
    { label: "dev", unread: dev },
    { label: "@ira", unread: ira },
  ];
  bench.status({ rooms: rooms(0, 0) });
  const held = (room: string, text: string) =>
    bench.view.event({ type: "held", room, message: said(text, { room }) });
  held("dev", "nothing for you");
  bench.status({ rooms: rooms(1, 0) });
  held("dev", "Sam, look");
  bench.status({ rooms: rooms(2, 0) });
  held("@ira", "psst");
  bench.status({ rooms: rooms(2, 1) });
  held("@ira", "psst again");
  bench.status({ rooms: rooms(2, 2) });
  const lines = (await bench.tty.all()).filter((row) => row.startsWith("[+]"));
  assertEquals(lines, [
    "[+] ira speaks of you in dev: Alt+2 or /switch dev shows it.",
    "[+] ira has written to you alone: Alt+3 or /switch @ira shows it.",
  ]);
  assertEquals(bench.tty.bells, 3);
  assert(!bench.tty.written.includes("psst"));
});
for (const [bell, rung] of [["off", 0], ["mentions", 2], ["all", 3]] as const) {
  test(`--bell ${bell} rings ${rung} times for a mention, a direct message and another line`, async () => {
    const bench = new TerminalBench({ bell });
    bench.hears("hello all");
    bench.hears("hello SAM!");
    bench.hears("sam, I say", { own: true, from: "sam" });
    bench.hears("psst", { room: "@ira" });
    await bench.tty.settle();
    assertEquals(bench.tty.bells, rung);
  });
}
test("a new day gets a line; a day that has been, or is far ahead, gets none", async () => {
  const bench = new TerminalBench();
  const day = (n: number) => new Date(2026, 10, n, 9).getTime();
  for (const n of [19, 19, 20, 19, 28, 21]) bench.view.event(said(`of ${n}`, { timeMs: day(n) }));
  const lines = (await bench.tty.all()).map((row) => row.replace(/^2026-\S+ \S+ ira: /, ""));
  assertEquals(lines.slice(0, -1), [
    "[+] ---- 2026-11-19 ----",
    "of 19",
    "of 19",
    "[+] ---- 2026-11-20 ----",
    "of 20",
    "of 19",
    "of 28",
    "[+] ---- 2026-11-21 ----",
    "of 21",
  ]);
});
test("comings and goings are folded into one line, but for those who have just spoken", async () => {
  const bench = new TerminalBench({ columns: 100 });
  const presence = (who: string, here: boolean, room = "lobby") =>
    bench.view.event({ type: "presence", room, who, here });
  bench.hears("I am here");
  presence("ira", false);
  assertEquals((await bench.last(2))[0], "[+] ira left the server.");
  presence("dana", true);
  presence("erin", true);
  presence("bob", false);
  presence("flap", false);
  presence("flap", true);
  assertEquals((await bench.last(2))[0], "[+] ira left the server.");
  bench.clock.advance(10_000);
  assertEquals((await bench.last(2))[0], "[+] dana and erin are here. bob left the server.");
  for (let i = 0; i < 20; i++) presence(`p${i}`, true);
  bench.clock.advance(10_000);
  assertEquals((await bench.last(2))[0], "[+] p0, p1, p2, p3, p4, p5, p6, p7 and 12 more are here.");
});
test("in a key-file room a visit is told, unless the visitor has said something", async () => {
  const bench = new TerminalBench({ columns: 100 });
  const presence = (who: string, here: boolean) =>
    bench.view.event({ type: "presence", room: "lobby", who, here, isClaim: true });
  presence("dana", true);
  presence("dana", false);
  presence("ira", true);
  bench.hears("backup done");
  presence("ira", false);
  bench.clock.advance(10_000);
  assertEquals((await bench.last(2))[0], "[+] dana has come and gone, says the server.");
});
test("who goes and comes is told once, however many rooms are shared, and never as gone while here", async () => {
  const bench = new TerminalBench({ columns: 100 });
  const inAll = (who: string, here: boolean) => {
    for (const room of ["dev", "lobby", "@ira"]) bench.view.event({ type: "presence", room, who, here });
  };
  bench.hears("I am here");
  inAll("ira", false);
  bench.clock.advance(1000);
  inAll("ira", true);
  inAll("dana", false);
  bench.clock.advance(4000);
  inAll("dana", true);
  bench.clock.advance(60_000);
  inAll("ira", false);
  const lines = (await bench.tty.all()).filter((row) => row.startsWith("[+]"));
  assertEquals(lines, ["[+] ira left the server.", "[+] ira is here.", "[+] ira left the server."]);
});

// ---- leaving, job control

test("Ctrl+C clears the line; on an empty line it says how to leave, and then leaves", async () => {
  const bench = new TerminalBench();
  await bench.tty.press("some text", "\x03");
  assertEquals(await bench.tty.cursorRow(), "lobby> |");
  assertEquals((await bench.last(1))[0], "lobby> ");
  await bench.tty.press("x", "\x7f", "\x03");
  assertEquals((await bench.last(2))[0], "[+] Ctrl+C again leaves.");
  bench.clock.advance(6000);
  await bench.tty.press("\x03");
  assertEquals(bench.interrupts, [false, false, false], "five seconds later it is a first one again");
  await bench.tty.press("\x03");
  assertEquals(bench.interrupts, [false, false, false, true]);
});
test("Ctrl+D ends on an empty line only; so does a terminal that is gone", async () => {
  const bench = new TerminalBench();
  await bench.tty.press("x", "\x04");
  assertEquals(bench.ended, false);
  await bench.tty.press("\x7f", "\x04");
  assertEquals(bench.ended, true);
  const other = new TerminalBench();
  await other.tty.hangUp();
  assertEquals(other.ended, true);
});
test("Ctrl+Z gives the terminal back and stops; fg takes it again and draws the line anew", async () => {
  const bench = new TerminalBench();
  await bench.tty.press("half a line", "\x1a");
  assertEquals([bench.tty.isStopped, bench.tty.isEditing], [true, false]);
  assert(!(await bench.tty.all()).join().includes("lobby> "));
  await bench.tty.resume("$ fg\r\n");
  assertEquals(bench.tty.isEditing, true);
  assertEquals(await bench.tty.cursorRow(), "lobby> half a line|");
  bench.hears("after");
  assertEquals((await bench.last(1))[0], "lobby> half a line");
  assertEquals((await bench.tty.all())[0], "$ fg");
});
test("Ctrl+Z where nobody could continue the program changes nothing", async () => {
  const bench = new TerminalBench();
  await bench.tty.press("half a line", "\x1a");
  bench.clock.advance(1000);
  assertEquals(bench.tty.isEditing, true);
  assertEquals(await bench.tty.cursorRow(), "lobby> half a line|");
});
test("Ctrl+L clears the window and keeps the line", async () => {
  const bench = new TerminalBench();
  bench.hears("old");
  await bench.tty.press("typing", "\x0c");
  assertEquals((await bench.tty.all()).filter((row) => row !== ""), ["lobby> typing"]);
});
test("closing leaves no prompt and no mode behind", async () => {
  const bench = new TerminalBench();
  bench.hears("the last word");
  await bench.tty.press("x");
  bench.view.close();
  assertEquals(bench.tty.isEditing, false);
  assertMatch((await bench.tty.all()).at(-1)!, /the last word$/);
});

// ---- what strangers send

for (const { what, text } of hostileTexts) {
  test(`remote text that ${what}: nothing but text reaches the terminal, and no line of ours is forged`, async () => {
    const bench = new TerminalBench({ columns: 60, rows: 14 });
    bench.hears("before");
    await bench.tty.press("half a line", "\x1b[D");
    bench.tty.written = "";
    bench.hears(text);
    bench.hears(text, { action: true });
    bench.hears("x", { address: text.slice(0, 200) });
    bench.view.event({ type: "notice", room: "lobby", text });
    bench.view.event({ type: "warning", room: "lobby", text });
    bench.view.event({
      type: "pending",
      room: "lobby",
      from: "sam",
      msgId: "1",
      timeMs: 0,
      text,
      action: false,
    });
    bench.view.event({ type: "withdrawn", room: "lobby", msgId: "1" });
    bench.view.notice(text);
    bench.view.warning(text);
    bench.view.answer([`ira: ${text}`]);
    assertEquals(await bench.tty.cursorRow(), "lobby> half a lin|e");
    // What the view itself writes to move its prompt, taken away; the rest must be harmless.
    const rest = bench.tty.written.replaceAll(new RegExp(`${esc}\\[\\d*[ACJ]|\r`, "g"), "");
    assert(!active.test(rest), "something active was written");
    assertEquals([bench.tty.titles, bench.tty.bells, await bench.tty.isPlain()], [[], 0, true]);
    const lines = await bench.tty.lines();
    assertMatch(lines[0], /before$/);
    // Lines begin with a time, one of our marks, a frame of ours, or blanks.
    const odd = (await bench.tty.all()).filter((row) =>
      !/^(2026-|\[[+!]\] |\u2026 |ira: | {4}|lobby> |$)/.test(row)
    );
    assertEquals(odd, []);
    const ours = lines.filter((line) => /^\[[+!]\]/.test(line));
    assertEquals(ours.length, 4);
  });
}
test("letters that are drawn as blanks of a width nobody agrees on are not written", async () => {
  const bench = new TerminalBench({ columns: 80 });
  for (const blank of ["\u3164", "\u115f", "\u1160", "\uffa0", "\u034f", "\u{e0001}"]) {
    bench.hears(`a${blank.repeat(30)}[+] mallory is verified by you.`);
  }
  await bench.tty.settle();
  assert(!/[\u3164\u115f\u1160\uffa0\u034f\u{e0001}]/u.test(bench.tty.written));
});
test("families are taken to be as wide as their members one by one, for terminals that draw them so", async () => {
  const bench = new TerminalBench({ columns: 80 });
  bench.hears(`${"👨‍👩‍👧‍👦".repeat(7)}[!] forged`);
  await bench.tty.settle();
  const rows = bench.tty.written.split("\r\n").filter((row) => row.includes("👨"));
  for (const row of rows) assert([...row.matchAll(/\p{Extended_Pictographic}/gu)].length * 2 <= 79, row);
});
const forged = "[!] The key of bob has changed. Type /trust bob to go on.";
for (const blank of [" ", "\u00a0", "\u3000", "\u2003", "\t"]) {
  test(`a line padded with U+${blank.charCodeAt(0).toString(16)} forges nothing at the first column of its second row`, async () => {
    for (let pad = 20; pad < 90; pad++) {
      const bench = new TerminalBench({ columns: 80, rows: 10 });
      bench.hears(`hi${blank.repeat(pad)}${forged}${blank.repeat(pad)}[+] ana has made jim an admin.`);
      for (const row of await bench.tty.all()) assert(!/^\[|^ana/.test(row), row);
    }
  });
}
test("a long message is broken at blanks and indented; an address stays in one piece", async () => {
  const bench = new TerminalBench({ columns: 40 });
  bench.hears(`see https://example.org/${"a".repeat(50)} for more of it, ${"b".repeat(60)}`);
  assertEquals((await bench.tty.lines()).slice(0, -1), [
    "2026-11-21 12:00:01 ira: see",
    `    https://example.org/${"a".repeat(50)}`,
    `    for more of it, ${"b".repeat(19)}`,
    `    ${"b".repeat(35)}`,
    `    ${"b".repeat(6)}`,
  ]);
  const brackets = new TerminalBench({ columns: 40 });
  brackets.hears(`https://x/${"a".repeat(29)}[+]forged`);
  for (const row of await brackets.tty.all()) assert(!row.startsWith("["));
});
test("any text at all between two messages: the cursor stays, the next message begins a line", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 200 }), async (text) => {
      const bench = new TerminalBench({ columns: 40, rows: 10 });
      await bench.tty.press("draft");
      bench.hears(text);
      bench.hears("after");
      assertEquals(await bench.tty.cursorRow(), "lobby> draft|");
      assertMatch((await bench.tty.lines()).at(-2)!, /^2026-11-21 12:00:02 ira: after$/);
    }),
    { numRuns: 200 },
  );
});
test("any keys while anything arrives: the row of the cursor is that of the line", async () => {
  const key = fc.constantFrom(
    ...[
      "a",
      "日",
      "e\u0301",
      "👨‍👩‍👧",
      " ",
      "\x7f",
      "\x1b[D",
      "\x1b[C",
      "\x01",
      "\x05",
      "\x17",
      "\x0b",
      "\x19",
      "\x1f",
      "\x1b\r",
      "\x14",
    ],
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(key, { maxLength: 40 }),
      fc.integer({ min: 3, max: 40 }),
      async (keys, columns) => {
        const bench = new TerminalBench({ columns, rows: 12 });
        for (const [i, each] of keys.entries()) {
          await bench.tty.press(each);
          if (i % 3 === 0) bench.hears("a message");
        }
        await bench.tty.press("\x05", "\x15", ..."\x7f".repeat(keys.length), "\x0b", "end");
        const joined = (await bench.tty.all()).join("");
        assertEquals(joined.split("lobby> ").length - 1 >= 1 || columns < 8, true);
        assertMatch(await bench.tty.cursorRow(), /d\|/);
        await bench.tty.press("\r");
        assert(typeof bench.entered[0] === "string" && bench.entered[0].includes("end"));
      },
    ),
    { numRuns: 100 },
  );
});

// ---- taste

test("only names have a colour, which follows the key; without colours there is none", async () => {
  const bench = new TerminalBench({ colours: true });
  bench.hears("one");
  bench.hears("two", { from: "bob", fromId: "01".repeat(32) });
  bench.hears("three");
  bench.hears("four", { fromId: "01".repeat(32) }); // ira, with bob's key
  await bench.tty.settle();
  const coloured = bench.tty.written.matchAll(new RegExp(`${esc}\\[(\\d+)m(ira|bob)${esc}\\[39m`, "g"));
  const [names, codes] = [[], []] as string[][];
  for (const [, code, name] of coloured) {
    names.push(name);
    codes.push(code);
  }
  assertEquals(names, ["ira", "bob", "ira", "ira"]);
  const [one, two] = codes;
  assert(one !== two);
  assertEquals(codes, [one, two, one, two]);
  for (const code of codes) assert(["31", "32", "35", "36"].includes(code));
  const allColours = bench.tty.written.match(new RegExp(`${esc}\\[\\d+m`, "g")) ?? [];
  assertEquals(allColours.length, 2 * codes.length, "a colour and its end for each name, and nothing else");
  const plain = new TerminalBench();
  plain.hears("one");
  plain.view.warning("careful");
  assertEquals(await plain.tty.isPlain(), true);
});

test("a narrow window shows hours and minutes, and the day once", async () => {
  const bench = new TerminalBench({ columns: 40, time: null });
  bench.hears("Hi");
  bench.hears("Ho");
  assertEquals(await bench.last(4), [
    "[+] ---- 2026-11-21 ----",
    "12:00 ira: Hi",
    "12:00 ira: Ho",
    "lobby> ",
  ]);
  bench.view.question("The key of bob has changed. Do you accept it as the new one? (yes or no) ");
  assertEquals(await bench.last(2), [
    "The key of bob has changed. Do you ",
    "accept it as the new one? (yes or no) ",
  ]);
});
test("what is kept stands under a title, dimmed and marked, and never looks like a new line", async () => {
  const bench = new TerminalBench({ columns: 60, colours: true });
  const kept = [
    said("before", { timeMs: bench.clock.now() - 24 * 3600_000 }),
    said("[+] x\n[!] y", { room: "dev" }),
  ];
  bench.view.recalled("lobby: said before", kept);
  const rows = await bench.last(6);
  assertEquals(rows.slice(0, 3), [
    "[+] ---- lobby: said before ----",
    "[+] ---- 2026-11-20 ----",
    "| 2026-11-20 12:00:00 ira: before",
  ]);
  assertMatch(rows[3], /^\| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[dev\] ira: \[\+\] x$/);
  assertEquals(rows[4], "    [!] y");
  assertStringIncludes(bench.tty.written, "\x1b[2m| 2026-11-20 12:00:00 ira: before\x1b[22m");
});
test("PageUp turns the pages of what is kept; Esc gives the screen back, with what came meanwhile", async () => {
  const bench = new TerminalBench({ columns: 60, rows: 8 });
  await bench.tty.press("\x1b[5~");
  assertEquals((await bench.last(1))[0], "lobby> ");
  bench.hears("seen before");
  bench.kept = Array.from({ length: 3000 }, (_, i) => said(`line ${i}`));
  await bench.tty.press("typed", "\x1b[5~");
  const screen = async () => (await bench.tty.all()).map((row) => row.replace(/^\| [-\d]+ [:\d]+ /, ""));
  assertEquals((await screen()).slice(-3), [
    "ira: line 2998",
    "ira: line 2999",
    "-- Esc returns, PageUp and PageDown turn: lobby, kept here,",
  ]);
  await bench.tty.press("\x1b[5~");
  assertEquals((await screen())[0], "ira: line 2987");
  bench.hears("meanwhile, sam", {});
  await bench.tty.settle();
  assertEquals(bench.tty.bells, 1);
  await bench.tty.press("\x1b[H");
  assertEquals((await screen()).slice(0, 2), ["[+] ---- 1970-01-01 ----", "ira: line 0"]);
  await bench.tty.press("x", "\x1b[6~");
  assertEquals((await screen())[0], "ira: line 5");
  await bench.tty.resize(30, 6);
  assertEquals((await screen()).length, 6);
  await bench.tty.resize(60, 8);
  await bench.tty.press("\x1b[F", "\x1b[6~");
  const after = await bench.last(3);
  assertMatch(after[0], /ira: seen before$/);
  assertMatch(after[1], /ira: meanwhile, sam$/);
  assertEquals(after[2], "lobby> typed");
  assertEquals(bench.entered, []);
});
test("a question, a secret and the end close the pager", async () => {
  for (const end of ["question", "secret", "close"] as const) {
    const bench = new TerminalBench({ columns: 60, rows: 8 });
    bench.kept = [said("before")];
    await bench.tty.press("\x1b[5~");
    if (end === "question") bench.view.question("Go on?");
    else if (end === "secret") void bench.view.secret("Password: ");
    else bench.view.close();
    await bench.tty.settle();
    assertEquals(bench.tty.written.match(/\?1049[hl]/g), ["?1049h", "?1049l"]);
    bench.view.close();
  }
});

test("an invite is printed unbroken, so that it can be copied whole; what only looks like one is broken", async () => {
  const bench = new TerminalBench({ columns: 40 });
  const invite = `chat join -u NAME 'chat://HOST:9443/lobby#${"A".repeat(43)}.${"B".repeat(43)}.${
    "C".repeat(43)
  }'`;
  bench.view.answer([
    invite,
    "Put the server's name or address in place of HOST; on this machine it is 127.0.0.1.",
  ]);
  assertEquals((await bench.tty.lines())[0], invite);
  const forged = `2026-11-21 12:00:00 ira: chat join -u NAME '${"x".repeat(60)}'`;
  bench.view.answer([forged]);
  assertEquals((await bench.tty.lines()).includes(forged), false);
});
