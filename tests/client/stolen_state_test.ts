/** Properties 13 and 19: what a copy of a profile's state is worth to a thief, and to its owner (protocol §1, §10). */

import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { ChatError } from "../../lib/errors.ts";
import { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import { boxDecryptor, openBox } from "../../lib/protocol/group/box.ts";
import { type Commit, parseCommit } from "../../lib/protocol/group/commit.ts";
import { noKeyFile, senderChains } from "../../lib/protocol/group/epoch.ts";
import { parseMessage } from "../../lib/protocol/group/sealed_message.ts";
import { type Client, clockTest, headIn, type World } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";
import { opensWith } from "../fakes/chain_reader.ts";

const day = 86_400_000;

/** Everything that a thief of the opened session state has: chains and prekeys, not the identity's keys. */
function steal(client: Client) {
  const room = client.chat.conversation.room as MemberRoom;
  const chains = Object.entries(room.state.chains).map(([sender, { key }]) =>
    [sender, key!.slice()] as const
  );
  const prekeys = client.chat.conversation.context.prekeys.all.map((p) => structuredClone({ ...p }));
  return { chains, prekeys };
}

/** Positions of messages in the log that open with what was stolen, with the RSA key or without it. */
async function readable(
  world: World,
  victim: Client,
  loot: ReturnType<typeof steal>,
  withRsa: boolean,
): Promise<number[]> {
  const [room] = world.server.rooms.all();
  const { identity, card } = victim.profile;
  const open: number[] = [];
  let commit!: Commit;
  let keys: [string, Bytes][] = [];
  for (const entry of room.read(1, 1000)) {
    if (entry.kind === 1) {
      commit = parseCommit(entry.bytes!);
      keys = loot.chains.map(([sender, key]) => [sender, key] as [string, Bytes]);
      if (withRsa) keys.push(...await fromBoxes(commit));
      continue;
    }
    const message = parseMessage(entry.bytes!);
    const able = keys.some(([sender, key]) =>
      sender === encodeHex(message.sender) && opensWith(entry.bytes!, key, commit.hash)
    );
    if (able) open.push(entry.pos);
  }
  return open;

  async function fromBoxes(commit: Commit): Promise<[string, Bytes][]> {
    const all: [string, Bytes][] = [];
    const ids = commit.roster.map((m) => m.id);
    for (const member of commit.roster) {
      const box = world.server.rooms.store.box(member.boxHash);
      if (!box) continue;
      const find = (id: number) => loot.prekeys.find((p) => p.prekeyId === id);
      try {
        const secret = await openBox(box, member.boxHash, commit, card.id, find, boxDecryptor(identity.rsa));
        senderChains(secret, noKeyFile, commit.hash, ids).forEach((key, i) =>
          all.push([encodeHex(ids[i]), key])
        );
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
      }
    }
    return all;
  }
}

clockTest("property 13: stolen state follows its epoch, and is locked out by the next one", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  ira.view.type("before the theft");
  await sam.view.hears("ira: before the theft");
  const loot = steal(sam);
  ira.view.type("same epoch");
  await sam.view.hears("ira: same epoch");
  const followed = await readable(world, sam, loot, false);
  ira.view.type("/rekey");
  await until("a new epoch", () => headIn(sam)!.epoch === 2);
  ira.view.type("healed");
  sam.view.type("indeed");
  await ira.view.hears("sahnawaz: indeed");
  await sam.view.hears("ira: healed");
  assertEquals(followed.length, 1, "the thief reads on, but nothing from before");
  assertEquals(await readable(world, sam, loot, false), followed, "and nothing of the next epoch");
});

clockTest(
  "property 13: stolen prekeys together with the RSA key are worth nothing once both have rotated",
  async (world, clock) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const loot = steal(sam);
    for (const client of [ira, sam]) client.view.type("EXIT");
    for (const client of [ira, sam]) await client.done;
    // Two days later: a new prekey, and a new epoch before the next message.
    clock.jump(2 * day);
    await world.server.stop();
    await world.startServer();
    const samAgain = await world.enter("sahnawaz");
    const iraAgain = await world.enter("ira");
    iraAgain.view.type("healed");
    await samAgain.view.hears("ira: healed");
    samAgain.view.type("indeed");
    await iraAgain.view.hears("sahnawaz: indeed");
    assertEquals(headIn(iraAgain)!.epoch >= 2, true, "an old epoch is not spoken into");
    assertEquals(await readable(world, samAgain, loot, true), []);
  },
);

clockTest(
  "property 19: a restored old state repeats no key, is told, and heals by a refresh",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    sam.view.type("EXIT");
    await sam.done;
    const own = `${world.dir}/profiles/sahnawaz`;
    copyDirectory(own, `${world.dir}/backup`);
    const later = await world.enter("sahnawaz");
    later.view.type("one", "two");
    await ira.view.hears("sahnawaz: two");
    later.view.type("EXIT");
    await later.done;
    await Deno.remove(own, { recursive: true });
    copyDirectory(`${world.dir}/backup`, own);

    const restored = await world.enter("sahnawaz");
    await until(
      "told",
      () => restored.view.warnings.some((text) => text.includes("its state was restored from a backup")),
    );
    restored.view.type("three");
    await ira.view.hears("sahnawaz: three");
    assertEquals(
      ira.view.said.filter((line) => line.startsWith("sahnawaz")),
      [
        "sahnawaz: one",
        "sahnawaz: two",
        "sahnawaz: three",
      ],
    );
    assertEquals(headIn(ira)!.epoch, 2, "a refresh commit came before the message");
    assertEquals(ira.view.warnings, []);
    // No chain place was used twice: every message of ours has a place of its own, and its own salt.
    const [room] = world.server.rooms.all();
    const places = room.read(1, 100).filter((e) => e.kind === 2).map((e) => {
      const m = parseMessage(e.bytes!);
      return `${encodeHex(m.sender)} ${m.epoch} ${m.n}`;
    });
    assertEquals(new Set(places).size, places.length);
  },
);

clockTest(
  "property 19: with unsent lines in the backup nothing is said twice, and nobody is warned of others",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    await world.server.stop();
    sam.view.type("typed while cut off");
    await until("stored", () => sam.chat.conversation.room!.lines.unsent.length === 1);
    const own = `${world.dir}/profiles/sahnawaz`;
    sam.view.type("EXIT");
    await sam.done;
    copyDirectory(own, `${world.dir}/backup`);
    await world.startServer();
    const later = await world.enter("sahnawaz");
    await ira.view.hears("sahnawaz: typed while cut off");
    later.view.type("EXIT");
    await later.done;
    await Deno.remove(own, { recursive: true });
    copyDirectory(`${world.dir}/backup`, own);
    const restored = await world.enter("sahnawaz");
    restored.view.type("after");
    await ira.view.hears("sahnawaz: after");
    assertEquals(ira.view.said, ["sahnawaz: typed while cut off", "sahnawaz: after"]);
    assertEquals(ira.view.warnings.filter((text) => /histor|backup/.test(text)), []);
  },
);

function copyDirectory(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const entry of Deno.readDirSync(from)) {
    if (entry.isDirectory) copyDirectory(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else {
      Deno.copyFileSync(`${from}/${entry.name}`, `${to}/${entry.name}`);
      Deno.chmodSync(`${to}/${entry.name}`, 0o600);
    }
  }
}
