/** Work queue: costly work off the event loop, a few jobs at once and the rest in line. */

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
