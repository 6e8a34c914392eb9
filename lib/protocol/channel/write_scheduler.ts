/**
 * WriteScheduler: whose turn it is to write, when a thousand links have something at once.
 *
 * The runtime finishes about 128 socket operations in one turn of its event loop at once, without allocating; those
 * beyond wait for the next turn, each with a task of its own. So links write some at a time, and what else comes for
 * a link meanwhile goes with its write.
 */

const writesAtOnce = 64;

/** A line of links; one for all links of a server. */
export class WriteScheduler {
  #ready: (() => void)[] = [];
  #scheduled = false;

  /** Makes one. @param defer runs something in a later turn of the event loop */
  constructor(private readonly defer: (act: () => void) => void) {}

  /** Runs `write` once the present event has been handled, when its turn comes. */
  add(write: () => void): void {
    this.#ready.push(write);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#run);
  }

  readonly #run = () => {
    const now = this.#ready.length <= writesAtOnce
      ? this.#ready.splice(0)
      : this.#ready.splice(0, writesAtOnce);
    for (const write of now) write();
    this.#scheduled = this.#ready.length > 0;
    if (this.#scheduled) this.defer(this.#run);
  };
}
