/**
 * Switches the import map between the npm package deno-std and the original registry of @std; no code
 * changes. `scripts/deno task std:jsr` and `scripts/deno task std:npm` run it.
 */

const npmVersion = "1.4.0";
const file = (name: string) => name.replaceAll("-", "_");

/** `@std/cli/parse-args` as the registry in question has it. */
function locate(specifier: string, registry: string): string {
  const [, module, ...rest] = specifier.split("/");
  if (registry === "jsr") return `jsr:@std/${module}@1${rest.length > 0 ? `/${rest.join("/")}` : ""}`;
  return `npm:deno-std@${npmVersion}/${module}/${rest.length > 0 ? file(rest.join("/")) : "mod"}.js`;
}

const [registry] = Deno.args;
if (registry !== "jsr" && registry !== "npm") {
  console.error("usage: std_registry.ts jsr|npm");
  Deno.exit(2);
}
let config = await Deno.readTextFile("deno.json");
for (const [entry, specifier] of config.matchAll(/"(@std\/[^"]+)": "[^"]*"/g)) {
  config = config.replace(entry, `"${specifier}": "${locate(specifier, registry)}"`);
}
// The original registry's modules bring their own types.
const types = registry === "jsr" ? "[]" : '["./scripts/std.d.ts"]';
await Deno.writeTextFile("deno.json", config.replace(/"types": \[[^\]]*\]/, `"types": ${types}`));
console.log(`deno.json maps @std to ${registry}; now run: scripts/deno install --frozen=false`);
