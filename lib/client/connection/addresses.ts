/**
 * Addresses: where a server is, or several that share their rooms, and which is tried next. One that worked is stayed
 * with; after a cut, or when it cannot be entered, the others are tried at once, each once, before anybody waits.
 */

import { type Address, hostPort, hostPorts } from "../../host_port.ts";

/** The addresses of one chat. */
export class Addresses {
  #at = 0;
  /** How many were tried in vain since one of them has worked or somebody has waited. */
  #tried = 0;

  /** @param all at least one @param preferred `host:port` of the one that is tried first */
  constructor(readonly all: readonly Address[], preferred: string | null) {
    this.#at = Math.max(0, all.findIndex(({ host, port }) => hostPort(host, port) === preferred));
  }

  /** Which one it is now. */
  get current(): Address {
    return this.all[this.#at];
  }
  /** Whether there are others to go to. */
  get isList(): boolean {
    return this.all.length > 1;
  }
  /** All of them, with commas between. */
  get text(): string {
    return hostPorts(this.all);
  }

  /** There is a link. */
  worked(): void {
    this.#tried = 0;
  }
  /** It did not come about, or is over. @returns whether another one is to be tried at once */
  next(): boolean {
    this.#at = (this.#at + 1) % this.all.length;
    if (++this.#tried < this.all.length) return true;
    this.#tried = 0;
    return false;
  }
}
