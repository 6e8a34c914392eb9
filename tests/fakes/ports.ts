/**
 * Ports for servers that are stopped and started again: outside the range from which the system gives ports to others
 * meanwhile, and in blocks of which each process of the tests has its own. All servers of the tests have the same keys:
 * a client that met another one's would take it for its own with its data lost.
 */

const first = 10_000;
const blocks = 200;
const blockSize = 100;
/** Whoever listens here has the block of that number, as long as the process lives. */
const firstGuard = 9_000;

let next = ownBlock();
let end = next + blockSize;

/** Takes a block that no process has. @returns its first port */
function ownBlock(): number {
  for (let block = Math.floor(Math.random() * blocks);; block = (block + 1) % blocks) {
    try {
      Deno.listen({ hostname: "127.0.0.1", port: firstGuard + block }).unref();
      return first + block * blockSize;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Listens on this machine, on a port that stays free while nobody listens on it. */
export function listenOnOwnPort(): Deno.TcpListener {
  for (;;) {
    if (next === end) end = (next = ownBlock()) + blockSize;
    try {
      return Deno.listen({ hostname: "127.0.0.1", port: next++ });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Such a port, on which nobody listens now. */
export function freePort(): number {
  using listener = listenOnOwnPort();
  return (listener.addr as Deno.NetAddr).port;
}
