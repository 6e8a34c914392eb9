/**
 * Makes the executables: `deno task compile` for this machine (dist/chat), `--all` for every target, `--target NAME` for
 * one (dist/chat-linux-arm64 …).
 *
 * The program is bundled first; the bundle is compiled with the runtime's stub where that can be had. Where not, Linux
 * and macOS get a self-extracting file, and Windows a zip, of the Deno binary that npm has: same behaviour.
 */

import { encodeHex } from "@std/encoding/hex";
import { fetchDeno, NoPackage } from "./executables/deno_package.ts";
import { checkStub, compileNative, NoStub } from "./executables/native.ts";
import { need } from "./executables/run_tool.ts";
import { inWorkFolder, runScript } from "./executables/script.ts";
import { makeSelfExtracting } from "./executables/self_extracting.ts";
import { isWindows, own, type Target, targets } from "./executables/targets.ts";
import { makeWindowsZip } from "./executables/windows_zip.ts";

const dist = "dist";

/** Makes one executable. @param output without what Windows wants at its end @returns whether it was made */
async function makeOne(output: string, bundle: string, target: Target, work: string): Promise<boolean> {
  const native = isWindows(target) ? `${output}.exe` : output;
  let why: string;
  try {
    await compileNative(native, bundle, target, work);
    console.log(`${native}: compiled`);
    return true;
  } catch (error) {
    if (!(error instanceof NoStub)) throw error;
    why = error.message;
  }
  try {
    const deno = target === own ? Deno.execPath() : await fetchDeno(target, work);
    if (isWindows(target)) {
      await makeWindowsZip(`${output}.zip`, bundle, deno);
      console.log(`${output}.zip: Deno and the program, since there is no runtime stub (${why})`);
    } else {
      await makeSelfExtracting(output, bundle, deno, work);
      console.log(`${output}: self-extracting, since there is no runtime stub (${why})`);
    }
    return true;
  } catch (error) {
    if (!(error instanceof NoPackage)) throw error;
    console.log(`${output}: not made: no runtime stub (${why}), and no Deno from npm (${error.message})`);
    return false;
  }
}

async function writeSums(): Promise<void> {
  const names = [...Deno.readDirSync(dist)].filter((e) => e.isFile && e.name.startsWith("chat")).map((e) =>
    e.name
  );
  const lines = await Promise.all(
    names.sort().map(async (name) => {
      const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${dist}/${name}`));
      return `${encodeHex(digest)}  ${name}\n`;
    }),
  );
  await Deno.writeTextFile(`${dist}/SHA256SUMS`, lines.join(""));
}

/** What is asked for, and where it goes. */
function asked(args: readonly string[]): [output: string, target: Target][] {
  const named = args.flatMap((arg, i) => arg === "--target" ? [args[i + 1]] : []);
  const some = args.includes("--all") ? targets : named.map((name) => {
    const target = targets.find((each) => each.name === `chat-${name}`);
    if (target) return target;
    throw new Error(`there is no target "${name}": ${targets.map((each) => each.name.slice(5)).join(", ")}`);
  });
  return some.length > 0 ? some.map((target) => [`${dist}/${target.name}`, target]) : [[`${dist}/chat`, own]];
}

async function main(): Promise<number> {
  const outputs = asked(Deno.args);
  await checkStub();
  let missing = 0;
  await inWorkFolder(dist, async (work) => {
    const bundle = `${work}/app.js`;
    await need(Deno.execPath(), ["bundle", "--platform=deno", "-o", bundle, "main.ts"]);
    for (const [output, target] of outputs) if (!await makeOne(output, bundle, target, work)) missing++;
  });
  await writeSums();
  console.log(`${dist}/SHA256SUMS`);
  return missing > 0 ? 1 : 0;
}

await runScript(main);
