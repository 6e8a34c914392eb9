/**
 * Allowance: so many at once, then one every so often, by the journal's time. What is remembered is one number, in whole
 * milliseconds, which only spending changes: servers that apply the same records come to the same, whenever each of
 * them was started (the virtual scheduling of ITU-T I.371, annex A).
 */

/** How much there is. */
export interface Pace {
  /** So many at once. */
  readonly burst: number;
  /** Milliseconds until one more. */
  readonly everyMs: number;
}

/**
 * Spends, if there is as much.
 *
 * @param fullAtMs when there will be all of it again; 0 for nothing spent
 * @param timeMs the journal's; where it was set back by more than all of it takes, nothing counts as spent
 * @returns when there will be all of it after that; null: there is not as much, and nothing changes
 */
export function spend(fullAtMs: number, { burst, everyMs }: Pace, timeMs: number, count = 1): number | null {
  const now = Math.floor(timeMs);
  const all = Math.ceil(burst * everyMs);
  const isSetBack = fullAtMs - now > 2 * all;
  const next = (isSetBack ? now : Math.max(fullAtMs, now)) + Math.ceil(count * everyMs);
  return next <= now + all ? next : null;
}
