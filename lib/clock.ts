/** Clock: the time and waiting, passed in, so that tests neither sleep nor depend on the hour. */

/** What the program knows of time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Calls `act` once after `ms` milliseconds.
   *
   * @returns cancels it, if it has not run yet
   */
  after(ms: number, act: () => void): () => void;
}

/** The system's clock. Its timers keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

/** Waits `ms` milliseconds by `clock`; ends early, without an error, when `signal` is aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
    function done() {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}

/** Seconds since 1970, as the protocol writes times. */
export function seconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}
