/** One bad member or newcomer among good ones: told, slowed or put off, while the others notice nothing. */

import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { identityFrom } from "../../lib/crypto/identity.ts";
import { dialTcp } from "../../lib/client/connection/dial.ts";
import { roomId } from "../../lib/protocol/group/commit.ts";
import { closeReasons, type LinkMessage, roomKinds } from "../../lib/protocol/channel/link_messages.ts";
import { makeCard, roles } from "../../lib/protocol/identity/card.ts";
import { signKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import { genesis, headOf, member, successor } from "../fakes/commits.ts";
import { dialled } from "../fakes/dialled.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { SlowProxy } from "../fakes/slow_proxy.ts";
import { until } from "../fakes/until.ts";
import { type World, worldTest } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

const zeros = new Uint8Array(32);

/** Two who talk all the while. */
async function twoWhoTalk(world: World) {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  let n = 0;
  return async () => {
    ira.view.type(`ping ${++n}`);
    await sam.view.hears(`ira: ping ${n}`);
    sam.view.type(`pong ${n}`);
    await ira.view.hears(`sahnawaz: pong ${n}`);
    assertEquals([...ira.view.warnings, ...sam.view.warnings], []);
  };
}

worldTest(
  "a member who floods is told and slowed: 20 messages at once and 5 a second; others are untouched",
  async (world) => {
    const talk = await twoWhoTalk(world);
    await talk();
    const mallory = await RawClient.open(world.port, "mallory");
    const { identity, card } = await person("mallory");
    const room = new Uint8Array(32).fill(5);
    await mallory.ask((ref) => ({ type: "JOIN", ref, room, kind: roomKinds.keyFile, pos: 0 }), "DONE");
    const token = new TextEncoder().encode("x".repeat(100)) as Bytes;
    const began = performance.now();
    for (let n = 0; n < 1500; n++) {
      const header = { room, sender: card.id, n, view: unsigned(0, zeros) };
      const message = signKeyFileMessage(header, token, identity.signing);
      mallory.connection.sendInStream(room, (ref) => ({ type: "SEND", ref, message }));
    }
    await talk();
    const answers = () => mallory.received.filter((m) => m.type === "STORED" || m.type === "ERROR");
    await until("all are answered", () => answers().length === 1500);
    const stored = answers().filter((m) => m.type === "STORED").length;
    const most = 20 + 5 * ((performance.now() - began) / 1000 + 1);
    assertGreater(stored, 19);
    assertGreater(most, stored);
    assertEquals(mallory.ended, false);
    await talk();
    mallory.close();
  },
);

worldTest(
  "who makes rooms without end stops at the limit of one person, and then at the limit of all",
  async (world) => {
    const talk = await twoWhoTalk(world);
    const make = async (name: string, count: number) => {
      const client = await RawClient.open(world.port, name);
      const author = await person(name);
      const answers: string[] = [];
      for (let i = 0; i < count; i++) {
        const prev = new Uint8Array(32).fill(i + 1);
        const roomName = `${name}-${i}`.slice(0, 24);
        const id = roomId(author.card.id, roomName, prev);
        const { bytes } = genesis(author, { prev, room: id, roomName, view: unsigned(0, id) });
        answers.push(await client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes })));
      }
      client.close();
      return answers;
    };
    assertEquals(await make("mallory", 6), [
      "STORED 1",
      "STORED 1",
      "STORED 1",
      "STORED 1",
      "LIMIT",
      "LIMIT",
    ]);
    assertEquals(await make("dana", 4), ["STORED 1", "STORED 1", "LIMIT", "LIMIT"]);
    const erin = await RawClient.open(world.port, "erin");
    const join = (ref: number): LinkMessage => ({
      type: "JOIN",
      ref,
      room: zeros,
      kind: roomKinds.keyFile,
      pos: 0,
    });
    assertEquals(await erin.ask(join, "DONE"), "LIMIT");
    erin.close();
    await talk();
  },
  { limits: { roomsPerUser: 4, roomsInAll: 7 } },
);

worldTest("a storm of commits gets one a second; a room takes no more members than it may", async (world) => {
  const [ira, sam, dana] = await Promise.all(["ira", "sahnawaz", "dana"].map(person));
  const client = await RawClient.open(world.port, "ira");
  for (const name of ["sahnawaz", "dana"]) (await RawClient.open(world.port, name)).close();
  const commit = (bytes: Bytes) => client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
  const first = genesis(ira);
  assertEquals(await commit(first.bytes), "STORED 1");
  const head = headOf(first, 1);
  const three = [...head.roster, member(sam, 1), member(dana, 1)];
  assertEquals(await commit(successor(head, ira, { roster: three }).bytes), "LIMIT");
  const next = successor(head, ira, { roster: three.slice(0, 2) });
  assertEquals(await commit(next.bytes), "STORED 2");
  const after = headOf(next, 2);
  const storm = Array.from({ length: 100 }, (_, i) => successor(after, ira, { time: i }).bytes);
  assertEquals(new Set(await Promise.all(storm.map(commit))), new Set(["LIMIT"]));
  client.close();
}, { limits: { members: 2 } });

worldTest(
  "an address brings so many people never seen before; those who are known come in all the same",
  async (world) => {
    const secrets = (await person("mallory")).secrets;
    const stranger = async (i: number) => {
      const identity = await identityFrom({ ...secrets, seed: new Uint8Array(32).fill(i) });
      const name = `stranger-${i}`;
      const connection = await dialled(world.port, {
        name,
        identity,
        card: makeCard(identity, roles.user, name, 1),
      });
      return connection.enter({ runId: new Uint8Array(16), rooms: [] }, { welcome() {}, receive() {} }).then(
        () => connection.drop(),
        (error) => error.message as string,
      );
    };
    const first = await stranger(1);
    assertEquals([first, await stranger(2)], [undefined, undefined]);
    assertStringIncludes(String(await stranger(3)), "as many people as it takes");
    assertEquals(await stranger(1), undefined);
  },
  { limits: { identitiesPerHour: 2 } },
);

worldTest(
  "who stops reading delays nobody, is put off, and is told why on return, with all that was missed",
  async (world) => {
    const talk = await twoWhoTalk(world);
    const proxy = new SlowProxy(world.port);
    world.dial = (host) => dialTcp(host, proxy.port);
    const dana = await world.enter("dana");
    world.dial = dialTcp;
    proxy.delayMs = 600_000; // whatever comes is not passed on any more
    const erin = await world.enter("erin");
    const large = "x".repeat(15_000);
    let said = 0;
    const slow = () => world.server.tally.dropped.slow;
    let most = 0;
    while (slow() === 0) {
      if (said < 600) erin.view.type(...Array.from({ length: 50 }, () => `${said++} ${large}`));
      await talk();
      most = Math.max(most, world.server.queues().most);
    }
    assertGreater(most, 100_000);
    assertGreater(1_500_000, most);
    await until("dana is put off", () => slow() === 1);
    proxy.delayMs = 0;
    proxy.close();
    await until("erin's are stored", () => erin.chat.conversation.room!.lines.unsent.length === 0, {
      timeoutMs: 60_000,
    });
    await until(
      "dana is told",
      () => dana.view.notices.some((text) => text.includes("did not take what was sent")),
    );
    await dana.view.hears(`erin: ${said - 1} ${large}`);
    const heard = dana.view.said.filter((line) => line.startsWith("erin: "));
    assertEquals(
      heard.map((line) => Number(/\d+/.exec(line)![0])),
      Array.from({ length: said }, (_, i) => i),
    );
    assertEquals(closeReasons.tooSlow, 8);
  },
  { limits: { queueSeconds: 2, sendBurst: 5000, sendsPerSecond: 5000, transitFrom: 2 } },
);
