/** Bytes of a terminal as keys, however they are cut into reads. */

import { test } from "../../fakes/test.ts";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Key, KeyReader, maxPasteBytes } from "../../../lib/ui/terminal/keys.ts";

/** A key in short: text in quotes, a paste in angles, others by name. */
function short(key: Key): string {
  return key.kind === "text" ? `"${key.text}"` : key.kind === "paste" ? `<${key.text}>` : key.name;
}
function read(...reads: (string | Uint8Array)[]): string[] {
  const reader = new KeyReader();
  const keys = reads.flatMap((text) =>
    reader.feed(typeof text === "string" ? new TextEncoder().encode(text) : text)
  );
  return [...keys, ...reader.flush()].map(short);
}

const table: [what: string, sent: string, keys: string[]][] = [
  ["text", "Grüße, 日本", ['"Grüße, 日本"']],
  ["Enter and Ctrl+J", "\r\n", ["enter"]],
  ["two Enters", "\r\r", ["enter", "enter"]],
  ["control letters", "\x01\x05\x17\x15\x0b\x19\x1a\x03", [
    "c-a",
    "c-e",
    "c-w",
    "c-u",
    "c-k",
    "c-y",
    "c-z",
    "c-c",
  ]],
  ["Backspace in both spellings", "\x7f\b", ["backspace", "backspace"]],
  ["Tab and Shift+Tab", "\t\x1b[Z", ["tab", "s-tab"]],
  ["arrows", "\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]],
  ["arrows in application mode", "\x1bOA\x1bOD", ["up", "left"]],
  ["Home and End in four spellings", "\x1b[H\x1b[F\x1b[1~\x1b[4~\x1bOH\x1bOF\x1b[7~\x1b[8~", [
    "home",
    "end",
    "home",
    "end",
    "home",
    "end",
    "home",
    "end",
  ]],
  ["Delete", "\x1b[3~", ["delete"]],
  ["Ctrl+arrow, Alt+arrow", "\x1b[1;5C\x1b[1;3D", ["c-right", "m-left"]],
  ["Alt with letters, digits and signs", "\x1bb\x1bF\x1b1\x1b9\x1b<", ["m-b", "m-f", "m-1", "m-9", "m-<"]],
  ["Alt+Enter, Alt+Backspace", "\x1b\r\x1b\x7f", ["m-enter", "m-backspace"]],
  ["Escape alone", "\x1b", ["escape"]],
  ["Escape twice, then a letter", "\x1b\x1bb", ["escape", "m-b"]],
  ["function keys, which mean nothing", "\x1bOP\x1b[15~\x1b[24;2~x", ['"x"']],
  ["the Linux console's function keys", "\x1b[[Ax", ['"x"']],
  ["reports of mice and focus", "\x1b[<0;3;4M\x1b[I\x1b[Ox", ['"x"']],
  ["an answer of the terminal", "\x1b]11;rgb:00/00/00\x07\x1bP1$r0m\x1b\\x", ['"x"']],
  ["a sequence that breaks off", "\x1b[12;", []],
  ["a sequence with nonsense in it", "\x1b[1é2", ['"é2"']],
  ["C1 controls, which no key sends", "a\u00852Jb", ['"a"', '"2Jb"']],
  ["CSI and SS3 of one character", "a\u009bA\u008fB\u009b2Jb", ['"a"', "up", "down", '"b"']],
  ["SS3 that breaks off before another", "\x1bO\x1b[Ax", ["up", '"x"']],
  ["codes that are no text", "\x1b[97;1;55296u\x1b[97;1;127u\x1b[97;1;133u\x1b[55296u\x1b[8238ux", ['"x"']],
  ["a turn of the writing", "a\u202eb", ['"ab"']],
  ["a paste of several lines", "\x1b[200~one\rtwo\nthree\r\n\x1b[201~", ["<one\ntwo\nthree\n>"]],
  ["a paste with escapes and controls in it", "\x1b[200~\x1b[2Ja\x07\x03b\tc\x1b[201~", ["<[2Jab\tc>"]],
  ["the keypad in application mode", "\x1bOp\x1bOy\x1bOn\x1bOk\x1bOM", ['"0"', '"9"', '"."', '"+"', "enter"]],
  ["arrows in application mode, with modifiers", "\x1bOA\x1bO5D\x1bO1;5C", ["up", "c-left", "c-right"]],
  ["a mouse, in three ways", "\x1b[M !!\x1b[<0;12;7Mx\x1b[<0;12;7m\x1b[32;1;1Mz", ['"x"', '"z"']],
  ["the window gets and loses the focus", "\x1b[I\x1b[Ox", ['"x"']],
  ["every key as a sequence (xterm)", "\x1b[27;5;97~\x1b[27;3;98~\x1b[27;2;13~\x1b[27;5;9~", [
    "c-a",
    "m-b",
    "enter",
    "c-tab",
  ]],
  ["every key as a sequence (kitty)", "\x1b[97u\x1b[97;5u\x1b[97:65;2;65u\x1b[13u\x1b[27u\x1b[32;5u", [
    '"a"',
    "c-a",
    '"A"',
    "enter",
    "escape",
    "c-space",
  ]],
  ["keys that are let go, and keys alone (kitty)", "\x1b[97;1:3u\x1b[57441;2u\x1b[1;1:3Ax", ['"x"']],
  ["the keypad (kitty)", "\x1b[57399u\x1b[57409u\x1b[57414u", ['"0"', '"."', "enter"]],
  ["keys of rxvt with Shift and Ctrl", "\x1b[7$a\x1b[5^b\x1b[a", ['"a"', '"b"']],
  ["what the terminal says of itself", "\x1b[?62;4c\x1b[?2026;2$y\x1b[12;40R\x1b]11;rgb:00/00/00\x07x", [
    '"x"',
  ]],
  ["typing around a paste", "a\x1b[200~b\x1b[201~c", ['"a"', "<b>", '"c"']],
  ["an empty paste", "\x1b[200~\x1b[201~", ["<>"]],
];
for (const [what, sent, keys] of table) {
  test(`keys: ${what}`, () => assertEquals(read(sent), keys));
}
test("keys: the same, cut at any place into two reads; text may come in two parts", () => {
  const joined = (keys: string[]) => keys.join(" ").replaceAll('" "', "");
  for (const [what, sent, keys] of table) {
    const bytes = new TextEncoder().encode(sent);
    for (let i = 0; i <= bytes.length; i++) {
      // A lone Ctrl+C within a paste gives up a paste whose end is lost.
      if (/paste/.test(what) && bytes.length - i === 1) continue;
      assertEquals(joined(read(bytes.subarray(0, i), bytes.subarray(i))), joined(keys), `${what}, at ${i}`);
    }
  }
});
test("keys: a sequence longer than any is dropped to its end, however it comes", () => {
  const answer = `\x1b]11;${"r".repeat(300)}`;
  for (const end of ["\x07", "\x1b\\", "\u009c"]) {
    assertEquals(read(answer.slice(0, 100), answer.slice(100), end, "x"), ['"x"']);
  }
  assertEquals(read(`${answer}\x1b`, "\\x"), ['"x"'], "the end cut in two");
  assertEquals(read(answer, "\x03x"), ["c-c", '"x"'], "an end that never comes");
  assertEquals(read(`\x1b[${"1;".repeat(80)}`, "2;3mx"), ['"x"']);
  const reader = new KeyReader();
  reader.feed(new TextEncoder().encode("\x1b]11;rgb:"));
  reader.flush(); // a slow line
  assertEquals(reader.feed(new TextEncoder().encode("00/00/00\x07x")).map(short), ['"x"']);
});
test("keys: any bytes in any pieces end as keys without controls, and nothing is stuck", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (pieces) => {
      const reader = new KeyReader();
      const keys = pieces.flatMap((bytes) => reader.feed(new Uint8Array(bytes)));
      keys.push(...reader.flush());
      for (const key of keys) {
        if (key.kind === "text") assert(!/\p{Cc}/u.test(key.text));
        if (key.kind === "paste") assert(!/[^\P{Cc}\n\t]/u.test(key.text));
      }
      reader.feed(new Uint8Array([3]));
      reader.flush();
      assertEquals(reader.feed(new TextEncoder().encode("x")).map(short), ['"x"']);
    }),
    { numRuns: 2000 },
  );
});
test("keys: a paste whose end never comes is given up with Ctrl+C", () => {
  assertEquals(read("\x1b[200~never ends", "more", "\x03", "x"), ["c-c", '"x"']);
});
test("keys: a paste that is too large is counted, and not kept", () => {
  const reader = new KeyReader();
  const keys = [
    ...reader.feed(new TextEncoder().encode(`\x1b[200~${"x".repeat(maxPasteBytes)}`)),
    ...reader.feed(new TextEncoder().encode(`${"y".repeat(1000)}\x1b[201~`)),
  ];
  assertEquals(keys, [{ kind: "paste", text: "", bytes: maxPasteBytes + 1000 }]);
});
test("keys: Escape waits for what may follow it, and only then", () => {
  const reader = new KeyReader();
  reader.feed(new TextEncoder().encode("x"));
  assertEquals(reader.isWaiting, false);
  reader.feed(new Uint8Array([0x1b]));
  assertEquals(reader.isWaiting, true);
  assertEquals(reader.flush().map(short), ["escape"]);
  assertEquals(reader.isWaiting, false);
});
