/** Accounts with the executable from outside: SQLite, a real MariaDB by the README's commands, and terminals. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hasMariadb, Mariadb } from "../fakes/mariadb.ts";
import { type ChatProcess, e2e, executable, freePort, type Home } from "./chat_process.ts";
import { hasTmux, Terminals } from "./terminal.ts";

const password = "correct horse battery staple";

async function serve(home: Home, ...args: string[]): Promise<{ port: string; server: ChatProcess }> {
  const port = String(freePort());
  const server = home.start("serve", "-p", port, ...args);
  await server.shows("Invite:");
  return { port, server };
}
/** A file that only its owner reads. */
function secret(home: Home, name: string, text: string): string {
  const path = `${home.dir}/${name}`;
  Deno.writeTextFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

/** Register, log in, be refused, be on record; the same for every store. */
async function story(home: Home, accounts: string[]): Promise<{ server: ChatProcess; token: string }> {
  const { port, server } = await serve(home, "--registration", "token", ...accounts);
  await server.shows("[+] People log in; whoever is new registers with a token that TOKEN makes");
  await server.type("TOKEN\n");
  // What is printed may go to a log: the token goes into a file of the operator's.
  await server.shows("[+] For one registration: added to ");
  const kept = /added to "(\S+)"/.exec(server.out)![1];
  assertEquals(Deno.statSync(kept).mode! & 0o777, 0o600);
  const token = Deno.readTextFileSync(kept).trim();
  assertEquals((server.out + server.err).includes(token), false);
  const [right, wrong, minted] = [
    secret(home, "right", password),
    secret(home, "wrong", "incorrect horse battery"),
    secret(home, "token", token),
  ];
  const as = (file: string) => ["join", "-u", "ira", "-p", port, "--password-file", file];
  const before = await home.run([...as(right), "-m", "x"]);
  assertEquals(before.code, 5);
  assertStringIncludes(
    before.err,
    'error: The server refused the login of "ira"\nhint: check name and password',
  );
  const registered = await home.run([
    ...as(right),
    "--register",
    "--registration-token-file",
    minted,
    "-m",
    "I am registered",
  ]);
  assertEquals(registered.code, 0, registered.err);
  assertStringIncludes(registered.err, "[+] You are registered as ira.");
  const ira = home.start(...as(right));
  await ira.shows("In the room: ira", "err");
  const elsewhere = ["join", "--home", `${home.dir}/elsewhere`, "-u", "1RA", "-p", port];
  const wrongly = await home.run([...elsewhere, "--password-file", wrong, "-m", "x"]);
  assertEquals([wrongly.code, wrongly.out], [5, ""], wrongly.err);
  // The token is used up, also for another name.
  const again = await home.run([
    ...as(right).map((arg) => arg === "ira" ? "sam" : arg),
    "--register",
    "--registration-token-file",
    minted,
    "-m",
    "x",
  ]);
  assertEquals(again.code, 5);
  assertStringIncludes(again.err, 'error: The server did not register "sam"\nhint: the name may be taken');
  await server.type("ACCOUNTS\n");
  await server.shows("ira                      since ");
  await server.type("DISABLE ira\n");
  await server.shows("[+] ira is disabled, and put out");
  assertEquals(await ira.code, 5);
  assertStringIncludes(ira.err, "error: The operator has put you out");
  await server.type("ENABLE ira\n");
  await server.shows("[+] ira may log in again");
  const back = await home.run([...as(right), "-m", "back again"]);
  assertEquals(back.code, 0, back.err);

  // While the server runs, its operator reads the trail.
  const audit = await home.run(["serve", ...accounts, "--audit"]);
  assertEquals([audit.code, audit.err], [0, ""]);
  const trail = audit.out.trim().split("\n");
  for (const line of trail) assertMatch(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}\S/);
  assertEquals(trail.map((line) => line.slice(21).replace(/ {2}(by operator).*/, "  $1")), [
    "token made  by operator",
    "login refused  ira  from 127.0.0.1",
    "registered with a token  ira  from 127.0.0.1",
    "logged in  ira  from 127.0.0.1",
    "login refused  1RA  from 127.0.0.1",
    "login refused  sam  from 127.0.0.1",
    "disabled  ira  by operator",
    "enabled  ira  by operator",
    "logged in  ira  from 127.0.0.1",
  ]);
  return { server, token };
}

/** None of the secrets of the story, in any spelling. */
function assertBlind(what: string, text: string, secrets: string[]): void {
  for (const each of secrets) {
    const hex = Array.from(new TextEncoder().encode(each), (b) => b.toString(16).padStart(2, "0")).join("");
    for (const spelling of [each, btoa(each), hex, hex.toUpperCase()]) {
      assert(!text.includes(spelling), `${what} holds a secret`);
    }
  }
}

e2e(
  "accounts in SQLite: a token, a registration, logins, refusals, the audit trail; no password on disk",
  async (home) => {
    const { server, token } = await story(home, ["--accounts", "sqlite:"]);
    await server.type("TERMINATE\n");
    assertEquals(await server.code, 0);
    const data = `${home.dir}/.local/share/chat/server`;
    const files = [...Deno.readDirSync(data)].filter(({ isFile }) => isFile).map(({ name }) => name);
    assert(files.includes("accounts.db"));
    for (const name of files) {
      const isPublic = name === "server_public_key.pem";
      assertEquals([name, Deno.statSync(`${data}/${name}`).mode! & 0o777], [name, isPublic ? 0o644 : 0o600]);
      if (name === "registration-tokens") continue; // where the operator reads them
      const bytes = Deno.readFileSync(`${data}/${name}`);
      assertBlind(name, new TextDecoder("latin1").decode(bytes), [
        password,
        token,
        "incorrect horse battery",
      ]);
    }
    assertBlind("the log", server.out + server.err, [
      password,
      token,
    ]);
  },
);

e2e(
  "accounts in MariaDB by the two commands of the README, as a user with SELECT and INSERT",
  async (home) => {
    const db = await Mariadb.start();
    try {
      const accounts = [
        "--accounts",
        `mysql://chat@127.0.0.1:${db.port}/chat`,
        "--accounts-password-file",
        `${home.dir}/database.password`,
      ];
      // Before anything is set up: what to do, and exit codes.
      const early = await home.run(["serve", ...accounts]);
      assertEquals(early.code, 1);
      assertStringIncludes(early.err, `database.password": there is no such file`);
      const printed = await home.run(["serve", ...accounts, "--print-schema"]);
      assertEquals([printed.code, printed.err], [
        0,
        `[+] Made "${home.dir}/database.password" with a new password\n`,
      ]);
      assertEquals(Deno.statSync(`${home.dir}/database.password`).mode! & 0o777, 0o600);
      const unknown = await home.run(["serve", ...accounts]);
      assertEquals(unknown.code, 1);
      assertStringIncludes(unknown.err, "it refuses the user or the password\nhint: ");
      await db.asAdmin(printed.out);

      const { server, token } = await story(home, accounts);
      const dump = await db.dump("chat");
      assertStringIncludes(dump, "'ira'");
      const databasePassword = Deno.readTextFileSync(`${home.dir}/database.password`).trim();
      const secrets = [password, token, "incorrect horse battery", databasePassword];
      assertBlind("the dump", dump, secrets);
      // Nor anything by which a link, a room or a key could be opened: only tables that are named here exist.
      assertEquals([...dump.matchAll(/CREATE TABLE `(\w+)`/g)].map(([, name]) => name).toSorted(), [
        "accounts",
        "bans",
        "bindings",
        "credentials",
        "login_events",
        "registration_tokens",
        "schema_versions",
        "token_uses",
      ]);
      assertBlind("the log", server.out + server.err, secrets);
      assertEquals(await db.asAdmin("SHOW PROCESSLIST").then((text) => text.includes("\tchat\t")), true);

      // The database goes away: who is there is told why a login does not go, and the server lives.
      await db.down();
      const port = /port: (\d+)/.exec(server.out)![1];
      const say = ["join", "-u", "ira", "-p", port, "--password-file", `${home.dir}/right`, "-m", "x"];
      const gone = await home.run(say);
      assertEquals(gone.code, 3);
      assertStringIncludes(
        gone.err,
        "error: The server cannot keep anything, or check logins, at the moment\nhint: try again in a minute",
      );
      await server.shows("[!] Whoever wants in is told to try again; whoever is in stays");
      const absent = await home.run(["serve", "-p", "1", "--data", `${home.dir}/other`, ...accounts]);
      assertEquals(absent.code, 3);
      assertStringIncludes(
        absent.err,
        "nothing answers there\nhint: check host and port, and that the database runs",
      );
      await db.up();
      const back = await home.run(say);
      assertEquals(back.code, 0, back.err);
      await server.shows("[+] The accounts can be used again");
      await server.type("TERMINATE\n");
      assertEquals(await server.code, 0);
    } finally {
      await db.stop();
    }
  },
  !hasMariadb,
);

e2e("accounts: a database user without a password cannot be made by mistake", async (home) => {
  const empty = secret(home, "empty", "");
  const accounts = ["serve", "--accounts", "mysql://chat@127.0.0.1:1/chat"];
  for (const more of [["--print-schema"], []]) {
    const refused = await home.run([...accounts, "--accounts-password-file", empty, ...more]);
    assertEquals([refused.code, refused.out], [1, ""]);
    assertStringIncludes(refused.err, `error: "${empty}" holds no secret: its first line is empty\nhint: `);
  }
  // What stands for a password that was not given is no SQL: nobody gets a user with it.
  const open = await home.run([...accounts, "--print-schema"]);
  assertEquals(open.code, 0);
  assertMatch(open.out, /IDENTIFIED BY <PUT THE PASSWORD HERE>/);
  assertStringIncludes(open.err, "No password is given");
});

e2e("accounts: flags of the wrong store, and a trail that does not exist, are told", async (home) => {
  const cases: [string[], number, string][] = [
    [
      ["--accounts", "sqlite:", "--accounts-password-file", "x"],
      2,
      "--accounts-password-file is for a mysql:",
    ],
    [["--accounts", "memory:", "--audit"], 2, "Accounts in memory end with their server"],
    [["--accounts", `sqlite:${home.dir}/none.db`, "--audit"], 1, "There are no accounts yet"],
  ];
  for (const [args, code, said] of cases) {
    const result = await home.run(["serve", ...args]);
    assertEquals([result.code, result.out], [code, ""], result.err);
    assertStringIncludes(result.err, said);
  }
});

e2e(
  "in a terminal passwords are asked for and never shown, nor kept in the history of lines",
  async (home) => {
    const terminals = new Terminals(home);
    const port = freePort();
    try {
      const server = await terminals.open(`${executable} serve -p ${port} --accounts sqlite:`);
      await server.shows("[+] Invite:");
      const ira = await terminals.open(`${executable} join --register -p ${port}`);
      await ira.shows("Name");
      await ira.enter("ira");
      await ira.shows("New password for ira (at least 10 characters):");
      await ira.enter("too short");
      await ira.shows("A password needs at least 10 characters.");
      await ira.type(password);
      await ira.press("Enter");
      await ira.shows("The same again:");
      await ira.enter(password);
      await ira.shows("[+] You are registered as ira.");
      await ira.shows("lobby>");
      await ira.enter("hello");
      await ira.shows("ira: hello");
      await ira.press("Up");
      await ira.shows("lobby> hello");
      await ira.press("Up", "C-u");
      await ira.enter("/password");
      await ira.shows("Password until now:");
      await ira.enter(password);
      await ira.shows("New password (at least 10 characters):");
      await ira.enter("another password of mine");
      await ira.shows("The same again:");
      await ira.enter("another password of mine");
      await ira.shows("[+] The password is changed.");
      await ira.press("C-d");
      await ira.shows("code 0");
      for (const hidden of [password, "too short", "another password"]) {
        assertEquals((await ira.all()).includes(hidden), false, "a password was shown");
      }

      const plain = await terminals.open(`${executable} join --plain -u ira -p ${port}`);
      await plain.shows("Password of ira:");
      await plain.enter("another password of mine");
      await plain.shows("Now you can start to exchange messages");
      await plain.enter("typed so that it is seen");
      await plain.shows("ira: typed so that it is seen");
      assertEquals((await plain.all()).includes("another password"), false, "a password was shown");

      // The same account elsewhere, and Ctrl+C at the question.
      const copy = await terminals.open(
        `cp -r ${home.dir}/.config ${home.dir}/copy && ${executable} join --home ${home.dir}/copy/chat -u ira -p ${port}`,
      );
      await copy.shows("Password of ira:");
      await copy.enter("another password of mine");
      await copy.shows('error: "ira" is logged in elsewhere');
      await copy.shows("code 5");
      await plain.shows("The server says: Somebody with your key and your password tried to log in");
      const cancelled = await terminals.open(
        `${executable} join --home ${home.dir}/copy/chat -u ira -p ${port}`,
      );
      await cancelled.shows("Password of ira:");
      await cancelled.press("C-c");
      await cancelled.shows("code 130");
      await server.enter("release ira");
      await server.shows("[+] ira is released, and put out");
      await plain.shows("code 5");
    } finally {
      await terminals.close();
    }
  },
  !hasTmux,
);

const mistakes: [what: string, args: string[], code: number, message: string][] = [
  [
    "an unknown kind of store",
    ["--accounts", "postgres://x@y/z"],
    2,
    '--accounts cannot be "postgres://x@y/z"',
  ],
  [
    "a password in the URL",
    ["--accounts", "mysql://chat:hunter22@db/chat"],
    2,
    "A password does not belong into",
  ],
  ["--registration without accounts", ["--registration", "open"], 2, "--registration is for accounts"],
  ["--audit without accounts", ["--audit"], 2, "--audit is for accounts"],
  [
    "an unknown mode",
    ["--accounts", "sqlite:", "--registration", "maybe"],
    2,
    '--registration cannot be "maybe"',
  ],
  [
    "no database password",
    ["--accounts", "mysql://chat@127.0.0.1:1/chat"],
    2,
    'The database user "chat" needs a',
  ],
  [
    "a certificate that is none",
    [
      ...["--accounts", "mysql://chat@127.0.0.1:1/chat", "--accounts-ca", "/etc/hostname"],
    ],
    2,
    '"/etc/hostname" holds no certificate',
  ],
];
for (const [what, args, code, message] of mistakes) {
  e2e(`serve refuses ${what}: exit code ${code}, what is wrong and what to do`, async (home) => {
    const { code: actual, out, err } = await home.run(["serve", "-p", "1", ...args]);
    assertEquals([actual, out], [code, ""], err);
    assertStringIncludes(err, `error: ${message}`);
    assertMatch(err, /\nhint: \S/);
    assertEquals(err.includes("hunter22"), false);
  });
}
e2e(
  "a password file that others can read is refused, and a password too short in it is not shown",
  async (home) => {
    const { port } = await serve(home, "--accounts", "sqlite:");
    const file = secret(home, "file", "short one");
    const short = await home.run([
      "join",
      "-u",
      "ira",
      "-p",
      port,
      "--register",
      "--password-file",
      file,
      "-m",
      "x",
    ]);
    assertEquals(short.code, 1);
    assertStringIncludes(short.err, "error: A password needs at least 10 characters\nhint: ");
    assertEquals(short.err.includes("short one"), false);
    Deno.chmodSync(file, 0o644);
    const exposed = await home.run(["join", "-u", "ira", "-p", port, "--password-file", file, "-m", "x"]);
    assertEquals(exposed.code, 1);
    assertStringIncludes(exposed.err, `hint: run "chmod 600 ${file}"`);
    const none = await home.run(["join", "-u", "ira", "-p", port, "-m", "x"]);
    assertEquals(none.code, 5);
    assertStringIncludes(
      none.err,
      "error: This server wants a password\nhint: give it with --password-file FILE",
    );
  },
);
