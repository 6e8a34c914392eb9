/** Property 16 and 26: honest runs where the server begins anew: in memory only, or restored from an old copy by the book. */

import { honestRunsTest } from "../fakes/honest_run.ts";

honestRunsTest("at a memory-only server", {}, "memory", 20);
honestRunsTest("with old copies put back", {}, "restored", 20);
