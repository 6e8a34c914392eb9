/** Property 14, 16 and more of protocol §1: what a server that lies can do, with real clients on real sockets. */

import { sampled, seed, times } from "../fakes/sampled.ts";
import { test } from "../fakes/test.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { makeCard } from "../../lib/protocol/identity/card.ts";
import { errorCodes, type LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { type BentLog, generousLimits, HostileServer, hostileTest } from "../fakes/hostile_server.ts";
import { person } from "../fakes/people.ts";
import { type Client, headIn, inWorld, type World, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";
import fc from "fast-check";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";

const forked = (...clients: Client[]) =>
  clients.some(({ view }) =>
    view.warnings.some((text) =>
      /signed two histories|broke the protocol|another one stands|hides or changes/.test(text)
    )
  );

hostileTest("the relay itself changes nothing: an honest run warns of nothing", async (world, server) => {
  const ira = await world.enter("ira", { port: server.port });
  const sam = await world.enter("sahnawaz", { port: server.port });
  ira.view.type("hi");
  await sam.view.hears("ira: hi");
  sam.view.type("hello");
  await ira.view.hears("sahnawaz: hello");
  server.cut("sahnawaz");
  ira.view.type("again");
  await sam.view.hears("ira: again");
  const alarms = [...ira.view.warnings, ...sam.view.warnings].filter((text) => !/cut/.test(text));
  assertEquals(alarms, []);
});

for (const what of ["drop", "duplicate", "swap"] as const) {
  for (const speaker of ["the one who was lied to", "the other"] as const) {
    // Who has seen more than there is cannot be carried on by a server that checks views, as the real one does.
    if (what === "duplicate" && speaker !== "the other") continue;
    hostileTest(
      `property 16: ${what}, then ${speaker} speaks: the next crossing message warns, and sending stops`,
      async (world, server) => {
        const { sahnawaz: log } = server.bends("sahnawaz");
        const ira = await world.enter("ira", { port: server.port });
        const sam = await world.enter("sahnawaz", { port: server.port });
        log.next = what;
        ira.view.type("one", "two");
        await until("lied", () => log.done > 0);
        await ira.view.hears("ira: two");
        if (what !== "swap") await sam.view.hears("ira: two");
        else await until("swapped", () => sam.view.warnings.length > 0);
        if (speaker === "the other") ira.view.type("three");
        else sam.view.type("three");
        await until("a warning", () => forked(ira, sam));
        const warned = [ira, sam].find((client) => forked(client))!;
        if (warned.view.promptText.includes("sending stopped")) {
          const before = world.server.rooms.all()[0].last;
          warned.view.type("not sent");
          await until("told", () => warned.view.warnings.some((text) => text.includes("the line is kept")));
          assertEquals(world.server.rooms.all()[0].last, before);
          if (what === "duplicate") return;
          warned.view.type("/retry");
          // What no honest server stores is an alarm that the person's word does not lift.
          if (warned.view.warnings.some((text) => text.includes("hides or changes"))) {
            warned.view.type("still not sent");
            const told = () =>
              warned.view.warnings.filter((text) => text.includes("the line is kept")).length;
            await until("told again", () => told() === 2);
            return assertEquals(world.server.rooms.all()[0].last, before);
          }
          await until("sent after the person's word", () => world.server.rooms.all()[0].last > before);
        }
      },
    );
  }
}

hostileTest(
  "property 16: two members who are shown two histories find out when they meet",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    const sam = await world.enter("sahnawaz", { port: server.port });
    const bent = server.bends("ira", "sahnawaz");
    bent.sahnawaz.next = "drop";
    ira.view.type("only for ira");
    await until("split", () => bent.sahnawaz.done === 1);
    bent.ira.next = "drop";
    sam.view.type("only for sam");
    await until("split", () => bent.ira.done === 1 || forked(ira, sam));
    // What follows shows what its author had seen by then: her own line among it.
    await until("seen", () => sam.view.said.includes("sahnawaz: only for sam") || forked(ira, sam));
    if (!forked(ira, sam)) sam.view.type("hello?");
    await until("a warning", () => forked(ira, sam));
  },
);

const tampering = fc.array(
  fc.record({
    who: fc.constantFrom("ira", "sahnawaz"),
    what: fc.constantFrom("nothing" as const, "drop" as const, "duplicate" as const, "swap" as const),
    victim: fc.constantFrom("ira", "sahnawaz", "dana"),
  }),
  { minLength: 2, maxLength: 5 },
);

test({
  name: `property 16: random lies to random members end in a warning after a crossing message (${sampled})`,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    fc.assert(
      fc.asyncProperty(
        tampering,
        (steps) => inWorld((world) => lieAtRandom(world, steps), { limits: generousLimits }),
      ),
      { numRuns: times(4, 100), seed, endOnFailure: true },
    ),
  boundMs: times(120_000, 3_600_000),
});

async function lieAtRandom(world: World, steps: { who: string; what: BentLog["next"]; victim: string }[]) {
  const server = new HostileServer(world);
  const people: Record<string, Client> = {};
  for (const name of ["ira", "sahnawaz", "dana"]) {
    people[name] = await world.enter(name, { port: server.port });
  }
  const bent: Record<string, BentLog> = server.bends("ira", "sahnawaz", "dana");
  const all = Object.values(people);
  for (const [i, { who, what, victim }] of steps.entries()) {
    if (who !== victim) bent[victim].next = what;
    people[who].view.type(`${i}`);
    // Whoever has been shown too much is refused by a server that checks views, as the real one does.
    const { view } = people[who];
    const decided = () =>
      view.said.includes(`${who}: ${i}`) || view.events.some((e) => e.type === "failed") ||
      view.warnings.some((text) => text.includes("refused a change"));
    await until("said, refused or noticed", () => decided() || forked(...all));
  }
  // Crossing messages in each direction, one after the other: a view covers what its author had seen by then.
  for (const log of Object.values(bent)) log.next = "nothing";
  for (const round of [1, 2]) {
    for (const [name, { view }] of Object.entries(people)) {
      const before = view.events.filter((e) => e.type === "failed").length;
      view.type(`crossing ${round}`);
      const refused = () =>
        view.events.filter((e) => e.type === "failed").length > before ||
        view.warnings.some((text) => text.includes("refused a change"));
      const said = () => view.said.includes(`${name}: crossing ${round}`);
      await until("said, refused or noticed", () => said() || refused() || forked(...all));
    }
  }
  const lies = Object.values(bent).reduce((sum, log) => sum + log.done, 0);
  const crossed = () =>
    all.every(({ view }) => view.said.filter((line) => line.includes("crossing")).length === 6);
  await until("all is said, or noticed", () => forked(...all) || (lies === 0 && crossed()));
  assertEquals(forked(...all), lies > 0);
  server.close();
}

hostileTest("everything is held back for a while, then delivered: nothing warns", async (world, server) => {
  const ira = await world.enter("ira", { port: server.port });
  const sam = await world.enter("sahnawaz", { port: server.port });
  const held: LinkMessage[] = [];
  server.down = (message, name) => {
    if (name !== "sahnawaz") return [message];
    held.push(message);
    return [];
  };
  ira.view.type("one", "two", "three");
  await ira.view.hears("ira: three");
  sam.view.type("from sam");
  await ira.view.hears("sahnawaz: from sam");
  server.down = (message) => [message];
  server.tell("sahnawaz", ...held);
  await sam.view.hears("sahnawaz: from sam");
  assertEquals(sam.view.said, ["ira: one", "ira: two", "ira: three", "sahnawaz: from sam"]);
  assertEquals([...ira.view.warnings, ...sam.view.warnings], []);
});

hostileTest(
  "property 18: a withheld box leaves an epoch unreadable, is told, and one refresh mends it",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    const sam = await world.enter("sahnawaz", { port: server.port });
    server.up = (message, name) => {
      if (name !== "sahnawaz" || message.type !== "BOX_GET") return [message];
      server.tell(name, { type: "ERROR", ref: message.ref, code: errorCodes.NOT_FOUND });
      return [];
    };
    ira.view.type("/rekey");
    await until("mended", () => headIn(sam)!.epoch === 3 && headIn(ira)!.epoch === 3);
    ira.view.type("readable again");
    await sam.view.hears("ira: readable again");
    const told = "ira's commit left you without a key: the server does not give it.";
    assertEquals([...ira.view.warnings, ...sam.view.warnings], [told]);
  },
);

hostileTest(
  "property 14: a user whom the server invents is shown in an open room before anything is sealed to it",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    const ghost = await world.enter("mallory");
    const added = await ira.view.until((e) => e.type === "added" && e.who === "mallory");
    assertEquals(added.type === "added" && [added.by, added.verified], ["ira", false]);
    ira.view.type("said in view of it");
    await ghost.view.hears("ira: said in view of it");
  },
);

hostileTest(
  "property 14: a closed room is not entered by an invented user, whatever the server asks",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    const sam = await world.enter("sahnawaz", { port: server.port });
    ira.view.type("/close");
    await until("closed", () => headIn(sam)?.policy === 1);
    const ghost = await world.enter("mallory", { room: "elsewhere" });
    const room = headIn(ira)!.room;
    for (const name of ["ira", "sahnawaz"]) {
      server.tell(name, {
        type: "ADMIT",
        room,
        ids: [ghost.profile.card.id],
      });
    }
    ira.view.type("still among us");
    await sam.view.hears("ira: still among us");
    sam.view.type("and among us two only");
    await ira.view.hears("sahnawaz: and among us two only");
    assertEquals(headIn(ira)!.roster.length, 2);
  },
);

hostileTest(
  "rooms without end end no link: a thousand are followed, the rest is told of once",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    const sam = await world.enter("sahnawaz");
    const rest = { kind: 1, policy: 1, flags: 1, last: 5, start: 0, startHash: new Uint8Array(32) };
    for (let i = 0; i < 1100; i++) {
      const room = new Uint8Array(32).fill(7);
      new DataView(room.buffer).setUint32(0, i);
      server.tell("ira", { type: "ROOM_INFO", ref: 0, room, ...rest, name: new Uint8Array(0) });
      if (i > 1090) server.tell("ira", { type: "PRESENCE", room, what: 1, ids: [] });
    }
    sam.view.type("do you still hear me?");
    await ira.view.hears("sahnawaz: do you still hear me?");
    ira.view.type("I do");
    await sam.view.hears("ira: I do");
    const told = ira.view.warnings.filter((text) => /more than 1000 rooms/.test(text));
    assertEquals([told.length, ira.view.warnings.length], [1, 1]);
  },
);

hostileTest(
  "property 14: in a room with a key file an invented user reads nothing, though it is let in",
  async (world, server) => {
    const key = systemRandom(32);
    const ira = await world.enter("ira", { port: server.port, roomKey: key });
    const ghost = await world.join("mallory", { roomKey: systemRandom(32) });
    await ira.view.until((e) => e.type === "added" && e.who === "mallory");
    assertMatch(String(await ghost.done), /does not fit/);
    ira.view.type("closed to it");
    await ira.view.hears("ira: closed to it");
    assertEquals(ghost.view.said, []);
  },
);

hostileTest(
  "a server that is rolled back to an old copy is noticed, and sending stops",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    ira.view.type("early");
    await ira.view.hears("ira: early");
    ira.view.type("EXIT");
    await ira.done;
    await world.server.stop();
    const old = await Deno.readFile(world.storePath);
    await world.startServer();
    const later = await world.enter("ira", { port: server.port });
    later.view.type("late");
    await later.view.hears("ira: late");
    later.view.type("EXIT");
    await later.done;
    await world.server.stop();
    await Deno.writeFile(world.storePath, old);
    await world.startServer();
    const again = await world.join("ira", { port: server.port });
    await until("warned", () => again.view.warnings.some((text) => text.includes("lost or hides history")));
    await until("stopped", () => again.view.promptText.includes("sending stopped"));
    const last = world.server.rooms.all()[0].last;
    again.view.type("into the void");
    await until("told", () => again.view.warnings.some((text) => text.includes("the line is kept")));
    assertEquals(world.server.rooms.all()[0].last, last);
  },
);

worldTest(
  "a restored server, by its operator's book: the alarm once, and /retry begins anew, with nobody accused",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    ira.view.type("early");
    await sam.view.hears("ira: early");
    for (const { view, done } of [ira, sam]) {
      view.type("EXIT");
      await done;
    }
    await world.server.stop();
    const old = await Deno.readFile(world.storePath);
    await world.startServer();
    const later = await world.enter("ira");
    later.view.type("late");
    await later.view.hears("ira: late");
    await world.server.stop();
    // The disk was lost; the operator has a copy, and says so.
    await Deno.writeFile(world.storePath, old);
    const store = new SqliteStore(world.storePath, systemRandom);
    store.beginAnew(systemRandom(16));
    store.close();
    await world.startServer();
    await until("told", () => later.view.warnings.some((text) => text.includes("has lost its data")));
    later.view.type("into the void");
    await until("kept", () => later.view.warnings.some((text) => text.includes("the line is kept")));
    later.view.type("/retry");
    await later.view.hears("ira: into the void");
    const back = await world.join("sahnawaz");
    await until("told", () => back.view.warnings.some((text) => text.includes("has lost its data")));
    back.view.type("/retry");
    await back.view.until((event) => event.type === "entered" && event.members.includes("ira"));
    back.view.type("here again");
    await later.view.hears("sahnawaz: here again");
    const accused = [later, back].flatMap(({ view }) => view.warnings).filter((text) =>
      /two histories|hides or changes|claims to have seen|broke the protocol/.test(text)
    );
    assertEquals(accused, []);
  },
);

hostileTest(
  "a lie about a name shows when the true one comes: a changed key, and the room waits",
  async (world, server) => {
    const { identity } = await person("mallory");
    const lie = makeCard(identity, 1, "dana", 1_700_000_000);
    server.up = (message, name) => {
      if (message.type !== "NAME_GET") return [message];
      server.tell(name, { type: "CARD", ref: message.ref, cards: [lie] });
      return [];
    };
    const ira = await world.enter("ira", { port: server.port });
    ira.view.type("/whois dana");
    await until("answered", () => ira.view.answers.some((line) => line === "dana"));
    assertStringIncludes(ira.view.answers.join("\n"), 'no; "/verify dana"');
    const dana = await world.join("dana", { port: server.port });
    await until("warned", () => ira.view.warnings.some((text) => text.includes("wants to join as dana")));
    assertEquals(headIn(ira)!.roster.length, 1);
    dana.chat.quit();
  },
);

hostileTest(
  "an answer, notice or entry of the server's own making cannot pass for a member's words",
  async (world, server) => {
    const ira = await world.enter("ira", { port: server.port });
    const sam = await world.enter("sahnawaz", { port: server.port });
    sam.view.type("true");
    await ira.view.hears("sahnawaz: true");
    const room = headIn(ira)!.room;
    const { last } = world.server.rooms.all()[0];
    const forged = systemRandom(400);
    server.tell("ira", { type: "NOTICE", text: "sahnawaz: forged\n2026-11-21 09:00:00 sahnawaz: forged" });
    await until(
      "shown as the operator's",
      () => ira.view.notices.some((text) => text.startsWith("The server says: ")),
    );
    server.tell("ira", { type: "ENTRY", room, pos: last + 1, time: 1, kind: 2, address: "", bytes: forged });
    await until(
      "noticed",
      () => ira.view.warnings.some((text) => text.includes("an entry that is no message")),
    );
    assertEquals(ira.view.said, ["sahnawaz: true"]);
  },
);
