/** How many rooms, how many people put into them, and how full a disk: by a time that the test gives, and on real links. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { dialTcp } from "../../lib/client/connection/dial.ts";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { boxBytes, boxHash } from "../../lib/protocol/group/box.ts";
import { roomId } from "../../lib/protocol/group/commit.ts";
import { makeLeave } from "../../lib/protocol/group/commit.ts";
import { policies } from "../../lib/protocol/group/roster.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { RoomQuota } from "../../lib/server/rooms/room_quota.ts";
import { genesis, headOf, member, successor } from "../fakes/commits.ts";
import { another, Flooder } from "../fakes/flooder.ts";
import { type Person, person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { until } from "../fakes/until.ts";
import { memoryStore, worldTest } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

const id = (n: number) => new Uint8Array(32).fill(n);
const named = (maker: number) => ({ maker: id(maker), name: "lobby", kind: 1 });
const direct = (maker: number) => ({ maker: id(maker), name: "", kind: 1 });
const keyFile = (maker: number) => ({ maker: id(maker), name: "", kind: 2 });

test("rooms count for who made them, of whatever kind; direct ones by themselves; ended ones no more", () => {
  const quota = new RoomQuota(
    { ...defaultLimits, roomsPerUser: 2, directRoomsPerUser: 1, roomsInAll: 5 },
    memoryStore(),
  );
  quota.add(named(1));
  quota.add(keyFile(1));
  assertEquals([named(1), keyFile(1), direct(1), named(2)].map((room) => quota.judgeRoom(room)), [
    "rooms-per-user",
    "rooms-per-user",
    null,
    null,
  ]);
  quota.add(direct(1));
  assertEquals(quota.judgeRoom(direct(1)), "direct-rooms-per-user");
  quota.remove(named(1));
  assertEquals(quota.judgeRoom(named(1)), null);
  for (let i = 2; i < 5; i++) quota.add(named(i));
  assertEquals(quota.judgeRoom(named(9)), "max-rooms");
  quota.recount([named(1)]);
  assertEquals([quota.judgeRoom(named(9)), quota.judgeRoom(named(1))], [null, null]);
});
test("putting people into rooms unasked has a rate, whatever the room", () => {
  const quota = new RoomQuota({ ...defaultLimits, putsAtOnce: 3, putEverySeconds: 10 }, memoryStore());
  const put = (who: number, count: number, ms: number) => {
    const may = quota.mayPut(id(who), count, ms);
    if (may) quota.put(id(who), count, ms);
    return may;
  };
  assertEquals([put(1, 2, 0), put(1, 2, 0), put(1, 1, 0)], [true, false, true]);
  assertEquals([put(1, 1, 9_999), put(1, 1, 10_000), put(2, 3, 0)], [false, true, true]);
  assertEquals(put(1, 0, 10_000), true);
});
test("what somebody has put is known to whoever goes on from the same store", () => {
  const [store, limits] = [memoryStore(), { ...defaultLimits, putsAtOnce: 3, putEverySeconds: 10 }];
  new RoomQuota(limits, store).put(id(1), 3, 500);
  const later = new RoomQuota(limits, store);
  assertEquals([later.mayPut(id(1), 1, 10_499), later.mayPut(id(1), 1, 10_500)], [false, true]);
});
test("as the disk fills, new rooms are refused first, then messages, then refreshes", () => {
  const quota = new RoomQuota({ ...defaultLimits, storeBytes: 1000 }, memoryStore());
  const at = (bytes: number) => {
    quota.storedBytes = bytes;
    return (["room", "message", "refresh"] as const).map((what) => quota.hasRoomFor(what));
  };
  assertEquals([at(899), at(900), at(950), at(1000)], [
    [true, true, true],
    [false, true, true],
    [false, false, true],
    [false, false, false],
  ]);
});

/** Makes rooms, one after the other, and puts others into them. @returns what became of each commit */
async function makeRooms(client: RawClient, author: Person, count: number, put: Person[] = [], from = 0) {
  const answers: string[] = [];
  const commit = (bytes: Bytes) => client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
  for (let i = from; i < from + count; i++) {
    const prev = new Uint8Array(32);
    new DataView(prev.buffer).setUint32(0, i + 1);
    const roomName = `${author.name}-${i}`;
    const room = roomId(author.card.id, roomName, prev);
    const view = unsigned(0, room);
    const first = genesis(author, { prev, room, roomName, policy: policies.closed, view });
    const made = await commit(first.bytes);
    const head = headOf(first, 1);
    const roster = [...head.roster, ...put.map((p) => member(p, 1))];
    answers.push(
      made,
      ...made === "STORED 1" && put.length > 0
        ? [await commit(successor(head, author, { roster }).bytes)]
        : [],
    );
  }
  return answers;
}
const count = (answers: string[]) =>
  Object.fromEntries(Object.entries(Object.groupBy(answers, (a) => a)).map(([k, v]) => [k, v!.length]));

worldTest(
  "closed rooms count, and whom one puts into them: nobody is locked out by rooms without end",
  async (world) => {
    const sam = await world.enter("sahnawaz");
    const mallory = await RawClient.open(world.port, "mallory");
    const [author, victim] = await Promise.all(["mallory", "sahnawaz"].map(person));
    const answers = await makeRooms(mallory, author, 12, [victim]);
    assertEquals(count(answers), { "STORED 1": 8, "STORED 2": 3, LIMIT: 9 });
    const { limited } = world.server.tally;
    assertEquals([limited["rooms-per-user"], limited["puts-at-once"]], [4, 5]);
    // She is told with the flag, once; and the victim goes on.
    const notices = mallory.received.flatMap((m) => m.type === "NOTICE" ? [m.text] : []);
    assertEquals(notices.length, 2);
    assertStringIncludes(notices.join(), "--rooms-per-user");
    assertStringIncludes(notices.join(), "--puts-at-once");
    sam.view.type("still here");
    await sam.view.hears("sahnawaz: still here");
    mallory.close();
  },
  { limits: { roomsPerUser: 8, putsAtOnce: 3, commitEveryMs: 10 } },
);

worldTest(
  "who has taken nothing from so many rooms is put into no more; who asks is let in all the same",
  async (world) => {
    const mallory = await RawClient.open(world.port, "mallory");
    const [author, victim, ira] = await Promise.all(["mallory", "sahnawaz", "ira"].map(person));
    (await RawClient.open(world.port, "sahnawaz")).close(); // her card is there
    assertEquals(count(await makeRooms(mallory, author, 5, [victim])), {
      "STORED 1": 5,
      "STORED 2": 2,
      LIMIT: 3,
    });
    assertEquals(world.server.tally.limited["unwanted-rooms"], 3);
    // By asking she comes in.
    const admin = await RawClient.open(world.port, "ira");
    const commit = (bytes: Bytes) => admin.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
    const first = genesis(ira);
    assertEquals(await commit(first.bytes), "STORED 1");
    const sam = await RawClient.open(world.port, "sahnawaz");
    await sam.publishPrekey("sahnawaz");
    assertEquals(
      await sam.ask((ref) => ({ type: "JOIN", ref, room: first.room, kind: 1, pos: 0 }), "DONE"),
      "DONE 1",
    );
    const head = headOf(first, 1);
    assertEquals(
      await commit(successor(head, ira, { roster: [...head.roster, member(victim, 1)] }).bytes),
      "STORED 2",
    );
    // What she has taken counts no more.
    const { store } = world.server.rooms;
    for (const room of store.roomsOf(victim.card.id)) sam.connection.send({ type: "ACK", room, pos: 1 });
    await until("they are wanted", () => store.unwantedStays(victim.card.id, ira.card.id).all === 0);
    assertEquals(count(await makeRooms(mallory, author, 1, [victim], 50)), { "STORED 1": 1, "STORED 2": 1 });
    for (const each of [mallory, admin, sam]) each.close();
  },
  { limits: { unwantedRooms: 2, commitEveryMs: 10 } },
);

worldTest(
  "identities that cost nothing fill no server: an address begins so many rooms an hour",
  async (world) => {
    const answers = { stored: 0, limit: 0 };
    for (let n = 1; n <= 4; n++) {
      const who = await another(n);
      const flooder = await Flooder.open(who, await dialTcp("127.0.0.1", world.port));
      const make = (i: number): LinkMessage => {
        const prev = id(i);
        const roomName = `${who.name}-${i}`;
        const room = roomId(who.card.id, roomName, prev);
        const first = genesis(who, { prev, room, roomName, view: unsigned(0, room) });
        return { type: "COMMIT", ref: flooder.ref, commit: first.bytes };
      };
      await flooder.write(Array.from({ length: 5 }, (_, i) => make(i)));
      const [stored, limit] = ["STORED", "LIMIT"].map((kind) => () => flooder.answers.get(kind) ?? 0);
      await until("answered", () => stored() + limit() === 5);
      answers.stored += stored();
      answers.limit += limit();
      flooder.close();
    }
    assertEquals([answers, world.server.tally.limited["rooms-per-address"]], [{ stored: 12, limit: 8 }, 8]);
  },
  { limits: { roomsPerAddressPerHour: 12 } },
);

worldTest(
  "a full disk refuses new rooms, messages and refreshes; an admin's removal never",
  async (world) => {
    const [ira, sam] = await Promise.all(["ira", "sahnawaz"].map(person));
    const client = await RawClient.open(world.port, "ira");
    (await RawClient.open(world.port, "sahnawaz")).close();
    const commit = (bytes: Bytes) => client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
    const first = genesis(ira);
    assertEquals(await commit(first.bytes), "STORED 1");
    const head = headOf(first, 1);
    const second = successor(head, ira, { roster: [...head.roster, member(sam, 1)] });
    assertEquals(await commit(second.bytes), "STORED 2");
    const { quota } = world.server.rooms;
    quota.storedBytes += 10_000_000; // of rooms that are not there
    const after = headOf(second, 2);
    assertEquals(await commit(successor(after, ira).bytes), "LIMIT");
    assertEquals(count(await makeRooms(client, ira, 2)), { LIMIT: 2 });
    const key = await RawClient.open(world.port, "dana");
    assertEquals(
      await key.ask((ref) => ({ type: "JOIN", ref, room: id(7), kind: 2, pos: 0 }), "DONE"),
      "LIMIT",
    );
    assertEquals(await commit(successor(after, ira, { roster: after.roster.slice(0, 1) }).bytes), "STORED 3");
    assertStringIncludes(
      client.received.flatMap((m) => m.type === "NOTICE" ? [m.text] : []).join(),
      "--store-bytes",
    );
    assertEquals(quota.storedBytes > 10_000_000, true);
    for (const each of [client, key]) each.close();
  },
  { limits: { storeBytes: 10_000_000, commitEveryMs: 10 } },
);

worldTest(
  "the last one who leaves takes the room along: name and place are free, and the disk is swept",
  async (world) => {
    const ira = await person("ira");
    const client = await RawClient.open(world.port, "ira");
    const commit = (bytes: Bytes) => client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
    for (let i = 0; i < 4; i++) {
      const prev = id(i + 1);
      const room = roomId(ira.card.id, "lobby", prev);
      const first = genesis(ira, { prev, room, view: unsigned(0, room) });
      assertEquals(await commit(first.bytes), "STORED 1");
      const { signature } = makeLeave(ira.card.id, room, 0, ira.identity.signing);
      assertEquals(
        await client.ask((ref) => ({ type: "LEAVE", ref, room, epoch: 0, signature }), "DONE"),
        "DONE 0",
      );
      assertEquals(world.server.rooms.get(room), undefined);
      assertEquals([world.server.rooms.store.room(room)!.isReaped, world.server.rooms.quota.storedBytes], [
        true,
        0,
      ]);
      const infos = client.received.filter((m) => m.type === "ROOM_INFO");
      assertEquals([infos.length, infos.at(-1)?.type === "ROOM_INFO" && infos.at(-1)!.flags], [
        2 * (i + 1),
        8,
      ]);
    }
    client.close();
  },
  { limits: { roomsPerUser: 1 } },
);
worldTest(
  "rooms into which others put one count neither for one's own, nor all for one putter",
  async (world) => {
    const [author, victim, ira] = await Promise.all(["mallory", "sahnawaz", "ira"].map(person));
    (await RawClient.open(world.port, "sahnawaz")).close();
    const mallory = await RawClient.open(world.port, "mallory");
    const put = count(await makeRooms(mallory, author, 20, [victim]));
    assertEquals(put, { "STORED 1": 20, "STORED 2": 16, LIMIT: 4 });
    // Somebody else may still invite her, and she may still enter rooms of her own choice.
    const other = await RawClient.open(world.port, "ira");
    assertEquals(count(await makeRooms(other, ira, 1, [victim])), { "STORED 1": 1, "STORED 2": 1 });
    const open = genesis(ira);
    const commit = (bytes: Bytes) => other.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
    assertEquals(await commit(open.bytes), "STORED 1");
    const sam = await RawClient.open(world.port, "sahnawaz");
    await sam.publishPrekey("sahnawaz");
    assertEquals(
      await sam.ask((ref) => ({ type: "JOIN", ref, room: open.room, kind: 1, pos: 0 }), "DONE"),
      "DONE 1",
    );
    for (const each of [mallory, other, sam]) each.close();
  },
  { limits: { commitEveryMs: 1, roomsPerUser: 30 } },
);
worldTest("who may make no more rooms does not use up those of the address", async (world) => {
  const [author, ira] = await Promise.all(["mallory", "ira"].map(person));
  const mallory = await RawClient.open(world.port, "mallory");
  await makeRooms(mallory, author, 50);
  const neighbour = await RawClient.open(world.port, "ira");
  assertEquals(count(await makeRooms(neighbour, ira, 1)), { "STORED 1": 1 });
  for (const each of [mallory, neighbour]) each.close();
}, { limits: { roomsPerUser: 5, roomsPerAddressPerHour: 10 } });
worldTest(
  "a box that is put again weighs once; an admin who swaps people needs a place on the disk",
  async (world) => {
    const [ira, sam, dana] = await Promise.all(["ira", "sahnawaz", "dana"].map(person));
    for (const name of ["sahnawaz", "dana"]) (await RawClient.open(world.port, name)).close();
    const admin = await RawClient.open(world.port, "ira");
    const commit = (bytes: Bytes) => admin.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
    const first = genesis(ira);
    await commit(first.bytes);
    const box = new Uint8Array(boxBytes).fill(7);
    box[0] = 2;
    box.set(sam.card.id, 1);
    let head = headOf(first, 1);
    for (let pos = 2; pos < 6; pos++) {
      await admin.ask((ref) => ({ type: "BOX_PUT", ref, box }), "DONE");
      const sams = { ...member(sam, 1), boxHash: boxHash(box) };
      const next = successor(head, ira, { roster: [head.roster[0], sams] });
      assertEquals(await commit(next.bytes), `STORED ${pos}`);
      head = headOf(next, pos);
    }
    const { rooms } = world.server;
    const room = rooms.get(first.room)!;
    assertEquals([room.keptBytes, rooms.store.room(room.id)!.bytes], [boxBytes, boxBytes]);
    rooms.quota.storedBytes += 10_000_000;
    const swapped = [head.roster[0], member(dana, head.epoch + 1)];
    assertEquals(await commit(successor(head, ira, { roster: swapped }).bytes), "LIMIT");
    assertEquals(await commit(successor(head, ira, { roster: [head.roster[0]] }).bytes), "STORED 6");
    admin.close();
  },
  { limits: { storeBytes: 10_000_000, commitEveryMs: 1 } },
);
