/** What a refused disk has undone: memory, disk and clients go on from the same state, whatever the record was. */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { setImmediate } from "node:timers";
import { systemRandom } from "../../lib/crypto/random.ts";
import type { ServerEvent } from "../../lib/server/events.ts";
import { banOf, Bans } from "../../lib/server/rooms/bans.ts";
import { systemClock } from "../../lib/clock.ts";
import { DiskBlobs } from "../../lib/server/blobs/disk_blobs.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import { StoreFailed } from "../../lib/server/store/store.ts";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { chunkBytes, chunkOverheadBytes } from "../../lib/protocol/file/file_chunk.ts";
import { sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import { encodeName } from "../../lib/protocol/identity/name.ts";
import { genesis, headOf, member, successor, zeros } from "../fakes/commits.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { test } from "../fakes/test.ts";
import { until } from "../fakes/until.ts";
import { inWorld, type World } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

/** A disk that is full, or cannot even be read. */
class BadDisk extends SqliteStore {
  state: "good" | "full" | "dead" = "good";
  override flush(): void {
    if (this.state !== "full" && this.state !== "dead") return super.flush();
    const zeros = new Uint8Array(32);
    const room = { id: zeros, kind: 1, name: "", maker: zeros };
    this.createRoom(room, null);
    this.createRoom(room, null); // there already: fails, and undoes what was written since the last flush
  }
  override rooms() {
    if (this.state === "dead") throw new StoreFailed("rooms.db", "the disk cannot be read");
    return super.rooms();
  }
}

function diskTest(name: string, act: (world: World, disk: BadDisk, failures: () => number) => Promise<void>) {
  test(name, async () => {
    const dir = Deno.makeTempDirSync();
    const store = new BadDisk(`${dir}/rooms.db`, systemRandom);
    let failures = 0;
    const events = { tell: ({ type }: ServerEvent) => void (type === "store failed" && failures++) };
    await inWorld((world) => act(world, store, () => failures), { store, events });
    Deno.removeSync(dir, { recursive: true });
  });
}

diskTest(
  "a room that could not be retired goes on, for the server and for its members",
  async (world, disk) => {
    const ira = await world.enter("ira");
    const [room] = world.server.rooms.all();
    const retire = () => world.server.rooms.propose({ kind: "retire", room: room.id });
    disk.state = "full";
    assertEquals(await retire(), { type: "undone" });
    assertEquals(room.isRetired, false);
    disk.state = "good";
    ira.view.type("still here");
    await ira.view.hears("ira: still here");
    assertEquals(ira.view.warnings, []);
    assertEquals(await retire(), { type: "done" });
    await until("told", () => ira.view.warnings.some((text) => text.includes("room has ended")));
  },
);

diskTest(
  "a room that its last member could not take along goes on, and the member is in it",
  async (world, disk, failures) => {
    const ira = await world.enter("ira");
    const [room] = world.server.rooms.all();
    const { storedBytes } = world.server.rooms.quota;
    disk.state = "full";
    ira.view.type("/join other", "/join lobby", "/leave");
    await until("refused", () => failures() > 0);
    disk.state = "good";
    assertEquals(world.server.rooms.all().map(({ name }) => name).includes("lobby"), true);
    assertEquals(world.server.rooms.get(room.id)!.isGone, false);
    assertEquals(world.server.rooms.quota.storedBytes >= storedBytes, true);
    ira.view.type("still here");
    await ira.view.hears("ira: still here");
  },
);

diskTest(
  "a room whose first commit was undone is shown to nobody, and can be made again",
  async (world, disk, failures) => {
    const ira = await world.enter("ira");
    const [peer] = world.server.rooms.peers.values();
    disk.state = "full";
    ira.view.type("/join other");
    await until("refused", () => failures() > 0);
    assertEquals(world.server.rooms.all().map(({ name }) => name), ["lobby"]);
    assertEquals(peer.subscriptions.size, 1);
    disk.state = "good";
    await ira.view.until((event) => event.type === "entered" && event.room === "other");
    assertEquals(
      world.log.filter((line) => line.includes("New person joined")).length,
      2,
      world.log.join("\n"),
    );
    assertEquals(peer.subscriptions.size, 2);
  },
);

diskTest(
  "a room of two whose first commit was undone is heard by both at the next try",
  async (world, disk, failures) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    disk.state = "full";
    ira.view.type("/msg sahnawaz one");
    await until("refused, and told so", () => failures() > 0 && ira.view.warnings.length > 0);
    disk.state = "good";
    ira.view.type("/query sahnawaz", "/retry", "two");
    await sam.view.hears("ira: two");
    sam.view.type("/msg ira three");
    await ira.view.hears("sahnawaz: three");
    await until("stored", () => ira.view.said.length === 3 && sam.view.said.length === 3);
    assertEquals(ira.view.said, sam.view.said);
  },
);

diskTest("a file whose end was undone is there as before, with its chunks", async (world, disk) => {
  const maker = await world.enter("ira");
  const room = maker.chat.conversation.room!.state.id;
  await world.leaveAll();
  const ira = await RawClient.open(world.port, "ira");
  const file = systemRandom(16), chunk = systemRandom(chunkBytes + chunkOverheadBytes);
  await ira.connection.request(
    (ref) => ({ type: "BLOB_NEW", ref, room, file, chunks: 1, lastBytes: chunkBytes }),
    "BLOB_AT",
  );
  assertEquals(await ira.ask((ref) => ({ type: "BLOB_PUT", ref, file, index: 0, chunk }), "DONE"), "DONE 0");
  disk.state = "full";
  assertEquals(await ira.ask((ref) => ({ type: "BLOB_DROP", ref, file }), "DONE"), "LIMIT");
  disk.state = "good";
  const got = await ira.connection.request((ref) => ({ type: "BLOB_GET", ref, file, index: 0 }), "BLOB");
  assertEquals(got.chunk.slice(), chunk);
  assertEquals(await ira.ask((ref) => ({ type: "BLOB_DROP", ref, file }), "DONE"), "DONE 0");
  const blobs = new DiskBlobs(join(world.dir, "blobs"));
  await until("its chunks are gone", async () => (await blobs.names()).length === 0);
  await blobs.close();
  ira.close();
});

diskTest(
  "a disk that cannot even be read ends nothing: what was undone is read again when it can",
  async (world, disk, failures) => {
    const ira = await world.enter("ira");
    disk.state = "dead";
    ira.view.type("one");
    await until("failed, and failed again in reading", () => failures() >= 2);
    disk.state = "good";
    await ira.view.hears("ira: one");
    const sam = await world.enter("sahnawaz");
    sam.view.type("two");
    await ira.view.hears("sahnawaz: two");
    assertEquals([...ira.view.warnings, ...sam.view.warnings], []);
  },
);

/** A world whose flushes wait until they are let go. */
function heldTest(name: string, act: (world: World, hold: () => () => void) => Promise<void>) {
  test(name, async () => {
    let held: (() => void)[] | null = null;
    const defer = (run: () => void) => void (held ? held.push(run) : setImmediate(run));
    const release = () => {
      const runs = held ?? [];
      held = null;
      runs.forEach((run) => run());
    };
    const hold = () => {
      held = [];
      return release;
    };
    await inWorld((world) => act(world, hold).finally(release), { defer, limits: { commitEveryMs: 1 } });
  });
}

heldTest(
  "a message and the commit that removes its author, in one flush: stored once",
  async (world, hold) => {
    const [ira, sam] = await Promise.all(["ira", "sahnawaz"].map(person));
    const [author, other] = [
      await RawClient.open(world.port, "ira"),
      await RawClient.open(world.port, "sahnawaz"),
    ];
    const commit = (bytes: Bytes) => author.inStream((ref) => ({ type: "COMMIT", ref, commit: bytes }));
    const first = genesis(ira);
    assertEquals(await commit(first.bytes), "STORED 1");
    const head = headOf(first, 1);
    const added = successor(head, ira, { roster: [...head.roster, member(sam, 1)] });
    assertEquals(await commit(added.bytes), "STORED 2");
    const removal = successor(headOf(added, 2), ira, { roster: head.roster });
    const content = { type: 1, msgId: new Uint8Array(16), timeMs: 1, body: new Uint8Array(1) };
    const view = unsigned(2, zeros);
    const header = {
      kind: 1,
      room: head.room,
      epoch: 1,
      commit: added.hash.slice(0, 16),
      sender: sam.card.id,
      n: 0,
      view,
      salt: new Uint8Array(16),
    };
    const message = sealMessage(header, content, zeros, added.hash, sam.identity.signing);
    const [room] = world.server.rooms.all();
    const release = hold();
    const stored = other.inStream((ref) => ({ type: "SEND", ref, message }));
    await until("the line is applied", () => room.last === 3);
    const removed = commit(removal.bytes);
    await until("the removal is applied", () => room.last === 4);
    release();
    assertEquals([await stored, await removed], ["STORED 3", "STORED 4"]);
    // What comes after it shows that nothing else was said.
    assertEquals(
      await other.ask((ref) => ({ type: "NAME_GET", ref, name: encodeName("ira") }), "CARD"),
      "CARD",
    );
    assertEquals(other.types().filter((type) => type === "STORED"), ["STORED"]);
    author.close();
    other.close();
  },
);

heldTest(
  "who is banned between the handshake and the flush that keeps the card does not come in",
  async (world, hold) => {
    await world.enter("ira");
    const release = hold();
    const dana = await world.join("dana");
    await until("the card waits to be kept", () => !world.server.rooms.store.idByName("dana") ? false : true);
    const banned = world.server.rooms.bans.add(banOf("dana")!);
    release();
    assertEquals(await banned, true);
    assert(await dana.done instanceof Error);
    assertEquals(world.server.rooms.peerNamed("dana"), undefined);
  },
);

test("a ban that never reached the disk outlives an UNBAN that fails", async () => {
  let isBad = true;
  const bans: Bans = new Bans(new MemoryStore(systemRandom), systemClock, (record) => {
    if (record.kind === "unban") bans.applyUnban(record.ban);
    if (isBad) bans.reload();
    return Promise.resolve(!isBad);
  });
  const ban = banOf("Mallory")!;
  assertEquals(await bans.add(ban), false);
  assertEquals(await bans.remove(ban), false);
  assertEquals(bans.has("mallory", "192.0.2.1"), true);
  isBad = false;
  assertEquals(await bans.remove(ban), true);
  assertEquals(bans.has("mallory", "192.0.2.1"), false);
});
