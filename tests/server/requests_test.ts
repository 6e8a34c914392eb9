/** What the server takes and refuses (protocol §7.1, §7.3, §11), by clients that say anything. */

import { clockTest } from "../fakes/world.ts";
import type { JumpingClock } from "../fakes/jumping_clock.ts";
import { assertEquals } from "@std/assert";
import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { generateX25519 } from "../../lib/crypto/x25519.ts";
import { makeCard, roles } from "../../lib/protocol/identity/card.ts";
import { closeReasons, roomKinds } from "../../lib/protocol/channel/link_messages.ts";
import { boxBytes, boxHash, sealBox } from "../../lib/protocol/group/box.ts";
import { compareBytes } from "../../lib/crypto/bytes.ts";
import { directRoomId, makeLeave } from "../../lib/protocol/group/commit.ts";
import { policies } from "../../lib/protocol/group/roster.ts";
import { makePrekey, parsePrekey } from "../../lib/protocol/identity/prekey.ts";
import { type MessageHeader, sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import { genesis, headOf, member, successor, zeros } from "../fakes/commits.ts";
import { type Person, person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { until } from "../fakes/until.ts";
import { type World, worldTest } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

const [ira, sam, dana] = await Promise.all(["ira", "sahnawaz", "dana"].map(person));
const first = genesis(ira);
const head = headOf(first, 1);

async function room(world: World) {
  const client = await RawClient.open(world.port, "ira");
  await client.publishPrekey("ira");
  assertEquals(await client.inStream((ref) => ({ type: "COMMIT", ref, commit: first.bytes })), "STORED 1");
  return client;
}
function message(n: number, bend: Partial<MessageHeader> = {}, sender: Person = ira): Bytes {
  const header: MessageHeader = {
    kind: 1,
    room: head.room,
    epoch: 0,
    commit: head.commitHash.slice(0, 16),
    sender: sender.card.id,
    n,
    view: unsigned(1, zeros),
    salt: systemRandom(16),
    ...bend,
  };
  const content = {
    type: 1,
    msgId: systemRandom(16),
    timeMs: 1,
    body: new TextEncoder().encode("x") as Bytes,
  };
  return sealMessage(header, content, zeros, head.commitHash, sender.identity.signing);
}
const send = (client: RawClient, bytes: Bytes) =>
  client.inStream((ref) => ({ type: "SEND", ref, message: bytes }));
const commit = (client: RawClient, bytes: Bytes) =>
  client.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
/** A room takes one commit a second. */
const nextSecond = (clock: JumpingClock) => clock.jump(1_050);

/** A room that ira has made and let sahnawaz in to; the next commit may come at once. */
async function roomOfTwo(world: World, clock: JumpingClock) {
  const client = await room(world);
  const other = await RawClient.open(world.port, "sahnawaz");
  nextSecond(clock);
  const adds = successor(head, ira, { roster: [...head.roster, member(sam, 1)] });
  assertEquals(await commit(client, adds.bytes), "STORED 2");
  nextSecond(clock);
  return { client, other, adds };
}

worldTest(
  "messages are taken in order, and a repeated one is answered with its first position",
  async (world) => {
    const client = await room(world);
    const [a, b] = [message(0), message(1)];
    assertEquals(await send(client, b), "ORDER");
    assertEquals([await send(client, a), await send(client, b)], ["STORED 2", "STORED 3"]);
    assertEquals(await send(client, a), "STORED 2");
    assertEquals(await send(client, message(0)), "DENIED");
    assertEquals(await send(client, message(7)), "ORDER");
    client.close();
  },
);
const refused: [string, string, () => Bytes][] = [
  ["as somebody else", "DENIED", () => message(0, {}, sam)],
  ["of a future epoch", "DENIED", () => message(0, { epoch: 1 })],
  ["with a view before the epoch's commit", "DENIED", () => message(0, { view: unsigned(0, zeros) })],
  ["with a view after the last entry", "DENIED", () => message(0, { view: unsigned(2, zeros) })],
  ["into an unknown room", "NO_ROOM", () => message(0, { room: zeros })],
];
for (const [what, code, make] of refused) {
  worldTest(`a message ${what} is answered ${code}`, async (world) => {
    const client = await room(world);
    assertEquals(await send(client, make()), code);
    assertEquals(await send(client, message(0)), "STORED 2");
    client.close();
  });
}
clockTest(
  "a message of the epoch before is STALE, and the commit is on the link before that answer",
  async (world, clock) => {
    const client = await room(world);
    nextSecond(clock);
    assertEquals(await commit(client, successor(head, ira).bytes), "STORED 2");
    assertEquals(await send(client, message(0)), "STALE");
    client.close();
  },
);
worldTest("more than 20 messages at once are LIMIT, and those behind one are ORDER", async (world) => {
  const client = await room(world);
  const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => send(client, message(n))));
  assertEquals(answers.slice(0, 20), Array.from({ length: 20 }, (_, n) => `STORED ${n + 2}`));
  assertEquals(answers[20], "LIMIT");
  assertEquals(answers.slice(21), ["ORDER", "ORDER", "ORDER"]);
  client.close();
});
worldTest("a stranger cannot write into a room, nor commit to it", async (world) => {
  const client = await room(world);
  const stranger = await RawClient.open(world.port, "dana");
  assertEquals(await send(stranger, message(0, {}, dana)), "NO_ROOM");
  const joins = successor(head, dana, { roster: [...head.roster, member(dana, 1)] });
  assertEquals(await commit(stranger, joins.bytes), "DENIED");
  assertEquals(await commit(stranger, successor(head, ira).bytes), "DENIED");
  client.close();
  stranger.close();
});
worldTest(
  "rooms of two and key-file rooms that somebody begins are counted together, and one too many is LIMIT",
  async (world) => {
    const client = await RawClient.open(world.port, "ira");
    const join = (room: Bytes) =>
      client.ask((ref) => ({ type: "JOIN", ref, room, kind: roomKinds.keyFile, pos: 0 }), "DONE");
    const known = systemRandom(32);
    assertEquals(await join(known), "DONE 0");
    assertEquals(await join(known), "DONE 0", "one that is there does not count");
    assertEquals(await join(systemRandom(32)), "DONE 0");
    assertEquals(await join(systemRandom(32)), "LIMIT");
    client.close();
  },
  { limits: { directRoomsPerHour: 2 } },
);
worldTest("a wish to leave a room that is not there is NO_ROOM", async (world) => {
  const client = await RawClient.open(world.port, "ira");
  const leave = makeLeave(ira.card.id, zeros, 0, ira.identity.signing);
  const { signature } = leave;
  assertEquals(
    await client.ask((ref) => ({ type: "LEAVE", ref, room: zeros, epoch: 0, signature }), "DONE"),
    "NO_ROOM",
  );
  client.close();
});
worldTest("the server holds 512 boxes for a commit, and one more is LIMIT", async (world) => {
  const client = await RawClient.open(world.port, "ira");
  const put = (n: number) => {
    const box = new Uint8Array(boxBytes);
    new DataView(box.buffer).setUint32(boxBytes - 4, n);
    box[0] = 2;
    return client.ask((ref) => ({ type: "BOX_PUT", ref, box }), "DONE");
  };
  const answers = await Promise.all(Array.from({ length: 513 }, (_, n) => put(n)));
  assertEquals(answers.filter((answer) => answer === "DONE 0").length, 512);
  assertEquals(answers.at(-1), "LIMIT");
  client.close();
});
worldTest("nobody asks to be let in to a room of two", async (world) => {
  const [client, other, stranger] = [
    await RawClient.open(world.port, "ira"),
    await RawClient.open(world.port, "sahnawaz"),
    await RawClient.open(world.port, "dana"),
  ];
  const [lo, hi] = [ira.card.id, sam.card.id].sort(compareBytes);
  const id = directRoomId(world.server.rooms.site, lo, hi);
  const roster = [member(ira), member(sam)];
  const two = {
    room: id,
    prev: zeros,
    view: unsigned(0, id),
    policy: policies.direct,
    roomName: "",
    roster,
  };
  assertEquals(await commit(client, genesis(ira, two).bytes), "STORED 1");
  await stranger.publishPrekey("dana");
  const join = () => stranger.ask((ref) => ({ type: "JOIN", ref, room: id, kind: 1, pos: 0 }), "DONE");
  assertEquals(await join(), "NO_ROOM");
  for (const each of [client, other, stranger]) each.close();
});
worldTest("nobody joins a room that was retired, not even a member", async (world) => {
  const client = await room(world);
  await world.server.rooms.propose({ kind: "retire", room: head.room });
  const join = () => client.ask((ref) => ({ type: "JOIN", ref, room: head.room, kind: 1, pos: 0 }), "DONE");
  assertEquals(await join(), "DENIED");
  client.close();
});
worldTest("a room name in use, in any spelling that looks like it, is CONFLICT", async (world) => {
  const client = await room(world);
  const other = await RawClient.open(world.port, "sahnawaz");
  const { roomId } = await import("../../lib/protocol/group/commit.ts");
  const prev = systemRandom(32);
  const id = roomId(sam.card.id, "1OBBY", prev);
  const taken = genesis(sam, { prev, room: id, roomName: "1OBBY", view: unsigned(0, id) });
  assertEquals(await commit(other, taken.bytes), "CONFLICT");
  assertEquals(await commit(client, first.bytes), "CONFLICT");
  client.close();
  other.close();
});
clockTest(
  "a second commit of an epoch is CONFLICT; one that breaks a rule is DENIED; one a second is taken",
  async (world, clock) => {
    const client = await room(world);
    nextSecond(clock);
    const [a, b] = [successor(head, ira), successor(head, ira, { time: 5 })];
    assertEquals(
      await commit(client, successor(head, ira, { policy: 1, roomName: "other" }).bytes),
      "DENIED",
    );
    assertEquals(await commit(client, a.bytes), "STORED 2");
    const next = successor(headOf(a, 2), ira);
    assertEquals(await commit(client, next.bytes), "LIMIT");
    // The room waits for an admin who came too late, and takes her next one at once.
    assertEquals([await commit(client, b.bytes), await commit(client, next.bytes)], ["CONFLICT", "STORED 3"]);
    assertEquals(await commit(client, successor(headOf(next, 3), ira).bytes), "LIMIT");
    client.close();
  },
);
clockTest(
  "every box must be there before its commit, for the member whose entry names it",
  async (world, clock) => {
    const client = await room(world);
    const other = await RawClient.open(world.port, "sahnawaz");
    await other.publishPrekey("sahnawaz");
    nextSecond(clock);
    const context = { room: head.room, epoch: 1, prev: head.commitHash, author: ira.card.id };
    const box = await sealBox(
      zeros,
      context,
      await generateX25519(),
      parsePrekey(other.prekey.published),
      sam.secrets.rsaSpki,
      systemRandom,
    );
    const adds = (p: Person) =>
      successor(head, ira, { roster: [...head.roster, { ...member(p, 1), boxHash: boxHash(box) }] });
    const put = () => client.ask((ref) => ({ type: "BOX_PUT", ref, box }), "DONE");
    assertEquals(await commit(client, adds(sam).bytes), "NO_BOX");
    nextSecond(clock);
    assertEquals([await put(), await commit(client, adds(dana).bytes)], ["DONE 0", "DENIED"]); // dana has no card there yet
    (await RawClient.open(world.port, "dana")).close();
    nextSecond(clock);
    assertEquals([await put(), await commit(client, adds(dana).bytes)], ["DONE 0", "NO_BOX"]); // it is sam's
    nextSecond(clock);
    assertEquals(await commit(client, adds(sam).bytes), "NO_BOX"); // dropped after any COMMIT
    nextSecond(clock);
    assertEquals([await put(), await commit(client, adds(sam).bytes)], ["DONE 0", "STORED 2"]);
    await until("the newcomer's stream", () => other.types().includes("ENTRY"));
    assertEquals(other.types().filter((t) => ["ROOM_INFO", "HASHES", "ENTRY"].includes(t)), [
      "ROOM_INFO",
      "ENTRY",
    ]);
    const fetched = await other.connection.request(
      (ref) => ({ type: "BOX_GET", ref, hash: boxHash(box) }),
      "BOX",
    );
    assertEquals(fetched.box, box);
    assertEquals(await other.ask((ref) => ({ type: "BOX_GET", ref, hash: zeros }), "BOX"), "NOT_FOUND");
    client.close();
    other.close();
  },
);
worldTest("JOIN: no prekey is DENIED, no room NO_ROOM; a member is asked with ADMIT", async (world) => {
  const client = await room(world);
  const other = await RawClient.open(world.port, "sahnawaz");
  const join = (id: Bytes) => other.ask((ref) => ({ type: "JOIN", ref, room: id, kind: 1, pos: 0 }), "DONE");
  assertEquals([await join(head.room), await join(zeros)], ["DENIED", "NO_ROOM"]);
  await other.publishPrekey("sahnawaz");
  assertEquals(await join(head.room), "DONE 1");
  await until("asked", () => client.types().includes("ADMIT"));
  const admit = client.received.find((m) => m.type === "ADMIT");
  assertEquals(admit?.type === "ADMIT" && equals(admit.ids[0], sam.card.id), true);
  client.close();
  await until("gone", () => world.server.linked === 1);
  assertEquals(await join(head.room), "DONE 2");
  const back = await RawClient.open(world.port, "ira");
  await until("asked again on return", () => back.types().includes("ADMIT"));
  back.close();
  other.close();
});
worldTest("PREKEY_PUT: another's, a lower, an expired and a changed one are DENIED", async (world) => {
  const client = await RawClient.open(world.port, "ira");
  await client.publishPrekey("ira");
  const now = Math.floor(Date.now() / 1000);
  const put = async (p: Person, last: number, at: number) => {
    const { published } = await makePrekey(p.identity.id, p.identity.signing, last, at);
    return await client.ask((ref) => ({ type: "PREKEY_PUT", ref, prekey: published }), "DONE");
  };
  assertEquals(await put(sam, 0, now), "DENIED");
  assertEquals(await put(ira, 0, now - 100), "DENIED");
  assertEquals(await put(ira, now + 5, now - 31 * 86_400), "DENIED");
  assertEquals(await put(ira, now + 5, now + 700), "DENIED");
  assertEquals(await put(ira, now + 5, now), "DONE 0");
  client.close();
});
worldTest(
  "PREKEY_PUT: one that its owner did not sign is DENIED, whatever it says of its owner",
  async (world) => {
    const client = await RawClient.open(world.port, "ira");
    await client.publishPrekey("ira");
    const { published } = await makePrekey(
      ira.identity.id,
      ira.identity.signing,
      client.prekey.prekeyId,
      Math.floor(Date.now() / 1000),
    );
    const put = (prekey: Bytes) => client.ask((ref) => ({ type: "PREKEY_PUT", ref, prekey }), "DONE");
    // Another ML-KEM key than the one that was signed.
    assertEquals(await put(published.map((byte, i) => i === 200 ? byte ^ 1 : byte)), "DENIED");
    assertEquals(world.server.rooms.store.prekey(ira.card.id)!.prekeyId, client.prekey.prekeyId);
    assertEquals(await put(published), "DONE 0");
    client.close();
  },
);
worldTest(
  "LEAVE: a wrong signature or epoch is DENIED; a true one is kept, shown, and asked about again",
  async (world) => {
    const client = await room(world);
    const leave = (signer: Person, epoch: number) => {
      const { signature } = makeLeave(ira.card.id, head.room, epoch, signer.identity.signing);
      return client.ask((ref) => ({ type: "LEAVE", ref, room: head.room, epoch, signature }), "DONE");
    };
    assertEquals([await leave(sam, 0), await leave(ira, 1), await leave(ira, 0)], [
      "DENIED",
      "DENIED",
      "DONE 0",
    ]);
    client.close();
  },
);
for (
  const [what, build] of [
    [
      "a commit that does not parse",
      (ref: number) => ({ type: "COMMIT" as const, ref, commit: new Uint8Array(100) }),
    ],
    [
      "a message that does not parse",
      (ref: number) => ({ type: "SEND" as const, ref, message: new Uint8Array(100) }),
    ],
    [
      "a box of another version",
      (ref: number) => ({ type: "BOX_PUT" as const, ref, box: new Uint8Array(1605) }),
    ],
    [
      "a prekey of another version",
      (ref: number) => ({ type: "PREKEY_PUT" as const, ref, prekey: new Uint8Array(1333) }),
    ],
    [
      "LOGIN without accounts",
      (ref: number) => ({
        type: "LOGIN" as const,
        ref,
        name: new Uint8Array(1),
        password: new Uint8Array(1),
      }),
    ],
  ] as const
) {
  worldTest(`${what} closes the link without a word; the others stay`, async (world) => {
    const other = await room(world);
    const client = await RawClient.open(world.port, "sahnawaz");
    const length = build(1).type === "PREKEY_PUT"
      ? (await import("../../lib/protocol/identity/prekey.ts")).prekeyBytes
      : 0;
    const message = build(1);
    if (message.type === "PREKEY_PUT") Object.assign(message, { prekey: new Uint8Array(length) });
    client.connection.sendInStream(zeros, (ref) => ({ ...message, ref }));
    await until("closed", () => client.ended);
    assertEquals(client.types().filter((t) => t === "CLOSE" || t === "ERROR"), []);
    assertEquals(await send(other, message0()), "STORED 2");
    other.close();
  });
}
const message0 = () => message(0);

worldTest(
  "HELLO: an unknown room comes back with last 0; what follows a position comes in order",
  async (world) => {
    const client = await room(world);
    for (let n = 0; n < 5; n++) await send(client, message(n));
    client.close();
    await until("gone", () => world.server.linked === 0);
    const { runId } = world.server.rooms.store;
    const back = await RawClient.open(world.port, "ira", [{ room: head.room, kind: 1, pos: 3 }, {
      room: zeros,
      kind: 1,
      pos: 9,
    }], runId);
    await until("caught up", () => back.types().includes("PRESENCE"));
    const infos = back.received.flatMap((m) => m.type === "ROOM_INFO" ? [m.last] : []);
    const entries = back.received.flatMap((m) => m.type === "ENTRY" ? [m.pos] : []);
    assertEquals([infos.sort(), entries], [[0, 6], [4, 5, 6]]);
    back.close();
    await until("gone", () => world.server.linked === 0);
    const fresh = await RawClient.open(world.port, "ira");
    await until("caught up", () => fresh.types().includes("PRESENCE"));
    assertEquals(fresh.received.flatMap((m) => m.type === "ENTRY" ? [m.pos] : []), [1, 2, 3, 4, 5, 6]);
    fresh.close();
  },
);
clockTest("a removed member gets the entry that removes, and none after it", async (world, clock) => {
  const { client, other, adds } = await roomOfTwo(world, clock);
  const removes = successor(headOf(adds, 2), ira, { roster: head.roster, view: unsigned(2, zeros) });
  assertEquals(await commit(client, removes.bytes), "STORED 3");
  const later = message(0, { epoch: 2, commit: removes.hash.slice(0, 16), view: unsigned(3, zeros) });
  assertEquals(await send(client, later), "STORED 4");
  await until("removed", () => other.received.some((m) => m.type === "ENTRY" && m.pos === 3));
  assertEquals(other.received.flatMap((m) => m.type === "ENTRY" ? [m.pos] : []), [2, 3]);
  other.close();
  await until("gone", () => world.server.linked === 1);
  const { runId } = world.server.rooms.store;
  const back = await RawClient.open(world.port, "sahnawaz", [{ room: head.room, kind: 1, pos: 2 }], runId);
  await until("told", () => back.types().includes("ENTRY"));
  assertEquals(back.received.flatMap((m) => m.type === "ENTRY" ? [m.pos] : []), [3]);
  assertEquals(back.received.flatMap((m) => m.type === "ROOM_INFO" ? [[m.last, m.flags & 1]] : []), [[3, 0]]);
  back.close();
  client.close();
});
clockTest(
  "a member cannot hand in another member's commit or message, however valid",
  async (world, clock) => {
    const { client, other, adds } = await roomOfTwo(world, clock);
    const byIra = successor(headOf(adds, 2), ira);
    assertEquals(await commit(other, byIra.bytes), "DENIED");
    const said = message(0, { epoch: 1, commit: adds.hash.slice(0, 16), view: unsigned(2, zeros) });
    assertEquals(await send(other, said), "DENIED");
    assertEquals(await commit(client, byIra.bytes), "STORED 3");
    client.close();
    other.close();
  },
);
worldTest(
  "a name belongs to one key, in any spelling that looks like it, and a key to one name",
  async (world) => {
    const client = await RawClient.open(world.port, "ira");
    const enter = async (p: Person, name: string) => {
      try {
        (await RawClient.open(world.port, p.name, [], undefined, makeCard(p.identity, roles.user, name, 1)))
          .close();
        return "welcome";
      } catch (error) {
        return (error as { reason?: number }).reason;
      }
    };
    assertEquals(await enter(sam, "lra"), closeReasons.nameTaken);
    assertEquals(await enter(ira, "other"), closeReasons.nameTaken);
    assertEquals(await enter(ira, "ira"), "welcome");
    assertEquals(await enter(sam, "sahnawaz"), "welcome");
    client.close();
  },
);
