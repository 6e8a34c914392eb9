/** Connections from addresses of one's own on the loopback network, as strangers would have them. */

import net from "node:net";
import type { ByteConn } from "../../lib/protocol/channel/conn.ts";

/** A socket from an address; null when the server does not want it. */
export function connectFrom(port: number, localAddress: string): Promise<net.Socket | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port, localAddress });
    socket.on("error", () => resolve(null));
    socket.once("connect", () => resolve(socket));
  });
}

/** A ByteConn on a socket, for the handshake's own code. */
export function asConn(socket: net.Socket): ByteConn {
  const chunks: Uint8Array[] = [];
  let wake = () => {};
  let fail = (_: Error) => {};
  let isOver = false;
  socket.on("data", (chunk: Uint8Array) => (chunks.push(chunk), wake()));
  socket.on("close", () => {
    isOver = true;
    fail(new Deno.errors.BrokenPipe("closed"));
    wake();
  });
  return {
    async read(into) {
      while (chunks.length === 0 && !isOver) await new Promise<void>((resolve) => wake = resolve);
      const chunk = chunks.shift();
      if (!chunk) return null;
      const n = Math.min(into.length, chunk.length);
      into.set(chunk.subarray(0, n));
      if (n < chunk.length) chunks.unshift(chunk.subarray(n));
      return n;
    },
    // Waits until the system has taken it: whoever floods must feel that nobody reads.
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (isOver) return reject(new Deno.errors.BrokenPipe("closed"));
        fail = reject;
        socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
      }),
    close: () => void socket.destroy(),
  };
}
