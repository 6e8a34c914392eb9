/** Start-up: from the start of the process to its end or its first accepted connection, compiled and not. */

import { permissions, runtimeFlags } from "../permissions.ts";
import { median } from "./rows.ts";
import { ServerProcess } from "./server_process.ts";

const times = 10;

/** Rows `start WHAT ms`, each the median of ten starts. */
export async function startUpTimes(): Promise<string[]> {
  const sources = [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--quiet",
    ...runtimeFlags,
    ...permissions,
    "main.ts",
  ];
  const rows: string[] = [];
  for (const [what, [command, ...args]] of [["compiled", ["dist/chat"]], ["sources", sources]] as const) {
    const help = await each(() =>
      new Deno.Command(command, { args: [...args, "--help"], ...quiet }).output()
    );
    rows.push(`start ${what}-help ${help}`);
    const executable = what === "compiled" ? "dist/chat" : null;
    const serve = await each(async () => (await ServerProcess.start({ executable })).stop());
    rows.push(`start ${what}-serve ${serve}`);
  }
  for (const row of rows) console.error(row);
  return rows;
}

const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;

async function each(act: () => Promise<unknown>): Promise<string> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await act();
    taken.push(performance.now() - began);
  }
  return median(taken).toFixed(0);
}
