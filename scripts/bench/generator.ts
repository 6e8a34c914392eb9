/** The generator's own process: `generator.ts fan-out JSON` runs one measurement against a server that is there. */

import { runFanOut } from "./fan_out.ts";

const [what, json] = Deno.args;
const kinds: Record<string, (run: never, print: (row: string) => void) => Promise<void>> = {
  "fan-out": runFanOut,
};
await kinds[what](JSON.parse(json) as never, console.log);
Deno.exit(0);
