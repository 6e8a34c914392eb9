/**
 * The bare relay: the least that a program on this runtime can do for a room, and what ours is held against. Whoever says
 * `J` is in; each line goes to all others, as long as a message of ours is on the wire. No TLS, no disk, no order kept.
 *
 *   bare_relay.ts PORT
 */

const wireBytes = 640;
const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
const members = new Set<Deno.TcpConn>();
const ok = new TextEncoder().encode("OK\n");

for await (const conn of listener) {
  conn.setNoDelay(true);
  void serve(conn);
}

async function serve(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1 << 16);
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const n = await conn.read(buffer).catch(() => null);
    if (n === null) break;
    const lines = (rest + decoder.decode(buffer.subarray(0, n))).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === "J") {
        members.add(conn);
        await conn.write(ok);
      } else {
        const wire = new TextEncoder().encode(`${line.padStart(wireBytes - 1, "x")}\n`);
        for (const other of members) if (other !== conn) void other.write(wire);
      }
    }
  }
  members.delete(conn);
}
