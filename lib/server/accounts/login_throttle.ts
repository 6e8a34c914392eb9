/**
 * LoginThrottle (protocol §8.4): ten failed logins of one name from one address within ten minutes block that pair for ten
 * minutes. Names that do not exist are counted too, so that being blocked tells nothing.
 */

import type { Clock } from "../../clock.ts";

const maxFailures = 10;
const withinMs = 600_000;
const blockedMs = 600_000;
const maxEntries = 10_000;

/** Counts failures by name and address. */
export class LoginThrottle {
  #pairs = new Map<string, { failures: number[]; pending: number; blockedUntil: number }>();

  /** @param clock for the ten minutes */
  constructor(private readonly clock: Clock) {}

  /**
   * Somebody wants to be heard. What is being judged counts as if it failed, so that many tries at once are no more
   * than ten; each true must be followed by {@link failed} or {@link ended}.
   *
   * @returns false: this name is blocked from this address now
   */
  begin(skeleton: string, address: string): boolean {
    const key = keyOf(skeleton, address);
    const now = this.clock.now();
    const pair = this.#pairs.get(key) ?? { failures: [], pending: 0, blockedUntil: 0 };
    pair.failures = pair.failures.filter((at) => at > now - withinMs);
    if (now < pair.blockedUntil || pair.failures.length + pair.pending >= maxFailures) return false;
    pair.pending++;
    this.#pairs.delete(key);
    this.#pairs.set(key, pair); // the last of the map is the newest
    if (this.#pairs.size > maxEntries) this.#forget(now);
    return true;
  }

  /** It failed. @returns whether that has blocked the pair */
  failed(skeleton: string, address: string): boolean {
    const pair = this.#pairs.get(keyOf(skeleton, address));
    if (!pair) return false;
    const now = this.clock.now();
    pair.pending--;
    pair.failures.push(now);
    if (pair.failures.length < maxFailures) return false;
    pair.failures = [];
    pair.blockedUntil = now + blockedMs;
    return true;
  }

  /** It did not fail. @param forgives clears the failures: a successful login is no guessing */
  ended(skeleton: string, address: string, forgives: boolean): void {
    const pair = this.#pairs.get(keyOf(skeleton, address));
    if (!pair) return;
    pair.pending--;
    if (forgives) pair.failures = [];
  }

  /** What is too old to matter; if there is nothing, the oldest: memory stays bounded. */
  #forget(now: number): void {
    for (const [key, { failures, pending, blockedUntil }] of this.#pairs) {
      const isOld = pending === 0 && blockedUntil <= now && failures.every((at) => at <= now - withinMs);
      if (isOld) this.#pairs.delete(key);
    }
    for (const key of this.#pairs.keys()) {
      if (this.#pairs.size <= maxEntries) break;
      this.#pairs.delete(key);
    }
  }
}

function keyOf(skeleton: string, address: string): string {
  return `${skeleton} ${address}`;
}
