/** Walks: all of the exploration, by name: what the task and the tests run. */

import { walkDoors } from "./door_walk.ts";
import { walkForks } from "./fork_walk.ts";
import { walkLies } from "./liar_walk.ts";
import { walkNewcomer } from "./newcomer_walk.ts";
import type { Walked } from "./walk.ts";

/** One of them. */
export type WalkName = "forks" | "lies" | "doors" | "newcomer";

/** By name. @param depth steps that are taken in a row @param only the property that is looked for; null for all */
export const walks: Readonly<Record<WalkName, (depth: number, only?: number | null) => Walked>> = {
  forks: walkForks,
  lies: walkLies,
  doors: walkDoors,
  newcomer: walkNewcomer,
};
