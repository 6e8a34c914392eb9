/** Who may see the page: a link is good once, for two minutes, and not for who guesses. */

import { assert, assertEquals } from "@std/assert";
import { PageAccess } from "../../../lib/ui/web/page_access.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";
import { test } from "../../fakes/test.ts";

function access() {
  const clock = new FakeClock();
  return { clock, access: new PageAccess(clock, seededRandom("pages")) };
}

test("a link is good once, and its page may come back", () => {
  const { access: pages } = access();
  const token = pages.newLink();
  assertEquals(token.length, 43); // 32 bytes
  const secret = pages.use(token);
  assert(secret !== null && secret !== token);
  assertEquals([pages.knows(secret), pages.knows(token), pages.knows("")], [true, false, false]);
  assertEquals(pages.use(token), null);
});

test("a link is good for two minutes, and not once the clock was set back", async () => {
  for (const ms of [119_999, 120_000, -1]) {
    const { clock, access: pages } = access();
    const token = pages.newLink();
    if (ms < 0) clock.set(clock.now() - 3_600_000);
    else await clock.advance(ms);
    assertEquals(pages.use(token) !== null, ms === 119_999, `${ms}`);
  }
});

test("a new link ends the one before", () => {
  const { access: pages } = access();
  const old = pages.newLink();
  const token = pages.newLink();
  assertEquals(pages.use(old), null);
  assert(pages.use(token) !== null);
});

test("who tries three wrong ones has ended the link", () => {
  for (const [tries, isGood] of [[2, true], [3, false]] as const) {
    const { access: pages } = access();
    const token = pages.newLink();
    for (let i = 0; i < tries; i++) assertEquals(pages.use("x".repeat(43)), null);
    assertEquals(pages.use(token) !== null, isGood, `${tries}`);
  }
});

test("pages that may come back are few", () => {
  const { access: pages } = access();
  const secrets = Array.from({ length: 20 }, () => pages.use(pages.newLink())!);
  assertEquals(secrets.map((secret) => pages.knows(secret)), secrets.map((_, i) => i >= 4));
});
