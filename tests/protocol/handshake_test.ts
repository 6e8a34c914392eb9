import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { identityFrom } from "../../lib/crypto/identity.ts";
import { extract } from "../../lib/crypto/kdf.ts";
import { oaepDecrypt, oaepLabel } from "../../lib/crypto/oaep.ts";
import { Malformed } from "../../lib/errors.ts";
import { makeCard, parseCard, roles } from "../../lib/protocol/identity/card.ts";
import {
  decodeClientHello,
  driveHandshake,
  encodeClientHello,
  HandshakeFailed,
  paddedCardBytes,
  shapes,
} from "../../lib/protocol/channel/handshake.ts";
import {
  advanceClient,
  type ClientState,
  parseServerCard,
  startClient,
} from "../../lib/protocol/channel/handshake_client.ts";
import {
  advanceServer,
  parseClientCard,
  type ServerState,
  startServer,
} from "../../lib/protocol/channel/handshake_server.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import { isPuzzleSolved } from "../../lib/protocol/channel/puzzle.ts";
import { RecordOpener, RecordSealer } from "../../lib/protocol/channel/records.ts";
import { absorb, sessionName, stageKeys, startTranscript } from "../../lib/protocol/channel/transcript.ts";
import { Writer } from "../../lib/protocol/codec/wire.ts";
import { memoryConnPair } from "../fakes/memory_conn.ts";
import { clientConfig, serverConfig } from "../fakes/handshakes.ts";
import { person } from "../fakes/people.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const m2Bytes = 1157, r2Bytes = 428;

/** Runs a whole handshake; `change` may alter each message on its way. */
async function run(
  change: (name: string, wire: Bytes) => Bytes = (_, wire) => wire,
  server = serverConfig(),
  client = clientConfig(),
) {
  const { config: s, counts } = await server;
  const c = await client;
  const started = await startClient(c);
  const s1 = await advanceServer(startServer().state, change("M1", started.send), s);
  const c1 = await advanceClient(started.state, change("M2", s1.send.slice(0, m2Bytes)), c);
  const c2 = await advanceClient(c1.state, change("R1", s1.send.slice(m2Bytes)), c);
  const s2 = await advanceServer(s1.state, change("R2", c2.send.slice(0, r2Bytes)), s);
  const s3 = await advanceServer(s2.state, change("R3", c2.send.slice(r2Bytes)), s);
  const c3 = await advanceClient(c2.state, change("R4", s3.send), c);
  return { client: established(c3.state), server: established(s3.state), counts, states: { s1, s2, c2 } };
}

function established(state: ClientState | ServerState) {
  assert(state.step === "done");
  return state.established;
}

/** Whether two ends can talk: the first record of each direction opens. */
function talks(
  ends: { client: ReturnType<typeof established>; server: ReturnType<typeof established> },
): boolean {
  try {
    const up = ends.server.opener.open(ends.client.sealer.seal(Uint8Array.of(1)));
    const down = ends.client.opener.open(ends.server.sealer.seal(Uint8Array.of(2)));
    return up[0] === 1 && down[0] === 2;
  } catch {
    return false;
  }
}

test("property 1: both sides agree on h, ids, version and session name", async () => {
  const { client, server } = await run();
  assertEquals(client.h, server.h);
  assertEquals(client.session, server.session);
  assertEquals([client.version, server.version], [2, 2]);
  assertEquals(server.peer.id, (await person("ira")).card.id);
  assertEquals(client.peer.id, (await person("server")).card.id);
  assertEquals(server.token.length, 0);
});

test("the wire sizes are those of the protocol", () => {
  assertEquals([shapes.m1.min, shapes.m1.max], [1257, 5367]);
  assertEquals([shapes.m2.max + 2, shapes.r1.max, shapes.r2.max, shapes.r3.max, shapes.r4.max], [
    m2Bytes,
    640,
    392,
    640,
    384,
  ]);
});

test("two handshakes share no key and no byte of randomness", async () => {
  const [a, b] = [await run(), await run()];
  assertNotEquals(a.client.h, b.client.h);
  assertNotEquals(a.client.sealer.seal(Uint8Array.of(1)), b.client.sealer.seal(Uint8Array.of(1)));
});

// Property 2, over every byte of every message. States are values, so each changed message is tried against
// the very state that waits for the true one. The length prefixes of records are frames.ts's to judge: a
// record of a handshake has exactly one length.
async function base() {
  const [{ config: s }, c] = [await serverConfig(), await clientConfig()];
  const c0 = await startClient(c);
  const s1 = await advanceServer(startServer().state, c0.send, s);
  const [m2, r1] = [s1.send.slice(0, m2Bytes), s1.send.slice(m2Bytes)];
  const c1 = await advanceClient(c0.state, m2, c);
  const c2 = await advanceClient(c1.state, r1, c);
  const [r2, r3] = [c2.send.slice(0, r2Bytes), c2.send.slice(r2Bytes)];
  const s2 = await advanceServer(s1.state, r2, s);
  const s3 = await advanceServer(s2.state, r3, s);
  return { s, c, c0, s1, c1, c2, s2, wires: { M1: c0.send, M2: m2, R1: r1, R2: r2, R3: r3, R4: s3.send } };
}
type Base = Awaited<ReturnType<typeof base>>;
/** What each side does with a changed message, up to where it must have failed. */
const attempts: Record<keyof Base["wires"], (b: Base, wire: Bytes) => Promise<unknown>> = {
  async M1(b, wire) {
    const { send } = await advanceServer(startServer().state, wire, b.s);
    const c1 = await advanceClient(b.c0.state, send.slice(0, m2Bytes), b.c);
    await advanceClient(c1.state, send.slice(m2Bytes), b.c);
  },
  async M2(b, wire) {
    const c1 = await advanceClient(b.c0.state, wire, b.c);
    await advanceClient(c1.state, b.wires.R1, b.c);
  },
  R1: (b, wire) => advanceClient(b.c1.state, wire, b.c),
  R2: (b, wire) => advanceServer(b.s1.state, wire, b.s),
  R3: (b, wire) => advanceServer(b.s2.state, wire, b.s),
  R4: (b, wire) => advanceClient(b.c2.state, wire, b.c),
};
for (const name of ["M1", "M2", "R1", "R2", "R3", "R4"] as const) {
  test(`property 2: every changed byte of ${name} makes the handshake fail`, async () => {
    const b = await base();
    const wire = b.wires[name];
    for (let at = name.startsWith("M") ? 0 : 4; at < wire.length; at++) {
      const changed = wire.map((byte, i) => i === at ? byte ^ (1 << (at % 8)) : byte);
      await assertRejects(() => attempts[name](b, changed), Error, undefined, `byte ${at}`);
    }
  });
  test(`property 2: ${name} cut, longer or repeated never leads to two ends that talk`, async () => {
    const changes: ((wire: Bytes) => Bytes)[] = [
      (wire) => wire.slice(0, -1),
      (wire) => wire.slice(0, wire.length >> 1),
      (wire) => Uint8Array.from([...wire, 0]),
      (wire) => Uint8Array.from([...wire, ...wire]),
    ];
    for (const change of changes) {
      await assertRejects(() => run((which, wire) => which === name ? change(wire) : wire));
    }
  });
}

test("a peer who closes before the handshake is over fails it, at every step", async () => {
  const { c, c0, wires } = await base();
  for (const sent of [[], [wires.M2], [wires.M2, wires.R1]]) {
    const [a, b] = memoryConnPair();
    for (const wire of sent) b.inject(wire);
    b.close();
    const next = (state: ClientState, frame: Bytes) => advanceClient(state, frame, c);
    await assertRejects(
      () => driveHandshake<ClientState>(a, new FrameReader(a), c0, next),
      HandshakeFailed,
      "closed",
    );
  }
});
test("property 2: no bit of R1 … R4 opens changed: each of their bytes is under a tag", async () => {
  const secret = new Uint8Array(32).fill(1);
  for (const size of [640, 392, 384]) {
    const wire = new RecordSealer(secret).seal(new Uint8Array(size));
    for (let at = 4; at < wire.length; at++) {
      const changed = wire.slice();
      changed[at] ^= 1;
      assertThrows(() => new RecordOpener(secret).open(changed), Malformed);
    }
  }
  await Promise.resolve();
});

test("property 6: no RSA decryption before tag, puzzle and quota", async () => {
  const bits = { puzzleBits: () => 20 };
  const cases: [string, Parameters<typeof serverConfig>[0], (name: string, wire: Bytes) => Bytes][] = [
    ["tag", {}, (name, wire) => name === "R2" ? wire.map((b, i) => i === 50 ? b ^ 1 : b) : wire],
    ["puzzle", bits, (_, wire) => wire],
  ];
  const { config, counts } = await serverConfig();
  const broken = await serverConfig();
  await assertRejects(() => run(cases[0][2], Promise.resolve(broken)));
  assertEquals(broken.counts.decryptions, 0);

  // The puzzle: a client that sends nonce 0 for 20 bits.
  const c = await clientConfig();
  const started = await startClient(c);
  const hard = { ...config, ...bits };
  const s1 = await advanceServer(startServer().state, started.send, hard);
  assert(s1.state.step === "awaiting R2");
  const lazy = new RecordSealer(s1.state.keys.c2s).seal(new Writer().u64(0).raw(new Uint8Array(384)).done());
  if (!isPuzzleSolved(s1.state.t.h, 20, 0)) {
    await assertRejects(() => advanceServer(s1.state, lazy, hard), HandshakeFailed, "puzzle");
  }
  assertEquals(counts.decryptions, 0);

  // The quota: a full queue.
  let asked = 0;
  const full = await serverConfig({ decrypt: () => (asked++, Promise.resolve(null)) });
  await assertRejects(() => run(undefined, Promise.resolve(full)), HandshakeFailed, "queue");
  assertEquals(asked, 1);
});

test("a puzzle is solved by the client and asked of it", async () => {
  const { client, server } = await run(undefined, serverConfig({ puzzleBits: () => 12 }));
  assertEquals(talks({ client, server }), true);
  await assertRejects(
    () => run(undefined, serverConfig({ puzzleBits: () => 23 })),
    HandshakeFailed,
    "puzzle",
  );
});

test("a failing RSA decryption goes on with a random secret, and R3 then fails its tag", async () => {
  for (const decrypt of [() => Promise.reject(new Error("no")), () => Promise.resolve(new Uint8Array(31))]) {
    const { config } = await serverConfig({ decrypt });
    const c = await clientConfig();
    const started = await startClient(c);
    const s1 = await advanceServer(startServer().state, started.send, config);
    const c1 = await advanceClient(started.state, s1.send.slice(0, m2Bytes), c);
    const c2 = await advanceClient(c1.state, s1.send.slice(m2Bytes), c);
    const s2 = await advanceServer(s1.state, c2.send.slice(0, r2Bytes), config);
    assertEquals(s2.state.step, "awaiting R3");
    assertEquals(s2.send.length, 0);
    await assertRejects(
      () => advanceServer(s2.state, c2.send.slice(r2Bytes), config),
      Malformed,
      "does not open",
    );
  }
});

test("the client sends nothing about itself before the pin check, and stops at a mismatch", async () => {
  class Mismatch extends Error {}
  let sent = 0;
  const c = clientConfig({
    checkServer: () => {
      throw new Mismatch();
    },
  });
  await assertRejects(() => run((_, wire) => (sent++, wire), serverConfig(), c), Mismatch);
  assertEquals(sent, 3); // M1, M2, R1; no R2
});

test("property 4: a server with a copied card but its own key learns nothing of the client", async () => {
  const mallory = await person("mallory");
  const { states } = await run(undefined, serverConfig()).catch(() => ({ states: null }));
  assert(states !== null);
  const impostor = await serverConfig({
    decrypt: (label, ct) => oaepDecrypt(mallory.identity.rsa, label, ct),
  });
  const c = await clientConfig();
  const started = await startClient(c);
  const s1 = await advanceServer(startServer().state, started.send, impostor.config);
  const c1 = await advanceClient(started.state, s1.send.slice(0, m2Bytes), c);
  const c2 = await advanceClient(c1.state, s1.send.slice(m2Bytes), c);
  const s2 = await advanceServer(s1.state, c2.send.slice(0, r2Bytes), impostor.config);
  const r3 = c2.send.slice(r2Bytes);
  await assertRejects(() => advanceServer(s2.state, r3, impostor.config), Malformed, "does not open");
  const card = encodeHex(c.card.slice(0, 60));
  assertEquals(encodeHex(c2.send).includes(card) || encodeHex(started.send).includes(card), false);
});

test("property 5: stripped, added or reordered versions make both sides fail", async () => {
  const strip = async (versions: number[]) =>
    await run((name, wire) => {
      if (name !== "M1") return wire;
      return encodeClientHello({ ...decodeClientHello(wire), versions });
    });
  await assertRejects(() => strip([1]), HandshakeFailed, "version");
  for (const versions of [[1, 2], [2, 1], [2, 3]]) {
    await assertRejects(() => strip(versions), Malformed, "does not open");
  }
});

test("property 5: a version that was not offered, or is below the remembered one, is refused", async () => {
  const change = (name: string, wire: Bytes) => name === "M2" ? wire.map((b, i) => i === 3 ? 1 : b) : wire;
  await assertRejects(() => run(change), HandshakeFailed, "version");
  await assertRejects(() => run(undefined, serverConfig(), clientConfig({ minVersion: 3 })));
});
test("property 5: a version that both speak, and that is below the remembered one, is refused by the client itself", async () => {
  const client = await clientConfig();
  const { config } = await serverConfig();
  const m1 = await startClient(client);
  const { send } = await advanceServer(startServer().state, m1.send, config);
  const m2 = send.slice(0, 1157) as Bytes;
  const remembers = { ...client, minVersion: 3 };
  await assertRejects(() => advanceClient(m1.state, m2, remembers), HandshakeFailed, "version");
  assertEquals((await advanceClient(m1.state, m2, client)).state.step, "awaiting R1");
});

test("a client whose X25519 key is of small order is refused", async () => {
  await assertRejects(() =>
    run((name, wire) =>
      name === "M1" ? encodeClientHello({ ...decodeClientHello(wire), x25519: new Uint8Array(32) }) : wire
    )
  );
});

const hello = decodeClientHello((await startClient(await clientConfig())).send);
const badHellos: [string, () => Bytes][] = [
  ["other magic", () => encodeClientHello(hello).map((b, i) => i === 2 ? 0x58 : b)],
  ["no version", () => encodeClientHello({ ...hello, versions: [] })],
  ["nine versions", () => encodeClientHello({ ...hello, versions: Array(9).fill(1) })],
  ["extensions over 4096 bytes", () => encodeClientHello({ ...hello, ext: new Uint8Array(4097) })],
  [
    "bytes after its end",
    () => new Writer().vec16(Uint8Array.from([...encodeClientHello(hello).slice(2), 0])).done(),
  ],
];
for (const [what, make] of badHellos) {
  test(`a ClientHello with ${what} is refused`, () =>
    void assertThrows(() => decodeClientHello(make()), Malformed));
}
test("extensions are hashed and otherwise ignored", async () => {
  assertEquals(
    decodeClientHello(encodeClientHello({ ...hello, ext: new Uint8Array(4096) })).ext.length,
    4096,
  );
  await assertRejects(() =>
    run((name, wire) =>
      name === "M1" ? encodeClientHello({ ...decodeClientHello(wire), ext: new Uint8Array(3) }) : wire
    )
  );
});

test("R1 must hold a card of role 2, and R3 one of role 1 and a token of at most 64 bytes", async () => {
  const [ira, server] = [await person("ira"), await person("server")];
  const pad = (w: Writer) => w.padTo(paddedCardBytes).done();
  parseServerCard(pad(new Writer().raw(server.card.bytes)));
  assertThrows(() => parseServerCard(pad(new Writer().raw(ira.card.bytes))), HandshakeFailed, "role");
  const token = new Uint8Array(64).fill(7);
  assertEquals(parseClientCard(pad(new Writer().raw(ira.card.bytes).vec8(token))).token, token);
  assertThrows(
    () => parseClientCard(pad(new Writer().raw(server.card.bytes).vec8(token))),
    HandshakeFailed,
    "role",
  );
  assertThrows(
    () => parseClientCard(pad(new Writer().raw(ira.card.bytes).vec8(new Uint8Array(65)))),
    HandshakeFailed,
    "token",
  );
  const dirtyServer = pad(new Writer().raw(server.card.bytes));
  dirtyServer[639] = 1;
  assertThrows(() => parseServerCard(dirtyServer), Malformed, "padding");
  const dirty = pad(new Writer().raw(ira.card.bytes).vec8(token));
  dirty[639] = 1;
  assertThrows(() => parseClientCard(dirty), Malformed, "padding");
});

test("a stolen key of the client does not let others be impersonated to it, nor the reverse", async () => {
  // Mallory holds the client's card but not its RSA key: R4 stays closed, so the first record fails.
  const [ira, mallory] = [await person("ira"), await person("mallory")];
  const thief = clientConfig({ identity: { ...mallory.identity }, card: ira.card.bytes });
  const ends = await run(undefined, serverConfig(), thief);
  assertThrows(() => ends.server.opener.open(ends.client.sealer.seal(Uint8Array.of(1))), Malformed);
});

test("the frozen handshake: every record opens with the keys of its step, and h is the hash of the wire", async () => {
  const v = vectors("link");
  const wires = v.steps.map((s: { wire: string }) => unhex(s.wire));
  let t = startTranscript();
  const states = [];
  for (const [i, wire] of wires.entries()) {
    t = absorb(t, wire);
    if (v.steps[i].h) assertEquals(encodeHex(t.h), v.steps[i].h, v.steps[i].name);
    states.push({ h: t.h, ck: v.steps[i].ck ? unhex(v.steps[i].ck) : t.ck });
  }
  const [, m2, r1, r2, r3] = states;
  const [ira, server] = [await person("ira"), await person("server")];
  const stage1 = stageKeys(m2, "stage 1");
  assertEquals(parseServerCard(new RecordOpener(stage1.s2c).open(wires[2])).id, server.card.id);
  const proof = new RecordOpener(stage1.c2s).open(wires[3]);
  assertEquals(isPuzzleSolved(r1.h, v.puzzleBits, Number(new DataView(proof.buffer).getBigUint64(0))), true);
  const rc = await oaepDecrypt(server.identity.rsa, oaepLabel("chat2 link to server", r1.h), proof.slice(8));
  assertEquals(extract(m2.ck, rc), r2.ck);
  const stage2 = stageKeys(r2, "stage 2");
  const { peer, token } = parseClientCard(new RecordOpener(stage2.c2s).open(wires[4]));
  assertEquals([encodeHex(peer.id), new TextDecoder().decode(token)], [encodeHex(ira.card.id), v.token]);
  const secret = new RecordOpener(stage2.s2c).open(wires[5]);
  const rs = await oaepDecrypt(ira.identity.rsa, oaepLabel("chat2 link to client", r3.h), secret);
  const last = { h: states[5].h, ck: extract(r2.ck, rs) };
  const traffic = stageKeys(last, "traffic");
  assertEquals(sessionName(last), v.session);
  assertEquals(
    encodeHex(new RecordSealer(traffic.c2s).seal(unhex(v.firstRecords.plaintext))),
    v.firstRecords.c2s,
  );
  assertEquals(
    encodeHex(new RecordSealer(traffic.s2c).seal(unhex(v.firstRecords.plaintext))),
    v.firstRecords.s2c,
  );
});

test("a card is signed by its own keys: none of its parts can be exchanged", async () => {
  const [ira, mallory] = [await person("ira"), await person("mallory")];
  const mixed = await identityFrom({
    ...ira.secrets,
    rsaPkcs8: mallory.secrets.rsaPkcs8,
    rsaSpki: mallory.secrets.rsaSpki,
  });
  const card = makeCard(mixed, roles.user, "ira", 1);
  assertNotEquals(parseCard(card).id, ira.card.id);
  for (let at = 0; at < ira.card.bytes.length; at++) {
    assertThrows(() => parseCard(ira.card.bytes.map((b, i) => i === at ? b ^ 1 : b)), Error);
  }
});
