/**
 * Import cycles: fails when files of lib import each other in a circle, types included. The graph is the runtime's
 * own (`deno info --json`).
 */

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier?: string };
    readonly type?: { readonly specifier?: string };
  }[];
}

/** The files of the program, each with what it imports. */
async function imports(root: string): Promise<Map<string, string[]>> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", root],
    stderr: "inherit",
  }).output();
  if (!success) Deno.exit(1);
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const here = new URL("../", import.meta.url).href;
  const short = (specifier: string) => specifier.slice(here.length);
  const own = modules.filter(({ specifier }) => specifier.startsWith(here));
  return new Map(own.map(({ specifier, dependencies = [] }) => {
    const found = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier]);
    return [short(specifier), [...new Set(found)].flatMap((s) => s?.startsWith(here) ? [short(s)] : [])];
  }));
}

/** The groups of files that reach each other (Tarjan 1972, strongly connected components). */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string) => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1) found.push(group.toSorted());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

const graph = await imports("main.ts");
const found = cycles(graph);
for (const group of found) {
  console.error(`error: These files import each other in a circle:\n  ${group.join("\n  ")}`);
}
if (found.length > 0) Deno.exit(1);
console.log(`No import cycle in ${graph.size} files`);
