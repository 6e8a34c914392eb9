/** Where the rooms of tests are: the first run of the recorded server. */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { siteOf } from "../../lib/protocol/group/site.ts";
import { person } from "./people.ts";

/** The run id of a world's first store, and of those after it. */
export const runOf = (n: number): Bytes => new Uint8Array(16).fill(n);

export const testSite = siteOf((await person("server")).card.id, runOf(1));
