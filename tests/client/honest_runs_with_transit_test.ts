/** The other half of honest_runs_test.ts, in rooms that use transit frames from two members on. */

import { honestRunsTest } from "../fakes/honest_run.ts";

honestRunsTest("with transit frames", { transitFrom: 2 });
