/** Property 16 at three servers on one log in a real NATS, with people who go to another one at each cut. */

import { honestRunsTest } from "../fakes/honest_run.ts";

honestRunsTest("three servers, hopping", {}, "shared", 6);
