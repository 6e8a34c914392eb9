/** Dialling and the client's side of failure (protocol §13), with a fake clock and a fake wire. */

import { test } from "../fakes/test.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { Connection, type ConnectionConfig, type Receiver } from "../../lib/client/connection/connection.ts";
import {
  dialError,
  HandshakeBroken,
  LinkLost,
  Refused,
  refusedBy,
  RequestRefused,
  TurnedAwayUnheard,
  Unreachable,
} from "../../lib/client/connection/connection_errors.ts";
import { dialTcp } from "../../lib/client/connection/dial.ts";
import { ChatError, exitCodes } from "../../lib/errors.ts";
import { driveHandshake } from "../../lib/protocol/channel/handshake.ts";
import { advanceServer, startServer } from "../../lib/protocol/channel/handshake_server.ts";
import { FrameReader, trafficRecord } from "../../lib/protocol/channel/frames.ts";
import { Link } from "../../lib/protocol/channel/link.ts";
import {
  closeReasons,
  decodeMessages,
  errorCodes,
  type LinkMessage,
  type MessageOf,
  welcomeFlags,
} from "../../lib/protocol/channel/link_messages.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";
import { JumpingClock } from "../fakes/jumping_clock.ts";
import { until } from "../fakes/until.ts";
import { type Client, clockTest, worldTest } from "../fakes/world.ts";
import { clientConfig, serverConfig } from "../fakes/handshakes.ts";
import { type MemoryConn, memoryConnPair } from "../fakes/memory_conn.ts";

async function config(
  dial: ConnectionConfig["dial"],
  clock = new FakeClock(),
  over: Partial<ConnectionConfig> = {},
): Promise<ConnectionConfig> {
  return { ...await clientConfig(), host: "chat.example.org", port: 9443, name: "ira", dial, clock, ...over };
}
const wired = () => {
  const [client, server] = memoryConnPair();
  return { client, server, dial: () => Promise.resolve(client) };
};

const dialErrors: [string, Error, RegExp][] = [
  ["refused", new Deno.errors.ConnectionRefused("x"), /Nothing answers at "h:1"/],
  [
    "no such host",
    new Error("failed to lookup address information: Name or service not known"),
    /There is no host "h"/,
  ],
  ["timed out", new Deno.errors.TimedOut("x"), /"h:1" does not answer: timed out/],
  ["no way there", new Error("Network is unreachable (os error 101)"), /cannot be reached from here/],
  ["not allowed", new Deno.errors.PermissionDenied("x"), /does not allow/],
  ["anything else", new Error("odd (os error 5)"), /Cannot connect to "h:1": odd$/],
];
for (const [what, error, says] of dialErrors) {
  test(`dialling: ${what} is one sentence and a hint, exit code 3`, () => {
    const told = dialError("h:1", "h", error);
    assertEquals([says.test(told.message), told.hint !== "", told.exitCode], [
      true,
      true,
      exitCodes.unreachable,
    ], told.message);
  });
}
test("every CLOSE reason is a sentence and a hint; those of the login have exit code 5", () => {
  for (const reason of [...Object.values(closeReasons), 99]) {
    const told = refusedBy(reason, { name: "ira", hadToken: false });
    assertEquals([told.message.length > 10, told.hint.length > 5], [true, true]);
    const login = [3, 4, 5, 6, 7].includes(reason);
    assertEquals(told.exitCode === exitCodes.login, login);
  }
  assertEquals(
    refusedBy(4, { name: "ira", hadToken: true }).message ===
      refusedBy(4, { name: "ira", hadToken: false }).message,
    false,
  );
});
test("a host that never answers times out after 10 s; a connection that comes later is closed", async () => {
  const clock = new FakeClock();
  const late = wired();
  const { promise, resolve } = Promise.withResolvers<MemoryConn>();
  const opening = Connection.open(await config(() => promise, clock));
  opening.catch(() => {});
  await settle(2);
  clock.advance(10_000);
  assertStringIncludes((await assertRejects(() => opening, Unreachable)).message, "timed out");
  resolve(late.client);
  await settle(2);
  assertEquals(late.client.isClosed, true);
});
for (
  const [what, act] of [
    ["sends garbage", (server: MemoryConn) => server.inject(systemRandom(3000))],
    ["says nothing", () => {}],
  ] as const
) {
  test(`a server that ${what} is left at the deadline, and gets nothing after the hello`, async () => {
    const clock = new FakeClock();
    const { client, server, dial } = wired();
    const opening = Connection.open(await config(dial, clock));
    opening.catch(() => {});
    await settle(50);
    act(server);
    await settle(50);
    assertEquals([client.isClosed, client.written.length], [false, 1]);
    clock.advance(10_000);
    const error = await assertRejects(() => opening, HandshakeBroken);
    assertStringIncludes(error.message, "not a chat server");
    assertEquals(client.written.length, 1);
  });
}
test("a peer that closes is told of at once", async () => {
  const { server, dial } = wired();
  const opening = Connection.open(await config(dial));
  opening.catch(() => {});
  await settle(20);
  server.close();
  await assertRejects(() => opening, HandshakeBroken);
});

/** Runs the server's side; the rest is the test's. */
async function handshaken(over: Partial<ConnectionConfig> = {}) {
  const clock = new FakeClock();
  const { client, server, dial } = wired();
  const { config: s } = await serverConfig();
  const reader = new FrameReader(server);
  const serving = driveHandshake(
    server,
    reader,
    startServer(),
    (state, frame) => advanceServer(state, frame, s),
  );
  serving.catch(() => {});
  const opening = Connection.open(await config(dial, clock, over));
  return { clock, client, server, reader, serving, opening };
}
test("a pin mismatch closes at once, before anything about us was sent", async () => {
  class Mismatch extends ChatError {}
  const { client, opening } = await handshaken({
    checkServer: () => {
      throw new Mismatch("another key", "ask");
    },
  });
  await assertRejects(() => opening, Mismatch);
  assertEquals([client.isClosed, client.written.length], [true, 1]);
});

async function entered(
  runId = new Uint8Array(16),
  rooms: MessageOf<"HELLO">["rooms"] = [],
  over: Partial<ConnectionConfig> = {},
) {
  const h = await handshaken(over);
  const connection = await h.opening;
  const done = await h.serving;
  if (done.step !== "done") throw new Error("not done");
  const received: LinkMessage[] = [];
  const receiver: Receiver = { welcome: (m) => void received.push(m), receive: (m) => void received.push(m) };
  const entering = connection.enter({ runId, rooms }, receiver);
  entering.catch(() => {});
  const frame = await h.reader.next(trafficRecord);
  const hello = decodeMessages(done.established.opener.open(frame!), "client");
  const link = new Link(h.server, h.reader, done.established, "server", h.clock);
  return { ...h, connection, link, hello, entering, received };
}
const welcome: MessageOf<"WELCOME"> = {
  type: "WELCOME",
  time: 1,
  runId: new Uint8Array(16),
  flags: 0,
  messageBytes: 1,
  textBytes: 1,
  members: 1,
  rooms: 1,
  burst: 1,
  rate: 1,
  fileBytes: 0,
  blobBytes: 0,
  retainSeconds: 1,
  place: "",
};

test("HELLO is alone in the first record; CLOSE in place of WELCOME is the server's reason", async () => {
  const { hello, link, entering } = await entered();
  assertEquals(hello.map((m) => m.type), ["HELLO"]);
  link.close(closeReasons.nameTaken);
  const error = await assertRejects(() => entering, Refused);
  assertEquals([error.reason, error.exitCode], [closeReasons.nameTaken, exitCodes.login]);
});
for (
  const [what, message] of [
    ["an answer to nothing", { type: "DONE", ref: 77, info: 0 }],
    ["a second WELCOME", welcome],
  ] as [string, LinkMessage][]
) {
  test(`${what} ends the link`, async () => {
    const { link, entering } = await entered();
    link.send(welcome);
    const { ended } = await entering;
    link.send(message);
    assertEquals((await ended).how, "fault");
  });
}
for (
  const [what, refOf] of [
    ["for another ref", (ref: number) => ref + 1],
    ["for ref 0", () => 0],
  ] as const
) {
  test(`ACCEPTED ${what} than the login's lets nobody in, and ends the link`, async () => {
    const credentials = () => Promise.resolve({ password: new Uint8Array(10), token: null });
    const { link, entering, received } = await entered(undefined, undefined, { credentials });
    void link.run((messages) => {
      for (const message of messages) {
        if (message.type === "LOGIN") link.send({ type: "ACCEPTED", ref: refOf(message.ref) });
      }
    });
    link.send({ ...welcome, flags: welcomeFlags.accounts });
    await assertRejects(() => entering, LinkLost);
    assertEquals(received, [], "not even WELCOME was handed on");
  });
}
test("ACCEPTED with the login's ref lets us in", async () => {
  const credentials = () => Promise.resolve({ password: new Uint8Array(10), token: null });
  const { link, entering, received } = await entered(undefined, undefined, { credentials });
  void link.run((messages) => {
    for (const message of messages) {
      if (message.type === "LOGIN") link.send({ type: "ACCEPTED", ref: message.ref });
    }
  });
  link.send({ ...welcome, flags: welcomeFlags.accounts });
  await entering;
  assertEquals(received.map(({ type }) => type), ["WELCOME"]);
});
test("a request gets its answer by ref, whatever the order; a cut ends all that wait", async () => {
  const { link, entering, connection, server } = await entered();
  link.send(welcome);
  await entering;
  const asked: number[] = [];
  const ask = () =>
    connection.request((ref) => (asked.push(ref), { type: "CARD_GET", ref, ids: [] }), "CARD");
  const [one, two, three] = [ask(), ask(), ask()];
  three.catch(() => {});
  link.send({ type: "CARD", ref: asked[1], cards: [new Uint8Array(2)] });
  link.send({ type: "CARD", ref: asked[0], cards: [new Uint8Array(1)] });
  assertEquals([(await one).cards[0].length, (await two).cards[0].length], [1, 2]);
  server.close();
  assertInstanceOf(await three.catch((error) => error), LinkLost);
  await assertRejects(() => ask(), LinkLost);
});
test("what only looks something up is asked again after LIMIT, later each time; a change is refused", async () => {
  const { link, entering, connection, server, clock } = await entered();
  link.send(welcome);
  await entering;
  const asked: number[] = [];
  const find = connection.request((ref) => (asked.push(ref), { type: "CARD_GET", ref, ids: [] }), "CARD");
  for (const waitMs of [1000, 2000]) {
    link.send({ type: "ERROR", ref: asked.at(-1)!, code: errorCodes.LIMIT });
    await settle(5);
    const before = asked.length;
    clock.advance(waitMs - 1);
    await settle(5);
    assertEquals(asked.length, before);
    clock.advance(1);
    await settle(5);
    assertEquals(asked.length, before + 1);
  }
  link.send({ type: "CARD", ref: asked[2], cards: [] });
  assertEquals((await find).cards, []);
  let ref = 0;
  const put = connection.request(
    (r) => (ref = r, { type: "BOX_GET", ref: r, hash: new Uint8Array(32) }),
    "DONE",
  );
  put.catch(() => {});
  link.send({ type: "ERROR", ref, code: errorCodes.LIMIT });
  await assertRejects(() => put, RequestRefused);
  const last = connection.request((r) => (ref = r, { type: "CARD_GET", ref: r, ids: [] }), "CARD");
  last.catch(() => {});
  link.send({ type: "ERROR", ref, code: errorCodes.LIMIT });
  await settle(5);
  server.close(); // while it waits
  await assertRejects(() => last, LinkLost);
});
test("only one room at a time has the link's commit lock; a cut ends the waiting", async () => {
  const { link, entering, connection, server } = await entered();
  link.send(welcome);
  await entering;
  const end = await connection.takeCommitLock();
  let second = false;
  const waiting = connection.takeCommitLock().then((next) => (second = true, next));
  await settle(5);
  assertEquals(second, false);
  end();
  (await waiting)();
  await connection.takeCommitLock();
  const stuck = connection.takeCommitLock();
  stuck.catch(() => {});
  server.close();
  await assertRejects(() => stuck, LinkLost);
});

for (const [days, words] of [[21, "21 days ahead of"], [-45, "45 days behind"]] as const) {
  worldTest(
    `a clock that is ${words} the server's ends a join at once, with the clock named`,
    async (world) => {
      const clock = new JumpingClock();
      clock.jump(days * 86_400_000);
      world.clientClock = clock;
      const { done, view } = await world.join("ira", {}, false);
      const error = await done;
      assert(error instanceof ChatError);
      assertStringIncludes(error.message, `this machine's is ${words}`);
      assertMatch(error.hint, /set it right .*join again/);
      assertStringIncludes(view.warnings.join(), words);
    },
  );
}

clockTest(
  "a server that closes unheard is tried again, known or not; one that goes on so is told",
  async (world, clock) => {
    let dialled = 0;
    let closing = 2;
    world.dial = async (host, port) => {
      dialled++;
      if (closing-- > 0) {
        const { client, server } = wired();
        server.close();
        return client;
      }
      return await dialTcp(host, port);
    };
    const waits = ({ view }: Client) => (view.shown.offline?.retryMs ?? null) !== null;
    const again = await world.join("ira"); // for the first time
    await until("two attempts were closed, and it is in", () => {
      if (waits(again)) clock.jump(1_000);
      return again.view.events.some(({ type }) => type === "entered");
    });
    assertEquals(dialled, 3);
    assertEquals(again.view.warnings.filter((text) => /turned us away unheard/.test(text)).length, 1);
    again.view.type("EXIT");
    await again.done;

    [dialled, closing] = [0, Infinity];
    const over = await world.join("ira");
    await until("it gives up", () => {
      if (waits(over)) clock.jump(1_000);
      return over.chat.isOver;
    });
    assertEquals([dialled, await over.done instanceof TurnedAwayUnheard], [5, true]);
  },
);
