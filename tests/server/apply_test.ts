/**
 * What records come to (lib/server/rooms/apply.ts), proposed without a request before them: with a shared journal the
 * state may have moved since the request was checked, so that each record is judged again.
 */

import { assertEquals } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { compareBytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { makeCard, roles } from "../../lib/protocol/identity/card.ts";
import { skeleton } from "../../lib/protocol/identity/name.ts";
import { makePrekey } from "../../lib/protocol/identity/prekey.ts";
import { directRoomId, makeLeave } from "../../lib/protocol/group/commit.ts";
import { signKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import { policies } from "../../lib/protocol/group/roster.ts";
import { type MessageHeader, sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import type { LogRecord } from "../../lib/server/store/journal.ts";
import { genesis, headOf, member, successor, zeros } from "../fakes/commits.ts";
import { person } from "../fakes/people.ts";
import { type World, worldTest } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

const [ira, sam, mallory] = await Promise.all(["ira", "sahnawaz", "mallory"].map(person));
const first = genesis(ira);
const head = headOf(first, 1);

/** Proposes records; what each came to, in a word or two. */
async function outcomes(world: World, ...records: LogRecord[]): Promise<string[]> {
  const told: string[] = [];
  for (const record of records) {
    const outcome = await world.server.rooms.propose(record);
    if (outcome.type === "refused") told.push(outcome.code);
    else if (outcome.type === "stored") {
      told.push(`${outcome.isRepeated ? "repeated" : "stored"} ${outcome.pos}`);
    } else told.push(outcome.type);
  }
  return told;
}
const card = ({ card }: typeof ira, takesName = false): LogRecord => ({
  kind: "card",
  card: card.bytes,
  takesName,
});
const commit = (bytes: Bytes): LogRecord => ({ kind: "commit", bytes, boxes: [] });
const begin = (world: World) => outcomes(world, card(ira), card(sam), card(mallory), commit(first.bytes));
function message(n: number, bend: Partial<MessageHeader> = {}): LogRecord {
  const view = unsigned(1, zeros);
  const commit = head.commitHash.slice(0, 16);
  const header = {
    kind: 1,
    room: head.room,
    epoch: 0,
    commit,
    sender: ira.card.id,
    n,
    view,
    salt: systemRandom(16),
  };
  const content = { type: 1, msgId: systemRandom(16), timeMs: 1, body: new Uint8Array(1) };
  const bytes = sealMessage({ ...header, ...bend }, content, zeros, head.commitHash, ira.identity.signing);
  return { kind: "message", bytes };
}

worldTest("card: one id, one name; an account takes a name over", async (world) => {
  const likeIra = makeCard(mallory.identity, roles.user, "IRA", 1);
  const taken = (takesName: boolean): LogRecord => ({ kind: "card", card: likeIra, takesName });
  assertEquals(await outcomes(world, card(ira), card(ira), taken(false), taken(true)), [
    "done",
    "done",
    "CONFLICT",
    "done",
  ]);
  assertEquals(world.server.rooms.store.idByName(skeleton("ira")), mallory.card.id);
});

worldTest("prekey: ids only grow, and one id is one prekey", async (world) => {
  const made = async (now: number): Promise<LogRecord> => {
    const { published } = await makePrekey(ira.identity.id, ira.identity.signing, 0, now);
    return { kind: "prekey", bytes: published };
  };
  const [older, newer, other] = [
    await made(1_700_000_000),
    await made(1_700_003_600),
    await made(1_700_003_600),
  ];
  assertEquals(await outcomes(world, card(ira), newer, newer, other, older), [
    "done",
    "done",
    "done",
    "DENIED",
    "DENIED",
  ]);
});

worldTest("commit: a room begins once, goes on from its last epoch, and only by a member", async (world) => {
  const again = genesis(sam, { prev: systemRandom(32) });
  const next = successor(head, ira);
  const early = successor(head, ira, { view: unsigned(9, zeros) });
  const foreign = successor(head, mallory, { roster: [...head.roster, member(mallory, 1)] });
  const nowhere = successor({ ...head, room: zeros }, ira);
  const told = await begin(world);
  assertEquals(told.at(-1), "stored 1");
  assertEquals(
    await outcomes(world, ...[again, foreign, nowhere, early, next, next].map(({ bytes }) => commit(bytes))),
    ["CONFLICT", "DENIED", "DENIED", "DENIED", "stored 2", "CONFLICT"],
  );
});

worldTest(
  "commit: a retired room goes on no more, and a room does not begin where a key-file room is",
  async (world) => {
    await begin(world);
    const next = commit(successor(head, ira).bytes);
    assertEquals(await outcomes(world, { kind: "retire", room: head.room }, next), ["done", "DENIED"]);
    const other = genesis(sam);
    assertEquals(
      await outcomes(
        world,
        { kind: "key-file room", room: other.room, maker: sam.card.id },
        commit(other.bytes),
      ),
      [
        "done",
        "DENIED",
      ],
    );
  },
);

worldTest("message: in order, once, and only where it belongs", async (world) => {
  await begin(world);
  const one = message(0);
  assertEquals(
    await outcomes(
      world,
      one,
      one,
      message(0),
      message(5),
      message(1, { epoch: 1 }),
      message(1, { view: unsigned(7, zeros) }),
      message(0, { sender: sam.card.id }),
      message(0, { room: zeros }),
    ),
    ["stored 2", "repeated 2", "DENIED", "ORDER", "DENIED", "DENIED", "NO_ROOM", "NO_ROOM"],
  );
  assertEquals(await outcomes(world, { kind: "retire", room: head.room }, message(1)), ["done", "DENIED"]);
});

worldTest(
  "key-file room: made once, never where a room of two is; its messages in order, once",
  async (world) => {
    await begin(world);
    const room = systemRandom(32);
    const say = (n: number, bend: { room?: Bytes; pos?: number } = {}): LogRecord => {
      const view = unsigned(bend.pos ?? 0, zeros);
      const where = { room: bend.room ?? room, sender: ira.card.id, n, view };
      const bytes = signKeyFileMessage(where, new TextEncoder().encode("token"), ira.identity.signing);
      return { kind: "key-file message", bytes };
    };
    const make: LogRecord = { kind: "key-file room", room, maker: ira.card.id };
    const one = say(4);
    assertEquals(await outcomes(world, say(0), make, make, one, one, say(3), say(9, { pos: 5 })), [
      "DENIED",
      "done",
      "done",
      "stored 1",
      "repeated 1",
      "ORDER",
      "DENIED",
    ]);
    const id = directRoomId(
      world.server.rooms.site,
      ...[ira.card.id, sam.card.id].sort(compareBytes) as [Bytes, Bytes],
    );
    const two = { room: id, prev: zeros, view: unsigned(0, id), policy: policies.direct, roomName: "" };
    const direct = genesis(ira, { ...two, roster: [member(ira), member(sam)] });
    const taken: LogRecord = { kind: "key-file room", room: id, maker: sam.card.id };
    assertEquals(await outcomes(world, commit(direct.bytes), taken), ["stored 1", "DENIED"]);
    assertEquals(await outcomes(world, { kind: "retire", room }, say(10)), ["done", "DENIED"]);
  },
);

worldTest(
  "a key-file room that was given up goes on where it stood; it keeps no two people apart",
  async (world) => {
    await begin(world);
    const id = directRoomId(
      world.server.rooms.site,
      ...[ira.card.id, sam.card.id].sort(compareBytes) as [Bytes, Bytes],
    );
    const make = (room: Bytes): LogRecord => ({ kind: "key-file room", room, maker: sam.card.id });
    const say = (room: Bytes, n: number): LogRecord => {
      const where = { room, sender: ira.card.id, n, view: unsigned(0, zeros) };
      const bytes = signKeyFileMessage(where, new TextEncoder().encode("token"), ira.identity.signing);
      return { kind: "key-file message", bytes };
    };
    const other = systemRandom(32);
    assertEquals(await outcomes(world, make(id), say(id, 0), make(other), say(other, 0)), [
      "done",
      "stored 1",
      "done",
      "stored 1",
    ]);
    const { rooms } = world.server;
    for (const room of [id, other]) rooms.reap(rooms.keyFileRoom(room)!);
    while ((await rooms.propose({ kind: "sweep" })).type === "done");
    assertEquals(await outcomes(world, make(other), say(other, 1)), ["done", "stored 2"]);
    const two = { room: id, prev: zeros, view: unsigned(0, id), policy: policies.direct, roomName: "" };
    const direct = genesis(ira, { ...two, roster: [member(ira), member(sam)] });
    assertEquals(await outcomes(world, commit(direct.bytes), make(id)), ["stored 1", "DENIED"]);
    // A room of two that was given up does not begin anew.
    rooms.reap(rooms.get(id)!);
    assertEquals(await outcomes(world, commit(direct.bytes), make(id)), ["DENIED", "DENIED"]);
  },
);

worldTest("join, leave and retire: only where there is a room that goes on", async (world) => {
  await begin(world);
  const join = (room: Bytes): LogRecord => ({ kind: "join", room, id: sam.card.id });
  const leave = (who: typeof ira, epoch: number, room = head.room): LogRecord => ({
    kind: "leave",
    room,
    leave: makeLeave(who.card.id, room, epoch, who.identity.signing),
  });
  const retire = (room: Bytes): LogRecord => ({ kind: "retire", room });
  assertEquals(
    await outcomes(
      world,
      join(zeros),
      join(head.room),
      leave(ira, 0, zeros),
      leave(sam, 0),
      retire(zeros),
      retire(head.room),
      retire(head.room),
      join(head.room),
      leave(ira, 0),
    ),
    ["DENIED", "done", "NO_ROOM", "DENIED", "NO_ROOM", "done", "NO_ROOM", "DENIED", "DENIED"],
  );
});
