import { test } from "../fakes/test.ts";
import { WriteScheduler } from "../../lib/protocol/channel/write_scheduler.ts";
import { assertEquals } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { driveHandshake } from "../../lib/protocol/channel/handshake.ts";
import { advanceClient, startClient } from "../../lib/protocol/channel/handshake_client.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import { encodeMessage } from "../../lib/protocol/channel/link_messages.ts";
import { ConnectionLimiter } from "../../lib/server/gate/connection_limiter.ts";
import { defaultLimits, type Limits } from "../../lib/server/limits.ts";
import { Rooms } from "../../lib/server/rooms/rooms.ts";
import { runSession, type SessionContext } from "../../lib/server/gate/session.ts";
import { Status } from "../../lib/server/operator/status.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";
import { clientConfig, serverConfig } from "../fakes/handshakes.ts";
import { type MemoryConn, memoryConnPair } from "../fakes/memory_conn.ts";
import { person } from "../fakes/people.ts";
import { testSite } from "../fakes/site.ts";
import { LocalJournal } from "../../lib/server/store/local_journal.ts";

/** Property 3 and the silence of protocol §13, on a session with a fake clock and a connection in memory. */

async function session(limits: Partial<Limits> = {}) {
  const clock = new FakeClock();
  const all = { ...defaultLimits, ...limits };
  const { config, counts } = await serverConfig();
  const log: string[] = [];
  const connectionLimiter = new ConnectionLimiter(all, clock);
  const events = new Status((line) => void log.push(line), true);
  const store = new MemoryStore(systemRandom);
  const defer = (act: () => void) => void setTimeout(act, 0);
  const stopping = new AbortController();
  const context: SessionContext = {
    defer,
    stopping: stopping.signal,
    writes: new WriteScheduler(defer),
    rooms: new Rooms({
      store,
      journal: new LocalJournal(store, clock, events, defer),
      clock,
      limits: all,
      site: testSite,
      signing: (await person("server")).identity.signing,
      events,
      defer,
      random: systemRandom,
    }),
    connectionLimiter,
    handshake: config,
    accessToken: null,
    signIn: null,
    links: new Set(),
  };
  const [client, conn] = memoryConnPair();
  const slot = connectionLimiter.admit("a", () => {});
  if (typeof slot === "string") throw new Error(slot);
  let over = false;
  const done = runSession(conn, { local: "l", remote: "r", address: "a", slot }, context).then(() =>
    over = true
  );
  return { clock, client, conn, log, counts, context, stopping, done, isOver: () => over };
}

/** Faults by what the peer does; each ends in silence. */
const faults: [string, "M1" | "later", (client: MemoryConn) => Promise<void> | void][] = [
  ["says nothing", "M1", () => {}],
  ["sends garbage", "M1", (c) => c.inject(systemRandom(5000))],
  ["sends a length that no hello has", "M1", (c) => c.inject(Uint8Array.of(0xff, 0xff))],
  ["sends a hello byte by byte, and stops", "M1", async (c) => {
    const { send } = await startClient(await clientConfig());
    for (const byte of send.slice(0, 600)) c.inject(Uint8Array.of(byte));
  }],
  ["offers no version of ours", "M1", async (c) => {
    const { send } = await startClient(await clientConfig());
    send[8] = 9;
    c.inject(send);
  }],
  ["stops after its hello", "later", (c) => handshakeUntil(c, "awaiting R1")],
  ["sends a broken R2", "later", async (c) => {
    await handshakeUntil(c, "awaiting R1");
    c.inject(systemRandom(428).map((b, i) => [0, 0, 1, 0x88][i] ?? b));
  }],
  ["sends an R2 of another length", "later", async (c) => {
    await handshakeUntil(c, "awaiting R1");
    c.inject(Uint8Array.of(0, 0, 9, 9, 1));
  }],
  ["finishes, and sends something else than HELLO", "later", (c) => handshakeUntil(c, "done", "PING")],
  ["finishes, and sends a HELLO in company", "later", (c) => handshakeUntil(c, "done", "HELLO and PING")],
  ["finishes, and sends a record that does not open", "later", (c) => handshakeUntil(c, "done", "garbage")],
  ["finishes, and says nothing", "later", (c) => handshakeUntil(c, "done")],
];

async function handshakeUntil(conn: MemoryConn, step: string, then?: string): Promise<void> {
  const config = await clientConfig();
  const reader = new FrameReader(conn);
  class Enough extends Error {}
  try {
    const done = await driveHandshake(
      conn,
      reader,
      await startClient(config),
      (s, f) => advanceClient(s, f, config),
      (s) => {
        if (s.step === step && step !== "done") throw new Enough();
      },
    );
    if (done.step !== "done") return;
    const hello = encodeMessage({ type: "HELLO", runId: new Uint8Array(16), rooms: [] });
    const ping = encodeMessage({ type: "PING", any: 1 });
    const { sealer } = done.established;
    if (then === "PING") conn.inject(sealer.seal(ping));
    if (then === "HELLO and PING") conn.inject(sealer.seal(Uint8Array.from([...hello, ...hello])));
    if (then === "garbage") conn.inject(sealer.seal(hello).map((b, i) => i === 5 ? b ^ 1 : b));
    if (then === "HELLO") conn.inject(sealer.seal(hello));
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
}

for (const [what, when, act] of faults) {
  test({
    name: `property 3: a peer that ${what} gets no byte more, and is closed at the deadline and not before`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const s = await session();
      await act(s.client);
      await settle(100);
      const bytes = s.conn.written.length;
      const deadline = when === "M1" ? 3_000 : 10_000;
      s.clock.advance(deadline - 1);
      await settle(100);
      assertEquals([s.isOver(), s.conn.isClosed], [false, false]);
      s.clock.advance(1);
      await settle(100);
      assertEquals([s.isOver(), s.conn.isClosed], [true, true]);
      assertEquals(s.conn.written.length, bytes);
      assertEquals(s.context.rooms.peers.size, 0);
      assertEquals(s.context.connectionLimiter.pendingTotal, 0);
    },
  });
}
test("a peer that closes first is let go at once", async () => {
  const s = await session();
  s.client.inject(systemRandom(100));
  await settle(100);
  s.client.close();
  await s.done;
  assertEquals(s.context.connectionLimiter.pendingTotal, 0);
});
test("before its first traffic record opens, a client is nobody", async () => {
  const s = await session();
  await handshakeUntil(s.client, "done");
  await settle(100);
  assertEquals([s.context.rooms.peers.size, s.log.some((l) => l.includes("New connection"))], [0, false]);
  s.client.close();
  await s.done;
});
test("a good handshake is welcomed, and its place given back", async () => {
  const s = await session();
  await handshakeUntil(s.client, "done", "HELLO");
  await settle(100);
  assertEquals(s.context.rooms.peers.size, 1);
  assertEquals(s.counts.decryptions, 1);
  assertEquals(s.log.slice(0, 3), [
    "[+] Client public key had been received",
    "[+] Secret key had been sent to the client",
    "[+] New connection. Username: ira",
  ]);
  s.client.close();
  await s.done;
  assertEquals([s.context.rooms.peers.size, s.log.at(-1)], [0, "[+] ira left the server."]);
});
test("whoever shakes hands while the server stops is told so, and is not in", async () => {
  const s = await session();
  s.stopping.abort();
  await handshakeUntil(s.client, "done", "HELLO");
  await settle(100);
  assertEquals(s.context.rooms.peers.size, 0);
  assertEquals(s.log.at(-1), "[+] Refused. Username: ira: shutting down");
  s.client.close();
  await s.done;
});
test("one ClientHello more than a second takes waits its turn", async () => {
  const s = await session({ hellosPerSecond: 1 });
  s.context.connectionLimiter.hello();
  s.client.inject((await startClient(await clientConfig())).send);
  await settle(100);
  assertEquals([s.conn.written.length, s.isOver()], [0, false]);
  s.clock.advance(1_000);
  await settle(100);
  assertEquals([s.conn.written.length, s.isOver()], [1, false]);
  s.client.close();
  await s.done;
});
test("one that would wait too long is a failure like any other", async () => {
  const s = await session({ hellosPerSecond: 1 });
  for (let i = 0; i < 3; i++) s.context.connectionLimiter.hello();
  s.client.inject((await startClient(await clientConfig())).send);
  await settle(100);
  assertEquals([s.conn.written.length, s.isOver()], [0, false]);
  s.clock.advance(3_000);
  await s.done;
});
