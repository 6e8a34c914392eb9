/** What a client takes from the server of others' cards and prekeys, and what it does not. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import type { Connection } from "../../lib/client/connection/connection.ts";
import { Directory } from "../../lib/client/connection/directory.ts";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { makePrekey } from "../../lib/protocol/identity/prekey.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { person } from "../fakes/people.ts";

const [ira, sam, mallory] = await Promise.all(["ira", "sahnawaz", "mallory"].map(person));
const now = 1_700_000_000;
const none: Bytes = new Uint8Array(0);

/** A server that answers what the test says. */
function serverSaying(answer: { cards?: Bytes[]; prekeys?: Bytes[] }): Connection {
  return {
    request: (build: (ref: number) => LinkMessage) => {
      build(1);
      return Promise.resolve({ ref: 1, cards: answer.cards ?? [], prekeys: answer.prekeys ?? [] });
    },
  } as unknown as Connection;
}

async function inDirectory(
  act: (directory: Directory, reopen: () => Promise<Directory>) => Promise<void>,
): Promise<void> {
  const dir = Deno.makeTempDirSync();
  try {
    const open = async () =>
      new Directory(
        await SealedFiles.open(dir, ira.identity, systemRandom),
        ira.card,
        new FakeClock(now * 1000),
      );
    await act(await open(), open);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}
const knowSam = (d: Directory) => d.fetchCards(serverSaying({ cards: [sam.card.bytes] }), [sam.card.id]);

test("a card is taken for its own id only, and kept across restarts", () =>
  inDirectory(async (directory, reopen) => {
    for (const wrong of [mallory.card.bytes, none, systemRandom(529)]) {
      await directory.fetchCards(serverSaying({ cards: [wrong] }), [sam.card.id]);
      assertEquals(directory.card(sam.card.id), undefined);
      assertEquals(directory.card(mallory.card.id), undefined);
    }
    await knowSam(directory);
    assertEquals((await reopen()).card(sam.card.id)?.name, "sahnawaz");
  }));
test("our own card needs no server", () =>
  inDirectory(async (directory) => {
    assertEquals(directory.missing([ira.card.id, sam.card.id]).map((id) => encodeHex(id)), [
      encodeHex(sam.card.id),
    ]);
    await Promise.resolve();
  }));

const made = (p: typeof sam, last: number, at: number) =>
  makePrekey(p.identity.id, p.identity.signing, last, at).then((m) => m.published);
const cases: [string, () => Promise<Bytes>, boolean][] = [
  ["a good one", () => made(sam, 0, now), true],
  ["none", () => Promise.resolve(none), false],
  ["another's", () => made(mallory, 0, now), false],
  [
    "one with a changed signature",
    async () => (await made(sam, 0, now)).map((b, i, all) => i === all.length - 1 ? b ^ 1 : b),
    false,
  ],
  ["one that has expired", () => made(sam, 0, now - 30 * 86_400), false],
  ["one from the future", () => made(sam, 0, now + 601), false],
  ["garbage", () => Promise.resolve(systemRandom(1333)), false],
];
for (const [what, make, usable] of cases) {
  test(`prekeys: ${what} is ${usable ? "sealed to" : "not sealed to"}`, () =>
    inDirectory(async (directory) => {
      await knowSam(directory);
      const found = await directory.fetchPrekeys(serverSaying({ prekeys: [await make()] }), [sam.card.id]);
      assertEquals(found.has(encodeHex(sam.card.id)), usable);
    }));
}
test("prekeys: one below the newest that was seen is not sealed to, across restarts", () =>
  inDirectory(async (directory, reopen) => {
    await knowSam(directory);
    const [older, newer] = [await made(sam, 0, now - 100), await made(sam, 0, now)];
    const fetch = async (d: Directory, bytes: Bytes) =>
      (await d.fetchPrekeys(serverSaying({ prekeys: [bytes] }), [sam.card.id])).size;
    assertEquals([await fetch(directory, newer), await fetch(directory, older)], [1, 0]);
    assertEquals([await fetch(await reopen(), older), await fetch(await reopen(), newer)], [0, 1]);
  }));
