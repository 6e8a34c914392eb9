import { test } from "../fakes/test.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { handshakeFailures, type ServerEvent } from "../../lib/server/events.ts";
import { Log, type LogLevel } from "../../lib/server/operator/log.ts";
import { Tally } from "../../lib/server/tally.ts";
import { ChatError } from "../../lib/errors.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const id = new Uint8Array(32).fill(0xab);
const roomId = new Uint8Array(32).fill(0xcd);
const remote = "192.0.2.7:5555";
const session = "1f0c9a2b";
const fault = new TypeError("a secret text");
fault.stack = "TypeError: a secret text\n  at ab\n    at say (file:///log.ts:1:2)\n    at file:///x.ts:3:4"
  .replace("\n  at ab", "");

const events: [ServerEvent, LogLevel, string, Record<string, string | number>][] = [
  [{ type: "connected", name: "ira", id, session, local: "127.0.0.1:9443", remote }, "info", "connected", {
    session,
    who: "abababab",
  }],
  [{ type: "handshake done" }, "debug", "handshake-done", {}],
  ...handshakeFailures.map((
    why,
  ): typeof events[number] => [{ type: "handshake failed", why, remote }, "info", "handshake-failed", {
    why,
  }]),
  [{ type: "turned away", why: "pending", remote }, "info", "turned-away", { why: "pending" }],
  [{ type: "refused", name: "ira", id, why: "name taken", remote }, "info", "refused", {
    who: "abababab",
    why: "name taken",
  }],
  [{ type: "joined room", name: "ira", id, room: "lobby", roomId }, "info", "joined-room", {
    who: "abababab",
    room: "cdcdcdcd",
  }],
  [{ type: "exchanged", timeMs: 1, bytes: 486, roomId }, "debug", "message", {
    room: "cdcdcdcd",
    bytes: 486,
  }],
  [{ type: "limited", what: "max-rooms", id }, "info", "limited", { who: "abababab", what: "max-rooms" }],
  [
    { type: "left", name: "ira", id, session, end: { how: "closed", reason: 8 }, received: 10, sent: 20 },
    "info",
    "left",
    { session, who: "abababab", how: "closed", reason: "tooSlow", received: 10, sent: 20 },
  ],
  [{ type: "flushed", ms: 1.23456, writes: 3 }, "debug", "flushed", { ms: 1.235, writes: 3 }],
  [{ type: "store failed", error: new ChatError('Cannot write "x": full') }, "error", "store-failed", {
    message: 'Cannot write "x": full',
  }],
  [{ type: "bug", error: fault }, "error", "fault", {
    kind: "TypeError",
    at: "say (file:///log.ts:1:2) < file:///x.ts:3:4",
  }],
];

for (const [event, level, name, fields] of events) {
  test(`the log tells "${event.type}" ${"why" in event ? `(${event.why}) ` : ""}in numbers and prefixes, nothing else`, () => {
    const lines: string[] = [];
    const options = { format: "json", level: "debug", addresses: false, clock: new FakeClock() } as const;
    new Log((line) => void lines.push(line), options).tell(event);
    assertEquals(lines.length, 1);
    const { time, ...rest } = JSON.parse(lines[0]);
    assertEquals(rest, { level, event: name, ...fields });
    assertEquals(new Date(time).getTime(), options.clock.now());
    for (const secret of ["ira", "lobby", "192.0.2.7", "a secret text", "ab".repeat(5)]) {
      assertEquals(lines[0].includes(secret), false, secret);
    }
  });
}
test("a line of text is time, level, event and fields, quoted where they need it; addresses when asked for", () => {
  const lines: string[] = [];
  const options = { format: "text", level: "info", addresses: true, clock: new FakeClock() } as const;
  const log = new Log((line) => void lines.push(line), options);
  for (const [event] of events) log.tell(event);
  const time = new Date(options.clock.now()).toISOString();
  assertEquals(lines[0], `${time} info connected session=1f0c9a2b who=abababab address=192.0.2.7:5555\n`);
  assertStringIncludes(lines.join(""), `info refused who=abababab why="name taken" address=192.0.2.7:5555\n`);
  assertEquals(lines.some((line) => line.includes(" debug ")), false);
});
for (
  const [level, least] of [["error", ["error"]], ["warn", ["error", "warn"]], ["info", [
    "error",
    "warn",
    "info",
  ]]] as const
) {
  test(`--log-level ${level} writes ${least.join(" and ")}`, () => {
    const lines: string[] = [];
    const log = new Log((line) => void lines.push(line), {
      format: "json",
      level,
      addresses: false,
      clock: new FakeClock(),
    });
    for (const each of ["error", "warn", "info", "debug"] as const) log.say(each, "x");
    assertEquals(lines.map((line) => JSON.parse(line).level), [...least]);
  });
}
test("the tally counts every kind of event once", () => {
  const tally = new Tally();
  for (const [event] of events) tally.tell(event);
  assertEquals([tally.connected, tally.messages, tally.messageBytes, tally.limited["max-rooms"]], [
    1,
    1,
    486,
    1,
  ]);
  assertEquals(Object.values(tally.handshakesFailed), handshakeFailures.map(() => 1));
  assertEquals([tally.turnedAway.pending, tally.refused, tally.dropped.slow], [1, 1, 1]);
  assertEquals([tally.received, tally.sent, tally.flushes, tally.storeFailures, tally.bugs], [
    10,
    20,
    1,
    1,
    1,
  ]);
});
test("a flood is written as 20 lines of a kind a second, and then how many were left out", () => {
  const lines: string[] = [];
  const clock = new FakeClock();
  const log = new Log((line) => void lines.push(line), {
    format: "json",
    level: "info",
    addresses: false,
    clock,
  });
  for (let i = 0; i < 5000; i++) log.tell({ type: "turned away", why: "pending", remote });
  log.tell({ type: "accounts back" });
  assertEquals(lines.length, 21);
  clock.advance(1000);
  log.tell({ type: "turned away", why: "pending", remote });
  const { event, of, lines: left } = JSON.parse(lines[21]);
  assertEquals([event, of, left, lines.length], ["left-out", "turned-away", 4980, 23]);
});
