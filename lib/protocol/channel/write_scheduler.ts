/**
 * WriteScheduler: the order in which links write, when a thousand of them have something at once.
 *
 * The runtime finishes the first 128 or so socket operations of one turn of its event loop without allocating; each
 * further one costs a task of its own. So 64 links write in each turn, and what comes for a link while it waits goes
 * out with the same write.
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
