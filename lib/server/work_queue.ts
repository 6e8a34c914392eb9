/**
 * WorkQueue: costly work off the event loop, a few jobs at once and the rest in line. RSA decryption (protocol §12) is
 * the one such job that a stranger can ask for: what is beyond its queue fails silently, and its length sets the puzzle.
 */

/** Runs at most `atOnce` jobs; at most `queued` wait. */
export class WorkQueue {
  #running = 0;
  #waiting: (() => void)[] = [];

  /** @param atOnce one per core @param queued more are turned away */
  constructor(private readonly atOnce: number, readonly queued: number) {}

  /** How many jobs wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `job` in turn. @returns null at once when the queue is full */
  async run<T>(job: () => Promise<T>): Promise<T | null> {
    if (this.#running >= this.atOnce) {
      if (this.#waiting.length >= this.queued) return null;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

/** A work queue that makes strangers pay as it fills. */
export class RsaQueue extends WorkQueue {
  /**
   * Puzzle bits to ask for now: 0 at rest; 14, 18, 20 at a quarter, half, three quarters of the queue.
   *
   * @param crowd how full the server is with strangers, from 0 to 1: counts half
   */
  puzzleBits(crowd = 0): number {
    const fill = Math.max(this.waiting / this.queued, crowd / 2);
    return fill >= 0.75 ? 20 : fill >= 0.5 ? 18 : fill >= 0.25 ? 14 : 0;
  }
}
