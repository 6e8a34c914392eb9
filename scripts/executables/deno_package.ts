/**
 * DenoPackage: the Deno binary of a platform, from npm, checked against the hash that this repository has of it
 * (scripts/deno.sha512): what everybody runs does not depend on what a registry says today.
 */

import { encodeHex } from "@std/encoding/hex";
import { runTool } from "./run_tool.ts";
import { isWindows, type Target } from "./targets.ts";

/** It cannot be had, and why. */
export class NoPackage extends Error {}

/** The path of the binary, in `work`. @throws NoPackage; Error when its hash is another one */
export async function fetchDeno(target: Target, work: string): Promise<string> {
  const wanted = `${target.npm}@${Deno.version.deno}`;
  const { ok, out, text } = await runTool("npm", ["pack", "--silent", wanted], { cwd: work });
  if (!ok) throw new NoPackage(text.trim().split("\n").at(-1));
  const archive = `${work}/${out.trim().split("\n").at(-1)}`;
  const found = encodeHex(await crypto.subtle.digest("SHA-512", await Deno.readFile(archive)));
  if (found !== pinned(wanted)) {
    throw new Error(`${wanted} is not the package that scripts/deno.sha512 names: do not use it`);
  }
  const binary = isWindows(target) ? "deno.exe" : "deno";
  const unpacked = await runTool("tar", ["-xzf", archive, "-C", work, `package/${binary}`]);
  if (!unpacked.ok) throw new Error(unpacked.text);
  await Deno.remove(archive);
  return `${work}/package/${binary}`;
}

function pinned(wanted: string): string | undefined {
  const lines = Deno.readTextFileSync(new URL("../deno.sha512", import.meta.url)).split("\n");
  return lines.map((line) => line.split(/\s+/)).find(([, name]) => name === wanted)?.[0];
}
