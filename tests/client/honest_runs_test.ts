/** Property 16, the other half: honest runs never warn. */

import { honestRuns } from "../fakes/honest_run.ts";

Deno.test({
  name: "property 16: a thousand honest runs, with cuts, restarts and crashes at random points, never warn",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () => honestRuns(1000, 8),
});
