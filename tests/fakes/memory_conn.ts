/** Two ends of a connection in memory that behave like TCP: order, partial reads, end of stream. */

import type { ByteConn } from "../../lib/protocol/channel/conn.ts";

export class MemoryConn implements ByteConn {
  #incoming: Uint8Array[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #closed = false;
  peer!: MemoryConn;
  /** Everything that was written, for tests that look at the wire. */
  readonly written: Uint8Array[] = [];
  /** Changes, drops (null) or keeps what is written; called with each write. */
  tamper: (bytes: Uint8Array) => Uint8Array | null = (bytes) => bytes;
  /** While set, writes do not finish: a peer that does not read. */
  stalled = false;
  #unstall: () => void = () => {};

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw new Deno.errors.BadResource("closed");
      const chunk = this.#incoming[0];
      if (chunk) {
        const n = Math.min(into.length, chunk.length);
        into.set(chunk.subarray(0, n));
        if (n === chunk.length) this.#incoming.shift();
        else this.#incoming[0] = chunk.subarray(n);
        return n;
      }
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    await Promise.resolve();
    if (this.stalled) await new Promise<void>((resolve) => this.#unstall = resolve);
    if (this.#closed) throw new Deno.errors.BrokenPipe("closed");
    this.written.push(bytes.slice());
    const kept = this.tamper(bytes.slice());
    if (kept && kept.length > 0) this.peer.#receive(kept);
    return bytes.length;
  }

  /** Puts bytes on the wire to the peer as they are. */
  inject(bytes: Uint8Array): void {
    this.peer.#receive(bytes);
  }

  resume(): void {
    this.stalled = false;
    this.#unstall();
  }

  #receive(bytes: Uint8Array): void {
    this.#incoming.push(bytes);
    this.#wake();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) throw new Deno.errors.BadResource("closed twice");
    this.#closed = true;
    this.#wake();
    this.#unstall();
    this.peer.#ended = true;
    this.peer.#wake();
  }
}

export function memoryConnPair(): [MemoryConn, MemoryConn] {
  const [a, b] = [new MemoryConn(), new MemoryConn()];
  a.peer = b;
  b.peer = a;
  return [a, b];
}
