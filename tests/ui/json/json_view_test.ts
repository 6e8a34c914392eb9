/** `--json`: every line that is written fits the schema, whatever happened; every line that is read, or it is refused. */

import { test } from "../../fakes/test.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Ajv2020 } from "ajv";
import fc from "fast-check";
import type { RoomEvent } from "../../../lib/client/room_events.ts";
import { noStatus } from "../../../lib/client/status.ts";
import type { Entered, Said } from "../../../lib/client/chat_view.ts";
import { ChatError } from "../../../lib/errors.ts";
import { BadInput, parseInput } from "../../../lib/ui/json/input.ts";
import { JsonView } from "../../../lib/ui/json/json_view.ts";
import schema from "../../../lib/ui/json/schema.json" with { type: "json" };
import { active, hostileTexts } from "../../fakes/hostile_texts.ts";
import { said } from "../../fakes/terminal_bench.ts";

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
const isOutput = ajv.compile(schema);
const isInput = ajv.compile({ ...schema, $ref: "#/$defs/input" });

function program(input = "") {
  const lines: string[] = [];
  const view = new JsonView({
    input: new Blob([input]).stream(),
    out: (text) => {
      assert(text.endsWith("\n") && !text.slice(0, -1).includes("\n"), "one object a line");
      assert(isOutput(JSON.parse(text)), `${text}${ajv.errorsText(isOutput.errors)}`);
      lines.push(text);
    },
  });
  return { view, lines, objects: () => lines.map((line) => JSON.parse(line)) };
}

const happenings: RoomEvent[] = [
  said("Hi", { readers: { epoch: 3, names: ["ira", "sam"] } }),
  said("Hi", { own: true, address: "127.0.0.1:1", action: true, answer: true }),
  { type: "entered", room: "lobby", members: ["ira"] },
  { type: "entered", room: "lobby", members: ["ira"], speakers: true },
  { type: "unread", room: "lobby" },
  { type: "added", room: "lobby", who: "bob", by: "ira", verified: false },
  { type: "removed", room: "lobby", who: "bob", by: "ira", left: true },
  { type: "presence", room: "lobby", who: "bob", here: true },
  { type: "notice", room: "lobby", text: "news" },
  { type: "warning", room: "lobby", text: "careful" },
  {
    type: "progress",
    room: "lobby",
    id: "ab",
    way: "up",
    name: "a.txt",
    done: 1,
    size: 2,
    rate: 3,
    leftMs: null,
    isWaiting: false,
  },
  { type: "saved", room: "lobby", id: "ab", name: "a.txt", path: "/tmp/a.txt", size: 2 },
  { type: "download failed", room: "lobby", id: "ab", name: "a.txt", why: "gone" },
  { type: "cancelled", room: "lobby", id: "ab" },
];
test("--json tells of a file as the schema says, with the ref it was sent under", async () => {
  const { view, objects } = program('{"type":"send","path":"/tmp/a.txt","text":"look","ref":"7"}\n');
  for await (const entered of view.lines()) {
    assert(typeof entered === "object" && "texts" in entered);
    assertEquals([entered.file, entered.texts], ["/tmp/a.txt", ["look"]]);
    entered.pending!("ab");
  }
  const file = { name: "a.txt", size: 2, sha256: "0".repeat(64), untilMs: 1_800_000_000_000 };
  view.event({ ...said("look", { own: true, file }), msgId: "ab" });
  view.event({ ...said("", { file }), msgId: "cd" });
  assertEquals(objects().map(({ type, id, ref, words, name }) => [type, id, ref, words, name]), [
    ["pending", "ab", "7", undefined, undefined],
    ["file", "ab", "7", "look", "a.txt"],
    ["file", "cd", undefined, "", "a.txt"],
  ]);
});
/** Where a program reads another word than the event has. */
const types: Partial<Record<RoomEvent["type"], string>> = { "download failed": "failed" };
for (const event of happenings) {
  test(`--json tells of "${event.type}" as the schema says`, () => {
    const { view, objects } = program();
    view.event(event);
    const [object] = objects();
    assertEquals([objects().length, object.v, object.type, object.room], [
      1,
      2,
      types[event.type] ?? event.type,
      event.room,
    ]);
  });
}
test("--json tells of what is no room's as the schema says, and of a status only when it changes", () => {
  const { view, objects } = program();
  view.notice("news");
  view.warning("careful");
  view.answer(["one", "two"]);
  view.progress();
  view.status(noStatus);
  view.status({ ...noStatus, room: "lobby", rooms: [{ label: "lobby", unread: 0 }], offline: null });
  view.status({ ...noStatus, room: "lobby", rooms: [{ label: "lobby", unread: 4 }], offline: null });
  view.failed(new ChatError("It is over", "begin again", 3));
  view.failed(new Error("a fault of ours"));
  assertEquals(objects().map(({ type }) => type), ["notice", "warning", "answer", "status", "error"]);
  assertEquals(objects().at(-1), {
    v: 2,
    type: "error",
    message: "It is over",
    hint: "begin again",
    code: 3,
  });
});
for (const { what, text } of hostileTexts) {
  test(`--json with text that ${what}: the same text for the program, nothing for a terminal`, () => {
    const { view, lines, objects } = program();
    view.event(said(text));
    view.warning(text);
    view.answer([text]);
    assertEquals(objects().map((o) => o.text ?? o.lines[0]), [text, text, text]);
    for (const line of lines) assert(!active.test(line));
  });
}
test("--json: any text comes through whole, on one line", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const { view, lines, objects } = program();
    view.event(said(text));
    assertEquals(objects()[0].text, text);
    assert(!active.test(lines[0]));
  }));
});

const inputs: [line: string, ok: boolean][] = [
  ['{"type":"say","text":"Hi"}', true],
  ['{"v":1,"type":"say","text":"","room":"dev","action":true,"ref":"7"}', true],
  ['{"type":"say","text":"Hi","to":"ira"}', true],
  ['{"type":"say","text":"/quit\\nEXIT"}', true],
  ['{"type":"token","token":"gAAAA","ref":"1"}', true],
  ['{"type":"token"}', false],
  ['{"type":"token","token":"gAAAA","to":"ira"}', false],
  ['{"type":"command","line":"/who"}', true],
  ['{"type":"quit"}', true],
  ['{"type":"say"}', false],
  ['{"type":"say","text":7}', false],
  ['{"type":"say","text":"Hi","room":"a","to":"b"}', false],
  ['{"type":"say","text":"Hi","rooom":"a"}', false],
  ['{"type":"say","text":"Hi","__proto__":"a"}', false],
  ['{"type":"say","text":"Hi","action":"yes"}', false],
  ['{"type":"command","line":"who"}', false],
  ['{"type":"command","line":"/msg ira one\\ntwo"}', false],
  ['{"type":"toString"}', false],
  ['{"v":3,"type":"quit"}', false],
  ['{"v":2,"type":"send","path":"/tmp/a","text":"x","to":"ira","ref":"7"}', true],
  ['{"type":"send"}', false],
  ['{"type":"get","id":"ab","dir":"/tmp"}', true],
  ['{"type":"cancel"}', false],
  ['{"type":"cancel","id":"ab","ref":"1"}', true],
  ['{"type":"quit","now":true}', false],
  ["{}", false],
  ["[]", false],
  ["null", false],
  ["Hi", false],
];
for (const [line, ok] of inputs) {
  test(`--json ${ok ? "takes" : "refuses"} ${line}, as the schema does`, () => {
    if (line !== "Hi") assertEquals(isInput(JSON.parse(line)), ok);
    if (ok) assertEquals(parseInput(line).type, JSON.parse(line).type);
    else assertThrows(() => parseInput(line), BadInput);
  });
}
test("--json: any JSON at all is taken or refused, and the schema agrees", () => {
  const value = fc.oneof(fc.string(), fc.boolean(), fc.integer(), fc.constant(null));
  const key = fc.constantFrom("text", "room", "to", "action", "ref", "line", "v", "x");
  const object = fc.tuple(fc.constantFrom("say", "command", "quit", "x"), fc.dictionary(key, value)).map(
    ([type, rest]) => ({ ...rest, type }),
  );
  fc.assert(fc.property(object, (input) => {
    let taken = true;
    try {
      parseInput(JSON.stringify(input));
    } catch (error) {
      assert(error instanceof BadInput);
      taken = false;
    }
    assertEquals(taken, isInput(input));
  }));
});
test("--json: what was said comes back under its ref, as waiting, stored, failed or refused", async () => {
  const { view, objects } = program(
    '{"type":"say","text":"one","ref":"a"}\n\n{"type":"say","text":"two"}\nnonsense\n{"type":"command","line":"/who"}\n' +
      '{"type":"quit"}',
  );
  const entered: Entered[] = [];
  for await (const each of view.lines()) entered.push(each);
  const [one, two, bad, ...commands] = entered;
  assertEquals(commands, ["/who", "/quit"]);
  assert(bad instanceof BadInput);
  (one as Said).pending!("m1");
  (two as Said).pending!("m2");
  view.event(said("one", { own: true, msgId: "m1" }));
  view.event({ type: "failed", room: "lobby", msgId: "m2", why: "no" });
  view.event({ type: "withdrawn", room: "lobby", msgId: "m2" });
  view.event({ type: "withdrawn", room: "lobby", msgId: "never told" });
  (one as Said).refused!(new ChatError("No", "never"));
  assertEquals(objects().map(({ type, id, ref }) => [type, id, ref]), [
    ["refused", undefined, undefined],
    ["pending", "m1", "a"],
    ["pending", "m2", undefined],
    ["message", "m1", "a"],
    ["failed", "m2", undefined],
    ["withdrawn", "m2", undefined],
    ["refused", undefined, "a"],
  ]);
});
test("--json asks nothing", async () => {
  const { view, lines } = program();
  view.question();
  assertEquals([await view.secret(), view.interactive, lines], [null, false, []]);
});
test("the page for programs names every type of the schema, and its version", () => {
  const readme = Deno.readTextFileSync(new URL("../../../lib/ui/json/README.md", import.meta.url));
  const { view, lines } = program();
  view.notice("hello");
  assertEquals(readme.match(/version of the schema \((\d+)\)/)?.[1], String(JSON.parse(lines[0]).v));
  for (const name of Object.keys(schema.$defs).filter((name) => /^(in|out)-/.test(name))) {
    assert(readme.includes(`\`${name.replace(/^(in|out)-/, "")}\``), name);
  }
});
