/** What NATS must be for a log, and what is said when it is not: each with what mends it. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { exitCodes } from "../../../lib/errors.ts";
import { checkNats } from "../../../lib/server/cluster/check_nats.ts";
import { dialNats, NatsUnfit } from "../../../lib/server/cluster/nats_connection.ts";
import { faultsOf, type NatsNode } from "../../../lib/server/cluster/nats_fitness.ts";
import { serverOn } from "../../fakes/cluster.ts";
import { hasNats, Nats } from "../../fakes/nats.ts";
import { test } from "../../fakes/test.ts";

const fit: NatsNode = { name: "nats1", version: "2.15.1", isSynced: true };
const info = (more: Record<string, unknown> = {}) =>
  ({ info: { max_payload: 1_048_576, version: "2.15.1", ...more } }) as unknown as Parameters<
    typeof faultsOf
  >[0];
const wordsOf = (nodes: NatsNode[] | null, isUnsafe = false, more = {}) =>
  faultsOf(info(more), nodes, isUnsafe).map(({ message, hint }) => `${message}: ${hint}`);

test("NATS is fit, or each node that is not is named with what mends it", () => {
  assertEquals(wordsOf([fit, { ...fit, name: "nats2", version: "2.12.0" }]), []);
  const faults = wordsOf([fit, { ...fit, name: "nats2", version: "2.10.27" }, {
    ...fit,
    name: "nats3",
    isSynced: false,
  }]);
  assertEquals(faults.length, 2);
  assertMatch(faults[0], /^nats2 is version 2\.10\.27, which is too old: run 2\.12 or newer/);
  assertMatch(faults[1], /^nats3 confirms before it has written .*sync_interval: always/);
  for (const version of ["2.9.10", "1.4.1", ""]) assertEquals(wordsOf([{ ...fit, version }]).length, 1);
  assertEquals(wordsOf([{ ...fit, isSynced: false }], true), []);
  assertMatch(wordsOf(null)[0], /does not say whether .*VARZ/);
  assertEquals(wordsOf(null, true), []);
  assertMatch(
    wordsOf([fit], false, { max_payload: 65_536 })[0],
    /only 65536 bytes at once: raise max_payload/,
  );
});

test({
  name:
    "a NATS that confirms before it writes is refused by servers and named by the check; for trials it may be taken",
  ignore: !hasNats,
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  const nats = await Nats.start(false);
  try {
    const error = await assertRejects(() => serverOn(nats), NatsUnfit);
    assertStringIncludes(error.hint, "sync_interval: always");
    const options = { servers: [nats.address], tls: null, isUnsafe: false };
    const { faults, lines } = await checkNats(options);
    assertEquals(faults.map(({ message }) => message.split(":")[0]), [
      "one confirms before it has written to the disk",
    ]);
    assertEquals(lines.some((line) => line.includes("confirms before it writes")), true);
    assertEquals((await checkNats({ ...options, isUnsafe: true })).faults, []);
  } finally {
    await nats.close();
  }
});

test("one that cannot be reached is told so, with exit code 3", async () => {
  const options = { servers: ["127.0.0.1:1"], tls: null, isUnsafe: false };
  const error = await assertRejects(() => dialNats(options), NatsUnfit);
  assertEquals(error.exitCode, exitCodes.unreachable);
});
