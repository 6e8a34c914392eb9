/** Two servers on one log, whatever their own memory says: what only the proposer knows must not decide. */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Bytes, compareBytes } from "../../../lib/crypto/bytes.ts";
import { systemRandom } from "../../../lib/crypto/random.ts";
import { encodeHex } from "../../../lib/hex.ts";
import type { LinkMessage } from "../../../lib/protocol/channel/link_messages.ts";
import { directRoomId } from "../../../lib/protocol/group/commit.ts";
import { parseKeyFileMessage, signKeyFileMessage } from "../../../lib/protocol/group/key_file_message.ts";
import { policies } from "../../../lib/protocol/group/roster.ts";
import { SharedJournal } from "../../../lib/server/cluster/shared_journal.ts";
import { defaultLimits } from "../../../lib/server/limits.ts";
import type { Peer } from "../../../lib/server/rooms/peer.ts";
import { Rooms } from "../../../lib/server/rooms/rooms.ts";
import type { LogRecord, Outcome } from "../../../lib/server/store/journal.ts";
import { SqliteStore } from "../../../lib/server/store/sqlite.ts";
import { StoreFailed } from "../../../lib/server/store/store.ts";
import { genesis, member, successor, zeros } from "../../fakes/commits.ts";
import { FakeClock, settle } from "../../fakes/fake_clock.ts";
import { MemoryLog } from "../../fakes/memory_log.ts";
import { person } from "../../fakes/people.ts";
import { runOf, testSite, unsigned } from "../../fakes/site.ts";
import { test } from "../../fakes/test.ts";

const [ira, sam, server] = await Promise.all(["ira", "sahnawaz", "server"].map(person));
const cards: LogRecord[] = [ira, sam].map(({ card }) => ({
  kind: "card",
  card: card.bytes,
  takesName: false,
}));

/** A server whose disk may refuse. */
class Half {
  readonly clock = new FakeClock();
  readonly stopped: Error[] = [];
  readonly store: SqliteStore;
  readonly end;
  readonly journal: SharedJournal;
  readonly rooms: Rooms;
  refuses: "nothing" | "writing" | "all" = "nothing";

  constructor(log: MemoryLog, dir: string, n: number) {
    const store = this.store = new SqliteStore(join(dir, `${n}.db`), () => runOf(1), true);
    const [flush, rows] = [store.flush.bind(store), store.rooms.bind(store)];
    store.flush = () => {
      if (this.refuses === "nothing") return flush();
      store.undo();
      throw new StoreFailed("rooms.db", "the disk is full");
    };
    store.rooms = () => {
      if (this.refuses === "all") throw new StoreFailed("rooms.db", "input/output error");
      return rows();
    };
    const { clock } = this;
    const defer = (act: () => void) => queueMicrotask(act);
    const events = { tell() {} };
    this.end = log.open();
    const proposer = new Uint8Array(16).fill(n);
    const stop = (error: Error) => void this.stopped.push(error);
    this.journal = new SharedJournal({ log: this.end, store, clock, proposer, events, defer, stop });
    const limits = { ...defaultLimits, commitEveryMs: 1, memberCommits: 1000 };
    const signing = server.identity.signing;
    const parts = { store, journal: this.journal, clock, limits, site: testSite, signing, events, defer };
    this.rooms = new Rooms({ ...parts, random: systemRandom });
  }
}

async function withTwo(act: (a: Half, b: Half, pump: () => Promise<void>) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  const log = new MemoryLog();
  const halves = [new Half(log, dir, 1), new Half(log, dir, 2)] as const;
  const pump = async () => {
    for (let i = 0; i < 5; i++) {
      await settle();
      for (const { end } of halves) end.hand();
      await settle();
    }
  };
  try {
    await act(...halves, pump);
    // Each says where it stands: who has come to another state would stop.
    for (const { rooms } of halves) void rooms.propose({ kind: "note", key: "x", value: new Uint8Array(1) });
    await pump();
    assertEquals(halves.map(({ stopped }) => stopped), [[], []]);
    assertEquals(halves[0].journal.standing, halves[1].journal.standing);
  } finally {
    for (const { rooms, store } of halves) {
      await rooms.stop();
      store.close();
    }
    await Deno.remove(dir, { recursive: true });
  }
}

const said = (outcome: Outcome) =>
  outcome.type === "refused"
    ? outcome.code
    : outcome.type === "stored"
    ? `stored ${outcome.pos}`
    : outcome.type;

test("a commit that was fine when it was proposed, and whose room was ended meanwhile, is refused by all", async () => {
  await withTwo(async (a, b, pump) => {
    const first = genesis(ira);
    for (const record of [...cards, { kind: "commit", bytes: first.bytes, boxes: [] } as const]) {
      void a.rooms.propose(record);
    }
    await pump();
    const room = a.rooms.get(first.room)!;
    void b.rooms.propose({ kind: "retire", room: first.room });
    await settle();
    const { bytes } = successor(room.head, ira);
    const told: string[] = [];
    const origin = { own: null, checked: { head: room.head, last: room.last } };
    a.rooms.proposeFor({ kind: "commit", bytes, boxes: [] }, origin, (outcome) => told.push(said(outcome)));
    await pump();
    assertEquals(told, ["DENIED"]);
    assertEquals([a, b].map(({ rooms }) => rooms.get(first.room)!.last), [1, 1]);
  });
});

test("a message for a key-file room whose place a room of two has taken goes nowhere, at any of them", async () => {
  await withTwo(async (a, b, pump) => {
    const [low, high] = [ira.card.id, sam.card.id].toSorted(compareBytes) as Bytes[];
    const id = directRoomId(testSite, low, high);
    const message = (n: number) => {
      const header = { room: id, sender: ira.card.id, n, view: unsigned(0, zeros) };
      return signKeyFileMessage(header as never, new TextEncoder().encode("x"), ira.identity.signing);
    };
    const begun: LogRecord = { kind: "key-file room", room: id, maker: ira.card.id };
    const spoken: LogRecord[] = [0, 1].map((n) => ({ kind: "key-file message", bytes: message(n) }));
    for (const record of [...cards, begun, ...spoken]) void a.rooms.propose(record);
    await pump();
    const room = a.rooms.keyFileRoom(id)!;
    const roster = [member(ira, 0, 0), member(sam, 0, 0)];
    const direct = genesis(ira, {
      room: id,
      prev: zeros,
      policy: policies.direct,
      roomName: "",
      roster,
      view: unsigned(0, id),
    });
    const told: string[] = [];
    a.rooms.proposeFor(
      { kind: "commit", bytes: direct.bytes, boxes: [] },
      { own: null },
      (outcome) => told.push(said(outcome)),
    );
    const bytes = message(2);
    const judged = { message: parseKeyFileMessage(bytes), room, last: room.last, head: undefined };
    a.rooms.proposeFor(
      { kind: "key-file message", bytes },
      { own: null, judged },
      (outcome) => told.push(said(outcome)),
    );
    await pump();
    assertEquals(told, ["stored 1", "DENIED"]);
    assertEquals([a, b].map(({ store }) => store.last(id).pos), [1, 1]);
  });
});

test("an author whose message was undone with a flush is told that it is stored, once it is", async () => {
  await withTwo(async (a, _b, pump) => {
    const id = new Uint8Array(32).fill(9);
    for (const record of [...cards, { kind: "key-file room", room: id, maker: ira.card.id } as const]) {
      void a.rooms.propose(record);
    }
    await pump();
    const sent: LinkMessage["type"][] = [];
    const peer = {
      key: encodeHex(ira.card.id),
      card: ira.card,
      subscriptions: new Map(),
      work: { spend() {} },
      send: ({ type }: LinkMessage) => void sent.push(type),
    } as unknown as Peer;
    const header = { room: id, sender: ira.card.id, n: 0, view: unsigned(0, zeros) };
    const bytes = signKeyFileMessage(header as never, new TextEncoder().encode("x"), ira.identity.signing);
    a.refuses = "writing";
    a.rooms.proposeFor({ kind: "key-file message", bytes }, { own: { peer, ref: 7 } }, () => {});
    await settle();
    a.end.hand();
    await settle();
    assertEquals([sent, a.journal.isFailing], [[], true]);
    a.refuses = "nothing";
    await pump();
    assertEquals([sent, a.rooms.keyFileRoom(id)!.last], [["STORED"], 1]);
  });
});

test("while what was undone cannot be read again nothing is applied over it", async () => {
  await withTwo(async (a, b, pump) => {
    const first = genesis(ira);
    for (const record of [...cards, { kind: "commit", bytes: first.bytes, boxes: [] } as const]) {
      void b.rooms.propose(record);
    }
    await pump();
    a.refuses = "all";
    void b.rooms.propose({ kind: "join", room: first.room, id: sam.card.id });
    await settle();
    a.end.hand();
    await settle();
    a.refuses = "writing";
    void b.rooms.propose({ kind: "note", key: "y", value: new Uint8Array(1) });
    await settle();
    a.end.hand();
    await settle();
    a.refuses = "nothing";
    a.clock.advance(2_000);
    await pump();
    assertEquals([a, b].map(({ store }) => store.joins(first.room).length), [1, 1]);
  });
});
