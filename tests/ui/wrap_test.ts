/** Lines broken for a window: nothing lost, nothing at the first column but what stood there. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { columnsOf } from "../../lib/ui/graphemes.ts";
import { wrap } from "../../lib/ui/wrap.ts";
import { sanitize } from "../../lib/sanitize.ts";

const cases: [what: string, text: string, columns: number, rows: string[]][] = [
  ["what fits is left as it is", "one two", 8, ["one two"]],
  ["at blanks", "aaaa bbbb cccc dddd", 12, ["aaaa bbbb", "    cccc", "    dddd"]],
  ["a word that is too long", "x aaaaaaaaaaaaaaaaaa", 12, ["x aaaaaaaaa", "    aaaaaaa", "    aa"]],
  ["wide characters", "漢字漢字漢字漢字", 12, ["漢字漢字漢", "    字漢字"]],
  ["each line by itself", "aaaa bbbb cccc\n    dd", 12, ["aaaa bbbb", "    cccc", "    dd"]],
  ["an address in one piece", "see https://example.org/abc now", 12, [
    "see",
    "    https://example.org/abc",
    "    now",
  ]],
  ["blanks that others use", "aaaa\u00a0bbbb\u3000cccc", 12, ["aaaa\u00a0bbbb", "    cccc"]],
  ["a window too narrow for anything", "aaaa bbbb", 5, ["aaaa bbbb"]],
];
for (const [what, text, columns, rows] of cases) {
  test(`wrap: ${what}`, () => assertEquals(wrap(text, columns).split("\n"), rows));
}
test("wrap: of any text nothing is lost, no row is too wide, and each further row is indented", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.constantFrom(
      "[+] ",
      "[!] ",
      " ",
      "\u00a0",
      "\u3000",
      "漢",
      "👨‍👩‍👧",
      "e\u0301",
      "https://x.org/a/b",
      "word",
      "-",
      "\ufe0f",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 20, max: 100 }), (pieces, columns) => {
      const text = `2026-11-21 09:35:24 ira: ${sanitize(pieces.join(""))}`;
      const wrapped = wrap(text, columns);
      const squeezed = (t: string) => t.replaceAll(/[\s\p{Zs}]/gu, "");
      assertEquals(squeezed(wrapped), squeezed(text));
      for (const [i, row] of wrapped.split("\n").entries()) {
        assert(columnsOf(row) <= columns - 1 || row.includes("https://"), row);
        assert(i === 0 || row.startsWith("    "), row);
      }
    }),
    { numRuns: 2000 },
  );
});
