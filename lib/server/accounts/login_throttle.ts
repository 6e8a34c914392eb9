/**
 * LoginThrottle (protocol §8.4): ten failed logins of one name from one address within ten minutes close that door for ten
 * minutes. Names that do not exist have doors too, so that a closed one tells nothing.
 */

import type { Clock } from "../../clock.ts";

const maxFailures = 10;
const withinMs = 600_000;
const closedMs = 600_000;
const maxEntries = 10_000;

/** Counts failures by name and address. */
export class LoginThrottle {
  #doors = new Map<string, { failures: number[]; pending: number; closedUntil: number }>();

  /** @param clock for the ten minutes */
  constructor(private readonly clock: Clock) {}

  /**
   * Somebody wants to be heard. What is being judged counts as if it failed, so that many tries at once are no more
   * than ten; each true must be followed by {@link failed} or {@link ended}.
   *
   * @returns false: nobody is heard at this door now
   */
  begin(skeleton: string, address: string): boolean {
    const key = keyOf(skeleton, address);
    const now = this.clock.now();
    const door = this.#doors.get(key) ?? { failures: [], pending: 0, closedUntil: 0 };
    door.failures = door.failures.filter((at) => at > now - withinMs);
    if (now < door.closedUntil || door.failures.length + door.pending >= maxFailures) return false;
    door.pending++;
    this.#doors.delete(key);
    this.#doors.set(key, door); // the last of the map is the newest
    if (this.#doors.size > maxEntries) this.#forget(now);
    return true;
  }

  /** It failed. @returns whether that has closed the door */
  failed(skeleton: string, address: string): boolean {
    const door = this.#doors.get(keyOf(skeleton, address));
    if (!door) return false;
    const now = this.clock.now();
    door.pending--;
    door.failures.push(now);
    if (door.failures.length < maxFailures) return false;
    door.failures = [];
    door.closedUntil = now + closedMs;
    return true;
  }

  /** It did not fail. @param forgives clears the failures: a successful login is no guessing */
  ended(skeleton: string, address: string, forgives: boolean): void {
    const door = this.#doors.get(keyOf(skeleton, address));
    if (!door) return;
    door.pending--;
    if (forgives) door.failures = [];
  }

  /** What is too old to matter; if there is nothing, the oldest: memory stays bounded. */
  #forget(now: number): void {
    for (const [key, { failures, pending, closedUntil }] of this.#doors) {
      const isOld = pending === 0 && closedUntil <= now && failures.every((at) => at <= now - withinMs);
      if (isOld) this.#doors.delete(key);
    }
    for (const key of this.#doors.keys()) {
      if (this.#doors.size <= maxEntries) break;
      this.#doors.delete(key);
    }
  }
}

function keyOf(skeleton: string, address: string): string {
  return `${skeleton} ${address}`;
}
