/** The page's server over real sockets: who may say something, and what becomes of those who say nothing, or too much. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ChatError } from "../../../lib/errors.ts";
import { noStatus } from "../../../lib/client/status.ts";
import { type FromPage, pageCloses, type Snapshot } from "../../../lib/ui/web/page_messages.ts";
import { PageServer } from "../../../lib/ui/web/page_server.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { test } from "../../fakes/test.ts";
import { until } from "../../fakes/until.ts";

const nothing: Snapshot = {
  name: "ira",
  status: noStatus,
  people: { room: "", changed: null, people: [] },
  logs: {},
  waiting: [],
  moving: [],
  saved: [],
  question: null,
  questionN: 0,
  about: [],
  secret: null,
};

interface Served {
  readonly server: PageServer;
  readonly clock: FakeClock;
  readonly said: FromPage[];
  readonly files: string[];
  readonly connected: boolean[];
}

async function withServer(act: (served: Served) => Promise<void>): Promise<void> {
  const clock = new FakeClock();
  const said: FromPage[] = [], files: string[] = [], connected: boolean[] = [];
  const server = new PageServer({
    port: 0,
    clock,
    random: seededRandom("page server"),
    snapshot: () => nothing,
    said: (message) => void said.push(message),
    async dropped(room, name, body) {
      if (name === "refused") throw new ChatError("not this one", "");
      let bytes = 0;
      for await (const part of body) bytes += part.length;
      files.push(`${room} ${name} ${bytes}`);
    },
    connected: (isThere) => void connected.push(isThere),
  });
  try {
    await act({ server, clock, said, files, connected });
  } finally {
    await Promise.all([server.close("over"), until("closed", () => (clock.advance(600), true))]);
  }
}

/** A link as a browser makes it: its Origin is the page's. */
async function link({ server }: Served, first: unknown) {
  const socket = new WebSocket(`ws://${server.host}/link`, { headers: { origin: `http://${server.host}` } });
  const heard: { type: string; secret?: string }[] = [];
  let closed: number | null = null;
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  socket.onclose = ({ code }) => closed = code;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.onopen = () => resolve();
  socket.onerror = () => resolve();
  await promise;
  if (first !== undefined) socket.send(typeof first === "string" ? first : JSON.stringify(first));
  return {
    socket,
    heard,
    code: async () => {
      await until("closed", () => closed !== null);
      return closed;
    },
    secret: async () => {
      await until("let in", () => heard.length > 0);
      assertEquals(heard[0].type, "in");
      return heard[0].secret!;
    },
  };
}
const token = (url: string) => new URL(url).hash.slice(1);

test("nothing is told before the secret is right; a wrong one, nonsense and silence end it", async () => {
  await withServer(async (served) => {
    const { server, clock, said } = served;
    server.newLink();
    for (
      const [first, code] of [
        [{ type: "link", token: "x".repeat(43) }, pageCloses.badLink],
        [{ type: "again", secret: "", takeOver: true }, pageCloses.badLink],
        [{ type: "line", line: "/quit" }, pageCloses.badLink],
        ["{", pageCloses.notUnderstood],
        ["x".repeat(300_000), pageCloses.notUnderstood],
        [{ type: "link" }, pageCloses.notUnderstood],
        [{ type: "__proto__" }, pageCloses.notUnderstood],
      ] as const
    ) {
      const stranger = await link(served, first);
      server.send({ type: "secret", text: "for the page alone" });
      assertEquals(await stranger.code(), code, JSON.stringify(first).slice(0, 80));
      assertEquals(stranger.heard, []);
    }
    const silent = await link(served, undefined);
    await until("it waits", () => (clock.advance(5_000), silent.socket.readyState !== WebSocket.OPEN));
    assertEquals(await silent.code(), pageCloses.notUnderstood);
    assertEquals([said, silent.heard], [[], []]);
  });
});

test("after three wrong ones the right link is not good any more; a new one is", async () => {
  await withServer(async (served) => {
    const right = token(served.server.newLink());
    for (let i = 0; i < 3; i++) await (await link(served, { type: "link", token: `wrong ${i}` })).code();
    assertEquals(await (await link(served, { type: "link", token: right })).code(), pageCloses.badLink);
    const page = await link(served, { type: "link", token: token(served.server.newLink()) });
    await page.secret();
    page.socket.send(JSON.stringify({ type: "line", line: "hello" }));
    await until("said", () => served.said.length === 1);
    assertEquals(served.connected, [true]);
  });
});

test("one page at a time: the newest link takes over, an older page only when its person says so", async () => {
  await withServer(async (served) => {
    const first = await link(served, { type: "link", token: token(served.server.newLink()) });
    const secret = await first.secret();
    const second = await link(served, { type: "link", token: token(served.server.newLink()) });
    await second.secret();
    assertEquals(await first.code(), pageCloses.anotherPage);
    const back = await link(served, { type: "again", secret, takeOver: false });
    assertEquals(await back.code(), pageCloses.anotherPage);
    const over = await link(served, { type: "again", secret, takeOver: true });
    assertEquals(await over.secret(), secret);
    assertEquals(await second.code(), pageCloses.anotherPage);
    // The same page, loaded anew, before its old link was seen to end.
    const again = await link(served, { type: "again", secret, takeOver: false });
    assertEquals(await again.secret(), secret);
    again.socket.close();
    await until("gone", () => served.connected.at(-1) === false);
  });
});

test("a file is taken from the page alone, and one that stops coming is given up", async () => {
  await withServer(async (served) => {
    const { server, clock, files } = served;
    const page = await link(served, { type: "link", token: token(server.newLink()) });
    const secret = await page.secret();
    const put = (bearer: string, name: string, body: BodyInit) =>
      fetch(`http://${server.host}/file`, {
        method: "PUT",
        headers: {
          origin: `http://${server.host}`,
          authorization: `Bearer ${bearer}`,
          "x-room": "lobby",
          "x-name": name,
        },
        body,
      }).then(async (answer) => `${answer.status} ${(await answer.text()).trim()}`);
    assertEquals(await put(secret, "a.txt", new Uint8Array(1_000_000)), "202 Taken");
    assertEquals(files, ["lobby a.txt 1000000"]);
    assertMatch(await put("x".repeat(43), "a.txt", "x"), /^403/);
    assertEquals(await put(secret, "refused", "x"), "400 not this one");
    const slow = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
    let answer: string | null = null;
    const waiting = put(secret, "slow", slow).then((text) => answer = text, () => answer = "cut");
    await until("given up", () => (clock.advance(1_000), answer !== null), { everyMs: 20 });
    await waiting;
    assertMatch(answer!, /^400 The file did not come in time|^cut/);
    assertEquals(files.length, 1);
    page.socket.close();
    await page.code();
  });
});

test("a port that is taken is told, with what to do", () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  let told = "";
  try {
    new PageServer({ port } as never);
  } catch (error) {
    assert(error instanceof ChatError);
    told = `${error.message}; ${error.hint}`;
  }
  assertMatch(told, /^Cannot serve the page on port \d+: something else listens there; give another one/);
});
