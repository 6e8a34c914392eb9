/**
 * The RSA queue (protocol §12): decryption is the one costly thing a stranger can ask for, so only a few
 * run at once, some wait, and the rest fail silently. Its length sets the puzzle.
 */

/** Runs at most `atOnce` jobs; at most `queued` wait. */
export class RsaQueue {
  #running = 0;
  #waiting: (() => void)[] = [];

  /** @param atOnce one per core @param queued more fail */
  constructor(private readonly atOnce: number, private readonly queued: number) {}

  /** Puzzle bits to ask for now: 0 at rest; 14, 18, 20 at a quarter, half, three quarters of the queue. */
  puzzleBits(): number {
    const fill = this.#waiting.length / this.queued;
    return fill >= 0.75 ? 20 : fill >= 0.5 ? 18 : fill >= 0.25 ? 14 : 0;
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
