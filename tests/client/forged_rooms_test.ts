/** Rooms and keys that a server puts in the place of others; each was possible once, and found in a review. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { safetyDigits } from "../../lib/crypto/digits.ts";
import { ChatError, exitCodes } from "../../lib/errors.ts";
import { directIdWith, DirectRooms } from "../../lib/client/rooms/direct_rooms.ts";
import { KeyClaims } from "../../lib/client/trust/key_claims.ts";
import { KeyFileRoom, newKeyFileRoomState } from "../../lib/client/rooms/key_file_room.ts";
import { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import { newRoomState } from "../../lib/client/rooms/room_state.ts";
import { signLabelled } from "../../lib/crypto/ed25519.ts";
import { concat } from "../../lib/crypto/bytes.ts";
import { History } from "../../lib/protocol/group/history.ts";
import { makePrekey } from "../../lib/protocol/identity/prekey.ts";
import { member, zeros } from "../fakes/commits.ts";
import { settle } from "../fakes/fake_clock.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { benchTest, type StreamBench } from "../fakes/stream_bench.ts";
import { headIn, memoryStore, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";
import { unsigned } from "../fakes/site.ts";

const [sam, dana, erin, mallory] = await Promise.all(["sahnawaz", "dana", "erin", "mallory"].map(person));

for (const [what, policy, roomName] of [["direct", 2, ""], ["open", 0, "foo"]] as const) {
  benchTest(
    `a ${what} room of a third person under the id of a room of two gets none of the lines for it`,
    async (bench) => {
      const { known, serverId } = bench.context;
      known.pinUser(serverId, "dana", dana.card.id);
      const connection = bench.room.connection!;
      const id = directIdWith(bench.context, dana.card.id);
      const state = { ...newRoomState(id, ""), with: "dana", withId: dana.card.id };
      bench.room = new MemberRoom(bench.context, state);
      bench.room.connect(connection);
      bench.room.lines.say("only for dana");
      bench.head = { ...bench.head, room: id, epoch: 0, commitPos: 1, policy, roomName };
      bench.history = new History({ pos: 0, hash: id });
      const roster = policy === 2
        ? [member(dana, 0), member(mallory, 0), member(sam, 1)]
        : [member(mallory, 0, 1), member(sam, 1)];
      const made = await bench.commit(mallory, {
        room: id,
        roster,
        policy,
        roomName,
        view: unsigned(0, id),
      });
      await bench.feed(bench.info(), bench.accept(made));
      assertEquals(bench.sent.filter((m) => m.type === "SEND"), []);
      assertEquals([bench.room.state.status, bench.faults.length > 0], ["waiting", true]);
    },
    false,
  );
}

const directRooms = (bench: StreamBench, room: MemberRoom) =>
  new DirectRooms({
    sendsFiles: () => false,
    context: () => bench.context,
    connection: () => null,
    room: () => room,
    addRoom: () => {},
  });

benchTest("an unasked room under the id of a room of two is not taken for it", (bench) => {
  const id = directIdWith(bench.context, dana.card.id);
  const forged = new MemberRoom(bench.context, { ...newRoomState(id, "foo"), status: "in" });
  const rooms = directRooms(bench, forged);
  const error = assertThrows(() => rooms.with(dana.card), ChatError);
  assertEquals(error.exitCode, exitCodes.trust);
  return Promise.resolve();
}, false);

benchTest(
  "a room of two that the other has just begun takes our line as well",
  (bench) => {
    const id = directIdWith(bench.context, dana.card.id);
    const incoming = new MemberRoom(bench.context, newRoomState(id, ""));
    const rooms = directRooms(bench, incoming);
    assertEquals(rooms.with(dana.card) === incoming, true);
    assertEquals(incoming.label, "@dana");
    return Promise.resolve();
  },
  false,
);

benchTest(
  "an entry before a key-file room begins is the server's fault, and ends nothing but the link",
  async (bench) => {
    const server = await person("server");
    const room = new KeyFileRoom(bench.context, newKeyFileRoomState(zeros, "k"), zeros, server.card);
    room.connect(bench.room.connection!);
    room.receive({
      type: "ENTRY",
      room: zeros,
      pos: 1,
      time: 1,
      kind: 2,
      address: "",
      bytes: new Uint8Array(10),
    });
    await settle(5);
    assertEquals(bench.faults, ["an entry before the room begins"]);
  },
  false,
);

worldTest("a person whose prekey is no key cannot be written to, and harms nobody by it", async (world) => {
  const ira = await world.enter("ira");
  const raw = await RawClient.open(world.port, "mallory");
  const made = await makePrekey(
    mallory.identity.id,
    mallory.identity.signing,
    0,
    Math.floor(Date.now() / 1000),
  );
  const body = made.published.slice(0, -64);
  body.fill(0xff, -1184); // coefficients that no ML-KEM key has, properly signed
  const prekey = concat(body, signLabelled(mallory.identity.signing, "chat2 prekey", body));
  assertEquals(await raw.ask((ref) => ({ type: "PREKEY_PUT", ref, prekey }), "DONE"), "DONE 0");
  ira.view.type("/msg mallory hello");
  await until("told", () => ira.view.warnings.some((text) => text.includes("mallory has no key")));
  ira.view.type("all is well");
  await ira.view.hears("ira: all is well");
  ira.view.type("EXIT");
  await ira.done;
  const again = await world.enter("ira");
  again.view.type("and again");
  await again.view.hears("ira: and again");
  raw.close();
});

worldTest("--trust HOST:PORT accepts one key, once: the next one that answers is refused", async (world) => {
  const first = await world.enter("ira");
  first.view.type("EXIT");
  await first.done;
  await world.server.stop();
  await world.startServer({ identity: "erin", store: memoryStore() });
  const ira = await world.join("ira", { trust: `127.0.0.1:${world.port}` });
  await until("accepted", () => ira.view.notices.some((text) => text.includes("is accepted, and kept")));
  await ira.view.until((event) => event.type === "entered");
  await world.server.stop();
  await world.startServer({ identity: "mallory", store: memoryStore() });
  const error = await ira.done as ChatError;
  assertEquals([error.name, error.exitCode], ["ServerKeyChanged", exitCodes.trust]);
});

test("several keys that claim one name: the person says by the digits which one is meant", () => {
  const claims = new KeyClaims(null);
  assertEquals(claims.choose("dana", sam.card.id, ""), null);
  claims.note({ name: "dana", id: erin.card.id });
  claims.note({ name: "Dana", id: erin.card.id });
  assertEquals(claims.choose("DANA", sam.card.id, "")!.id, erin.card.id);
  claims.note({ name: "dana", id: mallory.card.id });
  assertThrows(() => claims.choose("dana", sam.card.id, ""), ChatError, "2 different keys");
  assertThrows(() => claims.choose("dana", sam.card.id, "999999"), ChatError, "No key of dana");
  const digits = safetyDigits(sam.card.id, erin.card.id);
  assertEquals(claims.choose("dana", sam.card.id, digits.slice(0, 11))!.id, erin.card.id);
  claims.accepted("DANA");
  assertEquals(claims.of("dana"), []);
});

test("the word of --trust is good once", () => {
  const claims = new KeyClaims("Dana");
  assertEquals([claims.names("dana"), claims.names("dan")], [true, false]);
  claims.used();
  assertEquals([claims.names("dana"), claims.word], [false, null]);
});

worldTest(
  "a memory-only server begins anew: unsent lines of all rooms go out where they were said",
  async (world) => {
    const ira = await world.enter("ira");
    const sahnawaz = await world.enter("sahnawaz");
    for (const { view } of [ira, sahnawaz]) {
      view.type("/join work");
      await view.until((e) => e.type === "entered" && e.room === "work");
    }
    await world.server.stop();
    ira.view.type("for work", "/msg sahnawaz for you", "/switch lobby", "for the lobby");
    await until(
      "kept",
      () =>
        [...ira.chat.conversation.rooms.values()].reduce((sum, room) => sum + room.lines.unsent.length, 0) ===
          3,
    );
    ira.view.type("EXIT");
    await ira.done;
    await world.startServer({ store: memoryStore() });
    await until("back", () => headIn(sahnawaz)?.roster.length === 1);
    await world.enter("ira");
    await sahnawaz.view.until((e) => e.type === "message" && e.room === "work" && e.text === "for work");
    await sahnawaz.view.until((e) => e.type === "message" && e.room === "@ira" && e.text === "for you");
    await sahnawaz.view.until((e) =>
      e.type === "message" && e.room === "lobby" && e.text === "for the lobby"
    );
  },
  { store: memoryStore() },
);

worldTest("a room that was left under another spelling is not entered again after a cut", async (world) => {
  const ira = await world.enter("ira");
  const sahnawaz = await world.enter("sahnawaz", { room: "Lab" });
  ira.view.type("/join lab");
  await ira.view.until((e) => e.type === "entered" && e.room === "Lab");
  ira.view.type("/leave");
  await until("out", () => headIn(sahnawaz)!.roster.length === 1);
  ira.cut();
  ira.view.type("still in the lobby");
  await ira.view.hears("ira: still in the lobby");
  assertEquals(headIn(sahnawaz)!.roster.length, 1);
});
