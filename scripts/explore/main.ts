/**
 * Explore: walks the group core as it is, exhaustively to a depth (protocol §15), and then with each rule taken out.
 *
 *   deno task explore [--deeper N]      N steps more than by default
 *
 * Prints what was walked, and a table of rules with the attack that each keeps out. Ends with exit code 1 when a
 * promise breaks, or when a rule can go without one.
 */

import { parseArgs } from "@std/cli/parse-args";
import type { Finding } from "./cast.ts";
import { rulesOut, without } from "./rules_out.ts";
import { type WalkName, walks } from "./walks.ts";

const depths: Readonly<Record<WalkName, number>> = { forks: 6, lies: 4, doors: 5, newcomer: 3 };

const { deeper } = parseArgs(Deno.args, { string: ["deeper"], default: { deeper: "0" } });
const path = ({ steps }: Finding) => steps.join("; ");
let failed = false;

for (const [name, depth] of Object.entries(depths) as [WalkName, number][]) {
  const steps = depth + Number(deeper);
  const { worlds, finding } = walks[name](steps);
  console.log(`${name}: ${worlds} states within ${steps} steps: ${finding ? "BROKEN" : "all promises hold"}`);
  if (finding) console.log(`  ${finding.property}\n  ${path(finding)}`);
  failed ||= finding !== null;
}
console.log("\nrule taken out (section of the protocol) | what breaks: by which steps");
for (const rule of rulesOut) {
  const finding = await without(rule);
  console.log(`${rule.rule} | ${finding ? `${finding.property}: ${path(finding)}` : "NOTHING"}`);
  failed ||= finding === null;
}
if (failed) Deno.exit(1);
