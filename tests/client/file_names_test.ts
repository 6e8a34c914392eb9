/** Names of files that strangers choose: what is shown is what is written, and nothing else happens. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { numberedName, safeFileName } from "../../lib/client/files/file_name.ts";
import { sanitizeLine } from "../../lib/sanitize.ts";
import { test } from "../fakes/test.ts";
import { vectors } from "../fakes/vectors.ts";

for (const { given, safe } of vectors("file_names").names as { given: string; safe: string }[]) {
  test(`${JSON.stringify(given.slice(0, 40))} is ${JSON.stringify(safe.slice(0, 40))}`, () => {
    assertEquals(safeFileName(given), safe);
  });
}

test("whatever is given: one name, no path, shown as it is written, of at most 200 bytes, and safe again", () => {
  const parts = fc.constantFrom(
    "..",
    "/",
    "\\",
    ".",
    " ",
    "con",
    "\u202e",
    "\u0000",
    ":",
    "a",
    "é",
    "👩‍👧",
    "\u0301",
    "-",
  );
  const name = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(parts, { maxLength: 300 }).map((some) => some.join("")),
  );
  fc.assert(fc.property(name, (given) => {
    const safe = safeFileName(given);
    assert(safe !== "" && safe !== "." && safe !== "..");
    assert(!/[/\\:\p{Cc}]/u.test(safe) && !/^[.\s~-]|[.\s]$/u.test(safe), safe);
    assert(new TextEncoder().encode(safe).length <= 201);
    assertEquals(sanitizeLine(safe), safe);
    assertEquals(safeFileName(safe), safe);
  }));
});
test("a name that is taken gets a number before its ending", () => {
  assertEquals(
    ["report.pdf", "a.tar.gz", "noending", "a.b c"].map((name) => numberedName(name, 2)),
    ["report (2).pdf", "a (2).tar.gz", "noending (2)", "a.b c (2)"],
  );
  assertEquals(numberedName("report.pdf", 1), "report.pdf");
});
