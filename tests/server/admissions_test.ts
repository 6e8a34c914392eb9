/** Which member is asked to let newcomers in, and of whom the request tells. */

import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { Admissions } from "../../lib/server/rooms/admissions.ts";
import type { Peer } from "../../lib/server/rooms/peer.ts";
import type { RoomHost } from "../../lib/server/rooms/room_log.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { test } from "../fakes/test.ts";

const id = (n: number) => new Uint8Array(32).fill(n);

/** @param elsewhere the first byte of the id of somebody who is linked to another server */
function door(waiting: number, elsewhere = 0) {
  const clock = new FakeClock();
  const asked: { who: string; ids: string[] }[] = [];
  const peer = (who: string, n: number) => ({
    card: { id: id(n) },
    send: (message: LinkMessage) =>
      message.type === "ADMIT" &&
      asked.push({ who, ids: message.ids.map((each) => encodeHex(each).slice(0, 2)) }),
  });
  const members = [peer("ira", 1), peer("sam", 2)].map((each) => ({
    id: each.card.id,
    peer: each.card.id[0] === elsewhere ? null : each as unknown as Peer,
  }));
  const joins = () =>
    Array.from({ length: waiting }, (_, n) => ({ id: id(n + 10), time: Math.floor(clock.now() / 1000) }));
  const store = { leaves: () => [], joins };
  const room = {
    id: id(9),
    isRetired: false,
    isDirect: false,
    isFull: false,
    addableBy: (_: Uint8Array, newcomers: Uint8Array<ArrayBuffer>[]) => newcomers,
    activeMembers: () => members,
  };
  return { clock, asked, room, admissions: new Admissions(room, { store, clock } as unknown as RoomHost) };
}

test("as many as a room can hold may wait at its door; of one more the first loses the place", () => {
  const { clock, room } = door(0);
  const store = new MemoryStore(seededRandom("door"));
  store.createRoom({ id: room.id, kind: 1, name: "door", maker: id(1) }, null);
  const admissions = new Admissions(room, { store, clock } as unknown as RoomHost);
  const many = Array.from({ length: 257 }, (_, n) => Uint8Array.of(n >> 8, n & 255, ...new Uint8Array(30)));
  const first = () => store.joins(room.id)[0].id[1];
  for (const each of many.slice(0, 256)) admissions.applyJoin(each, clock.now());
  assertEquals([store.joins(room.id).length, first()], [256, 0]);
  admissions.applyJoin(many[256], clock.now());
  assertEquals([store.joins(room.id).length, first()], [256, 1]);
});

test("who asks again and again does not keep the second member from being asked", () => {
  const { clock, asked, admissions } = door(1);
  const who: string[] = [];
  for (let s = 0; s < 6; s++) {
    admissions.goOn();
    who.push(asked.at(-1)!.who);
    clock.advance(1000);
  }
  admissions.stop();
  assertEquals(who, ["ira", "ira", "ira", "sam", "sam", "sam"]);
});
test("who is linked to another server is asked there: here it is waited for as long as for anybody", () => {
  const [here, there] = [door(1, 1), door(1, 2)];
  for (const { admissions, clock } of [here, there]) {
    admissions.newRound();
    for (let s = 0; s < 4; s++) {
      clock.advance(1000);
      admissions.goOn();
    }
    clock.advance(500);
    admissions.stop();
  }
  assertEquals(new Set(there.asked.map(({ who }) => who)), new Set(["ira"]));
  assertEquals(new Set(here.asked.map(({ who }) => who)), new Set(["sam"]));
});
test("a new round begins with the first member again", () => {
  const { clock, asked, admissions } = door(1);
  admissions.newRound();
  clock.advance(3000);
  admissions.newRound();
  clock.advance(500);
  admissions.stop();
  assertEquals(asked.map(({ who }) => who), ["ira", "sam", "ira"]);
});
test("of a crowd that waits the first and the last are named: nobody who comes after it is hidden", () => {
  const { asked, admissions } = door(64);
  admissions.newRound();
  admissions.stop();
  const hex = (n: number) => encodeHex(id(n)).slice(0, 2);
  assertEquals(asked[0].ids.length, 32);
  assertEquals([asked[0].ids[0], asked[0].ids.at(-1)], [hex(10), hex(73)]);
});
