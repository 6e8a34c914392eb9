/**
 * TlsListener: a port wrapped in TLS, whose certificate can be exchanged while it serves. The link inside stays as it
 * is: TLS is for networks that let nothing else through, and nothing is trusted for it.
 *
 * A listener of the runtime keeps its certificate for good, so a new one takes its place, after the new certificate has
 * been tried elsewhere. Who is connected stays so; who is just connecting may have to try again.
 */

import { type Clock, sleep } from "../../clock.ts";
import type { AcceptedConn, Acceptor } from "./listener.ts";

/** A certificate chain and its key, in PEM. */
export interface TlsIdentity {
  /** The chain, the server's own first. */
  readonly cert: string;
  /** The key of the first. */
  readonly key: string;
}

const againMs = 10;

/** One port. */
export class TlsListener implements Acceptor {
  #listener: Deno.TlsListener;
  #closing = new AbortController();
  /** The last change of listeners: the next one begins after it. */
  #change: Promise<void> = Promise.resolve();

  /** @throws what the system says, or the runtime of a key that does not fit */
  constructor(
    private readonly at: { hostname: string; port: number },
    identity: TlsIdentity,
    private readonly clock: Clock,
  ) {
    this.#listener = Deno.listenTls({ ...at, ...identity });
  }

  /** Throws while a new listener takes the place: whoever accepts tries again, as after any such fault. */
  async accept(): Promise<AcceptedConn> {
    return await this.#listener.accept() as unknown as AcceptedConn;
  }

  /** Serves another certificate from now on. @throws when it is none, and the old one stays */
  async renew(identity: TlsIdentity): Promise<void> {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...identity }).close();
    await (this.#change = this.#change.then(() => this.#replace(identity)));
  }

  async #replace(identity: TlsIdentity): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { port } = this.#listener.addr as Deno.NetAddr;
    this.#listener.close();
    // The port is free once the runtime has let go of what waits there.
    while (!this.#closing.signal.aborted) {
      try {
        this.#listener = Deno.listenTls({ ...this.at, port, ...identity });
        return;
      } catch {
        // Whatever it is, too many open files for one: a port that nobody serves is worse than one served late.
        await sleep(this.clock, againMs, this.#closing.signal);
      }
    }
  }

  close(): void {
    this.#closing.abort();
    try {
      this.#listener.close();
    } catch {
      // Closed already, for a new one that does not come any more.
    }
  }
}
