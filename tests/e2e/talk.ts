/** Talk: what programs at pipes have heard of each other, and that nothing confirmed is lost, doubled or moved. */

import { assertEquals } from "@std/assert";
import { until } from "../fakes/until.ts";
import type { ChatProcess } from "./chat_process.ts";

/** A message, as --json tells it. */
export interface Heard {
  readonly type: string;
  readonly from: string;
  readonly own: boolean;
  readonly text: string;
  readonly pos: number;
}

/** All messages that a program has told. */
export const heard = (process: ChatProcess): Heard[] =>
  process.out.split("\n").filter((line) => line.includes('"type":"message"')).map((line) => JSON.parse(line));

/** What it was warned of, beside cuts. */
const warnings = (process: ChatProcess): string[] =>
  process.out.split("\n").filter((line) => line.includes('"type":"warning"'))
    .map((line) => JSON.parse(line).text)
    .filter((text) =>
      !/connection|Nothing answers|shutting down|Cannot connect|handshake|is not a chat server|gone silent|did not answer|does not answer|Nobody can be joined|cannot keep anything/
        .test(text)
    );

/** The last that a client told besides messages: for who reads why this failed. */
const others = (process: ChatProcess): string =>
  process.out.split("\n").filter((line) => !/"type":"(message|pending)"/.test(line)).slice(-12).join(" ");

/** Says lines by turns, every so often. @returns ends it, and tells how many were said */
export function talkOf(people: readonly ChatProcess[], everyMs: number): () => number {
  let said = 0;
  const talk = setInterval(() => {
    void people[said % people.length].type(`${JSON.stringify({ type: "say", text: `line ${said}` })}\n`);
    said++;
  }, everyMs);
  return () => {
    clearInterval(talk);
    return said;
  };
}

/** What was said is heard by all, once, at the same places, in the order of the log; and nobody is warned. */
export async function allHeardOnceAndInOrder(
  people: readonly ChatProcess[],
  said: number,
  timeoutMs = 60_000,
) {
  const all = () => people.map(heard);
  await until("all is heard", () => all().every((list) => list.length >= said), {
    timeoutMs,
    instead: () =>
      `${said} said, heard: ${people.map((each) => `${heard(each).length}, ${others(each)}`).join("; ")}`,
  });
  const [first, ...rest] = all();
  // What one confirms as own, all others heard, at the same place, once.
  const inOrder = (list: Heard[]) =>
    list.toSorted((a, b) => a.pos - b.pos).map(({ from, text, pos }) => `${pos} ${from} ${text}`);
  assertEquals(first.length, said);
  for (const list of rest) assertEquals(inOrder(list), inOrder(first));
  assertEquals(new Set(first.map(({ text }) => text)).size, said);
  for (const list of all()) {
    const positions = list.filter(({ own }) => !own).map(({ pos }) => pos);
    assertEquals(positions, positions.toSorted((a, b) => a - b), "heard in the order of the log");
  }
  for (const process of people) assertEquals(warnings(process), []);
}
