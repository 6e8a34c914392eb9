/** Property 16, the other half: honest runs never warn. The other five hundred are in honest_runs_second_test.ts. */

import { honestRunsTest } from "../fakes/honest_run.ts";

honestRunsTest("the first five hundred");
