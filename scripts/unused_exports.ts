/**
 * Unused exports: fails when something is exported from lib and imported nowhere. A type that its own file's exports
 * speak of counts as used: whoever calls them may need its name.
 */

const declaration =
  /^export (?:abstract |async |declare )*(const|let|function\*?|class|interface|type) ([A-Za-z_$][\w$]*)/gm;
const imports = /(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+"([^"]+)"/g;
const loads = /(?:const\s+\{([^}]*)\}\s*=\s*await\s+)?import\("([^"]+)"\)/g;

async function* sources(dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) yield* sources(`${dir}/${name}`);
    else if (name.endsWith(".ts")) yield `${dir}/${name}`;
  }
}

const texts = new Map([["main.ts", await Deno.readTextFile("main.ts")]]);
for (const dir of ["lib", "tests", "scripts"]) {
  for await (const file of sources(dir)) texts.set(file, await Deno.readTextFile(file));
}

/** `file name` of all that is imported somewhere. */
const used = new Set<string>();
for (const [file, text] of texts) {
  for (const found of [...text.matchAll(imports), ...text.matchAll(loads)]) {
    const [, names = "", specifier] = found;
    if (!specifier.startsWith(".")) continue;
    const from = new URL(specifier, `file:///${file}`).pathname.slice(1);
    for (const name of names.split(",")) {
      used.add(`${from} ${name.trim().replace(/^type /, "").split(/ as |:/)[0].trim()}`);
    }
  }
}

const unused: string[] = [];
for (const [file, text] of texts) {
  if (!file.startsWith("lib/")) continue;
  for (const [, kind, name] of text.matchAll(declaration)) {
    if (used.has(`${file} ${name}`)) continue;
    const mentions =
      text.match(new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])`, "g"))!.length;
    const isType = kind === "interface" || kind === "type";
    if (!isType || mentions === 1) unused.push(`${file}: ${kind} ${name}`);
  }
}
for (const line of unused.toSorted()) console.error(`error: exported, and imported nowhere: ${line}`);
if (unused.length > 0) Deno.exit(1);
console.log(`Every export of ${texts.size} files is imported somewhere`);
