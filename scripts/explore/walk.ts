/**
 * Walk: everything that may happen from a world in so many steps, depth first, until a promise breaks. A world that was
 * met before, with as many steps left, is not walked again.
 */

import type { Finding } from "./cast.ts";

/** What a walk has seen. */
export interface Walked {
  /** Worlds that were looked at. */
  worlds: number;
  /** Property and the steps that break it; null when all held. */
  finding: Finding | null;
}

/** What may happen in a world: a step in words, and what it leads to. */
export interface Step<W> {
  readonly what: string;
  readonly world: W;
}

/** What is walked. */
export interface Walk<W, S extends Step<W>> {
  readonly begin: W;
  moves(world: W): Iterable<S>;
  /** The property that a step breaks; null when all hold. */
  broken(step: S): string | null;
  /** The same for worlds in which the same may happen. */
  keyOf(world: W): string;
}

/** Walks all that may happen. @param depth steps in a row */
export function walkAll<W, S extends Step<W>>(
  { begin, moves, broken, keyOf }: Walk<W, S>,
  depth: number,
): Walked {
  const seen = new Set<string>();
  const walked: Walked = { worlds: 0, finding: null };
  const walk = (world: W, left: number, steps: readonly string[]): void => {
    walked.worlds++;
    if (left === 0) return;
    for (const step of moves(world)) {
      const path = [...steps, step.what];
      const property = broken(step);
      if (property !== null) walked.finding = { property, steps: path };
      if (walked.finding) return;
      const key = `${left} ${keyOf(step.world)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      walk(step.world, left - 1, path);
      if (walked.finding) return;
    }
  };
  walk(begin, depth, []);
  return walked;
}
