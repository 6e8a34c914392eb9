/** What an attacker has found at the door: crossings, cuts, invites of others, and what was known and is taken back. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { signingKey } from "../../lib/crypto/ed25519.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { type LinkMessage, newestEpoch } from "../../lib/protocol/channel/link_messages.ts";
import { parseBox } from "../../lib/protocol/group/box.ts";
import { type Commit, parseCommit } from "../../lib/protocol/group/commit.ts";
import { headAfter, type RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { entryKinds } from "../../lib/protocol/group/history.ts";
import { policies } from "../../lib/protocol/group/roster.ts";
import { member, successor } from "../fakes/commits.ts";
import { type HostileServer, hostileTest } from "../fakes/hostile_server.ts";
import { invited } from "../fakes/invited.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { signedBy, unsigned } from "../fakes/site.ts";
import { until } from "../fakes/until.ts";
import { type Client, headIn, quits, rosterIn, stateIn, type World, worldTest } from "../fakes/world.ts";

const erin = await person("erin");
const zeros = new Uint8Array(32);
const isIn = (client: Client, names: string) => until(`${names} are in`, () => rosterIn(client) === names);
const warned = (client: Client, text: string) =>
  until(text, () => client.view.warnings.some((each) => each.includes(text)), {
    instead: () => JSON.stringify([client.view.warnings, client.view.notices]),
  });
const told = (client: Client, text: string) =>
  until(text, () => client.view.notices.some((each) => each.includes(text)), {
    instead: () => JSON.stringify([client.view.warnings, client.view.notices]),
  });
/** Ira, in a closed room. */
async function closed(world: World, server?: HostileServer): Promise<Client> {
  const ira = await world.enter("ira", server ? { port: server.port } : {});
  await until("on the screen", () => headIn(ira) !== null);
  ira.view.type("/close");
  await until("closed", () => headIn(ira)!.policy === policies.closed);
  return ira;
}
/** Answers dana's CHAIN_GET with a chain of the server's own, and keeps what she seals and commits. */
function showsDana(server: HostileServer, room: Bytes, chain: (epoch: number) => Commit) {
  const seen = { boxes: [] as string[], commits: [] as Commit[], asked: [] as number[] };
  const head = signedBy(room, { pos: 60, hash: new Uint8Array(32).fill(7) });
  server.up = (message, name) => {
    if (name !== "dana") return [message];
    if (message.type === "BOX_PUT") seen.boxes.push(encodeHex(parseBox(message.box).recipient));
    if (message.type === "COMMIT") {
      seen.commits.push(parseCommit(message.commit));
      return [];
    }
    if (message.type !== "CHAIN_GET") return [message];
    seen.asked.push(message.epoch);
    const { pos, hash, headSig: signature } = head;
    const commit = chain(message.epoch).bytes;
    server.tell("dana", { type: "CHAIN", ref: message.ref, pos, hash, signature, commit });
    return [];
  };
  return seen;
}

hostileTest(
  "a member lets her in while her question about the chain is on its way: she is in",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    // Ira's program is slow to do what the server asks.
    server.down = (message, name) => name === "ira" && message.type === "ADMIT" ? [] : [message];
    let held = false;
    server.up = (message, name) => {
      if (name !== "dana" || message.type !== "CHAIN_GET" || held) return [message];
      held = true;
      ira.view.type("/invite dana");
      until("admitted", () => world.server.rooms.all()[0].head.roster.length === 2)
        .then(() => server.tellServer("dana", message));
      return [];
    };
    const dana = await world.enter("dana", { port: server.port });
    assertEquals(held, true);
    assertEquals(dana.view.warnings, []);
  },
);

for (const by of ["a pass", "her own entry"]) {
  hostileTest(
    `a cut before STORED of ${by}, and a stream that comes in pieces: she is in`,
    async (world, server) => {
      const ira = await closed(world);
      if (by !== "a pass") ira.view.type("/open");
      const pins = by === "a pass" ? await invited(ira, "/invite --pass") : null;
      await until("open or closed", () => headIn(ira)!.policy === (by === "a pass" ? 1 : 0));
      await quits(ira);
      let cut = false;
      const held: LinkMessage[] = [];
      server.down = (message, name) => {
        if (!cut && message.type === "ROOM_INFO" && message.ref === 0) {
          cut = true;
          server.cut(name);
          return [];
        }
        // With the next link the stream begins, and goes on only once she has asked for the room.
        if (cut && message.type === "ENTRY") {
          held.push(message);
          return [];
        }
        if (message.type === "ROOM_INFO" && message.ref !== 0) return [message, ...held.splice(0)];
        return [message];
      };
      const dana = await world.join("dana", { port: server.port, pins });
      await until("cut", () => cut);
      await dana.view.until((event) => event.type === "entered");
      assertEquals(rosterIn(dana), "ira,dana");
      assert(!dana.view.warnings.some((text) => /protocol|still/.test(text)), dana.view.warnings.join());
    },
  );
}

hostileTest(
  "an invite that was cut before STORED is shown all the same, and listed once",
  async (world, server) => {
    const ira = await closed(world, server);
    let cut = false;
    server.down = (message) => {
      if (message.type !== "STORED" || cut) return [message];
      cut = true;
      server.cut("ira");
      return [];
    };
    const pins = await invited(ira, "/invite --pass");
    assertEquals([cut, headIn(ira)!.passes.length, pins.pass!.epoch], [true, 1, headIn(ira)!.epoch]);
    assert(!ira.view.warnings.some((text) => text.includes("against the rules")));
  },
);

for (const isCut of [false, true]) {
  hostileTest(
    `an older invite does not lead back before a removal that she has seen${
      isCut ? ", nor after a cut" : ""
    }`,
    async (world, server) => {
      const ira = await world.enter("ira");
      const friend = await world.enter("erin");
      await isIn(ira, "ira,erin");
      ira.view.type("/close");
      await until("closed", () => headIn(ira)!.policy === policies.closed);
      const pins = await invited(ira, "/invite --pass");
      const fork = headIn(ira)!;
      const dana = await world.join("dana", { port: server.port });
      await told(ira, "dana asks to be let in");
      ira.view.type("/invite dana");
      await isIn(dana, "ira,erin,dana");
      ira.view.type("/kick erin");
      await isIn(dana, "ira,dana");
      ira.view.type("/kick --return dana");
      await dana.view.until((event) => event.type === "removed" && event.who === "dana");
      const known = headIn(ira)!.epoch;
      await quits(dana);
      await quits(friend);
      // Erin goes on from before she was put out, as if nothing had happened.
      const branch = new Map<number, Commit>();
      for (let at: RoomHead = fork; at.epoch <= known;) {
        const members = at.roster.map((m) => ({ ...m, boxHash: zeros }));
        const next = successor(at, erin, { view: unsigned(at.commitPos, zeros), roster: members });
        branch.set(next.epoch, next);
        at = headAfter(next, at.commitPos + 1);
      }
      const { store } = world.server.rooms;
      const commitOf = (epoch: number) =>
        branch.get(epoch) ?? parseCommit(store.commitOf(fork.room, epoch)!.bytes);
      let cuts = isCut ? 1 : 0;
      const seen = showsDana(server, fork.room, (epoch) => {
        if (epoch !== newestEpoch && epoch > pins.pass!.epoch && cuts-- > 0) server.cut("dana");
        return commitOf(epoch === newestEpoch ? known + 1 : epoch);
      });
      const back = await world.join("dana", { port: server.port, pins });
      await warned(back, "another chain of this room");
      assertEquals([seen.commits, seen.boxes], [[], []]);
      back.chat.quit();
    },
  );
}

hostileTest(
  "who has been in an open room goes on from there: no branch with somebody whose removal she has seen",
  async (world, server) => {
    const ira = await world.enter("ira");
    const friend = await world.enter("erin");
    await isIn(ira, "ira,erin");
    const dana = await world.enter("dana", { port: server.port });
    await isIn(dana, "ira,erin,dana");
    const fork = headIn(dana)!;
    ira.view.type("/kick erin");
    await isIn(dana, "ira,dana");
    ira.view.type("/kick --return dana");
    await dana.view.until((event) => event.type === "removed" && event.who === "dana");
    const known = headIn(ira)!.epoch;
    for (const each of [dana, friend, ira]) await quits(each);
    // Erin goes on from before: in what she shows, dana is out by her own wish, and she is not.
    const roster = fork.roster.filter(({ name }) => name !== "dana").map((m) => ({ ...m, boxHash: zeros }));
    const before = { ...fork, epoch: known, commitHash: systemRandom(32), roster };
    const last = successor(before, erin, { view: unsigned(fork.commitPos, zeros), roster });
    const seen = showsDana(server, fork.room, () => last);
    const back = await world.join("dana", { port: server.port });
    await warned(back, "not valid (rule");
    assertEquals([seen.commits, seen.boxes], [[], []]);
    back.chat.quit();
  },
);

hostileTest("another's invite for the same epoch does not pass for ira's", async (world, server) => {
  const ira = await closed(world);
  const pins = await invited(ira, "/invite --pass dana");
  const known = headIn(ira)!;
  const stranger = await RawClient.open(world.port, "erin");
  await stranger.publishPrekey("erin");
  const seed = systemRandom(32);
  const before = {
    ...known,
    epoch: known.epoch - 1,
    commitHash: systemRandom(32),
    roster: [member(erin, 0, 1)],
  };
  const pass = { key: signingKey(seed).publicKey, until: 2 ** 40, name: "" };
  const listing = successor(before, erin, { view: unsigned(2, zeros), passes: [...known.passes, pass] });
  assertEquals(listing.epoch, pins.pass!.epoch);
  const seen = showsDana(server, known.room, () => listing);
  const hers = { roomId: known.room, inviterId: erin.card.id, pass: { seed, epoch: listing.epoch } };
  const first = await world.join("dana", { port: server.port, pins: hers });
  await until("she has tried erin's", () => seen.commits.length > 0);
  await quits(first);
  seen.commits.length = seen.boxes.length = 0;
  const error = await (await world.join("dana", { port: server.port, pins })).done;
  assertStringIncludes((error as Error).message, "does not fit");
  assertEquals([seen.commits, seen.boxes], [[], []]);
  stranger.close();
});

/** Dana in a room whose server has given her what is no commit in the place of one. */
async function alarmed(
  world: World,
  server: HostileServer,
  line: string,
): Promise<{ ira: Client; known: RoomHead }> {
  const ira = await world.enter("ira");
  const dana = await world.enter("dana", { port: server.port });
  await isIn(ira, "ira,dana");
  await isIn(dana, "ira,dana");
  server.down = (message, name) => {
    const isCommit = name === "dana" && message.type === "ENTRY" && message.kind === entryKinds.commit;
    return [isCommit ? { ...message, bytes: systemRandom(300) } : message];
  };
  ira.view.type(line);
  await warned(dana, "hides or changes something");
  const known = headIn(dana)!;
  await quits(dana);
  server.down = (message) => [message];
  return { ira, known };
}

hostileTest("a stranger's invite lifts no alarm, and costs no stay", async (world, server) => {
  const { known } = await alarmed(world, server, "/kick --return dana");
  const stranger = await RawClient.open(world.port, "erin");
  await stranger.publishPrekey("erin");
  const seed = systemRandom(32);
  const pass = { key: signingKey(seed).publicKey, until: 2 ** 40, name: "" };
  const ahead = {
    ...known,
    epoch: known.epoch + 5,
    commitHash: systemRandom(32),
    roster: [member(erin, 0, 1)],
  };
  const listing = successor(ahead, erin, {
    view: unsigned(60, zeros),
    passes: [pass],
    policy: policies.closed,
  });
  const seen = showsDana(server, known.room, () => listing);
  const pins = { roomId: known.room, inviterId: erin.card.id, pass: { seed, epoch: listing.epoch } };
  const back = await world.join("dana", { port: server.port, pins });
  await told(back, "does not lift the warning");
  assertEquals([seen.commits, seen.asked], [[], []]);
  await until("as it was", () => back.chat.conversation.room !== null);
  assertEquals([stateIn(back).alarm, stateIn(back).status], ["hides", "in"]);
  stranger.close();
});

hostileTest("an invite that was taken back costs no stay either", async (world, server) => {
  const { ira, known } = await alarmed(world, server, "/rekey");
  const pins = await invited(ira, "/invite --pass dana");
  assert(pins.pass!.epoch > known.epoch);
  ira.view.type("/invite --revoke");
  await until("taken back", () => headIn(ira)!.passes.length === 0);
  const error = await (await world.join("dana", { pins })).done;
  assertStringIncludes((error as Error).message, "still"); // she was never put out
  const back = await world.join("dana");
  await until("as it was", () => back.chat.conversation.room !== null);
  assertEquals([stateIn(back).alarm, stateIn(back).status, stateIn(back).isGivenUp ?? false], [
    "hides",
    "in",
    false,
  ]);
});

hostileTest(
  "put out unseen, and the later invite void: she is told, and nothing is given up",
  async (world, server) => {
    const { ira } = await alarmed(world, server, "/kick --return dana");
    await isIn(ira, "ira");
    const pins = await invited(ira, "/invite --pass");
    ira.view.type("/invite --revoke");
    await until("taken back", () => headIn(ira)!.passes.length === 0);
    const error = await (await world.join("dana", { pins })).done;
    assertStringIncludes((error as Error).message, "lets nobody in any more");
  },
);

worldTest("put out with --return, and invited by pass again: in at once", async (world) => {
  const ira = await closed(world);
  await quits(await world.enter("dana", { pins: await invited(ira, "/invite --pass") }));
  await isIn(ira, "ira,dana");
  ira.view.type("/kick --return dana");
  await isIn(ira, "ira");
  const back = await world.enter("dana", { pins: await invited(ira, "/invite --pass dana") });
  await isIn(back, "ira,dana");
}, { limits: { commitEveryMs: 50 } });
