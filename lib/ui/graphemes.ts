/** Graphemes: what a person sees as one character, and how many columns of a terminal it takes. */

import stringWidth from "string-width";
import { sanitizeLine } from "../sanitize.ts";

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const isPlain = /^[\x20-\x7e]*$/;

/** Cuts text into graphemes (UAX #29). */
export function graphemes(text: string): string[] {
  return isPlain.test(text) ? text.split("") : Array.from(segmenter.segment(text), ({ segment }) => segment);
}

const known = new Map<string, number>();
const maxKnown = 10_000;
const knownLength = 16;

/** Columns of a text without line feeds. */
export function columnsOf(text: string): number {
  if (isPlain.test(text)) return text.length;
  if (text.length > knownLength) return stringWidth(text);
  const before = known.get(text);
  if (before !== undefined) return before;
  if (known.size >= maxKnown) known.clear();
  const columns = stringWidth(text);
  known.set(text, columns);
  return columns;
}

/** Columns that a text may take on a terminal that draws the parts of a grapheme one by one: never fewer. */
export function mostColumnsOf(text: string): number {
  if (isPlain.test(text)) return text.length;
  return graphemes(text).reduce((sum, each) => {
    const parts = Array.from(each, columnsOf).reduce((a, b) => a + b, 0);
    return sum + Math.max(columnsOf(each), parts);
  }, 0);
}

/** Where the grapheme before `at` begins. @param at in UTF-16 units */
export function boundaryBefore(text: string, at: number): number {
  return at <= 0 ? 0 : segmenter.segment(text).containing(at - 1)!.index;
}

/** Where the grapheme at `at` ends. @param at in UTF-16 units */
export function boundaryAfter(text: string, at: number): number {
  const found = segmenter.segment(text).containing(at);
  return found ? found.index + found.segment.length : text.length;
}

/** The first border of a grapheme that is not before `at`. @param at in UTF-16 units */
export function boundaryFrom(text: string, at: number): number {
  const found = segmenter.segment(text).containing(at);
  return !found || found.index === at ? at : found.index + found.segment.length;
}

/** A grapheme as it may be shown: nothing in it moves the cursor or turns the direction of text. */
export function shown(grapheme: string): string {
  return isPlain.test(grapheme) ? grapheme : sanitizeLine(grapheme);
}
