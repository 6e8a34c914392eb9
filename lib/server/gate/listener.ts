/**
 * Listener: accepts connections, one session each, and goes on whatever a peer or the system does.
 *
 * Running out of file descriptors makes accept() throw; a `for await` over the listener would then end
 * for good. So accept() is called in a loop that waits a moment and tries again.
 */

import { type Clock, sleep } from "../../clock.ts";
import { type ByteConn, closeQuietly } from "../../protocol/channel/conn.ts";
import type { ServerEvents } from "../events.ts";
import { hostPort } from "../../host_port.ts";
import { addressKey } from "../address_key.ts";
import type { ConnectionLimiter } from "./connection_limiter.ts";
import type { Ends } from "./session.ts";

const pauseMs = 50;

/** A connection as it is accepted, with TLS around it or without. */
export interface AcceptedConn extends ByteConn {
  /** The other end. */
  readonly remoteAddr: Deno.NetAddr;
  /** Ours. */
  readonly localAddr: Deno.NetAddr;
  /** Sends small writes at once, where that can be chosen. */
  setNoDelay?(noDelay: boolean): void;
}

/** The little of a Deno.Listener that is needed. */
export interface Acceptor {
  /** The next connection; throws when the system has no room for it. */
  accept(): Promise<AcceptedConn>;
  /** Ends accepting. */
  close(): void;
}

/** Accepts until the listener is closed. @param session runs one connection; its errors are its own */
export async function acceptConnections(
  listener: Acceptor,
  connectionLimiter: ConnectionLimiter,
  events: ServerEvents,
  clock: Clock,
  signal: AbortSignal,
  session: (conn: AcceptedConn, ends: Ends) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    let conn: AcceptedConn;
    try {
      conn = await listener.accept();
    } catch {
      if (signal.aborted) return;
      await sleep(clock, pauseMs, signal);
      continue;
    }
    const address = addressKey(conn.remoteAddr.hostname);
    const remote = endOf(conn.remoteAddr);
    const slot = connectionLimiter.admit(address, () => {
      events.tell({ type: "turned away", why: "pending", remote });
      closeQuietly(conn);
    });
    if (typeof slot === "string") {
      events.tell({ type: "turned away", why: slot, remote });
      closeQuietly(conn);
      continue;
    }
    try {
      conn.setNoDelay?.(true);
    } catch {
      // Gone already: the session will see it.
    }
    void session(conn, { local: endOf(conn.localAddr), remote, address, slot });
  }
}

function endOf({ hostname, port }: Deno.NetAddr): string {
  return hostPort(hostname, port);
}
