/** Nearest: the word that somebody may have meant; none is better than nonsense. */

import { levenshteinDistance } from "@std/text/levenshtein-distance";

const minPrefix = 2;

/**
 * The known word nearest to a typed one, in any letter case: one that it begins, or one that differs in at most a third
 * of its letters, two that were exchanged counting as one.
 *
 * @returns null when nothing is near
 */
export function nearest(typed: string, known: readonly string[]): string | null {
  const word = typed.toLowerCase();
  const most = Math.floor(word.length / 3);
  const near = known.map((each) => ({ each, by: distance(word, each.toLowerCase()) }))
    .toSorted((a, b) => a.by - b.by);
  if (near.length > 0 && near[0].by <= most) return near[0].each;
  if (word.length < minPrefix) return null;
  return known.find((each) => each.toLowerCase().startsWith(word)) ?? null;
}

function distance(a: string, b: string): number {
  const swaps = Array.from(
    { length: Math.max(0, a.length - 1) },
    (_, i) => a.slice(0, i) + a[i + 1] + a[i] + a.slice(i + 2),
  );
  return Math.min(levenshteinDistance(a, b), ...swaps.map((each) => 1 + levenshteinDistance(each, b)));
}

/** The same as words of a hint: `did you mean --port? `, or nothing. */
export function didYouMean(typed: string, known: readonly string[], spelt = (word: string) => word): string {
  const word = nearest(typed, known);
  return word === null ? "" : `did you mean ${spelt(word)}? `;
}
