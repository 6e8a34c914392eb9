import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { addressKey } from "../../lib/server/address_key.ts";
import { ConnectionLimiter, type PendingSlot } from "../../lib/server/gate/connection_limiter.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { TokenBucket } from "../../lib/token_bucket.ts";
import { UserRates } from "../../lib/server/user_rates.ts";
import { acceptConnections } from "../../lib/server/gate/listener.ts";
import { RsaQueue } from "../../lib/server/work_queue.ts";
import { Backoff } from "../../lib/client/connection/backoff.ts";
import { FakeClock, settle } from "../fakes/fake_clock.ts";

test("a bucket gives its burst at once, then one per interval, and never more than its burst", () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(3, 1000, clock);
  const take = (n: number) => Array.from({ length: n }, () => bucket.take());
  assertEquals(take(4), [true, true, true, false]);
  clock.advance(999);
  assertEquals(bucket.take(), false);
  clock.advance(1);
  assertEquals(take(2), [true, false]);
  clock.advance(100_000);
  assertEquals(take(4), [true, true, true, false]);
});
test("a clock that jumps back neither fills a bucket nor locks it for ever", () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(1, 1000, clock);
  bucket.take();
  clock.set(clock.now() - 3_600_000);
  assertEquals(bucket.take(), false);
  clock.advance(1000);
  assertEquals(bucket.take(), true);
});
for (
  const [host, key] of [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:2::", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ]
) {
  test(`${host} counts as ${key}`, () => assertEquals(addressKey(host), key));
}

const door = (over = {}) => {
  const clock = new FakeClock();
  return { clock, keeper: new ConnectionLimiter({ ...defaultLimits, ...over }, clock) };
};
const admit = (keeper: ConnectionLimiter, address: string, n: number) =>
  admitted(Array.from({ length: n }, () => keeper.admit(address, () => {}))).length;
const admitted = (slots: (PendingSlot | string)[]) =>
  slots.filter((slot) => typeof slot !== "string") as PendingSlot[];

test("16 undecided connections per address; of 512 in all, none gives way while all do their part", () => {
  const { keeper } = door();
  const slots: (PendingSlot | string)[] = [];
  for (let i = 0; i < 40; i++) {
    for (let n = 0; n < 17; n++) {
      const slot = keeper.admit(`b${i}`, () => {});
      if (typeof slot !== "string") slot.step = "hello";
      slots.push(slot);
    }
  }
  assertEquals(slots[16], "pending from address");
  assertEquals([admitted(slots).length, keeper.pendingTotal], [512, 512]);
  assertEquals(keeper.admit("c", () => {}), "pending");
  keeper.release(admitted(slots)[0]);
  assertEquals(admit(keeper, "c", 2), 2); // the second takes the place of the first, who has said nothing yet
});
test("in a crowd whoever has failed gives way, then who is silent, who stops after hello, and after its secret", () => {
  const { clock, keeper } = door({ pending: 4 });
  const gone: string[] = [];
  const enter = (step: PendingSlot["step"], who: string = step) => {
    const slot = keeper.admit(who, () => void gone.push(who));
    if (typeof slot === "string") return slot;
    slot.step = step;
    return "in";
  };
  for (const step of ["secret", "hello", "nothing", "failed"] as const) enter(step);
  assertEquals([enter("secret", "one"), gone], ["in", ["failed"]]);
  assertEquals([enter("secret", "two"), gone], ["in", ["failed", "nothing"]]);
  assertEquals([enter("secret", "three"), keeper.fill], ["pending", 1]);
  clock.advance(2000);
  assertEquals([enter("hello", "four"), gone.at(-1)], ["in", "hello"]);
  assertEquals(enter("hello", "five"), "pending");
  clock.advance(1000);
  assertEquals([enter("hello", "six"), gone.at(-1)], ["in", "secret"]);
  clock.advance(2000);
  assertEquals([enter("hello", "seven"), gone.at(-1), keeper.pendingTotal], ["in", "four", 4]);
});
test("20 handshakes at once per address, then one per 6 s; one that reaches WELCOME gives its place back", () => {
  const { clock, keeper } = door();
  const one = () => {
    const slot = keeper.admit("a", () => {});
    if (typeof slot === "string") return false;
    keeper.release(slot);
    return true;
  };
  assertEquals(Array.from({ length: 21 }, one).filter(Boolean).length, 20);
  clock.advance(6000);
  assertEquals([one(), one()], [true, false]);
  keeper.welcomed("a");
  assertEquals([one(), one()], [true, false]);
  assertEquals(typeof keeper.admit("b", () => {}), "object");
});
test("200 ClientHellos per second, all together; a crowd waits its turn, for two seconds at most", () => {
  const { clock, keeper } = door();
  const waits = Array.from({ length: 700 }, () => keeper.hello());
  assertEquals(waits.slice(0, 200).every((waitMs) => waitMs === 0), true);
  assertEquals([waits[200], waits[201], waits[599]], [5, 10, 2000]);
  assertEquals(waits.slice(600).every((waitMs) => waitMs === null), true);
  clock.advance(5);
  assertEquals([keeper.hello(), keeper.hello()], [2000, null]);
  clock.advance(60_000);
  assertEquals(
    Array.from({ length: 201 }, () => keeper.hello()).filter((waitMs) => waitMs === 0).length,
    200,
  );
  clock.set(clock.now() - 3_600_000); // set back: the door does not stay closed
  keeper.hello();
  clock.advance(3_000);
  assertEquals(keeper.hello(), 0);
});
test("64 links per address, 1024 in all", () => {
  const { keeper } = door();
  const link = (address: string, n: number) =>
    Array.from({ length: n }, () => keeper.link(address)).filter(Boolean).length;
  assertEquals(link("a", 65), 64);
  assertEquals(Array.from({ length: 20 }, (_, i) => link(`b${i}`, 64)).reduce((x, y) => x + y), 960);
  keeper.unlink("a");
  assertEquals(link("a", 2), 1);
});
test("the memory of addresses is bounded: whoever did nothing for a while is forgotten", () => {
  const { clock, keeper } = door({ pending: 1e9 });
  for (let i = 0; i < 30_000; i++) {
    const slot = keeper.admit(`a${i}`, () => {});
    if (typeof slot !== "string") keeper.release(slot);
    if (i % 5000 === 0) clock.advance(200_000);
  }
  assertEquals(typeof keeper.admit("fresh", () => {}), "object");
});

test("the RSA queue runs two at once, lets 64 wait, refuses the rest, and asks for puzzles as it fills", async () => {
  const queue = new RsaQueue(2, 64);
  const finish: (() => void)[] = [];
  const job = () => new Promise<number>((resolve) => finish.push(() => resolve(1)));
  const bits: number[] = [];
  const results = Array.from({ length: 67 }, () => {
    bits.push(queue.puzzleBits());
    return queue.run(job);
  });
  assertEquals(finish.length, 2);
  assertEquals(await results[66], null);
  assertEquals([bits[2], bits[17], bits[18], bits[34], bits[50]], [0, 0, 14, 18, 20]);
  while (finish.length > 0) {
    finish.shift()!();
    await settle(1);
  }
  assertEquals((await Promise.all(results)).filter((r) => r === 1).length, 66);
  assertEquals(queue.puzzleBits(), 0);
});
test("a job that fails gives its place back", async () => {
  const queue = new RsaQueue(1, 1);
  for (let i = 0; i < 3; i++) await queue.run(() => Promise.reject(new Error("no"))).catch(() => {});
  assertEquals(await queue.run(() => Promise.resolve(7)), 7);
});

test("accepting survives the system running out of file descriptors", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const conn = {
    remoteAddr: { hostname: "192.0.2.1", port: 1 },
    localAddr: { hostname: "192.0.2.2", port: 2 },
    setNoDelay() {},
  };
  let calls = 0;
  let sessions = 0;
  const listener = {
    accept: () => {
      calls++;
      if (calls <= 3) return Promise.reject(new Error("Too many open files (os error 24)"));
      if (calls === 4) return Promise.resolve(conn as unknown as Deno.TcpConn);
      return new Promise<Deno.TcpConn>(() => {});
    },
    close() {},
  };
  void acceptConnections(
    listener,
    new ConnectionLimiter(defaultLimits, clock),
    { tell: () => {} },
    clock,
    stop.signal,
    () => (sessions++, Promise.resolve()),
  );
  for (let i = 0; i < 4; i++) {
    await settle(2);
    clock.advance(50);
  }
  await settle(2);
  assertEquals([sessions, calls], [1, 5]);
  stop.abort();
});

test("reconnecting waits 1 s doubling to 5 min with jitter, and 12 failures an hour are the most", () => {
  const clock = new FakeClock();
  const backoff = new Backoff(clock, (n) => new Uint8Array(n).fill(255));
  const waits = Array.from({ length: 12 }, () => Math.round(backoff.nextMs() / 1000));
  assertEquals(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  backoff.succeeded();
  const low = new Backoff(clock, (n) => new Uint8Array(n));
  assertEquals([low.nextMs(), low.nextMs()], [500, 1000]);
  for (let i = 0; i < 12; i++) backoff.handshakeFailed();
  assertEquals(backoff.nextMs(), 3_600_000);
  clock.advance(3_600_001);
  assertEquals(backoff.nextMs() < 5000, true);
});

test("a user's rate is the user's, whatever link it comes by, and the memory of users is bounded", () => {
  const clock = new FakeClock();
  const rates = new UserRates(defaultLimits, clock);
  for (let i = 0; i < defaultLimits.sendBurst; i++) rates.of("ira").sends.take();
  assertEquals([rates.of("ira").sends.take(), rates.of("sam").sends.take()], [false, true]);
  clock.advance(10_000);
  for (let i = 0; i < 30_000; i++) rates.of(`u${i}`);
  assertEquals(rates.of("ira").sends.take(), true);
});

test("behind a proxy nobody is counted by address: only the limits over all hold", () => {
  const few = {
    linksPerAddress: 1,
    pendingPerAddress: 1,
    handshakeBurst: 1,
    identitiesPerHour: 1,
    links: 5,
    pending: 5,
  };
  const limiter = new ConnectionLimiter({ ...defaultLimits, ...few }, new FakeClock(), new Set(["10.0.0.1"]));
  const from = (address: string) => {
    const slot = limiter.admit(address, () => {});
    return typeof slot === "string" ? slot : limiter.newcomer(address) && limiter.link(address);
  };
  for (let i = 0; i < 5; i++) assertEquals(from("10.0.0.1"), true);
  assertEquals(from("10.0.0.1"), false, "the limit over all");
  const others = new ConnectionLimiter({ ...defaultLimits, ...few }, new FakeClock(), new Set(["10.0.0.1"]));
  assertEquals([1, 2].map(() => typeof others.admit("10.0.0.2", () => {})), ["object", "string"]);
});
