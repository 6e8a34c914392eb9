/** Hashes of passwords, doors that close, URLs, and what a password may be. */

import { test } from "../../fakes/test.ts";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../../lib/crypto/bytes.ts";
import { systemRandom } from "../../../lib/crypto/random.ts";
import { BadPassword, encodePassword, isPassword } from "../../../lib/protocol/identity/password.ts";
import { Accounts, type Attempt } from "../../../lib/server/accounts/accounts.ts";
import { BadAccountsUrl, parseAccountsUrl } from "../../../lib/server/accounts/accounts_url.ts";
import { LoginThrottle } from "../../../lib/server/accounts/login_throttle.ts";
import { MemoryAccounts } from "../../../lib/server/accounts/memory.ts";
import { argon2id, type Credential, Passwords } from "../../../lib/server/accounts/passwords.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { cheap } from "../../fakes/test_accounts.ts";
import { vectors } from "../../fakes/vectors.ts";

const ascii = (text: string) => new TextEncoder().encode(text) as Bytes;

type Vector = {
  passes: number;
  memoryKiB: number;
  lanes: number;
  password: string;
  salt: string;
  hash: string;
};
for (const { password, salt, hash, ...cost } of vectors("argon2id").hashes as Vector[]) {
  test(`Argon2id gives the reference's hash: ${JSON.stringify({ password, salt, ...cost })}`, async () => {
    assertEquals(encodeHex(await argon2id(ascii(password), ascii(salt), cost)), hash);
  });
}

test("each hash has a salt of its own; the right password fits, a wrong one and nobody's do not", async () => {
  const passwords = new Passwords(systemRandom, cheap);
  const password = ascii("correct horse battery");
  const [first, second] = [await passwords.hash(password), await passwords.hash(password)];
  assertNotEquals(first.salt, second.salt);
  assertNotEquals(first.hash, second.hash);
  assertEquals([first.salt.length, first.hash.length], [16, 32]);
  assertEquals(await passwords.verify(password, first), true);
  assertEquals(await passwords.verify(ascii("correct horse batterx"), first), false);
  assertEquals(await passwords.verify(password, null), false);
  assertEquals(await passwords.verify(password, first, () => false), false);
  // Parameters travel with the hash.
  const dearer = new Passwords(systemRandom, { ...cheap, passes: 2 });
  assertEquals(await dearer.verify(password, first), true);
  assertEquals([dearer.isCurrent(first), passwords.isCurrent(first)], [false, true]);
});

/** Counts work and how much of it is done at once. */
class Watched extends Passwords {
  verified: (Credential | null)[] = [];
  hashed = 0;
  override hash(password: Bytes) {
    this.hashed++;
    return super.hash(password);
  }
  override verify(password: Bytes, credential: Credential | null, isWanted?: () => boolean) {
    this.verified.push(credential);
    return super.verify(password, credential, isWanted);
  }
}
const attempt = (over: Partial<Attempt> = {}): Attempt => ({
  cardName: "ira",
  name: "ira",
  password: ascii("correct horse battery"),
  token: null,
  identity: new Uint8Array(32).fill(1),
  address: "192.0.2.1",
  isWanted: () => true,
  isFree: () => true,
  claim: () => Promise.resolve(true),
  ...over,
});
const registers = new Uint8Array(0);

const refused: [string, "open" | "token" | "closed", Partial<Attempt>][] = [
  ["a name without an account", "open", { cardName: "dana", name: "dana" }],
  ["a wrong password", "open", { password: ascii("wrong horse battery") }],
  ["a password that is none", "open", { password: ascii("short") }],
  ["bytes that are no text", "open", { password: new Uint8Array(20).fill(0xff) }],
  ["another name than the card's", "open", { name: "dana" }],
  ["another key", "open", { identity: new Uint8Array(32).fill(2) }],
  ["a registration of a taken name", "open", { token: registers, password: ascii("wrong horse battery") }],
  ["a registration of a look-alike", "open", {
    cardName: "1RA",
    name: "1RA",
    token: registers,
    identity: new Uint8Array(32).fill(2),
  }],
  ["a registration when it is closed", "closed", { cardName: "dana", name: "dana", token: registers }],
  ["a registration with a token that is none", "token", {
    cardName: "dana",
    name: "dana",
    token: ascii("x'; DROP TABLE accounts; --"),
  }],
  ["a registration of a name that another key has here", "open", {
    cardName: "dana",
    name: "dana",
    token: registers,
    isFree: () => false,
  }],
];
for (const [what, registration, over] of refused) {
  test(`${what} is refused like everything else, after the same work`, async () => {
    const store = new MemoryAccounts();
    const clock = new FakeClock();
    const passwords = new Watched(systemRandom, cheap);
    const parts = { store, passwords, clock, random: systemRandom };
    await new Accounts({ ...parts, registration: "open" }).enter(attempt({ token: registers }));
    passwords.hashed = 0;
    const accounts = new Accounts({ ...parts, registration });
    assertEquals(await accounts.enter(attempt(over)), "refused");
    assertEquals(
      passwords.verified.length + passwords.hashed,
      1,
      "one hash is computed, no more and no less",
    );
    assertEquals((await store.accounts()).length, 1);
    const rows = [];
    for await (const row of store.audit()) rows.push(row.what);
    assertEquals(rows, ["registered", "login refused"]);
  });
}

test("ten failures within ten minutes close a door for ten minutes, and no other door", () => {
  const clock = new FakeClock();
  const doors = new LoginThrottle(clock);
  const fail = (name = "lra", address = "a") =>
    doors.begin(name, address) && (doors.failed(name, address), true);
  for (let i = 0; i < 9; i++) assertEquals(fail(), true);
  clock.advance(600_000); // the nine are too old to count
  for (let i = 0; i < 9; i++) assertEquals(fail(), true);
  assertEquals([doors.begin("lra", "a"), doors.failed("lra", "a")], [true, true]);
  assertEquals([fail(), fail("sam"), fail("lra", "b")], [false, true, true]);
  clock.advance(599_999);
  assertEquals(fail(), false);
  clock.advance(1);
  assertEquals(fail(), true);
});
test("whoever comes in is forgiven; what is being judged counts, so that a hundred at once are ten", () => {
  const doors = new LoginThrottle(new FakeClock());
  for (let i = 0; i < 9; i++) doors.begin("lra", "a"), doors.failed("lra", "a");
  doors.begin("lra", "a");
  doors.ended("lra", "a", true);
  const heard = Array.from({ length: 100 }, () => doors.begin("lra", "a"));
  assertEquals(heard.filter((each) => each).length, 10);
  for (let i = 0; i < 10; i++) doors.ended("lra", "a", false);
  assertEquals(doors.begin("lra", "a"), true);
});

const urls: [string, unknown][] = [
  ["sqlite:", { kind: "sqlite", file: null }],
  ["sqlite:/var/chat/a.db", { kind: "sqlite", file: "/var/chat/a.db" }],
  ["memory:", { kind: "memory" }],
  ["mysql://chat@db/chat", { kind: "mysql", host: "db", port: 3306, user: "chat", database: "chat" }],
  ["mysql://c-1@[::1]:33/d_b", { kind: "mysql", host: "::1", port: 33, user: "c-1", database: "d_b" }],
];
for (const [text, url] of urls) {
  test(`--accounts ${text} is understood`, () => assertEquals(parseAccountsUrl(text), url as never));
}
for (
  const text of [
    "",
    "mysql",
    "postgres://chat@db/chat",
    "mysql://db/chat",
    "mysql://chat@db",
    "mysql://chat@db/",
    "mysql://@db/chat",
    "mysql://chat@db:0/chat",
    "mysql://chat@db:99999/chat",
    "mysql://chat@db/chat?ssl=false",
    "mysql://chat'@db/chat",
    "mysql://chat@db/chat`; DROP DATABASE chat",
  ]
) {
  test(`--accounts "${text}" is refused`, () =>
    void assertThrows(() => parseAccountsUrl(text), BadAccountsUrl));
}
test("--accounts with a password is refused without repeating it", () => {
  for (
    const text of [
      "mysql://chat:s3cret@db/chat",
      "mysql://chat:s3@cret@db/chat",
      "mariadb://chat:s3cret@db/chat",
    ]
  ) {
    const error = assertThrows(() => parseAccountsUrl(text), BadAccountsUrl);
    assertEquals(`${error.message} ${error.hint}`.includes("s3"), false);
  }
});

const passwords: [string, string, boolean][] = [
  ["ten characters", "1234567890", true],
  ["nine characters", "123456789", false],
  ["ten characters of several bytes", "éééééééééé", true],
  ["ten emoji", "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂", true],
  ["1024 bytes", "x".repeat(1024), true],
  ["1025 bytes", "x".repeat(1025), false],
];
for (const [what, text, isGood] of passwords) {
  test(`a password of ${what} is ${isGood ? "taken" : "refused, unseen"}`, () => {
    if (isGood) return assertEquals(isPassword(encodePassword(text)), true);
    const error = assertThrows(() => encodePassword(text), BadPassword);
    assertEquals(`${error.message} ${error.hint}`.includes(text), false);
    assertEquals(isPassword(ascii(text)), false);
  });
}
test("a password is the same in every composition of its letters, and others are refused from a peer", () => {
  const [composed, apart] = ["\u00e9".repeat(10), "e\u0301".repeat(10)];
  assertEquals(encodePassword(apart), encodePassword(composed));
  assertEquals([isPassword(ascii(composed)), isPassword(ascii(apart))], [true, false]);
});

/** A store that counts what is asked of it. */
class CountedStore extends MemoryAccounts {
  calls: string[] = [];
  override find(skeleton: string) {
    this.calls.push("find");
    return super.find(skeleton);
  }
  override noteLogin(event: Parameters<MemoryAccounts["noteLogin"]>[0]) {
    this.calls.push("noteLogin");
    return super.noteLogin(event);
  }
}
test("a wrong name, a wrong password and a wrong key are refused after the same calls to the store", async () => {
  const store = new CountedStore();
  const clock = new FakeClock();
  const passwords = new Passwords(systemRandom, cheap);
  const accounts = new Accounts({ store, passwords, clock, random: systemRandom, registration: "open" });
  await accounts.enter(attempt({ token: registers }));
  await accounts.setDisabled("ira", false, "operator");
  const calls = [];
  for (
    const over of [
      { cardName: "dana", name: "dana" },
      { password: ascii("wrong horse battery") },
      { identity: new Uint8Array(32).fill(2) },
    ]
  ) {
    store.calls = [];
    assertEquals(await accounts.enter(attempt(over)), "refused");
    calls.push(store.calls.join());
  }
  assertEquals(calls, Array(3).fill("find,noteLogin"));
});
test("whoever goes before the answer is not counted, and leaves no row", async () => {
  const store = new CountedStore();
  const clock = new FakeClock();
  const passwords = new Passwords(systemRandom, cheap);
  const accounts = new Accounts({ store, passwords, clock, random: systemRandom, registration: "open" });
  await accounts.enter(attempt({ token: registers }));
  for (let i = 0; i < 20; i++) {
    assertEquals(await accounts.enter(attempt({ isWanted: () => false })), "refused");
  }
  assertEquals(store.calls.includes("noteLogin"), false);
  assertEquals(typeof await accounts.enter(attempt()), "object");
});
test("a password that is changed while it is checked counts as changed", async () => {
  const store = new MemoryAccounts();
  const clock = new FakeClock();
  let meanwhile = () => Promise.resolve();
  class Interrupted extends Passwords {
    override async verify(...args: Parameters<Passwords["verify"]>) {
      const isRight = await super.verify(...args);
      const act = meanwhile;
      meanwhile = () => Promise.resolve();
      await act();
      return isRight;
    }
  }
  const passwords = new Interrupted(systemRandom, cheap);
  const accounts = new Accounts({ store, passwords, clock, random: systemRandom, registration: "open" });
  await accounts.enter(attempt({ token: registers }));
  const [old, next] = [ascii("correct horse battery"), ascii("another password")];
  meanwhile = async () => void await accounts.changePassword("ira", old, next, "b");
  assertEquals(await accounts.enter(attempt()), "refused");
  assertEquals(typeof await accounts.enter(attempt({ password: next })), "object");
});

for (const act of ["release", "setDisabled"] as const) {
  test(`what the operator does while the other link is asked for a sign of life counts: ${act}`, async () => {
    const parts = { store: new MemoryAccounts(), passwords: new Passwords(systemRandom, cheap) };
    const accounts = new Accounts({
      ...parts,
      clock: new FakeClock(),
      random: systemRandom,
      registration: "open",
    });
    await accounts.enter(attempt({ token: registers }));
    const verdict = await accounts.enter(attempt({
      claim: async () => {
        await (act === "release" ? accounts.release("ira", "op") : accounts.setDisabled("ira", true, "op"));
        return true;
      },
    }));
    assertEquals(verdict, "refused");
  });
}
test("a malformed registration costs the same work, whether the account is there or not", async () => {
  const passwords = new Watched(systemRandom, cheap);
  const accounts = new Accounts({
    store: new MemoryAccounts(),
    passwords,
    clock: new FakeClock(),
    random: systemRandom,
    registration: "closed",
  });
  await accounts.enter(attempt({ token: registers, password: ascii("short") }));
  await accounts.enter(attempt({ token: registers, name: "dana" }));
  assertEquals(passwords.verified.length, 2);
});
test("the loser of two registrations never touches the winner's link", async () => {
  const accounts = new Accounts({
    store: new MemoryAccounts(),
    passwords: new Passwords(systemRandom, cheap),
    clock: new FakeClock(),
    random: systemRandom,
    registration: "open",
  });
  let claims = 0;
  const claim = () => Promise.resolve(++claims > 0);
  const both = [1, 2].map((n) =>
    accounts.enter(attempt({ token: registers, identity: new Uint8Array(32).fill(n), claim }))
  );
  const verdicts = (await Promise.all(both)).map((verdict) => typeof verdict);
  assertEquals([verdicts.toSorted(), claims], [["object", "string"], 1]);
});
for (
  const text of ["MySQL://chat:hunter2@db/chat", "postgres://a:hunter2@db/x", "mysql:chat:hunter2@db/chat"]
) {
  test(`a password in ${text.split("hunter2")[0]}... is not repeated`, () => {
    const error = assertThrows(() => parseAccountsUrl(text), BadAccountsUrl);
    assertEquals(`${error.message} ${error.hint}`.includes("hunter2"), false);
  });
}
