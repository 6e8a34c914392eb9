/** Property 16, the one half: honest runs never warn. The other is honest_runs_with_transit_test.ts: files run side by side. */

import { honestRunsTest } from "../fakes/honest_run.ts";

honestRunsTest("with records");
