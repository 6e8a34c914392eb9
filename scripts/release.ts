/**
 * Makes a release in dist: the executables of all targets, packages for Debian, SHA256SUMS over all of them, and a
 * signature of that file by `ssh-keygen -Y` (PROTOCOL.sshsig): deno task release --key FILE
 */

import { parseArgs } from "@std/cli/parse-args";
import { version } from "../lib/version.ts";
import { makeDeb } from "./executables/deb_package.ts";
import { fetchDeno } from "./executables/deno_package.ts";
import { need, runTool } from "./executables/run_tool.ts";
import { inWorkFolder, runScript } from "./executables/script.ts";
import { targets } from "./executables/targets.ts";

const dist = "dist";
const namespace = "chat-release";
const debian = [["amd64", "x86_64-unknown-linux-gnu"], ["arm64", "aarch64-unknown-linux-gnu"]] as const;

interface Asked {
  /** Of the private key that signs; null for no signature. */
  readonly key: string | null;
  /** Only this machine's package, as a test wants it. */
  readonly debOnly: boolean;
}

/** What is asked for; wrong words are told before anything long begins. */
async function asked(args: readonly string[]): Promise<Asked> {
  const parsed = parseArgs([...args], {
    string: ["key"],
    boolean: ["deb-only"],
    unknown(arg) {
      throw new Error(`"${arg}" means nothing here: deno task release [--key FILE]`);
    },
  });
  const debOnly = parsed["deb-only"] === true;
  const key = parsed.key === undefined ? undefined : String(parsed.key);
  if (key === undefined) return { key: null, debOnly };
  if (key === "") throw new Error("--key needs the path of a private key: --key FILE");
  const { ok, text } = await runTool("ssh-keygen", ["-l", "-f", key]);
  if (!ok) throw new Error(`"${key}" is not a key of ssh-keygen: ${text.trim()}`);
  if (!/\(ED25519\)\s*$/.test(text)) {
    throw new Error(`"${key}" is not an Ed25519 key: make one with ssh-keygen -t ed25519 -f FILE`);
  }
  return { key, debOnly };
}

/** Makes the packages. @returns their names in dist */
async function packages(only: boolean): Promise<string[]> {
  const made: string[] = [];
  await inWorkFolder(dist, async (work) => {
    const bundle = `${work}/app.js`;
    await need(Deno.execPath(), ["bundle", "--platform=deno", "-o", bundle, "main.ts"]);
    for (const [architecture, triple] of debian) {
      const target = targets.find((each) => each.triple === triple)!;
      if (only && triple !== Deno.build.target) continue;
      const deno = triple === Deno.build.target ? Deno.execPath() : await fetchDeno(target, work);
      const path = await makeDeb(dist, bundle, deno, architecture, work);
      console.log(path);
      made.push(path.slice(dist.length + 1));
    }
  });
  return made;
}

/** The executables that are there, in one form or the other. */
function executables(): string[] {
  const isThere = (name: string) => {
    try {
      return Deno.statSync(`${dist}/${name}`).isFile;
    } catch {
      return false;
    }
  };
  return targets.flatMap(({ name }) => [name, `${name}.exe`, `${name}.zip`].filter(isThere));
}

async function main(): Promise<number> {
  const { key, debOnly } = await asked(Deno.args);
  if (!debOnly) {
    console.log(await need(Deno.execPath(), ["run", "-q", "-P=compile", "scripts/compile.ts", "--all"]));
  }
  const made = await packages(debOnly);
  if (debOnly) return 0;
  const all = [...executables(), ...made].toSorted();
  await Deno.writeTextFile(`${dist}/SHA256SUMS`, await need("sha256sum", all, { cwd: dist }));
  await Deno.remove(`${dist}/SHA256SUMS.sig`).catch(() => {});
  if (key === null) {
    console.log(
      `${dist}/SHA256SUMS of version ${version}, not signed: give --key FILE (an Ed25519 key of ssh-keygen)`,
    );
    return 0;
  }
  await need("ssh-keygen", ["-q", "-Y", "sign", "-f", key, "-n", namespace, `${dist}/SHA256SUMS`]);
  console.log(`${dist}/SHA256SUMS.sig`);
  return 0;
}

await runScript(main);
