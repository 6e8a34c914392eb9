/** Key-file rooms (protocol §8.1) against a server that lies and a holder of the key who forges. */

import { assertEquals } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { sealKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { type HostileServer, hostileTest } from "../fakes/hostile_server.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import type { Client, World } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";
import { unsigned } from "../fakes/site.ts";
import { signedViewOf } from "../../lib/protocol/group/signed_head.ts";

const key = new Uint8Array(32).fill(7);
const fernetKey = key;

const forked = (...clients: Client[]) =>
  clients.some(({ view }) =>
    view.warnings.some((text) => /signed two histories|hides or changes/.test(text))
  );

for (const what of ["drop", "duplicate", "swap"] as const) {
  hostileTest(
    `property 16 in a key-file room: ${what} is found by the next crossing message`,
    async (world, server) => {
      const { sahnawaz: log } = server.bends("sahnawaz");
      const ira = await world.enter("ira", { port: server.port, fernetKey });
      const sam = await world.enter("sahnawaz", { port: server.port, fernetKey });
      log.next = what;
      ira.view.type("one", "two");
      await until("lied", () => log.done > 0);
      await ira.view.hears("ira: two");
      ira.view.type("three");
      await until("a warning", () => forked(ira, sam));
    },
  );
}

/** What a colluding server puts into a member's stream at the next position. */
async function injected(
  world: World,
  server: HostileServer,
  make: (room: Uint8Array<ArrayBuffer>, sam: Client, last: number) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<Client> {
  const ira = await world.enter("ira", { port: server.port, fernetKey });
  const sam = await world.enter("sahnawaz", { port: server.port, fernetKey });
  ira.view.type("true");
  await sam.view.hears("ira: true");
  const room = sam.chat.conversation.room!.state.id;
  const bytes = await make(room, sam, 1);
  server.tell("sahnawaz", { type: "ENTRY", room, pos: 2, time: 1, kind: 2, address: "", bytes });
  await until("handled", () => sam.chat.conversation.room!.history!.view.pos === 2);
  await until("told", () => sam.view.warnings.length > 0);
  assertEquals(sam.view.said, ["ira: true"]);
  return sam;
}

hostileTest(
  "a holder of the key cannot speak as another: the signature is not hers",
  async (world, server) => {
    const sam = await injected(world, server, async (room, sam) => {
      const [ira, mallory] = await Promise.all(["ira", "mallory"].map(person));
      const header = {
        room,
        sender: ira.card.id,
        n: 4_000_000_000,
        view: signedViewOf(sam.chat.conversation.room!.state),
      };
      return sealKeyFileMessage(header, "forged", key, 1, systemRandom(16), mallory.identity.signing);
    });
    assertEquals(sam.view.warnings, ["A message said to be of ira is not signed by ira."]);
  },
);

hostileTest("a message of a key-file room cannot be replayed", async (world, server) => {
  const sam = await injected(world, server, (_room, _sam) => {
    const [room] = world.server.rooms.keyFileRooms();
    return Promise.resolve(room.read(1, 1)[0].bytes!);
  });
  assertEquals(sam.view.warnings, ["A message of ira was repeated or out of order, and is not shown."]);
});

hostileTest("a message of another key is told, and shown to nobody as text", async (world, server) => {
  const sam = await injected(world, server, async (room, sam) => {
    const dana = await person("dana");
    const header = {
      room,
      sender: dana.card.id,
      n: 0,
      view: signedViewOf(sam.chat.conversation.room!.state),
    };
    world.server.rooms.store.putCard(dana.card.id, "dana", dana.card.bytes);
    return sealKeyFileMessage(
      header,
      "sealed elsewhere",
      systemRandom(32),
      1,
      systemRandom(16),
      dana.identity.signing,
    );
  });
  assertEquals(sam.view.warnings, ["A message of dana does not open with your key file."]);
});

hostileTest("the server cannot put words of its own into the log", async (world, server) => {
  const sam = await injected(world, server, async (room, sam) => {
    const self = await person("server");
    world.server.rooms.store.putCard(self.card.id, "server", self.card.bytes);
    const header = {
      room,
      sender: self.card.id,
      n: 0,
      view: signedViewOf(sam.chat.conversation.room!.state),
    };
    return sealKeyFileMessage(header, "as if said", key, 1, systemRandom(16), self.identity.signing);
  });
  assertEquals(sam.view.warnings, ["The server put words of its own into the room."]);
});

const badAnswers: [string, (room: Uint8Array<ArrayBuffer>) => Promise<LinkMessage>][] = [
  ["signed by somebody else", async (room) => {
    const mallory = await person("mallory");
    const header = { room, sender: mallory.card.id, n: 1, view: unsigned(0, room) };
    const message = sealKeyFileMessage(header, "x", key, 1, systemRandom(16), mallory.identity.signing);
    return { type: "ANSWER", room, pos: 0, message };
  }],
  ["to another history", async (room) => {
    const self = await person("server");
    const header = { room, sender: self.card.id, n: 1, view: unsigned(1, systemRandom(32)) };
    const message = sealKeyFileMessage(header, "x", key, 1, systemRandom(16), self.identity.signing);
    return { type: "ANSWER", room, pos: 1, message };
  }],
  ["of noise", (room) => Promise.resolve({ type: "ANSWER", room, pos: 0, message: systemRandom(300) })],
];
for (const [what, make] of badAnswers) {
  hostileTest(`an answer ${what} is a fault of the server, and shown to nobody`, async (world, server) => {
    const ira = await world.enter("ira", { port: server.port, fernetKey });
    ira.view.type("question");
    await ira.view.hears("ira: question");
    server.tell("ira", await make(ira.chat.conversation.room!.state.id));
    await until("ended", () => ira.view.warnings.some((text) => text.includes("broke the protocol")));
    assertEquals(ira.view.said, ["ira: question"]);
  });
}

hostileTest(
  "the real server refuses a sender who is another, has not joined, or counts back",
  async (world) => {
    const raw = await RawClient.open(world.port, "sahnawaz");
    const [sam, ira] = await Promise.all(["sahnawaz", "ira"].map(person));
    const room = systemRandom(32);
    const make = (n: number, sender = sam.card.id, pos = 0) =>
      sealKeyFileMessage(
        { room, sender, n, view: unsigned(pos, room) },
        "x",
        key,
        1,
        systemRandom(16),
        sam.identity.signing,
      );
    const send = (message: Uint8Array<ArrayBuffer>) =>
      raw.inStream((ref) => ({ type: "SEND", ref, message }));
    assertEquals(await send(make(0)), "DENIED");
    assertEquals(await raw.ask((ref) => ({ type: "JOIN", ref, room, kind: 2, pos: 0 }), "DONE"), "DONE 0");
    assertEquals(await send(make(0, ira.card.id)), "DENIED");
    assertEquals(await send(make(0, sam.card.id, 5)), "DENIED");
    const five = make(5);
    assertEquals([await send(five), await send(five), await send(make(5)), await send(make(4))], [
      "STORED 1",
      "STORED 1",
      "DENIED",
      "ORDER",
    ]);
    assertEquals(await send(make(9)), "STORED 2");
    assertEquals(
      await raw.ask((ref) => ({ type: "LEAVE", ref, room, epoch: 0, signature: new Uint8Array(64) }), "DONE"),
      "DONE 0",
    );
    assertEquals(await send(make(10)), "DENIED");
    raw.close();
  },
);
