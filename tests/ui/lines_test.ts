import { test } from "../fakes/test.ts";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { systemClock } from "../../lib/clock.ts";
import type { MessageEvent, RoomEvent } from "../../lib/client/room_events.ts";
import { shownTime, timestamp } from "../../lib/timestamp.ts";
import { lineOf } from "../../lib/ui/lines.ts";
import { LinesView } from "../../lib/ui/lines_view.ts";
import { sanitize, sanitizeLine } from "../../lib/sanitize.ts";

const said = (text: string, over: Partial<MessageEvent> = {}): MessageEvent => ({
  type: "message",
  room: "lobby",
  from: "ira",
  fromId: "00",
  pos: 1,
  readers: null,
  own: false,
  msgId: "00",
  timeMs: 0,
  text,
  action: false,
  address: "",
  ...over,
});

const parts = { room: "lobby", clock: systemClock, name: "sam", bell: "mentions" } as const;

/** Anything that a terminal acts on, line feeds excepted. */
const harmful = /[\p{Cc}\u202a-\u202e\u2066-\u2069\u200b\u2028\u2029\u2060\ufeff]/u;

const hostile: [string, string][] = [
  ["an escape sequence", "\x1b[2J\x1b[H"],
  ["a window title", "\x1b]0;root\x07"],
  ["a link", "\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\"],
  ["the clipboard", "\x1b]52;c;ZXZpbA==\x07"],
  ["C1 controls", "\x9b2J\x9d0;x\x9c"],
  ["a carriage return", "ira\rmallory"],
  ["a backspace", "a\b\b\bb"],
  ["a direction override", "\u202egnp.exe\u202c"],
  ["isolates", "\u2066x\u2069"],
  ["zero-width characters", "a\u200bb\u2060c\ufeff"],
  ["a line separator and a forged line", "x\u2028[+] ira left the server."],
];
for (const [what, text] of hostile) {
  test(`remote text with ${what} reaches no terminal as it is`, () => {
    assertEquals(harmful.test(sanitize(text).replaceAll("\n", "")), false);
  });
}
test("no text, in any number of lines, makes a line that begins like one of ours", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom("[+] ", "[!] ", "\n", "\r", "\r\n", "\u2028", "x", "\t", "2026-11-21 09:35:24 ira: "),
      ),
      (parts) => {
        for (const action of [false, true]) {
          const { text } = lineOf(said(parts.join(""), { action }), { room: "lobby" })!;
          const [first, ...rest] = text.split("\n");
          assert(/^\d{4}-/.test(first));
          assert(rest.every((line) => line.startsWith("    ")));
        }
      },
    ),
  );
});
test("a time that nobody can mean is shown as the latest that can be written", () => {
  for (const timeMs of [8.64e15 + 1, Number.MAX_SAFE_INTEGER, 253_402_300_800_000]) {
    assertEquals(new Date(shownTime(timeMs)).toISOString(), "9999-12-31T23:59:59.999Z");
  }
  assertEquals(shownTime(1_700_000_000_000), 1_700_000_000_000);
});
test("many empty lines become two", () => {
  assertEquals(sanitize(`a${"\n".repeat(5000)}b`).split("\n").length, 4);
  assertEquals(sanitize("a\n\nb"), "a\n    \n    b");
});
test("emoji families and scripts that need joiners stay whole; marks are capped", () => {
  for (const text of ["👩‍👩‍👧", "नमस्ते", "ä e\u0301", "日本語", "می\u200cخواهم"]) {
    assertEquals(sanitizeLine(text), text);
  }
  assertEquals(sanitizeLine("e" + "\u0301".repeat(10_000)).length, 9);
  assertEquals(sanitizeLine("e" + ("\u0301".repeat(8) + "\u200d").repeat(100)).length, 9);
  assertEquals(sanitizeLine("\u200d".repeat(5000)).length, 8);
});
test("lines are in the product's wording", () => {
  const time = timestamp(0);
  const lines: [RoomEvent, string][] = [
    [said("Hello Ira"), `${time} ira: Hello Ira`],
    [said("waves", { action: true }), `${time} * ira waves`],
    [said("x", { room: "other" }), `${time} [other] ira: x`],
    [said("x", { address: "192.0.2.1:5" }), `${time} 192.0.2.1:5 ira: x`],
    [{ type: "entered", room: "lobby", members: ["ira", "sam"] }, "[+] In the room: ira, sam"],
    [
      { type: "added", room: "lobby", who: "erin", by: "dana", verified: false },
      "[+] New person joined the room. Username: erin (added by dana, not verified)",
    ],
    [{ type: "removed", room: "lobby", who: "erin", by: "dana", left: true }, "[+] erin left the room."],
    [
      { type: "removed", room: "lobby", who: "erin", by: "dana", left: false },
      "[+] dana removed erin from the room.",
    ],
    [{ type: "presence", room: "lobby", who: "ira", here: false }, "[+] ira left the server."],
    [{ type: "warning", room: "lobby", text: "careful" }, "[!] careful"],
  ];
  for (const [event, expected] of lines) assertEquals(lineOf(event, { room: "lobby" })!.text, expected);
});

function streams(chunks: string[]) {
  const out: string[] = [], err: string[] = [];
  const input = ReadableStream.from(chunks.map((c) => new TextEncoder().encode(c)));
  return {
    out,
    err,
    streams: {
      input,
      out: (t: string) => void out.push(t),
      err: (t: string) => void err.push(t),
      echo: () => {},
    },
  };
}
test("piped output is messages only; the rest goes to stderr", () => {
  const s = streams([]);
  const view = new LinesView(s.streams, { ...parts, interactive: false });
  view.progress("Connected successfully.");
  view.event({ type: "presence", room: "lobby", who: "ira", here: true });
  view.event(said("Hi"));
  view.warning("careful");
  assertEquals(s.out, [`${timestamp(0)} ira: Hi\n`]);
  assertEquals(s.err, ["[!] careful\n"], "comings and goings are told later, if they last");
  view.close();
});
test("piped input is cut into lines, however it arrives, with or without a last line feed", async () => {
  const s = streams(["on", "e\r\ntw", "o\n\nthr", "ee"]);
  const lines = [];
  for await (const line of new LinesView(s.streams, { ...parts, interactive: false }).lines()) {
    lines.push(line);
  }
  assertEquals(lines, ["one", "two", "", "three"]);
});

/** A person at a terminal that cannot move its cursor: what is typed, and what is shown. */
function plainTerminal() {
  const typed = new TransformStream<Uint8Array, Uint8Array>();
  const keys = typed.writable.getWriter();
  const shown: string[] = [];
  const view = new LinesView(
    {
      input: typed.readable,
      out: (text) => void shown.push(text),
      err: (text) => void shown.push(text),
      echo: (on) => void shown.push(on ? "<echo>" : "<no echo>"),
    },
    { ...parts, interactive: true },
  );
  const lines: string[] = [];
  const over = (async () => {
    for await (const line of view.lines()) lines.push(line);
  })();
  return {
    view,
    shown,
    lines,
    press: (text: string) => keys.write(new TextEncoder().encode(text)),
    end: async () => {
      await keys.close();
      await over;
    },
  };
}
const typings: [what: string, pieces: string[], answers: (string | null)[], lines: string[]][] = [
  ["in one piece", ["secret\r"], ["secret"], []],
  ["byte by byte", [..."secret\n"], ["secret"], []],
  ["with mistakes", ["sex\x7fcrt\b\bret\r"], ["secret"], []],
  ["begun anew with Ctrl+U", ["wrong\x15secret\r"], ["secret"], []],
  [
    "with arrows, Alt and controls in it",
    ["sec\x1b[Arx\x1b[D\x1b[3~e\x1b[C\x07\x1b[Ft\r"],
    ["secret"],
    [],
  ],
  ["pasted together with the next one", ["first one\rsecond one\r"], ["first one", "second one"], []],
  ["and then a line for the room", ["secret\r", "hello\n"], ["secret"], ["hello"]],
  ["together with more than is asked for", ["secret\rsecret\r", "hello\n"], ["secret"], ["hello"]],
  ["not at all: Ctrl+D", ["\x04"], [null], []],
  ["not at all: the input ends", [], [null], []],
];
for (const [what, pieces, answers, lines] of typings) {
  test(`without a cursor a secret is typed ${what}: never shown, never said in the room`, async () => {
    const terminal = plainTerminal();
    const asked = (async () => {
      const given = [];
      for (const _ of answers) given.push(await terminal.view.secret("Password: "));
      return given;
    })();
    for (const piece of pieces) {
      await terminal.press(piece);
      await new Promise((resolve) => setTimeout(resolve));
    }
    await terminal.end();
    assertEquals(await asked, answers);
    assertEquals(terminal.lines, lines);
    const expected = answers.flatMap(() => ["Password: ", "<no echo>", "<echo>", "\n"]);
    assertEquals(terminal.shown, expected);
  });
}
test("a pipe is never asked for a secret", async () => {
  const s = streams([]);
  assertEquals(await new LinesView(s.streams, { ...parts, interactive: false }).secret("Password: "), null);
  assertEquals([s.out, s.err], [[], []]);
});
