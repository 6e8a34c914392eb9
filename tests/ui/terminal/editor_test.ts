/** The editor: keys to text and cursor (shown as `|`), and what the world is told to do. */

import { test } from "../../fakes/test.ts";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  complete,
  type EditorState,
  type Effect,
  emptyLine,
  press,
} from "../../../lib/ui/terminal/editor.ts";
import { boundaryFrom } from "../../../lib/ui/graphemes.ts";
import { type Key, KeyReader } from "../../../lib/ui/terminal/keys.ts";

const limit = 16_384;

/** "word" is text, `<…>` a paste, anything else a key by its name. */
function keysOf(keys: string): Key[] {
  return [...keys.matchAll(/"([^"]*)"|<([^>]*)>|(\S+)/g)].map(([, text, pasted, name]): Key => {
    if (text !== undefined) return { kind: "text", text };
    if (pasted === undefined) return { kind: "key", name };
    const paste = pasted.replaceAll("\\n", "\n");
    return { kind: "paste", text: paste, bytes: new TextEncoder().encode(paste).length };
  });
}
function run(keys: string, start = emptyLine(["first", "second one"]), limitBytes = limit) {
  const effects: Effect[] = [];
  let state = start;
  for (const key of keysOf(keys)) {
    const pressed = press(state, key, limitBytes);
    state = pressed.state;
    if (pressed.effect) effects.push(pressed.effect);
  }
  return { state, effects };
}
const shown = ({ text, cursor }: EditorState) => `${text.slice(0, cursor)}|${text.slice(cursor)}`;

const edits: [what: string, keys: string, result: string][] = [
  ["typing", '"Hello"', "Hello|"],
  ["typing in the middle", '"Helo" left "l"', "Hell|o"],
  ["left and right stop at the ends", '"a" right left left left', "|a"],
  ["Home, End, Ctrl+A, Ctrl+E", '"abc" c-a "x" c-e "y" home "z" end', "zxabcy|"],
  ["words with Alt+B and Alt+F", '"one two, three" m-b m-b', "one |two, three"],
  ["to the end of a word", '"one two, three" c-a m-f m-f', "one two|, three"],
  ["Backspace and Delete", '"abcd" backspace left delete', "ab|"],
  ["Ctrl+D deletes within a line", '"abc" c-a c-d', "|bc"],
  ["Ctrl+K and Ctrl+Y", '"one two" c-a m-f c-k c-a c-y', " two|one"],
  ["Ctrl+U takes what is before", '"one two" m-b c-u', "|two"],
  ["Ctrl+W takes up to a blank", '"see http://x.y/z now" c-w c-w', "see |"],
  ["Alt+D and Alt+Backspace", '"one two three" c-a m-d c-e m-backspace', " two |"],
  ["Ctrl+T exchanges two", '"ab" c-t', "ba|"],
  ["Ctrl+T in the middle", '"abc" left c-t', "acb|"],
  ["undo", '"abc" "def" c-_', "abc|"],
  ["undo of a cut", '"one two" c-w c-_', "one two|"],
  ["undo of everything and more", '"a" "b" c-_ c-_ c-_', "|"],
  ["Alt+Enter begins another row", '"a" m-enter "b"', "a\nb|"],
  ["Home and End stay in their row", '"ab" m-enter "cd" home "x" up end', "ab|\nxcd"],
  ["up recalls, and keeps the line", '"draft" up', "second one|"],
  ["up twice", "up up", "first|"],
  ["up beyond the oldest", "up up up up", "first|"],
  ["down comes back to the line", '"draft" up up down down', "draft|"],
  ["Ctrl+P and Ctrl+N", '"draft" c-p c-p c-n', "second one|"],
  ["the oldest and back", '"draft" m-< m->', "draft|"],
  ["what was recalled and changed is the line", 'up "!" down', "|"],
  ["and is there again", 'up "!" up down', "second one!|"],
  ["until a line was entered", 'up "!" up enter up up', "second one|"],
  ["Ctrl+R finds the newest, Enter's key ends it elsewhere", 'c-r "s" right', "second one|"],
  ["Ctrl+R again finds an older one", 'c-r "s" c-r right', "first|"],
  ["Ctrl+R without an older one stays", 'c-r "second" c-r right', "second one|"],
  ["Ctrl+R and Escape: what was found is to be changed", 'c-r "s" escape "!"', "second one!|"],
  ["Ctrl+R given up", '"draft" c-r "s" c-g', "draft|"],
  ["Ctrl+R of what was never said", '"draft" c-r "zebra" right', "draft|"],
  ["a grapheme is one step: e and its accent", '"xe\u0301y" left left', "x|e\u0301y"],
  ["a grapheme is one step: a family", '"a👨‍👩‍👧‍👦b" left left', "a|👨‍👩‍👧‍👦b"],
  ["a grapheme is deleted whole: a flag", '"a🇩🇪🇫🇷" backspace', "a🇩🇪|"],
  ["a grapheme is deleted whole: skin", '"👍🏽" backspace', "|"],
  ["wide characters", '"日本語" left backspace', "日|語"],
  ["a mark typed alone joins what is before", '"e" "\u0301" left', "|e\u0301"],
  ["two half flags that meet are one", '"🇩x🇪" left backspace', "🇩🇪|"],
  ["a paste of one line is typed", '"a" <pasted>', "apasted|"],
  ["a paste of one line with its line feed is not sent", "<one line\\n>", "one line|"],
  ["unknown keys do nothing", '"a" page-up c-space m-x escape', "a|"],
  ["Ctrl+C clears", '"abc" c-c', "|"],
];
for (const [what, keys, result] of edits) {
  test(`editor: ${what}`, () => assertEquals(shown(run(keys).state), result));
}

const effects: [what: string, keys: string, effects: Effect[], result?: string][] = [
  ["Enter gives the line", '"Hi" enter', [{ type: "enter", text: "Hi" }], "|"],
  ["Enter in the middle gives all of it", '"Hi" left enter', [{ type: "enter", text: "Hi" }], "|"],
  ["Ctrl+D on an empty line ends", "c-d", [{ type: "end" }]],
  ["Ctrl+C on a line, and again", '"x" c-c c-c', [{ type: "interrupt", empty: false }, {
    type: "interrupt",
    empty: true,
  }]],
  ["Ctrl+Z, Ctrl+L, Alt+3", "c-z c-l m-3", [{ type: "suspend" }, { type: "clear" }, {
    type: "switch",
    to: 3,
  }]],
  ["Tab asks", '"so" tab', [{ type: "complete" }], "so|"],
  ["a paste of lines is held", "<a\\nb>", [], "|"],
  ["and said as one message", '"see: " <a\\nb> "o" enter', [{ type: "say", lines: ["see: a\nb"] }], "|"],
  ["or line by line, without empty ones", '<a\\n\\n/quit\\nb> "Line" enter', [
    { type: "say", lines: ["a", "/quit", "b"] },
  ]],
  ["or not at all: the line stays", '"draft" <a\\nb> "n" enter', [], "draft|"],
  ["Escape and Ctrl+C are no", '"draft" <a\\nb> escape <c\\nd> c-c', [], "draft|"],
  ["other keys do not answer", '<a\\nb> "hello" enter up "lunch" enter "x" backspace "l" enter', [{
    type: "say",
    lines: ["a", "b"],
  }]],
  ["a second paste does not answer the first", '<a\\nb> <l\\nl> "n" enter', [], "|"],
];
for (const [what, keys, expected, result] of effects) {
  test(`editor: ${what}`, () => {
    const { state, effects } = run(keys);
    assertEquals(effects, expected);
    if (result !== undefined) assertEquals(shown(state), result);
  });
}
test("editor: what was entered is remembered once, and never what was blank", () => {
  const { state } = run('"one" enter "one" enter " " enter "two" enter');
  assertEquals(state.history, ["first", "second one", "one", "two"]);
});
test("editor: what does not fit is refused whole, with the size, and the line stays", () => {
  for (
    const keys of [
      '"12345678" "9ab"',
      '"12345678" <9ab>',
      '"1234" <5\\n67890> "o" enter',
      '"1234" <5\\n6> <>',
    ]
  ) {
    const { state, effects } = run(keys, emptyLine(), 10);
    if (keys.includes("<>")) {
      assertEquals(effects, []);
      continue;
    }
    assertEquals(effects.length, 1);
    assert(effects[0].type === "refused" && /^That would be 11 bytes; .* at most 10/.test(effects[0].why));
    assert(state.text === "12345678" || state.text === "1234");
  }
});
test("editor: a paste too large to be kept is refused with its size", () => {
  const { effect } = press(emptyLine(), { kind: "paste", text: "", bytes: 5_000_000 }, limit);
  assert(effect?.type === "refused" && effect.why.includes("5000000 bytes"));
});
test("editor: Tab again takes the next word, Shift+Tab the one before, any other key keeps it", () => {
  const typed = run('"hi so"').state;
  const words = ["sony: ", "sofia: ", "some: "];
  let state = complete(typed, 3, words, limit);
  assertEquals(shown(state), "hi sony: |");
  state = run("tab", state).state;
  assertEquals(shown(state), "hi sofia: |");
  state = run("tab tab", state).state;
  assertEquals(shown(state), "hi sony: |");
  state = run("s-tab", state).state;
  assertEquals(shown(state), "hi some: |");
  state = run('"x" tab', state).state;
  assertEquals([shown(state), state.offer], ["hi some: x|", null]);
  assertEquals(complete(typed, 3, [], limit), typed);
});

/** Whether everything that the editor promises of a state holds. */
function assertValid(state: EditorState, limitBytes: number): void {
  const { text, cursor, history, at, before } = state;
  assert(cursor >= 0 && cursor <= text.length, "the cursor is in the line");
  assertEquals(boundaryFrom(text, cursor), cursor, "the cursor is on the border of a grapheme");
  assert(new TextEncoder().encode(text).length <= limitBytes, "the line fits");
  assert(at === null || (at >= 0 && at < history.length), "an earlier line that there is");
  assert(!/[^\P{Cc}\n\t]/u.test(text), "no control characters but those that a paste may bring");
  for (const { text, cursor } of before) assert(cursor >= 0 && cursor <= text.length);
  if (state.search?.at != null) assert(state.search.at < history.length);
}
const pieces = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((bytes) => new Uint8Array(bytes)),
    fc.constantFrom(
      ...[
        "\r",
        "\x1b[A",
        "\x1b[B",
        "\x1b[D",
        "\x7f",
        "\x17",
        "\x15",
        "\x19",
        "\x1f",
        "\x14",
        "\x12",
        "\t",
        "\x1b[Z",
      ],
      ...["\x1bb", "\x1bd", "\x1b\r", "\x03", "\x04", "\x0b", "\x01", "\x1b<", "\x1b>", "o", "l", "n"],
      ...[
        "\x1b[200~",
        "\x1b[201~",
        "\x1b[200~a\nb\x1b[201~",
        "é",
        "e\u0301",
        "\u0301",
        "日本",
        "👨‍👩‍👧",
        "🇩",
        "🇩🇪",
        "\u200d",
      ],
    ).map((text) => new TextEncoder().encode(text)),
  ),
  { maxLength: 60 },
);
test("editor: any stream of bytes leaves a valid state", () => {
  fc.assert(
    fc.property(pieces, fc.constantFrom(8, 40, limit), (stream, limitBytes) => {
      const reader = new KeyReader();
      let state = emptyLine(["early", "日本語 line"].filter((line) => line.length * 3 <= limitBytes));
      for (const bytes of stream) {
        for (const key of reader.feed(bytes)) {
          const { state: next, effect } = press(state, key, limitBytes);
          state = effect?.type === "complete" ? complete(next, next.cursor, ["x", "yy"], limitBytes) : next;
          assertValid(state, limitBytes);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
test("editor: what is typed and then undone, key by key, is what was there", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }), { maxLength: 20 }),
      (words) => {
        const start = run('"start here" m-b').state;
        let state = start;
        let typed = 0;
        for (const text of words.filter((word) => !/\p{Cc}/u.test(word))) {
          state = press(state, { kind: "text", text }, limit).state;
          typed++;
        }
        for (; typed > 0; typed--) state = press(state, { kind: "key", name: "c-_" }, limit).state;
        assertEquals([state.text, state.cursor], [start.text, start.cursor]);
      },
    ),
  );
});
