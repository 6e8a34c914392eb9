/**
 * TlsListener: a port wrapped in TLS, whose certificate can be exchanged while it serves. The link inside stays as it
 * is: TLS is for networks that let nothing else through, and nothing is trusted for it.
 *
 * A listener of the runtime keeps its certificate for good, so a new one takes its place: in one turn, after the new
 * certificate has been tried elsewhere. Who is connected stays so; who is just connecting may have to try again.
 */

import type { AcceptedConn, Acceptor } from "./listener.ts";

/** A certificate chain and its key, in PEM. */
export interface TlsIdentity {
  /** The chain, the server's own first. */
  readonly cert: string;
  /** The key of the first. */
  readonly key: string;
}

/** One port. */
export class TlsListener implements Acceptor {
  #listener: Deno.TlsListener;
  #closed = false;

  /** @throws what the system says, or the runtime of a key that does not fit */
  constructor(private readonly at: { hostname: string; port: number }, identity: TlsIdentity) {
    this.#listener = Deno.listenTls({ ...at, ...identity });
  }

  /** Where it listens. */
  get addr(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  async accept(): Promise<AcceptedConn> {
    for (;;) {
      const listener = this.#listener;
      try {
        return await listener.accept() as unknown as AcceptedConn;
      } catch (error) {
        if (this.#closed || listener === this.#listener) throw error;
      }
    }
  }

  /** Serves another certificate from now on. @throws when it is none, and the old one stays */
  renew(identity: TlsIdentity): void {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...identity }).close();
    const { port } = this.addr;
    this.#listener.close();
    this.#listener = Deno.listenTls({ ...this.at, port, ...identity });
  }

  close(): void {
    this.#closed = true;
    this.#listener.close();
  }
}
