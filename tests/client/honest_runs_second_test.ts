/** The second half of honest_runs_test.ts: test files run side by side. */

import { honestRunsTest } from "../fakes/honest_run.ts";

honestRunsTest("the second five hundred, with transit frames", { transitFrom: 2 });
