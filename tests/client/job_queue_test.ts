/** A long catch-up takes turns with everything else, and what it has come to is stored now and then. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { Backlog } from "../../lib/client/rooms/backlog.ts";
import { JobQueue } from "../../lib/client/rooms/job_queue.ts";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

function queue(msPerMessage: number, inTurn: (turn: number) => void) {
  const done: string[] = [];
  let now = 0, turn = 0;
  const owner = {
    handle(message: LinkMessage) {
      now += msPerMessage;
      done.push(message.type === "PING" ? `${message.any}` : "");
      return Promise.resolve();
    },
    settle: () => (done.push("settled"), Promise.resolve()),
    failed: () => {},
    flush: () => void done.push("stored"),
    done: () => {},
  };
  const turns = {
    now: () => now,
    next: () => {
      done.push("turn");
      inTurn(++turn);
      return Promise.resolve();
    },
  };
  const jobs = new JobQueue(owner, new FakeClock(), new Backlog(), turns);
  jobs.linked();
  return { jobs, done };
}

function message(any: number): LinkMessage {
  return { type: "PING", any };
}

test("a line that is typed during a catch-up is stored after a turn, before the rest is handled", async () => {
  const { jobs, done } = queue(5, (turn) => turn === 2 && jobs.schedule());
  for (let n = 0; n < 12; n++) jobs.add(message(n));
  await jobs.settled;
  assertEquals(done.join(" "), "0 1 2 3 turn 4 5 6 7 turn stored 8 9 10 11 turn settled stored");
});
test("what comes during a catch-up waits its turn, and ends nothing", async () => {
  const { jobs, done } = queue(10, (turn) => turn < 3 && jobs.add(message(90 + turn)));
  for (let n = 0; n < 3; n++) jobs.add(message(n));
  await jobs.settled;
  assertEquals(done.join(" "), "0 1 turn 2 91 turn 92 settled stored settled stored");
});
test("a catch-up is stored every 1,024 messages", async () => {
  const { jobs, done } = queue(0, () => {});
  for (let n = 0; n < 2500; n++) jobs.add(message(n));
  await jobs.settled;
  assertEquals(done.flatMap((what, i) => what === "stored" ? [i] : []), [1024, 2049, 2503]);
});
test("what a connection has brought is not handled with the next one", async () => {
  const { jobs, done } = queue(20, (turn) => {
    if (turn !== 1) return;
    jobs.unlinked();
    jobs.linked();
    jobs.add(message(50));
  });
  for (let n = 0; n < 5; n++) jobs.add(message(n));
  await jobs.settled;
  assertEquals(done.join(" "), "0 turn stored 50 turn settled stored");
});
