/** A slow network: a TCP proxy on loopback that holds back each answer, or cuts what it carries. */

import { closeQuietly } from "../../lib/protocol/channel/conn.ts";

export class SlowProxy {
  delayMs = 0;
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #conns = new Set<Deno.TcpConn>();

  /** @param target port on loopback */
  constructor(private readonly target: number) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    void this.#accept();
  }

  async #accept(): Promise<void> {
    try {
      for (;;) void this.#carry(await this.#listener.accept());
    } catch {
      // Closed.
    }
  }

  async #carry(near: Deno.TcpConn): Promise<void> {
    let far: Deno.TcpConn;
    try {
      far = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
    } catch {
      return closeQuietly(near);
    }
    this.#conns.add(near).add(far);
    await Promise.all([this.#pipe(near, far, false), this.#pipe(far, near, true)]);
    for (const conn of [near, far]) {
      closeQuietly(conn);
      this.#conns.delete(conn);
    }
  }

  async #pipe(from: Deno.TcpConn, to: Deno.TcpConn, isAnswer: boolean): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
        if (isAnswer && this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
        for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
      }
      await to.closeWrite();
    } catch {
      // Cut.
    }
  }

  close(): void {
    this.#listener.close();
    for (const conn of this.#conns) closeQuietly(conn);
  }
}
