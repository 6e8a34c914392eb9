/** Accounts as people meet them: real servers, real sockets, the real Chat (protocol §8.4). */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { ChatError } from "../../lib/errors.ts";
import { Console } from "../../lib/server/operator/console.ts";
import { auditLine } from "../../lib/server/accounts/audit.ts";
import { MemoryAccounts } from "../../lib/server/accounts/memory.ts";
import type { AccountStore } from "../../lib/server/accounts/store.ts";
import { logsIn, registers, testAccounts, type TestAccountsOptions } from "../fakes/test_accounts.ts";
import { type Client, type World, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

const password = "correct horse battery";

function accountsTest(
  name: string,
  act: (world: World, enter: (line: string) => Promise<string[]>, store: AccountStore) => Promise<void>,
  options: TestAccountsOptions = {},
): void {
  worldTest(name, async (world) => {
    const store = new MemoryAccounts();
    await world.server.stop();
    await world.startServer({ accounts: testAccounts({ store, ...options }) });
    const console = new Console({
      server: world.server,
      invite: (room) => `invite ${room}`,
      now: () => 0,
      operator: "operator root",
    });
    await act(world, async (line) => {
      const { lines, later } = console.enter(line);
      return [...lines, ...await later ?? []];
    }, store);
  });
}

const endOf = async ({ done }: Client): Promise<[string, number] | number> => {
  const end = await done;
  return end instanceof ChatError ? [`${end.message}: ${end.hint}`, end.exitCode] : end as number;
};
async function trailOf(store: AccountStore): Promise<string[]> {
  const lines = [];
  for await (const row of store.audit()) lines.push(auditLine(row).slice("2026-11-21 09:35:24  ".length));
  return lines;
}

accountsTest("people register, talk, leave and log in again", async (world, _enter, store) => {
  const ira = await world.enter("ira", registers(password));
  assertEquals(ira.view.notices.includes("You are registered as ira."), true);
  const sam = await world.enter("sahnawaz", registers("another long password"));
  ira.view.type("hello");
  await sam.view.hears("ira: hello");
  ira.chat.quit();
  await ira.done;
  sam.view.type("while you were away");
  const again = await world.enter("ira", logsIn(password));
  await again.view.hears("sahnawaz: while you were away");
  assertEquals(again.view.notices.some((text) => text.includes("registered")), false);
  assertEquals(await trailOf(store), [
    "registered  ira  from 127.0.0.1",
    "registered  sahnawaz  from 127.0.0.1",
    "logged in  ira  from 127.0.0.1",
  ]);
});
accountsTest(
  "a wrong password and a name without an account get the same answer",
  async (world, _enter, store) => {
    const ira = await world.enter("ira", registers(password));
    ira.chat.quit();
    await ira.done;
    const ends = [];
    for (
      const [name, typed] of [["ira", "correct horse batterz"], ["dana", password], ["ira", "short but long"]]
    ) {
      const [words, code] = await endOf(await world.join(name, logsIn(typed))) as [string, number];
      ends.push(words.replace(`"${name}"`, "NAME"));
      assertEquals(code, 5);
    }
    assertEquals(new Set(ends).size, 1);
    assertStringIncludes(ends[0], "The server refused the login of NAME: check name and password");
    assertEquals((await trailOf(store)).slice(1), [
      "login refused  ira  from 127.0.0.1",
      "login refused  dana  from 127.0.0.1",
      "login refused  ira  from 127.0.0.1",
    ]);
    assertEquals(world.log.filter((line) => line.includes("login refused")).length, 3);
  },
);
accountsTest("a person is asked, twice for a new password, until it can be one", async (world) => {
  const ira = await world.join("ira", { login: { register: true, password: null, registrationToken: null } });
  ira.view.secrets.push("short", password, "something else", password, password);
  await ira.view.until((event) => event.type === "entered");
  assertEquals(ira.view.asked, [
    "New password for ira (at least 10 characters): ",
    "New password for ira (at least 10 characters): ",
    "The same again: ",
    "New password for ira (at least 10 characters): ",
    "The same again: ",
  ]);
  assertStringIncludes(ira.view.warnings[0], "at least 10 characters");
  assertStringIncludes(ira.view.warnings[1], "The two differ");
  ira.chat.quit();
  await ira.done;
  const again = await world.join("ira");
  again.view.secrets.push(password);
  await again.view.until((event) => event.type === "entered");
  assertEquals(again.view.asked, ["Password of ira: "]);
  again.chat.quit();
  await again.done;
  const cancelled = await world.join("ira");
  assertEquals(await endOf(cancelled), [
    "The question was not answered, and nothing was sent: join again when you have it at hand",
    130,
  ]);
});
accountsTest(
  "a wrong password that was typed is asked for again, twice; one from a file is not",
  async (world) => {
    const ira = await world.enter("ira", registers(password));
    ira.chat.quit();
    await ira.done;
    const again = await world.join("ira");
    again.view.secrets.push("a wrong password", "another wrong one", password);
    await again.view.until((event) => event.type === "entered");
    assertEquals(again.view.asked.length, 3);
    assertEquals(again.view.warnings.filter((text) => text.includes("refused the login")).length, 2);
    again.chat.quit();
    await again.done;
    const never = await world.join("ira");
    never.view.secrets.push("a wrong password", "another wrong one", "a third wrong one", password);
    assertEquals((await endOf(never) as [string, number])[1], 5);
    assertEquals(never.view.asked.length, 3);
    const program = await world.join("ira", logsIn("a wrong password"), false);
    assertEquals((await endOf(program) as [string, number])[1], 5);
  },
);
accountsTest(
  "a program without a password file is told which flag is missing, exit code 5",
  async (world) => {
    const [words, code] = await endOf(await world.join("ira", { message: "x" }, false)) as [string, number];
    assertEquals([words, code], ["This server wants a password: give it with --password-file FILE", 5]);
  },
);
accountsTest("after a cut nobody is asked again", async (world) => {
  const ira = await world.join("ira");
  ira.view.secrets.push(password, password, password);
  assertEquals((await endOf(ira) as [string, number])[1], 5);
  const dana = await world.join("dana", {
    login: { register: true, password: null, registrationToken: null },
  });
  dana.view.secrets.push(password, password);
  await dana.view.until((event) => event.type === "entered");
  dana.cut();
  await until("cut", () => dana.view.warnings.some((text) => text.includes("cut")));
  dana.view.type("after the cut");
  await dana.view.hears("dana: after the cut");
  assertEquals(dana.view.asked.length, 2);
});
accountsTest(
  "nobody registers a name whose key was seen before there were accounts, but its owner",
  async (world) => {
    await world.server.stop();
    await world.startServer();
    const before = await world.enter("ira");
    before.chat.quit();
    await before.done;
    await world.server.stop();
    await world.startServer({ accounts: testAccounts() });
    const other = world.elsewhere();
    other.keysOf.set("ira", "mallory");
    assertEquals((await endOf(await other.join("ira", registers(password))) as [string, number])[1], 5);
    await world.enter("ira", registers(password));
    await other.close();
  },
);
accountsTest(
  "registration by token: one each, minted on the console; without or twice it is refused",
  async (world, enter, store) => {
    const refused = await endOf(await world.join("ira", registers(password, "no such token"))) as [
      string,
      number,
    ];
    assertStringIncludes(
      refused[0],
      'The server did not register "ira": the name may be taken, the token wrong',
    );
    assertEquals(refused[1], 5);
    const [line] = await enter("TOKEN");
    const token = line.slice("[+] For one registration: ".length);
    assertEquals(token.length, 22);
    const ira = await world.enter("ira", registers(password, `${token}\n`));
    assertEquals(
      (await endOf(await world.join("dana", registers(password, token))) as [string, number])[1],
      5,
    );
    const dana = await world.join("dana", {
      login: { register: true, password: null, registrationToken: null },
    });
    dana.view.secrets.push(
      (await enter("token"))[0].slice("[+] For one registration: ".length),
      password,
      password,
    );
    await dana.view.until((event) => event.type === "entered");
    assertEquals(dana.view.asked[0], "Registration token: ");
    ira.view.type("hello");
    await dana.view.hears("ira: hello");
    const trail = await trailOf(store);
    assertEquals(trail.filter((each) => each === "token made  by operator root").length, 2);
    assertEquals(trail.includes("registered with a token  ira  from 127.0.0.1"), true);
    assertEquals(JSON.stringify(trail).includes(token), false);
  },
  { registration: "token" },
);
accountsTest(
  "TOKEN 30 makes thirty that differ; where a log would see them they go into a file",
  async (world, enter) => {
    const lines = await enter("TOKEN 30");
    assertEquals(lines.length, 31);
    assertEquals(new Set(lines.slice(1)).size, 30);
    for (const bad of ["0", "x", "1001", "1.5"]) {
      assertStringIncludes(
        (await enter(`TOKEN ${bad}`))[0],
        "no number of tokens",
      );
    }
    const kept: string[] = [];
    const console = new Console({
      server: world.server,
      invite: () => "",
      now: () => 0,
      keepTokens: (tokens) => {
        kept.push(...tokens);
        return "/data/registration-tokens";
      },
    });
    const told = await console.enter("TOKEN 2").later!;
    assertEquals(told, ['[+] For 2 registrations, one each: added to "/data/registration-tokens"']);
    assertEquals(kept.length, 2);
    const register = { register: true, password, registrationToken: kept[1] };
    await world.enter("ira", { login: register });
  },
  { registration: "token" },
);
accountsTest("closed registration is told before a password is asked for", async (world, enter) => {
  const ira = await world.join("ira", { login: { register: true, password: null, registrationToken: null } });
  assertEquals(await endOf(ira), [
    "This server takes no new accounts: ask its operator; with an account, join without --register",
    5,
  ]);
  assertEquals(ira.view.asked, []);
  assertStringIncludes((await enter("TOKEN"))[1], "no use while --registration is closed");
}, { registration: "closed" });
accountsTest(
  "--register where one has an account already is a login; with another's password it is not",
  async (world) => {
    const ira = await world.enter("ira", registers(password));
    ira.chat.quit();
    await ira.done;
    const again = await world.enter("ira", registers(password));
    again.chat.quit();
    await again.done;
    assertEquals(
      (await endOf(await world.join("ira", registers("a guessed password"))) as [string, number])[1],
      5,
    );
  },
);
worldTest("--register on a server without accounts says so and goes on", async (world) => {
  const ira = await world.enter("ira", registers(password));
  assertEquals(ira.view.notices.includes("This server has no accounts; nothing was registered."), true);
  const enter = new Console({ server: world.server, invite: () => "", now: () => 0 });
  for (const word of ["ACCOUNTS", "RELEASE ira", "DISABLE ira", "ENABLE ira", "TOKEN"]) {
    assertEquals(enter.enter(word).lines, [
      "error: This server has no accounts",
      "hint: start it with --accounts sqlite:",
    ]);
  }
  ira.view.type("/password");
  await until("told", () => ira.view.warnings.some((text) => text.includes("This server has no accounts")));
});
accountsTest(
  "/password: asks for the old and the new one; the new one counts from then on",
  async (world, _enter, store) => {
    const ira = await world.enter("ira", registers(password));
    const tries: [string[], string][] = [
      [["a wrong password", "a brand new password", "a brand new password"], "the password is wrong"],
      [[password, "a brand new password", "a brand new password"], "The password is changed."],
    ];
    for (const [secrets, words] of tries) {
      ira.view.secrets.push(...secrets);
      ira.view.type("/password");
      await until(
        words,
        () => [...ira.view.notices, ...ira.view.warnings].some((text) => text.includes(words)),
      );
    }
    ira.view.type("/password"); // nothing is entered
    await until("told", () => ira.view.notices.some((text) => text.includes("Nothing was done")));
    ira.cut();
    await until("cut", () => ira.view.warnings.some((text) => text.includes("cut")));
    ira.view.type("with the new one");
    await ira.view.hears("ira: with the new one");
    ira.chat.quit();
    await ira.done;
    assertEquals((await endOf(await world.join("ira", logsIn(password))) as [string, number])[1], 5);
    await world.enter("ira", logsIn("a brand new password"));
    assertEquals((await trailOf(store)).includes("password changed  ira"), true);
  },
);
accountsTest(
  "a second login of one account is refused, and the one who is in is told",
  async (world, _enter, store) => {
    const ira = await world.enter("ira", registers(password));
    const copy = world.elsewhere();
    assertEquals(await endOf(await copy.join("ira", logsIn(password))), [
      '"ira" is logged in elsewhere: leave there first',
      5,
    ]);
    await until(
      "told",
      () => ira.view.notices.some((text) => text.includes("tried to log in from 127.0.0.1")),
    );
    ira.view.type("still here");
    await ira.view.hears("ira: still here");
    assertEquals((await trailOf(store)).includes("login refused: in use  ira  from 127.0.0.1"), true);
    await copy.close();
  },
);
accountsTest(
  "DISABLE puts out and keeps out, ENABLE lets in again, both on the record",
  async (world, enter, store) => {
    const ira = await world.enter("ira", registers(password));
    assertEquals(await enter("DISABLE 1RA"), ["[+] ira is disabled, and put out"]);
    assertEquals(await endOf(ira), ["The operator has put you out: ask the operator of the server", 5]);
    assertEquals((await endOf(await world.join("ira", logsIn(password))) as [string, number])[1], 5);
    assertStringIncludes((await enter("ACCOUNTS"))[0], "DISABLED");
    assertEquals(await enter("enable ira"), ["[+] ira may log in again"]);
    await world.enter("ira", logsIn(password));
    assertStringIncludes((await enter("DISABLE nobody"))[0], 'There is no account "nobody"');
    assertStringIncludes((await enter("DISABLE x'; DROP TABLE accounts"))[0], "There is no account");
    assertEquals((await trailOf(store)).filter((line) => line.includes("by operator")), [
      "disabled  ira  by operator root",
      "enabled  ira  by operator root",
    ]);
  },
);

/** The same name on another machine with another key. */
function withNewKey(world: World): World {
  const other = world.elsewhere();
  other.keysOf.set("ira", "mallory");
  return other;
}

accountsTest(
  "a new key does not log in until the operator RELEASEs the old one, which is then out",
  async (world, enter, store) => {
    const sam = await world.enter("sahnawaz", registers("another long password"));
    const ira = await world.enter("ira", registers(password));
    const other = withNewKey(world);
    assertEquals((await endOf(await other.join("ira", logsIn(password))) as [string, number])[1], 5);
    const [line, more] = await enter("RELEASE ira");
    assertEquals(
      line,
      "[+] ira is released, and put out: the next login with the password binds it to its key",
    );
    assertStringIncludes(more, "an admin there has to /kick it first");
    assertEquals((await endOf(ira) as [string, number])[1], 5);
    assertEquals(
      (await endOf(await other.join("ira", logsIn("a guessed password"))) as [string, number])[1],
      5,
    );
    const again = await other.join("ira", logsIn(password));
    await until("logged in", () => again.chat.conversation.hasAccount === true);
    // The old key has lost the account, and its name.
    assertEquals((await endOf(await world.join("ira", logsIn(password))) as [string, number])[1], 5);
    assertStringIncludes((await enter("ACCOUNTS"))[0], "ira");
    const trail = await trailOf(store);
    assertEquals(trail.includes("released  ira  by operator root"), true);
    assertEquals(trail.some((each) => /^bound to a key {2}ira {2}key \d{5} \d{5} \d{5}$/.test(each)), true);
    // In the room the old key is known as ira, until an admin puts it out; then the new one is let in.
    await until("asked", () => sam.view.warnings.some((text) => text.includes("/kick ira first")));
    sam.view.type("/kick ira");
    await until("warned", () => sam.view.warnings.some((text) => text.includes("/trust ira")));
    sam.view.type("/trust ira");
    await again.view.until((event) => event.type === "entered");
    again.view.type("with a new key");
    await sam.view.hears("ira: with a new key");
    await other.close();
  },
);
accountsTest(
  "/release frees the account for another key, once the owner says so with the password",
  async (world, _enter, store) => {
    const ira = await world.enter("ira", registers(password));
    const other = withNewKey(world);
    ira.view.type("/release");
    await until("asked", () => ira.view.promptText.includes("Go on?"));
    ira.view.type("no");
    await until("told", () => ira.view.notices.includes("Nothing was done."));
    ira.view.secrets.push("a wrong password");
    ira.view.type("/release");
    await until("asked", () => ira.view.promptText.includes("Go on?"));
    ira.view.type("yes");
    await until("refused", () => ira.view.warnings.some((text) => text.includes("the password is wrong")));
    assertEquals((await endOf(await other.join("ira", logsIn(password))) as [string, number])[1], 5);
    ira.view.secrets.push(password);
    ira.view.type("/release");
    await until("asked again", () => ira.view.promptText.includes("Go on?"));
    ira.view.type("yes");
    assertEquals(await endOf(ira), 0);
    const again = await other.join("ira", logsIn(password));
    await until("logged in", () => again.chat.conversation.hasAccount === true);
    assertEquals((await trailOf(store)).includes("released  ira"), true);
    await other.close();
  },
);
accountsTest(
  "a link that does not answer is replaced within seconds, so that a cut locks nobody out",
  async (world) => {
    let frozen = false;
    const dial = world.dial;
    world.dial = async (host, port) => {
      const conn = await dial(host, port);
      world.dial = dial;
      return {
        read: (buffer) => conn.read(buffer),
        write: (bytes) => frozen ? Promise.resolve(bytes.length) : conn.write(bytes),
        close: () => conn.close(),
      };
    };
    const ira = await world.enter("ira", registers(password));
    frozen = true;
    const elsewhere = world.elsewhere();
    const copy = await elsewhere.join("ira", logsIn(password));
    await until("logged in", () => copy.chat.conversation.hasAccount === true);
    assertEquals(ira.view.notices.some((text) => text.includes("tried to log in")), false);
    ira.cut();
    await elsewhere.close();
  },
);
accountsTest(
  "ten failures close the door of this name from this address, also for the right password",
  async (world, _enter, store) => {
    const ira = await world.enter("ira", registers(password));
    ira.chat.quit();
    await ira.done;
    for (let i = 0; i < 10; i++) await endOf(await world.join("ira", logsIn("a guessed password")));
    const [words, code] = await endOf(await world.join("ira", logsIn(password))) as [string, number];
    assertEquals(code, 5);
    assertStringIncludes(words, "ten failures close the door for ten minutes");
    assertEquals((await trailOf(store)).slice(-1), ["login refused: too many failures  ira  from 127.0.0.1"]);
    const dana = await world.join("dana", registers(password));
    await until("registered", () => dana.view.notices.includes("You are registered as dana."));
  },
);
accountsTest(
  "when the cost of hashes changes, a login brings the stored one up to date",
  async (world, _enter, store) => {
    const ira = await world.enter("ira", registers(password));
    ira.chat.quit();
    await ira.done;
    await world.server.stop();
    const dearer = { memoryKiB: 128, passes: 2, lanes: 1 };
    await world.startServer({ accounts: testAccounts({ store, cost: dearer }) });
    assertEquals(
      (await endOf(await world.join("ira", logsIn("a wrong password"))) as [string, number])[1],
      5,
    );
    assertEquals((await store.find("lra"))!.credential.memoryKiB, 64);
    const again = await world.enter("ira", logsIn(password));
    again.chat.quit();
    await again.done;
    const { credential } = (await store.find("lra"))!;
    assertEquals([credential.memoryKiB, credential.passes, credential.revision], [128, 2, 2]);
    await world.enter("ira", logsIn(password));
    assertEquals((await trailOf(store)).filter((line) => line.includes("hashed anew")).length, 1);
  },
);
