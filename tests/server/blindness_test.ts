/** Property 10 in part, and 24: planted words are on no disk, in no log and on no wire of the server. */

import { assertEquals } from "@std/assert";
import { until, worldTest } from "../fakes/world.ts";

const planted = ["xyzzy-planted-text", "plugh-in-an-action"];

/** Forwards a port and keeps every byte of both directions. */
function tap(target: number): { port: number; bytes: () => string; close: () => void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let seen = "";
  const latin1 = new TextDecoder("latin1");
  const conns: Deno.Conn[] = [];
  void (async () => {
    for await (const conn of listener) {
      const out = await Deno.connect({ hostname: "127.0.0.1", port: target });
      conns.push(conn, out);
      const copy = async (from: Deno.Conn, to: Deno.Conn) => {
        const buffer = new Uint8Array(65_536);
        for (;;) {
          const n = await from.read(buffer).catch(() => null);
          if (n === null) break;
          seen += latin1.decode(buffer.subarray(0, n));
          for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n)).catch(() => n);
        }
        try {
          to.close();
        } catch { /* closed already */ }
      };
      void copy(conn, out);
      void copy(out, conn);
    }
  })().catch(() => {});
  return {
    port: (listener.addr as Deno.NetAddr).port,
    bytes: () => seen,
    close: () => listener.close(),
  };
}

worldTest("what people say is on no disk, in no log and on no wire of the server", async (world) => {
  const wire = tap(world.port);
  const ira = await world.enter("ira", { port: wire.port });
  const sam = await world.enter("sahnawaz", { port: wire.port });
  ira.view.type(planted[0], `/me ${planted[1]}`);
  await sam.view.hears(`ira: ${planted[1]}`);
  await until("logged", () => world.log.filter((line) => line.endsWith("Message exchanged")).length === 2);

  const latin1 = new TextDecoder("latin1");
  const disk = [...Deno.readDirSync(world.dir)].filter((e) => e.isFile)
    .map((e) => latin1.decode(Deno.readFileSync(`${world.dir}/${e.name}`))).join("");
  const utf16 = (word: string) => [...word].join("\0");
  const forms = (word: string) => [word, utf16(word), btoa(word).slice(0, 16)];
  const names = ["ira", "sahnawaz"];
  assertEquals(disk.length > 4096 && wire.bytes().length > 8192, true);
  for (const word of planted.flatMap(forms)) {
    for (const [where, text] of [["disk", disk], ["log", world.log.join()], ["wire", wire.bytes()]]) {
      assertEquals(text.includes(word), false, `${word} on the ${where}`);
    }
  }
  // A network that sees all bytes does not even learn who talks.
  for (const name of names) assertEquals(wire.bytes().includes(name), false, `${name} on the wire`);
  wire.close();
});
