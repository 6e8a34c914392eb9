/** What waits in the rooms of a client: bounded in all, and no room takes what others need. */

import { assert, assertEquals } from "@std/assert";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { Backlog } from "../../lib/client/rooms/backlog.ts";
import { type JobOwner, JobQueue } from "../../lib/client/rooms/job_queue.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { test } from "../fakes/test.ts";

const entry: LinkMessage = {
  type: "ENTRY",
  room: new Uint8Array(32),
  pos: 1,
  time: 1,
  kind: 2,
  address: "",
  bytes: new Uint8Array(500),
};
const owner = (handle: () => Promise<void>): JobOwner => ({
  handle,
  settle: () => Promise.resolve(),
  failed: () => {},
  flush: () => {},
  done: () => {},
});

test("a room that waits for the person fills half of what may wait, and others are heard", async () => {
  const backlog = new Backlog(10_000);
  const stuck: JobQueue = new JobQueue(owner(() => stuck.pause(null)), new FakeClock(), backlog);
  let heard = 0;
  const healthy = new JobQueue(owner(() => Promise.resolve(void heard++)), new FakeClock(), backlog);
  let held = 0;
  while (stuck.add(entry)) held++;
  assert(held > 4 && held < 10, `${held}`);
  for (let i = 0; i < 20; i++) {
    assert(healthy.add(entry));
    await healthy.settled;
  }
  assertEquals(heard, 20);
  stuck.unlinked();
  assert(backlog.take(entry, 8_000), "all of it was given up");
});
