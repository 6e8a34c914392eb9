/** What one identity asks for is not felt by others (protocol §12): real servers, real links, and the worst at once. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { dialTcp } from "../../lib/client/connection/dial.ts";
import { type LinkMessage, roomKinds } from "../../lib/protocol/channel/link_messages.ts";
import { makeLeave, roomId } from "../../lib/protocol/group/commit.ts";
import { policies } from "../../lib/protocol/group/roster.ts";
import { makePrekey } from "../../lib/protocol/identity/prekey.ts";
import { genesis, headOf, member, successor } from "../fakes/commits.ts";
import { another, Flooder } from "../fakes/flooder.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { until } from "../fakes/until.ts";
import { type World, worldTest } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

const flooder = async (world: World, n: number) =>
  await Flooder.open(await another(n), await dialTcp("127.0.0.1", world.port));

/** An admin in a room of her own. */
async function adminOf(world: World, name = "closed", policy: number = policies.closed) {
  const ira = await person("ira");
  const client = await RawClient.open(world.port, "ira");
  const prev = new Uint8Array(32).fill(3);
  const room = roomId(ira.card.id, name, prev);
  const view = unsigned(0, room);
  const first = genesis(ira, { prev, room, roomName: name, policy, view });
  const commit = (bytes: Bytes) => client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
  assertEquals(await commit(first.bytes), "STORED 1");
  return { ira, client, room, head: headOf(first, 1), commit };
}
const admits = ({ received }: RawClient) => received.filter(({ type }) => type === "ADMIT").length;
/** Two requests that others wait for, again and again. */
async function goesOn(client: RawClient, times = 10): Promise<void> {
  const find = (ref: number): LinkMessage => ({
    type: "ROOM_FIND",
    ref,
    name: new TextEncoder().encode("closed"),
  });
  for (let i = 0; i < times; i++) assertEquals(await client.ask(find, "ROOM_INFO"), "ROOM_INFO");
}

worldTest("a member whose leaves are badly signed is put off after a few; others go on", async (world) => {
  const { ira, client, room, head, commit } = await adminOf(world);
  const mallory = await flooder(world, 1);
  const roster = [...head.roster, member(mallory.who, 1)];
  assertEquals(await commit(successor(head, ira, { roster }).bytes), "STORED 2");
  const signature = new Uint8Array(64).fill(3, 0, 63); // well formed, and of nobody
  const over = new AbortController();
  const many = () =>
    Array.from(
      { length: 400 },
      (): LinkMessage => ({ type: "LEAVE", ref: mallory.ref, room, epoch: 1, signature }),
    );
  const flooding = mallory.flood(many, over.signal);
  await until("the link is ended", () => mallory.isOver);
  await flooding;
  assertGreater(6, mallory.answers.get("DENIED") ?? 0);
  assertEquals(world.server.tally.dropped.fault, 1);
  // Coming back gives no more: the signatures are counted by identity.
  const again = await flooder(world, 1);
  await again.write(many());
  await until("that one too", () => again.isOver);
  assertEquals(again.answers.get("DENIED"), undefined);
  await goesOn(client);
  assertEquals(client.ended, false);
  over.abort();
  client.close();
});

worldTest(
  "who asks at a closed door again and again asks the admin twice a second at most",
  async (world) => {
    const { client, room } = await adminOf(world);
    const mallory = await flooder(world, 1);
    await mallory.publish();
    const began = performance.now();
    const over = new AbortController();
    const join = () =>
      Array.from({ length: 400 }, (): LinkMessage => {
        return { type: "JOIN", ref: mallory.ref, room, kind: roomKinds.ordinary, pos: 0 };
      });
    const flooding = mallory.flood(join, over.signal);
    await until("a thousand are answered", () => mallory.answered >= 1000);
    await goesOn(client);
    over.abort();
    await flooding;
    await until("she is asked", () => admits(client) > 0);
    assertGreater(2 + 2 * (performance.now() - began + 500) / 1000, admits(client));
    assertEquals([client.ended, world.server.tally.dropped.slow], [false, 0]);
    client.close();
  },
);

const name = new TextEncoder().encode("closed") as Bytes;
const floods: [string, (who: Flooder, room: Bytes) => Promise<() => LinkMessage>][] = [
  ["ROOM_FIND", (f) => Promise.resolve(() => ({ type: "ROOM_FIND", ref: f.ref, name }))],
  ["NAME_GET", (f) => Promise.resolve(() => ({ type: "NAME_GET", ref: f.ref, name }))],
  ["CARD_GET", (f) => {
    const ids = Array.from({ length: 32 }, () => f.who.card.id);
    return Promise.resolve(() => ({ type: "CARD_GET", ref: f.ref, ids }));
  }],
  ["LEAVE and JOIN by turns", (f, room) => {
    let n = 0;
    const signature = new Uint8Array(64);
    return Promise.resolve(() =>
      n++ % 2
        ? { type: "LEAVE", ref: f.ref, room, epoch: 0, signature }
        : { type: "JOIN", ref: f.ref, room, kind: roomKinds.ordinary, pos: 0 }
    );
  }],
  ["PREKEY_PUT", async (f) => {
    const { id, signing } = f.who.identity;
    const made = await makePrekey(id, signing, 1, Math.floor(Date.now() / 1000));
    return () => ({ type: "PREKEY_PUT", ref: f.ref, prekey: made.published });
  }],
  ["BOX_GET", (f) => Promise.resolve(() => ({ type: "BOX_GET", ref: f.ref, hash: new Uint8Array(32) }))],
  ["PING", () => Promise.resolve(() => ({ type: "PING", any: 1 }))],
];
worldTest("a record with more PINGs than anybody needs ends the link", async (world) => {
  const client = await RawClient.open(world.port, "ira");
  const link = client.connection["link"];
  for (let i = 0; i < 15; i++) link.send({ type: "PING", any: i }); // and the one that is asked for
  assert(await link.answers(10_000));
  for (let i = 0; i < 17; i++) link.send({ type: "PING", any: i });
  await until("it is over", () => link.isOver);
});
for (const [what, make] of floods) {
  worldTest(
    `${what} without end: it is read as slowly as its budget allows, and others go on`,
    async (world) => {
      const { client, room } = await adminOf(world);
      const mallory = await flooder(world, 1);
      await mallory.publish();
      const one = await make(mallory, room);
      const cost = what === "PING" ? 3 : 15; // microseconds: no request costs less, refused or not
      const began = performance.now();
      const over = new AbortController();
      let asked = 0;
      const flooding = mallory.flood(() => {
        asked += 400;
        return Array.from({ length: 400 }, one);
      }, over.signal);
      const slowed = () => world.server.rooms.rates.of(mallory.key).work.debtUs > 0;
      await until("the budget is used up", slowed);
      await goesOn(client);
      over.abort();
      await flooding;
      const pongs = mallory.answers.get("PONG") ?? 0;
      const budgetUs = 20_000 + 25 * (performance.now() - began);
      assertGreater(budgetUs / cost + 4000, mallory.answered + pongs); // and a record that was under way
      assert(asked > 0);
      client.close();
    },
    { limits: { workBurstMs: 20 } },
  );
}

worldTest(
  "an address has a budget too: its people together are slowed, and others are not",
  async (world) => {
    const { client } = await adminOf(world);
    const many = await Promise.all([1, 2, 3].map((n) => flooder(world, n)));
    const ofAddress = world.server.rooms.rates.ofAddress("127.0.0.1")!.work;
    const over = new AbortController();
    const flooding = many.map((each) =>
      each.flood(
        () => Array.from({ length: 100 }, (): LinkMessage => ({ type: "ROOM_FIND", ref: each.ref, name })),
        over.signal,
      )
    );
    await until("it is used up", () => ofAddress.debtUs > 0);
    // Nobody's own budget is.
    for (const each of many) assertEquals(world.server.rooms.rates.of(each.key).work.debtUs, 0);
    over.abort();
    await Promise.all(flooding);
    client.close();
  },
  { limits: { workBurstMs: 1000, workPerAddress: 0.02, workMsPerSecond: 1000 } },
);

worldTest(
  "requests in one record beyond the budget are answered with LIMIT, and cost next to nothing",
  async (world) => {
    const { client, room } = await adminOf(world);
    const mallory = await flooder(world, 1);
    await mallory.publish();
    const signature = new Uint8Array(64);
    const record = Array.from({ length: 600 }, (): LinkMessage => {
      return { type: "LEAVE", ref: mallory.ref, room, epoch: 0, signature };
    });
    await mallory.write(record);
    await until("all are answered", () => mallory.answered >= 601);
    const [done, limit] = ["DONE", "LIMIT"].map((each) => mallory.answers.get(each) ?? 0);
    assertEquals(done + limit, 601);
    assertGreater(limit, 400);
    assertEquals(world.server.tally.limited["work-ms"], limit);
    client.close();
    mallory.close();
  },
  { limits: { workBurstMs: 10, workMsPerSecond: 100 } },
);

worldTest("who comes and goes in a key-file room pays for all who are told", async (world) => {
  const room = new Uint8Array(32).fill(5);
  const join = (f: Flooder): LinkMessage => ({
    type: "JOIN",
    ref: f.ref,
    room,
    kind: roomKinds.keyFile,
    pos: 0,
  });
  const listeners: Flooder[] = [];
  for (let n = 1; n <= 20; n++) listeners.push(await flooder(world, n));
  for (const each of listeners) await each.write([join(each)]);
  const heard = () => listeners.reduce((sum, each) => sum + (each.answers.get("PRESENCE") ?? 0), 0);
  await until("all listen", () => listeners.every((each) => each.answers.has("ROOM_INFO")));
  const mallory = await flooder(world, 99);
  const before = heard();
  const began = performance.now();
  const over = new AbortController();
  const leave = (): LinkMessage => {
    return { type: "LEAVE", ref: mallory.ref, room, epoch: 0, signature: new Uint8Array(64) };
  };
  const flooding = mallory.flood(
    () => Array.from({ length: 100 }, (_, i) => i % 2 ? leave() : join(mallory)),
    over.signal,
  );
  await until("the budget is used up", () => world.server.rooms.rates.of(mallory.key).work.debtUs > 0);
  await until("it is paid back once", () => world.server.rooms.rates.of(mallory.key).work.debtUs === 0);
  over.abort();
  await flooding;
  // Ten microseconds for each who is told, and a record that was under way.
  const budgetUs = 20_000 + 25 * (performance.now() - began);
  assertGreater(budgetUs / 10 + 20 * 100, heard() - before);
  for (const each of listeners) each.close();
}, { limits: { workBurstMs: 20, linksPerAddress: 100, handshakeBurst: 100, workPerAddress: 100 } });

worldTest(
  "a member with a second identity does not own the commits by letting it in and out",
  async (world) => {
    const { client, room, head: first } = await adminOf(world, "open", policies.open);
    const [ira, sam, dana] = await Promise.all(["ira", "sahnawaz", "dana"].map(person));
    const [other, puppet] = [
      await RawClient.open(world.port, "sahnawaz"),
      await RawClient.open(world.port, "dana"),
    ];
    await puppet.publishPrekey("dana");
    const commit = (by: RawClient, bytes: Bytes) =>
      by.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
    const second = successor(first, ira, { roster: [...first.roster, member(sam, 1)] });
    assertEquals(await commit(client, second.bytes), "STORED 2");
    let head = headOf(second, 2);
    const answers: string[] = [];
    for (let i = 0; i < 12; i++) {
      const isIn = head.roster.length > 2;
      const wish = makeLeave(dana.card.id, room, head.epoch, dana.identity.signing);
      if (isIn) await puppet.ask((ref) => ({ type: "LEAVE", ref, room, ...wish }), "DONE");
      else await puppet.ask((ref) => ({ type: "JOIN", ref, room, kind: roomKinds.ordinary, pos: 0 }), "DONE");
      const next = successor(head, sam, {
        roster: isIn
          ? head.roster.filter(({ name }) => name !== "dana")
          : [...head.roster, member(dana, head.epoch + 1)],
        leaves: isIn ? [wish] : [],
      });
      const answer = await commit(other, next.bytes);
      answers.push(answer.split(" ")[0]);
      if (answer.startsWith("STORED")) head = headOf(next, Number(answer.split(" ")[1]));
    }
    // The first coming and going is free, then the author's own three, then no more.
    assertEquals(answers.filter((each) => each === "STORED").length, 5, answers.join());
    for (const each of [client, other, puppet]) each.close();
  },
  { limits: { commitEveryMs: 1 } },
);

worldTest(
  "one who floods from an address does not keep a neighbour waiting, not even after having gone",
  async (world) => {
    const leave = (f: Flooder): LinkMessage => {
      const signature = new Uint8Array(64);
      return { type: "LEAVE", ref: f.ref, room: new Uint8Array(32), epoch: 0, signature };
    };
    for (let n = 0; n < 20; n++) { // a new link is no new budget
      const mallory = await flooder(world, 1);
      await mallory.write(Array.from({ length: 500 }, () => leave(mallory)));
      mallory.close();
    }
    const [user, address] = [world.server.rooms.rates.of(encodeHex((await another(1)).card.id)), "127.0.0.1"];
    assert(user.work.waitMs <= 2000 && world.server.rooms.rates.ofAddress(address)!.work.waitMs <= 2000);
    const client = await RawClient.open(world.port, "ira");
    await client.publishPrekey("ira");
    assert(await client.connection["link"].answers(10_000));
    client.close();
  },
  { limits: { workBurstMs: 20, workPerAddress: 1, handshakeBurst: 1000 } },
);

worldTest("an admin who comes too late again and again does not keep the room reserved", async (world) => {
  const { client, room, head: first } = await adminOf(world);
  const [ira, sam] = await Promise.all(["ira", "sahnawaz"].map(person));
  const other = await RawClient.open(world.port, "sahnawaz");
  const commit = (by: RawClient, bytes: Bytes) =>
    by.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
  const second = successor(first, ira, { roster: [...first.roster, { ...member(sam, 1) }] });
  assertEquals(await commit(client, second.bytes), "STORED 2");
  const third = successor(headOf(second, 2), ira, {
    roster: headOf(second, 2).roster.map((each) => ({ ...each, role: 1 })),
  });
  assertEquals(await commit(client, third.bytes), "STORED 3");
  const old = successor(headOf(second, 2), sam); // of the epoch that has begun, and of one long over
  const older = successor(first, sam);
  const { turns } = world.server.rooms.get(room)!;
  const claim = { author: ira.card.id, isAdmin: true, answersAdmit: false };
  assertEquals(await commit(other, older.bytes), "CONFLICT");
  const now = world.clockNow();
  assertEquals(turns.take(claim, now + 1000), null, "not for an epoch that is long over");
  assertEquals(await commit(other, old.bytes), "CONFLICT");
  assertEquals(turns.take(claim, world.clockNow() + 2000), "commit-ms");
  assertEquals(turns.take(claim, world.clockNow() + 4000), null);
  assertEquals(await commit(other, old.bytes), "CONFLICT");
  assertEquals(turns.take(claim, world.clockNow() + 5500), null, "once an epoch");
  for (const each of [client, other]) each.close();
}, { limits: { commitEveryMs: 1 } });
