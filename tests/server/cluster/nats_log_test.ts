/** What a shared log promises (lib/server/cluster/shared_log.ts), by NATS JetStream: a real server, killed as well. */

import { assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../../lib/clock.ts";
import { dialNats, NatsUnfit } from "../../../lib/server/cluster/nats_connection.ts";
import { NatsLog } from "../../../lib/server/cluster/nats_log.ts";
import { LogAway, type LogEntry } from "../../../lib/server/cluster/shared_log.ts";
import { type Nats, natsTest } from "../../fakes/nats.ts";
import { test } from "../../fakes/test.ts";
import { until } from "../../fakes/until.ts";

const faults: unknown[] = [];
const open = async (nats: Nats) =>
  await NatsLog.open({
    connection: await dialNats({ servers: [nats.address], tls: null, isUnsafe: false }),
    replicas: 1,
    clock: systemClock,
    fault: (error) => faults.push(error),
  });
const bytes = (n: number) => Uint8Array.of(n >> 8, n & 255);
const numberOf = ({ data }: LogEntry) => data[0] * 256 + data[1];

/** A reader that keeps what it is handed. */
function reader(log: NatsLog, from = 0) {
  const entries: LogEntry[] = [];
  log.follow(from, { take: (entry) => void entries.push(entry), lost: (error) => faults.push(error) });
  return entries;
}

function logTest(name: string, act: (nats: Nats) => Promise<void>): void {
  natsTest(`NATS: ${name}`, async (nats) => {
    await act(nats);
    assertEquals(faults, []);
  });
}

logTest(
  "all readers are handed all entries, in one order and at the same times, from where they ask",
  async (nats) => {
    const [one, two] = [await open(nats), await open(nats)];
    const first = reader(one);
    const count = 500;
    await Promise.all(
      Array.from({ length: count }, (_, i) => (i % 2 ? one : two).append(`entry ${i}`, bytes(i))),
    );
    await until("all", () => first.length === count);
    const second = reader(two, 100);
    await until("the rest", () => second.length === count - 100);
    assertEquals(first.map(({ seq }) => seq), Array.from({ length: count }, (_, i) => i + 1));
    assertEquals(second, first.slice(100));
    assertEquals(new Set(first.map(numberOf)).size, count);
    const again = reader(one, 490);
    await until("the last ten again", () => again.length === 10);
    await one.append("after it", bytes(999));
    await until("it goes on", () => again.length === 11 && second.length === count - 99);
    await Promise.all([one.close(), two.close()]);
  },
);

logTest("an entry that is appended twice is there once", async (nats) => {
  const log = await open(nats);
  const entries = reader(log);
  await Promise.all([
    log.append("same", bytes(1)),
    log.append("same", bytes(1)),
    log.append("other", bytes(2)),
  ]);
  await log.append("last", bytes(3));
  await until("the last", () => entries.some((entry) => numberOf(entry) === 3));
  assertEquals(entries.map(numberOf).toSorted(), [1, 2, 3]);
  await log.close();
});

logTest(
  "a node that is killed loses nothing that was confirmed, and readers go on when it is back",
  async (nats) => {
    const log = await open(nats);
    const entries = reader(log);
    for (let i = 0; i < 20; i++) await log.append(`before ${i}`, bytes(i));
    await nats.kill();
    await until("away", () => log.isAway);
    await assertRejects(() => log.append("in vain", bytes(99)), LogAway);
    await nats.begin();
    await until("back", () => !log.isAway);
    await log.append("in vain", bytes(99)); // nobody could say: it is tried under its id
    for (let i = 0; i < 5; i++) await log.append(`after ${i}`, bytes(100 + i));
    await until("all", () => entries.some((entry) => numberOf(entry) === 104));
    assertEquals(entries.map(({ seq }) => seq), entries.map((_, i) => i + 1));
    assertEquals(entries.filter((entry) => numberOf(entry) === 99).length, 1);
    assertEquals(entries.slice(0, 20).map(numberOf), Array.from({ length: 20 }, (_, i) => i));
    await log.close();
  },
);

test("NATS: a server that is not there is told as that", async () => {
  const error = await assertRejects(
    () => dialNats({ servers: ["127.0.0.1:1"], tls: null, isUnsafe: false }),
    NatsUnfit,
  );
  assertEquals(error.message.startsWith("NATS cannot be reached at 127.0.0.1:1"), true);
});
