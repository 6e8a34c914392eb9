import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { limitOptions, limitsOf } from "../../lib/cli/limit_options.ts";
import { parseOptions, UsageError } from "../../lib/cli/options.ts";
import { serveSpec } from "../../lib/cli/command_specs.ts";
import { defaultLimits, type Limits } from "../../lib/server/limits.ts";

const limits = (...args: string[]) => limitsOf(parseOptions(serveSpec, args).values);
const changed = (made: Limits) =>
  (Object.keys(made) as (keyof Limits)[]).filter((key) => made[key] !== defaultLimits[key]);

test("without flags the limits are the protocol's", () => assertEquals(limits(), defaultLimits));
test("there is a flag for each limit", () =>
  assertEquals(limitOptions.length, Object.keys(defaultLimits).length));
const reached = new Set<string>();
for (const { name, help } of limitOptions) {
  test(`--${name} changes one limit and no other, tells its default, and refuses what is no number`, () => {
    const standard = Number(/default: (\d+)/.exec(help)![1]);
    const value = name === "max-members" ? standard - 1 : standard + 1;
    const made = limits(`--${name}=${value}`);
    const [key, ...more] = changed(made);
    assertEquals([made[key], defaultLimits[key], more.length, reached.has(key)], [value, standard, 0, false]);
    reached.add(key);
    const mayBeOff = name === "file-bytes" || name === "files-bytes"; // 0: no files
    for (const bad of [...mayBeOff ? [] : ["0"], "1.5", "many", "99999999999999999"]) {
      assertThrows(() => limits(`--${name}=${bad}`), UsageError, `--${name}`);
    }
  });
}
test("each flag of a bound is in the table of the protocol, and none that is not there", () => {
  const page = Deno.readTextFileSync(new URL("../../lib/protocol/README.md", import.meta.url));
  const table = page.slice(page.indexOf("## 12."), page.indexOf("## 13."));
  const flags = [...table.matchAll(/`--([a-z-]+)`/g)].map(([, flag]) => flag);
  const bounds = limitOptions.map(({ name }) => name).filter((name) => name !== "transit-from");
  assertEquals(flags.toSorted(), [...bounds, "retain-bytes"].toSorted());
});
