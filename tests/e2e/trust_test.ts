/** Key files, answers, direct messages and the operator's words, with the executable from outside. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { e2e, freePort, type Home } from "./chat_process.ts";
import { run } from "../fakes/tools.ts";

const python = "/usr/bin/python3";
const hasFernet = await run(python, ["-c", "import cryptography.fernet"]).then(({ ok }) => ok).catch(() =>
  false
);

async function serve(home: Home, ...args: string[]) {
  const port = String(freePort());
  const server = home.start("serve", "-p", port, ...args);
  await server.shows("Invite:");
  return { port, server };
}

e2e(
  "a key file from keygen protects a room: the wrong file is exit code 4, none is exit code 1",
  async (home) => {
    const { port } = await serve(home);
    const [right, wrong] = [`${home.dir}/right.key`, `${home.dir}/wrong.key`];
    for (const file of [right, wrong]) assertEquals((await home.run(["keygen", "--room", file])).code, 0);
    const ira = home.start("join", "-u", "ira", "-p", port, "--key", right);
    await ira.shows("In the room: ira", "err");

    const none = await home.run(["join", "-u", "sam", "-p", port, "-m", "x"]);
    assertEquals([none.code, none.out], [1, ""]);
    assertStringIncludes(
      none.err,
      'error: The room "lobby" needs its key file\nhint: give it with --key FILE',
    );
    const other = await home.run(["join", "-u", "sam", "-p", port, "--key", wrong, "-m", "x"]);
    assertEquals([other.code, other.out], [4, ""]);
    assertStringIncludes(other.err, 'error: The key file does not fit the room "lobby"\nhint: ');
    const good = await home.run([
      "join",
      "-u",
      "sam",
      "-p",
      port,
      "--key",
      right,
      "-m",
      "with the right one",
    ]);
    assertEquals(good.code, 0, good.err);
    await ira.shows("sam: with the right one\n");

    Deno.chmodSync(right, 0o644);
    const exposed = await home.run(["join", "-u", "sam", "-p", port, "--key", right, "-m", "x"]);
    assertEquals(exposed.code, 1);
    assertStringIncludes(exposed.err, `hint: run "chmod 600 ${right}"`);
    Deno.writeTextFileSync(wrong, "not a key");
    const broken = await home.run(["join", "-u", "sam", "-p", port, "--fernet", wrong, "-m", "x"]);
    assertEquals(broken.code, 1);
    assertEquals(broken.err.includes("not a key"), false, "what is in a key file is not shown");
    const both = await home.run(["join", "-u", "sam", "-p", port, "--fernet", right, "--key", right]);
    assertEquals(both.code, 2);
  },
);

e2e(
  "serve --answer-ack answers each sender alone; what is said is read by Python from the database",
  async (home) => {
    const file = `${home.dir}/secret.key`;
    await home.run(["keygen", "--room", file]);
    const { port, server } = await serve(home, "--answer", file, "--answer-ack");
    const ira = home.start("join", "-u", "ira", "-p", port, "--fernet", file);
    await ira.shows("The server reads this room", "err");
    assertStringIncludes(ira.err, "anyone with this file reads everything, past and future");
    const sam = home.start("join", "-u", "sahnawaz", "-p", port, "--fernet", file);
    await sam.shows("The server reads this room", "err");
    await ira.type("xyzzy one\n");
    await sam.type("plugh two\n");
    await ira.shows("(server): Server received: xyzzy one\n");
    await sam.shows("(server): Server received: plugh two\n");
    assertEquals([ira.out.includes("received: plugh"), sam.out.includes("received: xyzzy")], [false, false]);
    await server.shows("ira: xyzzy one\n");

    if (!hasFernet) return;
    const code = "import sqlite3,sys\nfrom cryptography.fernet import Fernet\n" +
      "db=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro&immutable=0',uri=True)\nf=Fernet(open(sys.argv[2],'rb').read().strip())\n" +
      "for (b,) in db.execute('select bytes from entries where kind=2 order by pos'):\n" +
      "  n=int.from_bytes(b[210:214],'big'); print(f.decrypt(bytes(b[214:214+n])).decode())\n";
    server.kill("SIGTERM");
    await server.code;
    const db = `${home.dir}/.local/share/chat/server/rooms.db`;
    const { text } = await run(python, ["-c", code, db, file]);
    assertEquals(text.trim().split("\n").sort(), ["plugh two", "xyzzy one"], text);
  },
  !hasFernet,
);

e2e("a person at the console answers by name, and whoever spoke last", async (home) => {
  const file = `${home.dir}/secret.key`;
  await home.run(["keygen", "--room", file]);
  const { port, server } = await serve(home, "--answer", file);
  const ira = home.start("join", "-u", "ira", "-p", port, "--fernet", file);
  const sam = home.start("join", "-u", "sahnawaz", "-p", port, "--fernet", file);
  for (const who of [ira, sam]) await who.shows("anyone with this file", "err");
  await ira.type("from ira\n");
  await server.shows("ira: from ira\n");
  await sam.type("from sam\n");
  await server.shows("sahnawaz: from sam\n");
  await server.type("to the last\n@ira to ira\nwho\nkick ira\n");
  await sam.shows("(server): to the last\n");
  await ira.shows("(server): to ira\n");
  await server.shows("sahnawaz                 127.0.0.1:");
  await server.shows('error: "kick ira" was neither done nor sent');
  assertEquals([ira.out.includes("to the last"), sam.out.includes("to ira")], [false, false]);
});

e2e("direct messages, /invite, NOTICE, KICK, BAN and RETIRE, from pipes", async (home) => {
  const { port, server } = await serve(home, "--show-addresses");
  const ira = home.start("join", "-u", "ira", "-p", port);
  await ira.shows("In the room: ira", "err");
  const sam = home.start("join", "-u", "sahnawaz", "-p", port);
  await sam.shows("In the room: ira, sahnawaz", "err");
  await ira.type("/msg sahnawaz for you alone\n/invite\n");
  await sam.shows("ira: for you alone\n");
  assertMatch(sam.out, /^\S+ \S+ \[@ira\] 127\.0\.0\.1:\d+ ira: for you alone\n$/);
  await ira.shows("chat join -u NAME 'chat://HOST:", "err");
  await ira.shows("on this machine it is 127.0.0.1", "err");
  const link = /'(chat:\S+)'/.exec(ira.err)![1].replace("HOST", "127.0.0.1");
  const dana = await home.run(["join", "-u", "dana", link, "-m", "by invite"]);
  assertEquals(dana.code, 0, dana.err);
  await sam.shows("dana: by invite\n");

  await server.type("notice back soon\n");
  await sam.shows("The server says: back soon", "err");
  await server.type("kick sahnawaz\n");
  assertEquals(await sam.code, 5);
  assertStringIncludes(sam.err, "error: The operator has put you out\nhint: ");
  await server.type("BAN dana\n");
  await server.shows("[+] dana is banned");
  assertEquals((await home.run(["join", "-u", "dana", "-p", port, "-m", "x"])).code, 5);
  await server.type("RETIRE lobby\nRETIRE lobby\n");
  await ira.shows("This room has ended", "err");
  const again = await home.run(["join", "-u", "sahnawaz", "-p", port, "-m", "x"]);
  assertEquals(again.code, 4, again.err);
  assertStringIncludes(again.err, "--trust lobby");
  const anew = await home.run(["join", "-u", "sahnawaz", "-p", port, "--trust", "lobby", "-m", "a new room"]);
  assertEquals(anew.code, 0, anew.err);
});

e2e(
  "a closed room: a program gives up after --join-timeout with exit code 1 and says who could let it in",
  async (home) => {
    const { port } = await serve(home);
    const ira = home.start("join", "-u", "ira", "-p", port);
    await ira.shows("In the room: ira", "err");
    await ira.type("/close\n");
    await ira.shows("closed the room", "err");
    const late = await home.run(["join", "-u", "dana", "-p", port, "--join-timeout", "1", "-m", "x"]);
    assertEquals(late.code, 1);
    assertStringIncludes(late.err, "only an admin of it can let you in, with /invite dana");
    await ira.type("/invite dana\n");
    await ira.shows("Username: dana", "err");
    assertEquals((await home.run(["join", "-u", "dana", "-p", port, "-m", "now"])).code, 0);
    await ira.shows("dana: now\n");
  },
);

const badFlags: [string[], string][] = [
  [["serve", "--retain", "soon"], "30d"],
  [["serve", "--retain", "0d"], "30d"],
  [["serve", "--retain-bytes", "1"], "64M"],
  [["serve", "--answer-ack"], "--answer FILE"],
];
for (const [args, hint] of badFlags) {
  e2e(`${args.join(" ")} is exit code 2 with a hint`, async (home) => {
    const { code, err } = await home.run(args);
    assertEquals(code, 2);
    assertStringIncludes(err.split("hint:")[1] ?? "", hint);
  });
}
