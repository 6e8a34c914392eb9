/**
 * Ports for servers that are stopped and started again: outside the range from which the system gives ports to others
 * meanwhile, and each one used once by the tests of a file.
 */

const first = 10_000;
const blocks = 200;
const blockSize = 100;

let next = first + Math.floor(Math.random() * blocks) * blockSize;

/** Listens on this machine, on a port that stays free while nobody listens on it. */
export function listenOnOwnPort(): Deno.TcpListener {
  for (;;) {
    const port = next;
    next = next + 1 < first + blocks * blockSize ? next + 1 : first;
    try {
      return Deno.listen({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
