/**
 * Programs of one person that work through the one that holds the profile: over a real socket, with a real server. When
 * the holder ends, or is killed, another takes over, and each line is said once.
 */

import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { FileSource } from "../../lib/client/files/file_source.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { Attachment } from "../../lib/client/attach/attachment.ts";
import { attach, type Attached, HolderTrouble } from "../../lib/client/attach/reach_holder.ts";
import {
  AttachLink,
  attachProtocol,
  type FromGuest,
  type FromHolder,
} from "../../lib/client/attach/attach_messages.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { listenAsHolder, readHolder } from "../../lib/client/attach/holder_file.ts";
import { Holding } from "../../lib/client/attach/holding.ts";
import { LineSource } from "../../lib/client/attach/line_source.ts";
import type { Entered, Said, Typed } from "../../lib/client/chat_view.ts";
import { noStatus } from "../../lib/client/status.ts";
import { takeLines } from "../../lib/client/commands/line_entry.ts";
import { InputHistory } from "../../lib/client/profile/input_history.ts";
import type { Seat } from "../../lib/client/seat.ts";
import { dialTcp } from "../../lib/client/connection/dial.ts";
import { ResumableView } from "../../lib/ui/resumable_view.ts";
import { ScriptedView } from "../fakes/scripted_view.ts";
import { until } from "../fakes/until.ts";
import { type JoinOptions, World, worldTest } from "../fakes/world.ts";

const version = "0.0.test";

interface Held {
  readonly holding: Holding;
  readonly seat: Seat;
  readonly view: ScriptedView;
  readonly dir: string;
  readonly ended: Promise<number | Error>;
}

/** What goes on from elsewhere. */
interface Before {
  readonly view?: ScriptedView;
  readonly lines?: LineSource | ScriptedView;
  readonly resumable?: ResumableView;
}

/** Somebody holds the profile of `name`, and sits there. */
async function hold(
  world: World,
  name: string,
  over: Partial<JoinOptions> = {},
  interactive = true,
  { view = new ScriptedView(interactive), lines = view, resumable = new ResumableView(view) }: Before = {},
): Promise<Held> {
  const profile = await world.profile(name);
  const options = world.options(over, interactive);
  const holding = new Holding({
    profile,
    dir: `${world.dir}/profiles/${name}`,
    typed: new InputHistory(profile.files),
    version,
    pid: 1,
    seams: { clock: systemClock, random: systemRandom },
    dial: () => dialTcp,
  });
  holding.listen((text) => view.warning(text));
  const chat = holding.chat(options, []);
  const seat = chat.seat(resumable, options, { seen: resumable.seen, room: resumable.room });
  const entry = lines instanceof LineSource
    ? { interactive, lines: () => lines.taken(new AbortController().signal) }
    : view;
  takeLines(seat, entry, options);
  void holding.run(chat);
  const ended = seat.ended.catch((error: Error) => error);
  return { holding, seat, view, dir: `${world.dir}/profiles/${name}`, ended };
}

interface Guest {
  readonly view: ScriptedView;
  readonly attachment: Attachment;
  /** The exit code; null when the holder is gone. */
  readonly ended: Promise<number | null | Error>;
}

async function attachTo(
  world: World,
  dir: string,
  over: Partial<JoinOptions> = {},
  {
    interactive = true,
    view = new ScriptedView(interactive),
    lines = new LineSource(view.lines()),
    resumable = new ResumableView(view),
  } = {},
): Promise<Guest> {
  const attached = (await attach(dir, version, systemClock, () => false))!;
  const options = world.options(over, interactive);
  const { message, listen } = options;
  const attachment = new Attachment({
    attached,
    options,
    authorities: [],
    message,
    send: options.send,
    pathOf: (path: string) => `${world.dir}/${path}`.replace(`${world.dir}//`, "/"),
    listen,
    version,
    view: resumable,
    lines: message === null && options.send.length === 0
      ? lines
      : new LineSource((async function* (): AsyncGenerator<Entered> {})()),
    clock: systemClock,
    random: systemRandom,
  });
  return { view, attachment, ended: attachment.run().catch((error: Error) => error) };
}

interface FakeHolder {
  readonly link: AttachLink<FromGuest, FromHolder>;
  readonly messages: AsyncIterator<FromGuest>;
  readonly attached: Attached;
}

/** A holder that says hello, and nothing by itself. */
async function withFakeHolder(act: (holder: FakeHolder) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  const { listener, close } = listenAsHolder(dir, { version, pid: 7 });
  try {
    const attaching = attach(dir, version, systemClock, () => false);
    const link = new AttachLink<FromGuest, FromHolder>(await listener.accept());
    link.send({ t: "hello", version, protocol: attachProtocol, name: "ira", typed: [] });
    await act({ link, messages: link.messages(), attached: (await attaching)! });
    link.close();
  } finally {
    close();
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Waits until `n` messages of a kind have come. */
async function heard(messages: AsyncIterator<FromGuest>, t: FromGuest["t"], n: number): Promise<void> {
  while (n > 0) if ((await messages.next()).value.t === t) n--;
}

function attachmentOf(
  attached: Attached,
  view: ScriptedView,
  over: Partial<JoinOptions> = {},
  clock: Clock = systemClock,
  pathOf = (path: string) => path,
): Attachment {
  return new Attachment({
    attached,
    options: { to: null, ...over } as JoinOptions,
    authorities: [],
    message: null,
    send: [],
    pathOf,
    listen: false,
    version,
    view: new ResumableView(view),
    lines: new LineSource(view.lines()),
    clock,
    random: systemRandom,
  });
}

worldTest(
  "what is not sent leaves no copy, and a copy that cannot be made is told of once",
  async (world) => {
    const first = await hold(world, "ira");
    await first.view.until((e) => e.type === "entered");
    const spool = `${first.dir}/spool`;
    Deno.writeFileSync(`${world.dir}/large`, new Uint8Array(300_000));
    const second = await attachTo(world, first.dir);
    await until("on the screen", () => second.view.room === "lobby");
    second.view.type("/send large");
    await until(
      "refused",
      () => second.view.warnings.some((text) => text.includes("this server takes 100 kB")),
    );
    await until("the copy is gone", () => [...Deno.readDirSync(spool)].length === 0);
    Deno.removeSync(spool);
    Deno.writeTextFileSync(spool, "in the way");
    const before = second.view.warnings.length;
    second.view.type("/send large", "after it");
    await second.view.until((e) => e.type === "message" && e.text === "after it");
    await until("refused", () => second.view.warnings.length > before);
    const told = second.view.warnings.slice(before);
    assertEquals(told.length, 1, told.join("\n"));
    assertMatch(told[0], /^Cannot send ".*large": Cannot .*spool/);
    second.view.end();
    first.view.end();
    await first.ended;
    await first.holding.close();
  },
  { limits: { fileBytes: 100_000 } },
);

worldTest(
  "a file is read where it was meant, and sent as a copy, so that whoever sends it may end",
  async (world) => {
    const sam = await world.enter("sahnawaz", { downloadDir: `${world.dir}/got` });
    const first = await hold(world, "ira");
    await first.view.until((e) => e.type === "entered");
    const content = new Uint8Array(1_000_000).map((_, i) => i * 31 >> 3);
    Deno.writeFileSync(`${world.dir}/my notes.txt`, content);
    const second = await attachTo(world, first.dir);
    await second.view.until((e) => e.type === "entered");
    await until("on the screen", () => second.view.room === "lobby");
    second.view.type("/send my notes.txt");
    await sam.view.until((e) => e.type === "message" && e.file?.name === "my notes.txt");
    sam.view.type("/get");
    await sam.view.until((e) => e.type === "saved");
    assertEquals(Deno.readFileSync(`${world.dir}/got/my notes.txt`), content);
    await until("the copy is gone", () => [...Deno.readDirSync(`${first.dir}/spool`)].length === 0);
    const shot = await attachTo(world, first.dir, { send: [`${world.dir}/my notes.txt`], message: "again" }, {
      interactive: false,
    });
    assertEquals(await shot.ended, 0);
    await sam.view.until((e) => e.type === "message" && e.text === "again" && e.file !== undefined);
    const none = await attachTo(world, first.dir, { send: [`${world.dir}/none`] }, { interactive: false });
    assert(await none.ended instanceof Error);
    second.view.end();
    first.view.end();
    await first.ended;
    await first.holding.close();
  },
);
worldTest("what a guest still copies when it goes is told of, and leaves no copy", async (world) => {
  const first = await hold(world, "ira");
  await first.view.until((e) => e.type === "entered");
  const path = `${world.dir}/large`;
  await Deno.writeFile(path, new Uint8Array(20_000_000));
  const { read } = FileSource.prototype;
  const half = Promise.withResolvers<void>();
  let reads = 0;
  FileSource.prototype.read = async function (into) {
    if (++reads === 10) await half.promise;
    return await read.call(this, into);
  };
  try {
    const second = await attachTo(world, first.dir);
    await until("on the screen", () => second.view.room === "lobby");
    second.view.type(`/send ${path}`);
    await until("it is being copied", () => reads >= 10);
    second.view.type("EXIT");
    // Only once the seat is over may the rest be read.
    await until("told", () => second.view.warnings.length > 0);
    half.resolve();
    assertEquals(await second.ended, 0);
    assertEquals(second.view.warnings, [`Not sent: ${path} was still being copied.`]);
  } finally {
    half.resolve();
    FileSource.prototype.read = read;
  }
  await until("no copy is left", () => [...Deno.readDirSync(`${first.dir}/spool`)].length === 0);
  first.view.end();
  await first.ended;
  await first.holding.close();
});

worldTest("what a guest copies when its input ends is sent", async (world) => {
  const sam = await world.enter("sahnawaz");
  const first = await hold(world, "ira");
  await first.view.until((e) => e.type === "entered");
  const path = `${world.dir}/large.bin`;
  await Deno.writeFile(path, new Uint8Array(5_000_000));
  const second = await attachTo(world, first.dir);
  await until("on the screen", () => second.view.room === "lobby");
  second.view.type(`/send ${path}`);
  second.view.end(); // Ctrl+D
  assertEquals(await second.ended, 0);
  await sam.view.until((e) => e.type === "message" && e.file?.size === 5_000_000);
  first.view.end();
  await first.ended;
  await first.holding.close();
});

test("a guest completes paths, and means folders, as they are where it was started", async () => {
  await withFakeHolder(async ({ link, messages, attached }) => {
    const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
    Deno.writeTextFileSync(`${dir}/notes.txt`, "");
    const view = new ScriptedView(true);
    const pathOf = (path: string) => `${dir}/${path}`;
    const attachment = attachmentOf(attached, view, {}, systemClock, pathOf);
    const ended = attachment.run();
    assertEquals((await attachment.complete("/send no"))?.words, ["notes.txt"]);
    view.type({ wish: "get", id: "00", dir: "there" });
    for (;;) {
      const { value } = await messages.next();
      if (value.t !== "enter") continue;
      assertEquals(value.item.wish?.dir, `${dir}/there`);
      break;
    }
    link.send({ t: "end", code: 0 });
    assertEquals(await ended, 0);
    Deno.removeSync(dir, { recursive: true });
  });
});

worldTest(
  "a second terminal, a pipe, -m and --json work through the first; each has its own room and end",
  async (world) => {
    const sam = await world.enter("sahnawaz");
    const first = await hold(world, "ira");
    await first.view.until((e) => e.type === "entered");
    const second = await attachTo(world, first.dir);
    await second.view.until((e) => e.type === "entered");
    second.view.type("from the second", "/join dev");
    await sam.view.hears("ira: from the second");
    await first.view.hears("ira: from the second");
    await until("the second is in dev", () => second.view.room === "dev");
    assertEquals(first.view.room, "lobby");

    const once = await attachTo(world, first.dir, { message: "once" }, { interactive: false });
    assertEquals(await once.ended, 0);
    await sam.view.hears("ira: once");
    const pipe = await attachTo(world, first.dir, {}, { interactive: false });
    pipe.view.type("one", "two");
    pipe.view.end();
    assertEquals(await pipe.ended, 0);
    await sam.view.hears("ira: two");
    assertEquals(sam.view.said, ["ira: from the second", "ira: once", "ira: one", "ira: two"]);

    const asked = await attachTo(world, first.dir, { message: "for sam alone", to: "sahnawaz" }, {
      interactive: false,
    });
    assertEquals(await asked.ended, 0);
    await sam.view.hears("ira: for sam alone");

    second.view.type("EXIT");
    assertEquals(await second.ended, 0);
    first.view.type("still here");
    await sam.view.hears("ira: still here");
    await first.holding.close();
    assertEquals(
      sam.view.events.filter((e) => e.type === "presence" && !e.here).length <= 1,
      true,
      "no comings and goings",
    );
  },
);

worldTest(
  "--to on a terminal shows the room of the two, also in a second one, and a stranger's name ends it",
  async (world) => {
    const sam = await world.enter("sahnawaz");
    const alone = await world.join("dana", { to: "sahnawaz" });
    await until("the room of two is shown", () => alone.view.room === "@sahnawaz");
    alone.view.type("psst");
    await sam.view.hears("dana: psst");
    const first = await hold(world, "ira");
    await first.view.until((e) => e.type === "entered");
    const second = await attachTo(world, first.dir, { to: "sahnawaz" });
    await until("the room of two is shown", () => second.view.room === "@sahnawaz");
    second.view.type("psst too", "/switch lobby", "for all");
    await sam.view.hears("ira: psst too");
    const heard = await sam.view.until((e) => e.type === "message" && e.text === "for all");
    assertEquals(heard.type === "message" && heard.room, "lobby");
    const stranger = await (await attachTo(world, first.dir, { to: "nobody" })).ended;
    assert(stranger instanceof Error);
    assertStringIncludes(stranger.message, 'There is nobody called "nobody"');
    await first.holding.close();
  },
);

worldTest("what a guest is told: warnings, refusals and exit codes are its own", async (world) => {
  const first = await hold(world, "ira");
  await first.view.until((e) => e.type === "entered");
  const pipe = await attachTo(world, first.dir, {}, { interactive: false });
  pipe.view.type("/nonsense");
  pipe.view.end();
  const ended = await pipe.ended;
  assert(ended instanceof Error);
  assertStringIncludes(ended.message, "One line was not sent");
  assertEquals(first.view.warnings, []);
  assertStringIncludes(pipe.view.warnings[0], "There is no command /nonsense");
  const other = await attachTo(world, first.dir, { expectServer: new Uint8Array(32) }, {
    interactive: false,
  });
  const mismatch = await other.ended;
  assert(mismatch instanceof Error);
  assertStringIncludes(mismatch.message, "The invite does not fit");
  await first.holding.close();
});

worldTest(
  "when the holder ends, guests hear of it at once, and say again under the same ids: each line once",
  async (world) => {
    const sam = await world.enter("sahnawaz");
    const first = await hold(world, "ira");
    await first.view.until((e) => e.type === "entered");
    const view = new ScriptedView(true);
    const lines = new LineSource(view.lines());
    const guest = await attachTo(world, first.dir, {}, { view, lines });
    await view.until((e) => e.type === "entered");
    for (let round = 0; round < 5; round++) view.type(`a ${round}`);
    const closed = first.holding.close();
    for (let round = 0; round < 5; round++) view.type(`b ${round}`);
    await closed;
    assertEquals(await guest.ended, null);
    lines.giveBack(guest.attachment.unfinished);
    const next = await hold(world, "ira");
    const again = await attachTo(world, next.dir, {}, { view, lines });
    await sam.view.hears("ira: b 4");
    const said = sam.view.said.filter((line) => /^ira: [ab] \d$/.test(line));
    assertEquals(
      said.toSorted(),
      [..."01234"].flatMap((n) => [`ira: a ${n}`]).concat([..."01234"].map((n) => `ira: b ${n}`)),
    );
    again.attachment.quit();
    assertEquals(await again.ended, 0);
    await next.holding.close();
  },
);

worldTest(
  "whoever goes on elsewhere is in the room that was on the screen, and lines go where they were typed for",
  async (world) => {
    const sam = await world.enter("sahnawaz");
    sam.view.type("/join dev");
    const first = await hold(world, "ira");
    await first.view.until((e) => e.type === "entered");
    const view = new ScriptedView(true);
    const lines = new LineSource(view.lines());
    const resumable = new ResumableView(view);
    const guest = await attachTo(world, first.dir, {}, { view, lines, resumable });
    view.type("/join dev");
    await view.until((e) => e.type === "entered" && e.room === "dev");
    const closed = first.holding.close();
    view.type("for dev 1", "/me for dev 2");
    await closed;
    assertEquals(await guest.ended, null);
    resumable.resume();
    lines.giveBack(guest.attachment.unfinished);
    view.type("for dev 3");
    // Takes over itself: with the profile in hand.
    const next = await hold(world, "ira", {}, true, { view, lines, resumable });
    const isAll = () => [1, 2, 3].every((n) => sam.view.said.some((line) => line.endsWith(`for dev ${n}`)));
    await until("all are said", isAll, {
      instead: () => JSON.stringify([sam.view.said, view.warnings, view.notices, view.room]),
    });
    assertEquals(view.room, "dev");
    const rooms = sam.view.events.flatMap((e) =>
      e.type === "message" && e.text.startsWith("for dev") ? [`${e.room} ${e.text}`] : []
    );
    assertEquals(rooms, [1, 2, 3].map((n) => `dev for dev ${n}`));
    await next.holding.close();
  },
);

worldTest(
  "a line said at one terminal does not stand as unsent at another, which looks elsewhere",
  async (world) => {
    const sam = await world.enter("sahnawaz");
    const own = new ScriptedView(true);
    own.holds = true;
    const first = await hold(world, "ira", {}, true, { view: own });
    await first.view.until((e) => e.type === "entered");
    const view = new ScriptedView(true);
    view.holds = true;
    const second = await attachTo(world, first.dir, {}, { view });
    await view.until((e) => e.type === "entered");
    view.type("/query sahnawaz");
    await until("the room of two is shown", () => view.room === "@sahnawaz");
    view.type("psst");
    await sam.view.hears("ira: psst");
    await view.hears("ira: psst");
    first.view.type("/msg sahnawaz from the first");
    await first.view.hears("ira: from the first");
    await view.hears("ira: from the first");
    for (const each of [first.view, view]) {
      const done = new Set(each.events.flatMap((e) => e.type === "message" ? [e.msgId] : []));
      const open = each.events.filter((e) => e.type === "pending" && !done.has(e.msgId));
      assertEquals(open, []);
    }
    second.attachment.quit();
    await first.holding.close();
  },
);

worldTest("what a guest types ahead after a command goes where the command leads", async (world) => {
  const sam = await world.enter("sahnawaz");
  const first = await hold(world, "ira");
  await first.view.until((e) => e.type === "entered");
  const pipe = await attachTo(world, first.dir, {}, { interactive: false });
  pipe.view.type("/query sahnawaz", "for sam alone", "/switch lobby", "for all", "/msg sahnawaz alone again");
  pipe.view.end();
  assertEquals(await pipe.ended, 0);
  await sam.view.hears("ira: alone again");
  const rooms = sam.view.events.flatMap((e) => e.type === "message" ? [`${e.room} ${e.text}`] : []);
  assertEquals(rooms.toSorted(), ["@ira alone again", "@ira for sam alone", "lobby for all"]);
  await first.holding.close();
});

test("what a program says to one person is given back for that person, whatever room was shown", async () => {
  await withFakeHolder(async ({ link, messages, attached }) => {
    const view = new ScriptedView(false);
    const attachment = attachmentOf(attached, view, { to: "sahnawaz" });
    const ended = attachment.run();
    link.send({ t: "status", status: { ...noStatus, room: "lobby" } });
    await until("lobby is shown", () => view.room === "lobby");
    view.type({ texts: ["for sam alone"] }, { texts: ["for dev"], room: "dev" });
    await heard(messages, "enter", 2);
    link.close();
    assertEquals(await ended, null);
    const again = attachment.unfinished as Said[];
    assertEquals(again.map(({ texts, room }) => [texts[0], room]), [
      ["for sam alone", undefined],
      ["for dev", "dev"],
    ]);
  });
});

worldTest("a holder that does not understand a guest tells it, and the guest ends", async (world) => {
  const first = await hold(world, "ira");
  await first.view.until((e) => e.type === "entered");
  const guest = await attachTo(world, first.dir, { joinTimeoutMs: NaN }, { interactive: false });
  const ended = await guest.ended;
  assert(ended instanceof Error);
  assertStringIncludes(ended.message, "does not understand");
  const odd = await attachTo(world, first.dir, { joinTimeoutMs: 2009.9999999999998, message: "hi" }, {
    interactive: false,
  });
  assertEquals(await odd.ended, 0);
  const all = { days: Infinity, isPersons: false };
  const kept = await attachTo(world, first.dir, { history: all, message: "kept" }, { interactive: false });
  assertEquals(await kept.ended, 0);
  await first.holding.close();
});

test("a program's EXIT is carried out by whoever takes over: nothing is lost with exit code 0", async () => {
  await withFakeHolder(async ({ link, messages, attached }) => {
    const view = new ScriptedView(false);
    const attachment = attachmentOf(attached, view);
    const ended = attachment.run();
    view.type("must not vanish", "EXIT");
    await heard(messages, "enter", 2);
    link.close();
    assertEquals(await ended, null);
    const left = attachment.unfinished as Typed[];
    assertEquals(left.map(({ line }) => line), ["must not vanish", "EXIT"]);
  });
});

worldTest("who takes over while the server is away waits for it, and may leave", async (world) => {
  const first = await hold(world, "ira");
  await first.view.until((e) => e.type === "entered");
  const view = new ScriptedView(true);
  const resumable = new ResumableView(view);
  const lines = new LineSource(view.lines());
  const guest = await attachTo(world, first.dir, {}, { view, lines, resumable });
  await view.until((e) => e.type === "entered");
  await world.server.stop();
  await first.holding.close();
  assertEquals(await guest.ended, null);
  resumable.resume();
  view.type("words");
  const next = await hold(world, "ira", {}, true, { view, lines, resumable });
  await until("it tries again", () => view.warnings.some((text) => text.includes("Nothing answers")));
  view.type("/help");
  await until("commands are obeyed", () => view.answers.some((line) => line.startsWith("/help")));
  view.type("/quit");
  assertEquals(await next.ended, 0);
  assertStringIncludes(view.warnings.join("\n"), "Not sent: words");
  await next.holding.close();
});

worldTest("a guest of a key-file room says nothing in the room of another key", async (world) => {
  const one = new Uint8Array(32).fill(1) as Uint8Array<ArrayBuffer>;
  const two = new Uint8Array(32).fill(2) as Uint8Array<ArrayBuffer>;
  const sam = await world.enter("sahnawaz", { fernetKey: one });
  const dana = await world.enter("dana", { fernetKey: two });
  const first = await hold(world, "ira", { fernetKey: one });
  await first.view.until((e) => e.type === "entered");
  const other = await attachTo(world, first.dir, { fernetKey: two, message: "for two" }, {
    interactive: false,
  });
  assertEquals(await other.ended, 0);
  await dana.view.hears("ira: for two");
  first.view.type("for one");
  await sam.view.hears("ira: for one");
  assertEquals(sam.view.said, ["ira: for one"]);
  await first.holding.close();
});

worldTest("nothing that comes over the socket ends the holder, or anybody but its sender", async (world) => {
  const first = await hold(world, "ira");
  await first.view.until((e) => e.type === "entered");
  const { socket } = readHolder(first.dir)!;
  const hello = {
    t: "hello",
    version,
    protocol: attachProtocol,
    options: world.options(),
    authorities: [],
    listen: false,
    seen: {},
    room: null,
    view: { interactive: true, holds: false, isBlind: false },
  };
  const { options: _, ...noOptions } = hello;
  const bad: unknown[] = [
    "hello",
    { t: "constructor" },
    noOptions,
    { ...hello, options: { ...hello.options, port: "9443" } },
    { ...hello, options: { ...hello.options, room: "\u202e" } },
    [hello, { t: "enter", item: { n: 1, line: "x", room: null, msgIds: [] } }],
    [hello, { t: "enter", item: { n: 1, said: { texts: [1] }, room: null, msgIds: [new Uint8Array(16)] } }],
    [hello, { t: "remember", line: 5 }],
  ];
  for (const messages of bad) {
    const link = new AttachLink<FromHolder, FromGuest>(
      await Deno.connect({ transport: "unix", path: socket }),
    );
    for (const message of [messages].flat()) link.send(message as FromGuest);
    for await (const _answer of link.messages());
    link.close();
  }
  const raw = await Deno.connect({ transport: "unix", path: socket });
  await raw.write(crypto.getRandomValues(new Uint8Array(64)));
  raw.close();
  const guest = await attachTo(world, first.dir, { message: "still there" }, { interactive: false });
  assertEquals(await guest.ended, 0);
  await first.view.hears("ira: still there");
  await first.holding.close();
});

worldTest(
  "an invite for another server is refused, also where the connection comes after it",
  async (world) => {
    const first = await hold(world, "ira", { expectServer: null });
    const late = await attachTo(world, first.dir, {
      expectServer: new Uint8Array(32) as Uint8Array<ArrayBuffer>,
    }, {
      interactive: false,
    });
    const ended = await late.ended;
    assert(ended instanceof Error);
    assertStringIncludes(ended.message, "The invite does not fit");
    await first.view.until((e) => e.type === "entered");
    await first.holding.close();
  },
);

test("a guest can go while its holder is stopped: after 3 s, or when asked twice; what is open is told", async () => {
  for (const times of [1, 2]) {
    await withFakeHolder(async ({ messages, attached }) => {
      const clock = new FakeClock();
      const view = new ScriptedView(true);
      const attachment = attachmentOf(attached, view, {}, clock);
      const ended = attachment.run();
      view.type("waits");
      await heard(messages, "enter", 1);
      for (let i = 0; i < times; i++) attachment.quit();
      if (times === 1) await clock.advance(3_000);
      assertEquals(await ended, 0);
      assertStringIncludes(view.warnings.join(), "One line may not have been sent");
    });
  }
});

worldTest(
  "two servers: one chat for each, /servers tells which; two addresses of one server are told as such",
  async (world) => {
    const other = await World.open({ identity: "dana" });
    try {
      const first = await hold(world, "ira");
      await first.view.until((e) => e.type === "entered");
      const there = await attachTo(world, first.dir, { port: other.port, acceptNew: true });
      await there.view.until((e) => e.type === "entered");
      there.view.type("/servers");
      await until("told", () => there.view.answers.length === 2);
      assertStringIncludes(there.view.answers.join("\n"), `127.0.0.1:${world.port}`);
      assertEquals(there.view.answers.filter((line) => line.endsWith("this one")).length, 1);
      const twice = await attachTo(world, first.dir, { host: "localhost" }, { interactive: false });
      const ended = await twice.ended;
      assert(ended instanceof Error);
      assertStringIncludes(ended.message, `the server that you are at as 127.0.0.1:${world.port} already`);
      there.view.type("EXIT");
      assertEquals(await there.ended, 0);
      await first.holding.close();
    } finally {
      await other.close();
    }
  },
);

worldTest(
  "-m leaves what it has not shown for whoever reads: alone, and with more than a screen waits for",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    sam.view.type("EXIT");
    await sam.done;
    for (let i = 0; i < 250; i++) ira.view.type(`missed ${i}`);
    await ira.view.hears("ira: missed 249");
    const job = await world.join("sahnawaz", { message: "deploy done" }, false, true);
    assertEquals(await job.done, 0);
    await ira.view.hears("sahnawaz: deploy done");
    const back = await world.enter("sahnawaz");
    await back.view.hears("ira: missed 249");
    assertEquals(back.view.said.filter((line) => line.startsWith("ira: missed")).length, 250);
  },
  { limits: { sendBurst: 1000, sendsPerSecond: 1000 } },
);

test("the socket is 0600 in the profile; one whose path is too long goes into a private folder that the profile names", () => {
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  try {
    for (const profile of [dir, `${dir}/${"x".repeat(100)}`]) {
      Deno.mkdirSync(profile, { recursive: true, mode: 0o700 });
      const { listener, close } = listenAsHolder(profile, { version, pid: 7 });
      const holder = readHolder(profile)!;
      assertEquals([holder.version, holder.pid], [version, 7]);
      assertEquals(Deno.statSync(holder.socket).mode! & 0o777, 0o600);
      const folder = holder.socket.replace(/\/socket$/, "");
      assertEquals(Deno.statSync(folder).mode! & 0o777, 0o700);
      assertEquals(folder === profile, profile === dir);
      assert(holder.socket.length <= 100);
      assertEquals((listener.addr as Deno.UnixAddr).path, holder.socket);
      // As if it had been killed: the next one takes the place.
      listener.close();
      const next = listenAsHolder(profile, { version, pid: 8 });
      assertEquals(readHolder(profile)!.pid, 8);
      next.close();
      assertEquals(readHolder(profile), null);
      try {
        close();
      } catch {
        // Closed above.
      }
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
test("a holder that does not answer, is of another version, or is gone, is told as such", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  try {
    Deno.chmodSync(dir, 0o700);
    const { close } = listenAsHolder(dir, { version, pid: 7 }); // nobody accepts
    const silent = await assertRejects(() => attach(dir, version, systemClock, () => false), HolderTrouble);
    assertStringIncludes(silent.message, "another chat (process 7), which does not answer");
    assertStringIncludes(silent.hint, "Ctrl+Z");
    const other = await assertRejects(() => attach(dir, "9.9", systemClock, () => false), HolderTrouble);
    assertStringIncludes(other.message, `held by chat ${version} (process 7), and this is chat 9.9`);
    close();
    assertEquals(await attach(dir, version, systemClock, () => true), null);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
test("lines that nobody has taken wait for the next taker, and what is given back comes first", async () => {
  const view = new ScriptedView(true);
  const source = new LineSource(view.lines());
  const first = new AbortController();
  const taken: Entered[] = [];
  const taking = (async () => {
    for await (const entered of source.taken(first.signal)) taken.push(entered);
  })();
  view.type("one");
  await until("taken", () => taken.length === 1);
  first.abort();
  await taking;
  view.type("two");
  source.giveBack(["one again"]);
  view.end();
  const rest: Entered[] = [];
  for await (const entered of source.taken(new AbortController().signal)) rest.push(entered);
  assertEquals(rest, ["one again", "two"]);
});
