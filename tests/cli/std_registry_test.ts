/** The switch of the import map between the two registries of @std, on a copy of deno.json. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { run } from "../fakes/tools.ts";
import { test } from "../fakes/test.ts";

const root = new URL("../../", import.meta.url);

test("the import map goes to the original registry of @std and comes back as it was", async () => {
  const dir = Deno.makeTempDirSync();
  const config = Deno.readTextFileSync(new URL("deno.json", root));
  Deno.writeTextFileSync(join(dir, "deno.json"), config);
  const script = new URL("scripts/std_registry.ts", root).pathname;
  const to = async (registry: string) => {
    const flags = "--no-config --no-lock --allow-read=deno.json --allow-write=deno.json";
    const { ok, text } = await run("sh", [
      "-c",
      `cd ${dir} && ${Deno.execPath()} run -q ${flags} ${script} ${registry}`,
    ]);
    assertEquals(ok, true, text);
    return Deno.readTextFileSync(join(dir, "deno.json"));
  };
  const { imports } = JSON.parse(await to("jsr"));
  const ours = Object.entries<string>(imports).filter(([name]) => name.startsWith("@std/"));
  for (const [name, target] of ours) assertStringIncludes(target, `jsr:${name.split("/", 2).join("/")}@1`);
  assertEquals(await to("npm"), config);
  Deno.removeSync(dir, { recursive: true });
});
