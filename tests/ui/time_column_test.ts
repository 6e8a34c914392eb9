/** Times before lines, in each style, over days and with clocks that are wrong. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { TimeColumn, type TimeStyle } from "../../lib/ui/time_column.ts";

const at = (day: number, hour = 9, minute = 35) => new Date(2026, 10, day, hour, minute, 24).getTime();
const clock = { now: () => at(21, 12) };
const shown = (style: TimeStyle | null, columns: number, times: number[]) => {
  const column = new TimeColumn(clock, style, () => columns);
  return times.map((time) => Object.values(column.before(time)));
};
const day = (n: number) => `[+] ---- 2026-11-${n} ----`;

const cases: [what: string, style: TimeStyle | null, columns: number, times: number[], expected: unknown][] =
  [
    ["a wide window has whole times", null, 60, [at(21)], [[null, "2026-11-21 09:35:24 "]]],
    ["a narrow one has short times, and the day", null, 59, [at(21), at(21, 10)], [
      [day(21), "09:35 "],
      [null, "10:35 "],
    ]],
    ["whole times name a day that is not today", "full", 40, [at(20), at(21)], [
      [day(20), "2026-11-20 09:35:24 "],
      [day(21), "2026-11-21 09:35:24 "],
    ]],
    ["short times name each day", "short", 100, [at(20), at(21)], [[day(20), "09:35 "], [day(21), "09:35 "]]],
    ["a line of a day that has been has its whole time", "short", 80, [at(21), at(20)], [
      [day(21), "09:35 "],
      [null, "2026-11-20 09:35:24 "],
    ]],
    ["a day that is far ahead begins nothing", "short", 80, [at(21), at(28)], [
      [day(21), "09:35 "],
      [null, "2026-11-28 09:35:24 "],
    ]],
    ["off shows days only", "off", 80, [at(20), at(20)], [[day(20), ""], [null, ""]]],
  ];
for (const [what, style, columns, times, expected] of cases) {
  test(`times: ${what}`, () => assertEquals(shown(style, columns, times), expected as unknown[][]));
}
