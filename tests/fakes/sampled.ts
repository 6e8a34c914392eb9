/**
 * Sampled: what takes long is sampled in each run, with a seed that stands in its test's name, and runs whole with
 * CHAT_LONG=1 (`deno task long`). CHAT_SEED=N repeats a sample.
 */

const isLong = Deno.env.get("CHAT_LONG") === "1";

/** The seed of this run's samples. */
export const seed: number = Number(Deno.env.get("CHAT_SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** How often something random is tried. */
export function times(sample: number, whole: number): number {
  return isLong ? whole : sample;
}

/** Some of the numbers from 1 to `count`, or all of them. */
export function some(most: number, count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  if (isLong || count <= most) return all;
  const random = seededNumbers(seed);
  return all.map((n) => ({ n, by: random() })).sort((a, b) => a.by - b.by).slice(0, most).map(({ n }) => n);
}

/** Numbers from 0 to 1, the same for one seed (mulberry32). */
export function seededNumbers(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Stands in the name of each test that samples, so that a failure can be had again. */
export const sampled: string = isLong ? "whole" : `CHAT_SEED=${seed}`;
