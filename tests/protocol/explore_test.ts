/**
 * The group core, walked exhaustively to a depth (properties 16, 25 to 28); and, with a rule taken out, the attack that the
 * rule is for. Deeper, and with every rule: `deno task explore`.
 */

import { assert, assertEquals } from "@std/assert";
import { rulesOut, without } from "../../scripts/explore/rules_out.ts";
import { type WalkName, walks } from "../../scripts/explore/walks.ts";
import { sampled, some } from "../fakes/sampled.ts";
import { test } from "../fakes/test.ts";

const depths: [WalkName, number, number][] = [["forks", 5, 10_000], ["lies", 3, 3_000], ["doors", 4, 2_000], [
  "newcomer",
  2,
  100,
]];
for (const [name, depth, least] of depths) {
  test(`explored, ${name}: all that may happen within ${depth} steps keeps the promises`, () => {
    const { worlds, finding } = walks[name](depth);
    assertEquals(finding, null);
    assert(worlds > least, `only ${worlds} states were walked`);
  });
}

for (const n of some(5, rulesOut.length)) {
  const out = rulesOut[n - 1];
  test(`explored, without rule ${out.rule}: property ${out.property} breaks (${sampled})`, async () => {
    const finding = await without(out);
    assert(finding?.property.startsWith(`${out.property}: `), JSON.stringify(finding));
  });
}
