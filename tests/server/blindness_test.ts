/** Property 10, and 24: planted words are on no disk, in no log and on no wire of the server. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import { concat } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { person } from "../fakes/people.ts";
import { freePort } from "../fakes/ports.ts";
import { hasTool, run } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";
import { World, worldTest } from "../fakes/world.ts";

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

const python = "/usr/bin/python3";

/** Counts each pattern in the writable memory of a process: a hex line in, a count out. */
const searchMemory = `
import sys
pid, patterns = sys.argv[1], [bytes.fromhex(line) for line in sys.stdin.read().split()]
counts = [0] * len(patterns)
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        if "rw-p" not in line or "[vvar" in line: continue
        start, end = [int(x, 16) for x in line.split()[0].split("-")]
        for at in range(start, end, 1 << 24):
            try:
                memory.seek(at)
                chunk = memory.read(min((1 << 24) + 4096, end - at))
            except OSError:
                continue
            for i, pattern in enumerate(patterns): counts[i] += chunk.count(pattern)
print(" ".join(map(str, counts)))
`;

/** Whether this process may look into its children's memory. */
const maySearch = hasTool(python) &&
  (await run(python, ["-c", "import os; open(f'/proc/{os.getppid()}/mem','rb').close()"])).ok;

test({
  name: "property 10: a server's memory, disk and output hold no planted text and no key of any member",
  ignore: !maySearch,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const world = await World.open();
    await world.server.stop();
    const data = `${world.dir}/data`;
    const port = freePort();
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'exec "$0" run --no-check -q -A main.ts serve --data "$1" -p "$2"',
        Deno.execPath(),
        data,
        `${port}`,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let output = "";
    const read = (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) output += text;
    })();
    try {
      await until("running", () => output.includes("Invite"));
      world.port = port;
      const key = systemRandom(32);
      const ira = await world.enter("ira", { roomKey: key });
      const sam = await world.enter("sahnawaz", { roomKey: key });
      const secrets = new Map<string, Uint8Array>([["the room key file", key]]);
      const keep = () => {
        for (const { chat } of [ira, sam]) {
          const room = chat.conversation.room as MemberRoom;
          for (const [sender, chain] of Object.entries(room.state.chains)) {
            secrets.set(`chain of ${sender} ${chain.n}`, chain.key!.slice());
          }
          if (room.state.pendingCommit) secrets.set("E", room.state.pendingCommit.secret.slice());
          for (const p of chat.conversation.context.prekeys.all) {
            for (const [part, value] of Object.entries(p)) {
              if (value instanceof Uint8Array && part !== "published") {
                secrets.set(`prekey ${part} ${p.prekeyId}`, value);
              }
            }
          }
        }
      };
      for (const { chat } of [ira, sam]) {
        const before = chat.conversation.room!.onJobDone;
        chat.conversation.room!.onJobDone = () => {
          keep();
          before();
        };
      }
      keep();
      for (const name of ["ira", "sahnawaz"]) {
        const { secrets: own } = await person(name);
        secrets.set(`signing key of ${name}`, own.seed);
        secrets.set(`RSA key of ${name}`, own.rsaPkcs8.subarray(-64));
      }
      ira.view.type(planted[0], "/rekey", `/me ${planted[1]}`);
      await sam.view.hears(`ira: ${planted[1]}`);
      sam.view.type("/msg ira xyzzy-for-one-alone");
      await ira.view.until((e) => e.type === "message" && e.text === "xyzzy-for-one-alone");
      keep();
      for (const word of [...planted, "xyzzy-for-one-alone"]) {
        secrets.set(`text ${word}`, new TextEncoder().encode(word));
        secrets.set(
          `text ${word} in UTF-16`,
          new Uint8Array(new Uint16Array([...word].map((c) => c.charCodeAt(0))).buffer),
        );
      }
      assertEquals(secrets.size > 12, true, [...secrets.keys()].join());
      // What the server does know must be found, or the search is worth nothing.
      const known: [string, Uint8Array][] = [
        ["the room's id", ira.chat.conversation.room!.state.id],
        ["a card's key", ira.profile.card.rsaSpki.subarray(100, 200)],
      ];
      const all = [...secrets, ...known];
      const disk = readAll(data);
      const input = all.map(([, bytes]) => encodeHex(bytes)).join("\n");
      const { text } = await run(python, ["-c", searchMemory, `${child.pid}`], input);
      const counts = text.trim().split(" ").map(Number);
      assertEquals(counts.length, all.length, text);
      for (const [i, [what, bytes]] of all.entries()) {
        const isKnown = i >= secrets.size;
        assertEquals(counts[i] > 0, isKnown, `${what} in memory`);
        assertEquals(contains(disk, bytes), isKnown, `${what} on disk`);
        assertEquals(contains(new TextEncoder().encode(output), bytes), false, `${what} in the output`);
      }
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await read;
      await child.stderr.cancel();
      await child.stdin.close().catch(() => {});
      await world.close();
    }
  },
});

function readAll(dir: string): Uint8Array {
  const parts = [...Deno.readDirSync(dir)].filter((e) => e.isFile).map((e) =>
    Deno.readFileSync(`${dir}/${e.name}`)
  );
  return concat(...parts);
}

function contains(haystack: Uint8Array, needle: Uint8Array): boolean {
  const text = new TextDecoder("latin1");
  return text.decode(haystack).includes(text.decode(needle));
}
