/** Who enters by herself (protocol §7.6, §12): what the server shows her, and how often it takes her commit. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Bytes, compareBytes, concat } from "../../lib/crypto/bytes.ts";
import { equals } from "@std/bytes/equals";
import { signingKey } from "../../lib/crypto/ed25519.ts";
import { type MessageOf, newestEpoch, roomFlags } from "../../lib/protocol/channel/link_messages.ts";
import { type Commit, type CommitBody, commitHow, directRoomId } from "../../lib/protocol/group/commit.ts";
import type { RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { encodeUse, type Pass, type PassUse, usePass } from "../../lib/protocol/group/pass.ts";
import { policies } from "../../lib/protocol/group/roster.ts";
import { isHeadSigned } from "../../lib/protocol/group/signed_head.ts";
import { genesis, headOf, member, successor, zeros } from "../fakes/commits.ts";
import type { JumpingClock } from "../fakes/jumping_clock.ts";
import { type Person, person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { unsigned } from "../fakes/site.ts";
import { clockTest, type World, worldTest } from "../fakes/world.ts";

const [ira, sam, dana, erin, server] = await Promise.all(
  ["ira", "sahnawaz", "dana", "erin", "server"].map(person),
);
const first = genesis(ira);
const head = headOf(first, 1);
const key = signingKey(new Uint8Array(32).fill(5));
const commit = (client: RawClient, { bytes }: Commit) =>
  client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
const nextSecond = (clock: JumpingClock) => clock.jump(1_050);
const seconds = (world: World) => Math.floor(world.clockNow() / 1000);

const entry = (at: RoomHead, who: Person, bend: Partial<CommitBody> = {}) =>
  successor(at, who, {
    how: commitHow.ownEntry,
    roster: [...at.roster, member(who, at.epoch + 1)],
    ...bend,
  });
const byPass = (world: World, at: RoomHead, who: Person, bend: Partial<CommitBody> = {}) =>
  entry(at, who, {
    how: commitHow.pass,
    use: useOf(world, who),
    passes: at.passes.filter((pass) => !equals(pass.key, key.publicKey)),
    time: seconds(world),
    ...bend,
  });
const useOf = (world: World, { card }: Person) => usePass(key, world.server.rooms.site, head.room, card.id);

/** A room that ira has made. */
async function roomOf(world: World): Promise<RawClient> {
  const client = await RawClient.open(world.port, "ira");
  await client.publishPrekey("ira");
  assertEquals(await commit(client, first), "STORED 1");
  return client;
}
/** Somebody who is in no room. */
async function stranger(world: World, name = "dana"): Promise<RawClient> {
  const client = await RawClient.open(world.port, name);
  await client.publishPrekey(name);
  return client;
}
/** A closed room that lists a pass. */
async function closedRoom(world: World, clock: JumpingClock, bend: Partial<Pass> = {}) {
  const client = await roomOf(world);
  nextSecond(clock);
  const pass = { key: key.publicKey, until: seconds(world) + 86_400, name: "", ...bend };
  const lists = successor(head, ira, { policy: policies.closed, passes: [pass] });
  assertEquals(await commit(client, lists), "STORED 2");
  nextSecond(clock);
  return { client, at: headOf(lists, 2) };
}
const chain = (client: RawClient, use: PassUse | null = null, epoch = newestEpoch, room = head.room) =>
  client.ask((ref) => ({ type: "CHAIN_GET", ref, room, epoch, use: encodeUse(use) }), "CHAIN");

clockTest(
  "somebody enters an open room by her own commit, and its stream begins there",
  async (world, clock) => {
    const client = await roomOf(world);
    const other = await stranger(world);
    nextSecond(clock);
    assertEquals(await commit(other, entry(head, dana)), "STORED 2");
    const info = other.received.find((m): m is MessageOf<"ROOM_INFO"> => m.type === "ROOM_INFO")!;
    assertEquals([info.start, info.last, info.flags & roomFlags.member], [1, 2, roomFlags.member]);
    for (const each of [client, other]) each.close();
  },
);

clockTest("without a prekey nobody enters: nothing could be sealed to her", async (world, clock) => {
  const client = await roomOf(world);
  const other = await RawClient.open(world.port, "dana");
  nextSecond(clock);
  assertEquals(await commit(other, entry(head, dana)), "DENIED");
  for (const each of [client, other]) each.close();
});

clockTest(
  "the chain of an open room is shown to all, with a head that the server has signed",
  async (world, clock) => {
    const client = await roomOf(world);
    const other = await stranger(world);
    nextSecond(clock);
    const second = successor(head, ira);
    assertEquals(await commit(client, second), "STORED 2");
    const get = (epoch: number) =>
      other.connection.request(
        (ref) => ({ type: "CHAIN_GET", ref, room: head.room, epoch, use: new Uint8Array(0) }),
        "CHAIN",
      );
    const newest = await get(newestEpoch);
    assertEquals(newest.commit, second.bytes);
    const place = { site: world.server.rooms.site, room: head.room };
    const { pos, hash, signature } = newest;
    assertEquals([pos, isHeadSigned(place, { pos, hash }, signature, server.card.verifying)], [2, true]);
    assertEquals((await get(0)).commit, first.bytes);
    assertEquals(await chain(other, null, 2), "NOT_FOUND");
    assertEquals(await chain(other, null, newestEpoch, zeros), "NO_ROOM");
    for (const each of [client, other]) each.close();
  },
);

clockTest(
  "the chain of a closed room is shown to its members, and to who has a pass",
  async (world, clock) => {
    const { client, at } = await closedRoom(world, clock);
    const other = await stranger(world);
    assertEquals(await chain(other), "DENIED", "rosters of closed rooms are nobody else's business");
    assertEquals(await chain(other, useOf(world, erin)), "DENIED", "used for another");
    assertEquals(await chain(other, useOf(world, dana)), "CHAIN");
    assertEquals(await chain(other, useOf(world, dana), 0), "CHAIN");
    assertEquals(await commit(client, successor(at, ira, { passes: [] })), "STORED 3");
    assertEquals(await chain(other, useOf(world, dana)), "DENIED", "taken back");
    assertEquals(await chain(client), "CHAIN");
    for (const each of [client, other]) each.close();
  },
);

clockTest("a pass for another name, or whose time is over, shows nothing", async (world, clock) => {
  const { client } = await closedRoom(world, clock, { name: "erin", until: seconds(world) + 60 });
  const [other, meant] = [await stranger(world), await stranger(world, "erin")];
  assertEquals(await chain(other, useOf(world, dana)), "DENIED");
  assertEquals(await chain(meant, useOf(world, erin)), "CHAIN");
  clock.jump(61_000);
  assertEquals(await chain(meant, useOf(world, erin)), "DENIED");
  for (const each of [client, other, meant]) each.close();
});

clockTest("whoever was put out is shown nothing, and does not enter", async (world, clock) => {
  const client = await roomOf(world);
  const other = await stranger(world);
  nextSecond(clock);
  const bans = successor(head, ira, { bans: [dana.card.id] });
  assertEquals(await commit(client, bans), "STORED 2");
  nextSecond(clock);
  assertEquals(await chain(other), "DENIED");
  assertEquals(await commit(other, entry(headOf(bans, 2), dana, { bans: [dana.card.id] })), "DENIED");
  for (const each of [client, other]) each.close();
});

worldTest("nobody but the two learns that a room of two is there", async (world) => {
  const [client, other] = [await RawClient.open(world.port, "ira"), await stranger(world)];
  (await RawClient.open(world.port, "sahnawaz")).close();
  const [lo, hi] = [ira.card.id, sam.card.id].sort(compareBytes);
  const room = directRoomId(world.server.rooms.site, lo, hi);
  const two = {
    room,
    prev: zeros,
    view: unsigned(0, room),
    policy: policies.direct,
    roomName: "",
    roster: [member(ira), member(sam)],
  };
  const asked = async () => {
    const signature = new Uint8Array(64);
    const hello = await RawClient.open(
      world.port,
      "erin",
      [{ room, kind: 1, pos: 1 }],
      world.server.rooms.store.runId as Uint8Array<ArrayBuffer>,
    );
    await chain(hello, null, newestEpoch, zeros); // what HELLO brings has come before this answer
    const told = hello.received.find((m) => m.type === "ROOM_INFO");
    hello.close();
    return [
      told,
      await chain(other, null, newestEpoch, room),
      await other.ask((ref) => ({ type: "JOIN", ref, room, kind: 1, pos: 0 }), "DONE"),
      await other.ask((ref) => ({ type: "LEAVE", ref, room, epoch: 0, signature }), "DONE"),
      await commit(other, genesis(dana, { ...two, roster: [member(dana), member(sam)] })),
      await commit(other, entry({ ...headOf(first, 1), room, epoch: 0 }, dana)),
    ];
  };
  const before = await asked();
  assertEquals(await commit(client, genesis(ira, two)), "STORED 1");
  assertEquals(await asked(), before);
  for (const each of [client, other]) each.close();
});

clockTest("an entry by pass spends it, and says what time it is", async (world, clock) => {
  const { client, at } = await closedRoom(world, clock);
  const [other, late] = [await stranger(world), await stranger(world, "erin")];
  for (const off of [-601, 601]) {
    const wrong = byPass(world, at, dana, { time: seconds(world) + off });
    assertEquals(await commit(other, wrong), "DENIED");
  }
  const enters = byPass(world, at, dana, { time: seconds(world) - 500 });
  assertEquals(await commit(other, enters), "STORED 3");
  nextSecond(clock);
  const after = headOf(enters, 3);
  assertEquals(after.passes, []);
  assertEquals(await commit(late, byPass(world, at, erin)), "CONFLICT");
  assertEquals(await commit(late, byPass(world, after, erin)), "DENIED", "spent");
  assertEquals(await chain(late, useOf(world, erin)), "DENIED");
  for (const each of [client, other, late]) each.close();
});

clockTest("by her own commit somebody enters a room once an hour", async (world, clock) => {
  const client = await roomOf(world);
  const other = await stranger(world);
  nextSecond(clock);
  const enters = entry(head, dana);
  assertEquals(await commit(other, enters), "STORED 2");
  nextSecond(clock);
  const out = successor(headOf(enters, 2), ira, { roster: head.roster, view: unsigned(2, zeros) });
  assertEquals(await commit(client, out), "STORED 3");
  const again = (link: RawClient) => commit(link, entry(headOf(out, 3), dana));
  nextSecond(clock);
  assertEquals(await again(other), "LIMIT");
  clock.jump(3_600_000); // the links are too old by then
  const later = await RawClient.open(world.port, "dana");
  assertEquals(await again(later), "STORED 4");
  for (const each of [client, other, later]) each.close();
});

clockTest(
  "so many enter by themselves from one address; who comes too late has spent nothing",
  async (world, clock) => {
    const client = await roomOf(world);
    const [one, two] = [await stranger(world), await stranger(world, "erin")];
    nextSecond(clock);
    const refresh = successor(head, ira);
    assertEquals(await commit(client, refresh), "STORED 2");
    for (let i = 0; i < 3; i++) assertEquals(await commit(two, entry(head, erin)), "CONFLICT");
    nextSecond(clock);
    const enters = entry(headOf(refresh, 2), dana);
    assertEquals(await commit(one, enters), "STORED 3");
    nextSecond(clock);
    const next = entry(headOf(enters, 3), erin);
    assertEquals(await commit(two, next), "LIMIT");
    const notice = two.received.find((m): m is MessageOf<"NOTICE"> => m.type === "NOTICE")!;
    assertStringIncludes(notice.text, "--entry-burst");
    clock.jump(60_000);
    assertEquals(await commit(two, next), "STORED 4");
    for (const each of [client, one, two]) each.close();
  },
  { limits: { entryBurst: 1, entryEverySeconds: 60 } },
);

clockTest("entries take the room's turns, and nobody else's", async (world, clock) => {
  const client = await roomOf(world);
  const [one, two] = [await stranger(world), await stranger(world, "erin")];
  nextSecond(clock);
  const enters = entry(head, dana);
  assertEquals(await commit(one, enters), "STORED 2");
  const next = entry(headOf(enters, 2), erin);
  assertEquals(await commit(two, next), "LIMIT", "one commit a second");
  nextSecond(clock);
  assertEquals(await commit(two, next), "STORED 3", "what was refused has spent nothing");
  nextSecond(clock);
  assertEquals(await commit(one, successor(headOf(next, 3), dana)), "STORED 4", "her own turns are whole");
  for (const each of [client, one, two]) each.close();
}, { limits: { entryBurst: 2, memberCommits: 1 } });

clockTest("a use of a pass that is none ends the link", async (world) => {
  const client = await roomOf(world);
  const other = await stranger(world);
  const use: Bytes = concat(key.publicKey, new Uint8Array(3));
  const ask = (ref: number) => ({ type: "CHAIN_GET", ref, room: head.room, epoch: 0, use } as const);
  assertEquals(await other.ask(ask, "CHAIN"), "closed");
  client.close();
});
