/**
 * Many people at the same moment, over real sockets, against each store with hashes of the full cost: none is lost,
 * none is mixed up, and of two who want one name one gets it.
 *
 * Their identities share a recorded RSA key, since making two hundred would take minutes; the Ed25519 half makes each
 * an identity of its own.
 */

import { test } from "../../fakes/test.ts";
import { equals } from "@std/bytes/equals";
import { assertEquals } from "@std/assert";
import { type Identity, identityFrom } from "../../../lib/crypto/identity.ts";
import { systemRandom } from "../../../lib/crypto/random.ts";
import type { Connection } from "../../../lib/client/connection/connection.ts";
import { Refused } from "../../../lib/client/connection/connection_errors.ts";
import { makeCard, roles } from "../../../lib/protocol/identity/card.ts";
import { closeReasons } from "../../../lib/protocol/channel/link_messages.ts";
import { encodePassword } from "../../../lib/protocol/identity/password.ts";
import { skeleton } from "../../../lib/protocol/identity/name.ts";
import { MemoryAccounts } from "../../../lib/server/accounts/memory.ts";
import { defaultCost } from "../../../lib/server/accounts/passwords.ts";
import { SqlAccounts } from "../../../lib/server/accounts/sql_accounts.ts";
import { SqliteDatabase } from "../../../lib/server/accounts/sqlite.ts";
import type { AccountStore } from "../../../lib/server/accounts/store.ts";
import { dialled } from "../../fakes/dialled.ts";
import { hasMariadb, Mariadb } from "../../fakes/mariadb.ts";
import { person } from "../../fakes/people.ts";
import { openAs, setUp } from "../../fakes/restricted_user.ts";
import { cheap, testAccounts } from "../../fakes/test_accounts.ts";
import { inWorld, type World } from "../../fakes/world.ts";
import { until } from "../../fakes/until.ts";

const noLimits = {
  pending: 2000,
  pendingPerAddress: 2000,
  links: 2000,
  linksPerAddress: 2000,
  handshakeBurst: 10_000,
  hellosPerSecond: 10_000,
  rsaQueued: 2000,
};

async function someone(): Promise<Identity> {
  const { secrets } = await person("erin");
  return await identityFrom({ ...secrets, seed: systemRandom(32) });
}

/** Registers or logs in. @returns "in", or the reason of CLOSE */
async function comes(
  world: World,
  name: string,
  identity: Identity,
  password: string,
  registers: boolean,
): Promise<{ outcome: "in" | number; connection: Connection }> {
  const card = makeCard(identity, roles.user, name, 1_700_000_000);
  const token = registers ? new Uint8Array(0) : null;
  const connection = await dialled(
    world.port,
    { name, identity, card },
    () => Promise.resolve({ password: encodePassword(password), token }),
  );
  try {
    await connection.enter({ runId: new Uint8Array(16), rooms: [] }, { welcome() {}, receive() {} });
    return { outcome: "in", connection };
  } catch (error) {
    if (error instanceof Refused) return { outcome: error.reason, connection };
    throw error;
  }
}

const kinds: [string, boolean, (act: (store: AccountStore) => Promise<void>) => Promise<void>][] = [
  ["memory", false, (act) => act(new MemoryAccounts())],
  ["SQLite", false, async (act) => {
    const dir = Deno.makeTempDirSync();
    await act(new SqlAccounts(new SqliteDatabase(`${dir}/accounts.db`)));
    Deno.removeSync(dir, { recursive: true });
  }],
  ["MariaDB", !hasMariadb, async (act) => {
    const db = await Mariadb.start();
    try {
      await act(await openAs(await setUp(db)));
    } finally {
      await db.stop();
    }
  }],
];

for (const [kind, ignore, withStore] of kinds) {
  const crowdTest = (
    name: string,
    cost: typeof cheap,
    act: (world: World, store: AccountStore) => Promise<void>,
  ) =>
    test({
      name: `${kind} accounts: ${name}`,
      ignore,
      sanitizeOps: false,
      sanitizeResources: false,
      fn: () =>
        withStore((store) =>
          inWorld(async (world) => {
            await world.server.stop();
            await world.startServer({ accounts: testAccounts({ store, cost }), limits: noLimits });
            await act(world, store);
          })
        ),
    });

  // The full cost where it matters most; the others show the same in less time.
  const cost = kind === "MariaDB" ? defaultCost : cheap;
  crowdTest(
    "200 register at once, then log in at once: none is lost, none is mixed up",
    cost,
    async (world, store) => {
      const crowd = await Promise.all(
        Array.from({ length: 200 }, async (_, i) => ({
          name: `user${i}`,
          password: `the password of ${i}`,
          identity: await someone(),
        })),
      );
      const registered = await Promise.all(
        crowd.map(({ name, identity, password }) => comes(world, name, identity, password, true)),
      );
      assertEquals(registered.every(({ outcome }) => outcome === "in"), true);
      assertEquals(world.server.linked, 200);
      for (const { connection } of registered) connection.close(closeReasons.bye);
      await until("all are gone", () => world.server.linked === 0);

      // Every second one says another's password.
      const back = await Promise.all(
        crowd.map(({ name, identity }, i) => comes(world, name, identity, crowd[i - i % 2].password, false)),
      );
      const expected = crowd.map((_, i) => i % 2 === 0 ? "in" : closeReasons.loginRefused);
      assertEquals(back.map(({ outcome }) => outcome), expected);
      const linked = [...world.server.rooms.peers.values()].map((peer) => peer.card.name).toSorted();
      assertEquals(linked, crowd.filter((_, i) => i % 2 === 0).map(({ name }) => name).toSorted());
      for (const { name, identity } of crowd) {
        const account = (await store.find(skeleton(name)))!;
        assertEquals([account.name, equals(account.binding.identity!, identity.id)], [name, true]);
      }
      for (const { connection } of back) connection.close(closeReasons.bye);
    },
  );
  crowdTest(
    "of those who register one name, or look-alikes of it, at once, one gets it",
    cheap,
    async (world, store) => {
      const names = ["Billie", "billie", "bi11ie", "BILLIE", "BlLLIE", "bil1ie", "Bi1l1e", "billie"];
      const results = await Promise.all(
        names.map(async (name, i) => await comes(world, name, await someone(), `the password of ${i}`, true)),
      );
      const winners = results.flatMap(({ outcome }, i) => outcome === "in" ? [i] : []);
      assertEquals(winners.length, 1);
      assertEquals(
        results.filter(({ outcome }) => outcome === closeReasons.loginRefused).length,
        names.length - 1,
      );
      assertEquals((await store.accounts()).map(({ name }) => name), [names[winners[0]]]);
      for (const { connection } of results) connection.close(closeReasons.bye);
    },
  );
  crowdTest(
    "of many logins of one account at once one is in, the others are told that it is",
    cheap,
    async (world, store) => {
      const identity = await someone();
      const first = await comes(world, "ira", identity, "a long password", true);
      first.connection.close(closeReasons.bye);
      await until("gone", () => world.server.linked === 0);
      const results = await Promise.all(
        Array.from({ length: 8 }, () => comes(world, "ira", identity, "a long password", false)),
      );
      const outcomes = results.map(({ outcome }) => String(outcome)).toSorted();
      assertEquals(outcomes, [...Array(7).fill(String(closeReasons.inUse)), "in"]);
      assertEquals(world.server.linked, 1);
      assertEquals((await store.accounts()).length, 1);
      for (const { connection } of results) connection.close(closeReasons.bye);
    },
  );
}
