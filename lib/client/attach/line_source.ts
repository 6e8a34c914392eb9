/** LineSource: what is entered at a view, for one taker after the other: what nobody has taken yet waits for the next. */

import type { Entered } from "../chat_view.ts";

/** The lines of one view, over all that take them. */
export class LineSource {
  #lines: AsyncIterator<Entered>;
  #back: Entered[] = [];
  #isOver = false;
  #isReading = false;
  #waiting: ((entered: Entered | null) => void)[] = [];

  /** @param lines of the view; read once, and only when somebody waits for them */
  constructor(lines: AsyncIterable<Entered>) {
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Lines that were taken, and must be taken again. */
  giveBack(entered: readonly Entered[]): void {
    this.#back.unshift(...entered);
  }

  /** How many were given back, and wait. */
  get waiting(): number {
    return this.#back.length;
  }

  /** Lines, until the input is over or the taker is. */
  async *taken(by: AbortSignal): AsyncGenerator<Entered> {
    while (!by.aborted) {
      const next = await this.#next(by);
      if (next === null) return;
      if (by.aborted) return this.giveBack([next]); // it came too late for this one
      yield next;
    }
  }

  #next(by: AbortSignal): Promise<Entered | null> {
    const before = this.#back.shift();
    if (before !== undefined) return Promise.resolve(before);
    if (this.#isOver) return Promise.resolve(null);
    return new Promise((resolve) => {
      const give = (entered: Entered | null) => {
        by.removeEventListener("abort", leave);
        resolve(entered);
      };
      const leave = () => {
        this.#waiting = this.#waiting.filter((each) => each !== give);
        resolve(null);
      };
      this.#waiting.push(give);
      by.addEventListener("abort", leave, { once: true });
      if (!this.#isReading) void this.#read();
    });
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    const { value, done } = await this.#lines.next();
    this.#isReading = false;
    this.#isOver = done === true;
    const waiting = this.#waiting.splice(0);
    if (this.#isOver) return waiting.forEach((give) => give(null));
    const first = waiting.shift();
    if (first) first(value);
    else this.#back.push(value);
    this.#waiting.push(...waiting);
    if (waiting.length > 0 && !this.#isReading) void this.#read();
  }
}
