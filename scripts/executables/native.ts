/**
 * Native: one compiled executable, by `deno compile` of the bundle: of the sources it aborts as soon as one npm package is
 * imported (denoland/deno#36746). It needs a runtime stub, which is fetched from the Deno download site, or named by
 * DENORT_BIN.
 */

import { permissions, runtimeFlags } from "../permissions.ts";
import { runTool } from "./run_tool.ts";
import type { Target } from "./targets.ts";

/** The stub cannot be had, and why. */
export class NoStub extends Error {}

/** A Deno binary in place of the stub: the test reads what is made, and never starts it. */
const isTest = Deno.env.get("CHAT_STUB_STAND_IN") === "1";

/** Refuses the Deno CLI as a stub: what is made of it runs any program with every right. @throws Error */
export async function checkStub(): Promise<void> {
  const stub = Deno.env.get("DENORT_BIN") ?? "";
  if (stub === "" || isTest) return;
  const { out } = await runTool(stub, ["--version"]).catch(() => ({ out: "" }));
  if (/^deno \d/.test(out)) {
    throw new Error(
      `DENORT_BIN="${stub}" is the Deno CLI, not its runtime stub (denort): unset it, or name the stub`,
    );
  }
}

/** Makes it. @param bundle path of the bundled program @throws NoStub; Error for a fault of the compiler */
export async function compileNative(
  output: string,
  bundle: string,
  target: Target,
  work: string,
): Promise<void> {
  // A program of nothing tells whether there is a stub: what fails afterwards is the program's own fault.
  const probe = `${work}/probe.js`;
  await Deno.writeTextFile(probe, "");
  const tried = await compile(`${work}/probe`, probe, target);
  if (!tried.ok) throw new NoStub(lastCause(tried.text));
  // It would not replace a file that it did not make.
  await Deno.remove(output).catch(() => {});
  const made = await compile(output, bundle, target);
  if (!made.ok) throw new Error(made.text);
}

function compile(output: string, entry: string, { triple }: Target) {
  const closed = ["--no-config", "--no-lock", "--no-remote", "--no-npm", "--deny-import", "--no-prompt"];
  const flags = [...closed, ...runtimeFlags, ...permissions];
  return runTool(Deno.execPath(), ["compile", "-q", ...flags, "--target", triple, "-o", output, entry]);
}

const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** The last of the causes, which is the system's own. */
function lastCause(text: string): string {
  const lines = text.replaceAll(colours, "").split("Stack backtrace")[0].trim().split("\n");
  const causes = lines.flatMap((line) => /^\s*\d+: (.*)$/.exec(line)?.[1] ?? []);
  return causes.at(-1) ?? lines.findLast((line) => line.trim() !== "") ?? "no reason given";
}
