/** The executable from outside: commands, streams, exit codes, signals, and a terminal. */

import { until } from "../fakes/until.ts";
import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hasTmux, Terminals } from "./terminal.ts";
import { e2e, freePort, type Home, removeCache } from "./chat_process.ts";
import { hasTool, run } from "../fakes/tools.ts";
import { executable } from "./chat_process.ts";

const keys = (home: Home, name: string) => `${home.dir}/.config/chat/profiles/${name}`;

e2e("keygen, serve, two joins, a message each way, EXIT, TERMINATE: from an empty home", async (home) => {
  const made = await home.run(["keygen", "-u", "ira", "--no-passphrase"]);
  assertEquals(made.code, 0, made.err);
  assertEquals(
    made.out,
    `${keys(home, "ira")}/client_private_key.pem\n${keys(home, "ira")}/client_public_key.pem\n`,
  );
  assertEquals(Deno.statSync(`${keys(home, "ira")}/client_private_key.pem`).mode! & 0o777, 0o600);
  assertEquals(Deno.statSync(keys(home, "ira")).mode! & 0o777, 0o700);

  const port = String(freePort());
  const server = home.start("serve", "-p", port);
  await server.shows("[+] Invite: chat join -u NAME 'chat://127.0.0.1:");
  assertStringIncludes(
    server.out,
    `[+] Running on host: 127.0.0.1\n[+] Running on port: ${port}\n[+] Server fingerprint: `,
  );
  const invite = /chat:\/\/\S+/.exec(server.out)![0];

  const ira = home.start("join", "-u", "ira", "-p", port);
  await ira.shows("In the room: ira", "err");
  const sam = home.start("join", "-u", "sahnawaz", invite);
  await sam.shows("In the room: ira, sahnawaz", "err");
  await ira.type("Hi\n");
  await sam.shows("ira: Hi\n");
  await sam.type("Hello Ira\n");
  await ira.shows("sahnawaz: Hello Ira\n");
  await sam.shows("sahnawaz: Hello Ira\n");
  // With output piped, stdout is message lines and nothing else.
  assertMatch(sam.out, /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (ira: Hi|sahnawaz: Hello Ira)\n){2}$/);

  for (
    const line of [
      "[+] New connection. Username: ira",
      "[+] Client public key had been received",
      "[+] Secret key had been sent to the client",
      "[+] Broadcast message:  New person joined the room. Username: sahnawaz",
      "Message exchanged",
    ]
  ) {
    await server.shows(line);
  }
  await sam.type("EXIT\n");
  assertEquals(await sam.code, 0);
  await server.shows("[+] sahnawaz left the server.");
  await ira.shows("[+] sahnawaz left the server.", "err");
  await server.type("who\nnonsense\n\nterminate\n");
  await server.shows("Type TERMINATE again");
  assertStringIncludes(server.out, '"nonsense" is not a command');
  await server.type("TERMINATE\n");
  assertEquals(await server.code, 0);
  assertMatch(server.out, /\[\+\] All connections had been terminated\n\[\+\] Server is shut down\n$/);
  await ira.shows("The server is shutting down", "err");
  assertEquals(server.err, "Making the server's keys; this takes a moment.\n");
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  e2e(
    `${signal} drains the server: everybody is told, exit code 0, and the port is free at once`,
    async (home) => {
      const port = String(freePort());
      const server = home.start("serve", "-p", port);
      await server.shows("Invite");
      const ira = home.start("join", "-u", "ira", "-p", port);
      await ira.shows("In the room", "err");
      server.kill(signal);
      assertEquals(await server.code, 0);
      await ira.shows("The server is shutting down", "err");
      const again = home.start("serve", "-p", port);
      await again.shows("Invite");
      await ira.type("after the restart\n");
      await ira.shows("ira: after the restart\n");
    },
  );
}

e2e("kill -9 of the server loses and doubles nothing that was confirmed", async (home) => {
  const port = String(freePort());
  let server = home.start("serve", "-p", port);
  await server.shows("Invite");
  const ira = home.start("join", "-u", "ira", "-p", port);
  await ira.shows("In the room", "err");
  const sam = home.start("join", "-u", "sahnawaz", "-p", port);
  await sam.shows("In the room", "err");
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 5; i++) await ira.type(`line ${round}.${i}\n`);
    await ira.shows(`ira: line ${round}.0\n`);
    server.kill("SIGKILL");
    await server.code;
    await ira.type(`meanwhile ${round}\n`);
    server = home.start("serve", "-p", port);
    await ira.shows(`ira: meanwhile ${round}\n`);
    await sam.shows(`ira: meanwhile ${round}\n`);
  }
  const said = (text: string) => [...text.matchAll(/ira: (.*)\n/g)].map((m) => m[1]);
  const all = [0, 1, 2].flatMap((r) => [...[0, 1, 2, 3, 4].map((i) => `line ${r}.${i}`), `meanwhile ${r}`]);
  assertEquals(said(ira.out), all);
  assertEquals(said(sam.out), all);
  assertEquals(/histor|backup/.test(ira.err + sam.err), false, ira.err + sam.err);
});

e2e(
  "an old copy of the data: --restored drops its rooms, and /retry goes on there with nobody accused",
  async (home) => {
    const port = String(freePort());
    const file = `${home.dir}/.local/share/chat/server/rooms.db`;
    const serve = async () => {
      const server = home.start("serve", "-p", port);
      await server.shows("Invite");
      return server;
    };
    const stop = async (server: Awaited<ReturnType<typeof serve>>) => {
      server.kill("SIGTERM");
      await server.code;
    };
    let server = await serve();
    const first = home.start("join", "-u", "ira", "-p", port, "-m", "early");
    assertEquals(await first.code, 0);
    await stop(server);
    const copy = Deno.readFileSync(file);
    server = await serve();
    const later = home.start("join", "-u", "ira", "-p", port, "-m", "late");
    assertEquals(await later.code, 0);
    await stop(server);
    Deno.writeFileSync(file, copy);
    const restored = home.start("serve", "-p", port, "--restored");
    assertEquals(await restored.code, 0);
    assertMatch(restored.out, /1 room is dropped, and another run begins/);
    server = await serve();
    const program = home.start("join", "-u", "ira", "-p", port, "-m", "into the void");
    assertEquals(await program.code, 4);
    assertMatch(program.err, /The server has lost its data/);
    const terminals = new Terminals(home);
    try {
      const ira = await terminals.open(`${executable} join -u ira -p ${port}`);
      await ira.shows("sending stopped");
      await ira.enter("/retry");
      await ira.shows("[+] In the room: ira");
      await ira.enter("here");
      await ira.until("everything said", (screen) => /ira: into the void[^]*ira: here/.test(screen));
      assertEquals(/broke the protocol|two histories|hides or changes/.test(await ira.screen()), false);
    } finally {
      await terminals.close();
    }
  },
  !hasTmux,
);

e2e("kill -9 of a client loses nothing that it was shown, and doubles nothing", async (home) => {
  const port = String(freePort());
  const server = home.start("serve", "-p", port);
  await server.shows("Invite");
  const ira = home.start("join", "-u", "ira", "-p", port);
  await ira.shows("In the room", "err");
  let sam = home.start("join", "-u", "sahnawaz", "-p", port);
  await sam.shows("In the room", "err");
  let seen = "";
  for (let round = 0; round < 4; round++) {
    await ira.type(`r${round}\n`);
    await sam.shows(`ira: r${round}\n`);
    await sam.type(`s${round}\n`);
    await sam.shows(`sahnawaz: s${round}\n`);
    sam.kill("SIGKILL");
    await sam.code;
    seen += sam.out;
    await ira.type(`away ${round}\n`);
    await ira.shows(`ira: away ${round}\n`);
    sam = home.start("join", "-u", "sahnawaz", "-p", port);
    await sam.shows(`ira: away ${round}\n`);
  }
  seen += sam.out;
  for (let round = 0; round < 4; round++) {
    for (const line of [`ira: r${round}\n`, `sahnawaz: s${round}\n`, `ira: away ${round}\n`]) {
      assertEquals(seen.split(line).length - 1, 1, line);
    }
  }
  assertEquals(/histor|backup|missing/.test(sam.err), false, sam.err);
});

e2e("a pipe and -m send, wait until it is stored, and end with 0", async (home) => {
  const port = String(freePort());
  const server = home.start("serve", "-p", port, "--ephemeral");
  await server.shows("Invite");
  const ira = home.start("join", "-u", "ira", "-p", port);
  await ira.shows("In the room", "err");
  assertEquals((await home.run(["join", "-u", "bot", "-p", port], "one\ntwo")).code, 0);
  assertEquals((await home.run(["join", "-u", "bot", "-p", port, "-m", "deploy done"])).code, 0);
  await ira.shows("bot: deploy done\n");
  assertStringIncludes(ira.out, "bot: one\n");
  assertStringIncludes(ira.out, "bot: two\n");
});

/** Runs one that must fail: the exit code, one error line, one hint line, nothing on stdout, no stack. */
async function fails(home: Home, args: string[], code: number, error: RegExp): Promise<void> {
  const result = await home.run(args);
  const told = result.err.split("\n").filter((line) => /^(error|hint): /.test(line));
  assertMatch(result.err, error);
  assertEquals([result.code, told.length], [code, 2], result.err);
  assertEquals(/\n\s+at /.test(result.err), false, result.err);
  assert(!result.out.includes("error"), result.out);
}

e2e("each mistake on the command line is one sentence and a hint, exit code 2", async (home) => {
  await fails(home, ["jion"], 2, /no command "jion"[^]*did you mean "chat join"/);
  await fails(home, ["join", "--usr", "ira"], 2, /no flag --usr[^]*--user/);
  await fails(home, ["serve", "-q"], 2, /no flag -q/);
  await fails(home, ["join", "-u", "a b"], 2, /"a b" cannot be a name/);
  await fails(home, ["join", "-u", "ira", "--room", "a/b"], 2, /cannot be a room name/);
  await fails(home, ["serve", "-p", "99999"], 2, /"99999" is not a port/);
  await fails(home, ["serve", "-p"], 2, /--port needs a value/);
  for (
    const [words, meant] of [
      [
        ["ira"],
        /"ira" is not an invite\nhint: as your name: chat join -u ira; as a room: chat join --room ira/,
      ],
      [["127.0.0.1:9443"], /hint: to join at that address: chat join -s 127\.0\.0\.1 -p 9443/],
      [["-s", "chat://h:1/lobby#x"], /-s takes a host, and that is an invite/],
      [["-u", "ira", "-m", "hi", "there"], /hint: put it in quotes: -m "hi there"/],
      [["-u", "NAME"], /"NAME" stands for your own name/],
      [["-u", "ira", "--history", "chat://h:1/lobby#x"], /give 30d .*, off or all/],
    ] as const
  ) await fails(home, ["join", ...words], 2, meant);
  await fails(home, ["join", "-u", "ira", "chat://nonsense"], 2, /invite is not whole/);
  await fails(home, ["join", "-u", "ira", "one", "two"], 2, /is not an invite/);
});
e2e("each trouble with the network is one sentence and a hint, exit code 3", async (home) => {
  await home.run(["keygen", "-u", "ira", "--no-passphrase"]);
  await fails(home, ["join", "-u", "ira", "-p", String(freePort())], 3, /connection was refused/);
  await fails(
    home,
    ["join", "-u", "ira", "-s", "no-such-host.invalid"],
    3,
    /There is no host "no-such-host.invalid"/,
  );
  const http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("no"));
  await fails(home, ["join", "-u", "ira", "-p", String(http.addr.port)], 3, /not a chat server/);
  await http.shutdown();
});
e2e("each trouble with files is one sentence and a hint", async (home) => {
  const port = String(freePort());
  const server = home.start("serve", "-p", port);
  await server.shows("Invite");
  await fails(home, ["serve", "-p", port], 1, /data directory .* is in use/);
  await fails(
    home,
    ["serve", "-p", port, "--data", `${home.dir}/other`],
    1,
    new RegExp(`Port ${port} on "127.0.0.1" is in use`),
  );
  await home.run(["keygen", "-u", "ira", "--no-passphrase"]);
  const path = `${keys(home, "ira")}/client_private_key.pem`;
  Deno.chmodSync(path, 0o644);
  await fails(
    home,
    ["join", "-u", "ira", "-p", port],
    1,
    /other users can read it \(mode 0644\)[^]*chmod 600/,
  );
  Deno.chmodSync(path, 0o600);
  const good = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, good.slice(0, 900));
  await fails(home, ["join", "-u", "ira", "-p", port], 1, /Cannot read ".*client_private_key.pem"/);
  Deno.writeTextFileSync(path, good);
  await fails(
    home,
    ["keygen", "-u", "ira", "--no-passphrase"],
    1,
    /exists and is not overwritten[^]*--force/,
  );
  assertEquals((await home.run(["keygen", "-u", "ira", "--no-passphrase", "--force"])).code, 0);
  assertEquals(Deno.readTextFileSync(`${path}.bak`), good);
});
e2e(
  "a passphrase protects a key: from a file it opens it, a wrong one is told, and it can be changed",
  async (home) => {
    const secret = `${home.dir}/passphrase`;
    const wrong = `${home.dir}/wrong`;
    for (const [file, text] of [[secret, "correct horse\n"], [wrong, "battery\n"]]) {
      Deno.writeTextFileSync(
        file,
        text,
        { mode: 0o600 },
      );
    }
    assertEquals((await home.run(["keygen", "-u", "ira", "--passphrase-file", secret])).code, 0);
    const path = `${keys(home, "ira")}/client_private_key.pem`;
    assertStringIncludes(Deno.readTextFileSync(path), "BEGIN ENCRYPTED PRIVATE KEY");
    await fails(home, ["keygen", "--show", path], 1, /protected by a passphrase/);
    await fails(home, ["keygen", "--show", path, "--passphrase-file", wrong], 1, /passphrase does not open/);
    const shown = await home.run(["keygen", "--show", path, "--passphrase-file", secret]);
    assertMatch(
      shown.out,
      /^kind +private keys: RSA and Ed25519, with passphrase\nbits +3072 and 256\nfingerprint +(\d{5} ){11}\d{5}\n$/,
    );
    const changed = await home.run([
      "keygen",
      "-u",
      "ira",
      "--passphrase",
      "--old-passphrase-file",
      secret,
      "--no-passphrase",
    ]);
    assertEquals(changed.code, 0, changed.err);
    const publicShown = await home.run(["keygen", "--show", `${keys(home, "ira")}/client_public_key.pem`]);
    assertEquals(publicShown.out.split("fingerprint")[1], shown.out.split("fingerprint")[1]);
    assertEquals((await home.run(["keygen", "--show", path])).code, 0);
  },
);
e2e("OpenSSL's keys are taken over, and ours are opened by OpenSSL", async (home) => {
  const rsa = `${home.dir}/rsa.pem`;
  await run("openssl", ["genrsa", "-out", rsa, "3072"]);
  Deno.chmodSync(rsa, 0o600);
  assertEquals((await home.run(["keygen", "--from", rsa, "-u", "old", "--no-passphrase"])).code, 0);
  const ours = `${keys(home, "old")}/client_private_key.pem`;
  const modulus = async (file: string) =>
    (await run("openssl", ["rsa", "-noout", "-modulus", "-in", file])).text;
  assertEquals(await modulus(ours), await modulus(rsa));
  await run("openssl", ["genrsa", "-out", rsa, "2048"]);
  await fails(
    home,
    ["keygen", "--from", rsa, "-u", "weak", "--no-passphrase"],
    1,
    /2048 bits, and must have 3072/,
  );
}, !hasTool("openssl"));
e2e("a room key file is written once, and shown without showing the key", async (home) => {
  const path = `${home.dir}/secret.key`;
  assertEquals((await home.run(["keygen", "--room", path])).code, 0);
  const key = Deno.readTextFileSync(path);
  assertMatch(key, /^[A-Za-z0-9_-]{43}=\n$/);
  await fails(home, ["keygen", "--room", path], 1, /exists/);
  const shown = await home.run(["keygen", "--show", path]);
  assertMatch(shown.out, /^kind +room key file\nbits +256\nfingerprint +(\d{5} ){11}\d{5}\n$/);
  assertEquals(shown.out.includes(key.slice(0, 10)), false);
});
e2e(
  "a server whose key has changed ends the join with exit code 4 and both fingerprints; --trust accepts it",
  async (home) => {
    const port = String(freePort());
    const server = home.start("serve", "-p", port);
    await server.shows("Invite");
    assertEquals((await home.run(["join", "-u", "ira", "-p", port, "-m", "one"])).code, 0);
    server.kill("SIGTERM");
    await server.code;
    const other = home.start("serve", "-p", port, "--data", `${home.dir}/other`);
    await other.shows("Invite");
    await fails(
      home,
      ["join", "-u", "ira", "-p", port, "-m", "two"],
      4,
      /key of .* has changed: known (\d{5} ){11}\d{5}, offered (\d{5} ){11}\d{5}/,
    );
    assertEquals(
      (await home.run(["join", "-u", "ira", "-p", port, "--trust", `127.0.0.1:${port}`, "-m", "two"])).code,
      0,
    );
    const invite = /chat:\/\/\S+/.exec(other.out)![0];
    const forged = invite.replace(/#.{4}/, "#AAAA");
    await fails(home, ["join", "-u", "dana", forged, "-m", "x"], 4, /has changed|not/);
  },
);
// Found by a new user.
e2e(
  "a known server that comes back without its data ends a pipe with exit code 4; with its data, all goes on",
  async (home) => {
    const port = String(freePort());
    const data = `${home.dir}/data`;
    const say = (text: string) => home.run(["join", "-u", "ira", "-p", port, "-m", text]);
    for (const [flags, code] of [[[], 0], [["--ephemeral"], 4], [[], 0]] as const) {
      const server = home.start("serve", "-p", port, "--data", data, ...flags);
      await server.shows("Invite");
      const result = await say("x");
      assertEquals(result.code, code, result.err);
      if (code === 4) assertMatch(result.err, /error: Not everything was sent/);
      server.kill("SIGTERM");
      await server.code;
    }
  },
);
e2e(
  "join makes a protected key when a passphrase file is given, and notices one that is not there",
  async (home) => {
    const secret = `${home.dir}/passphrase`;
    Deno.writeTextFileSync(secret, "correct horse\n", { mode: 0o600 });
    await fails(
      home,
      ["join", "-u", "ira", "-p", "1", "--passphrase-file", `${secret}x`],
      1,
      /there is no such file/,
    );
    await fails(home, ["join", "-u", "ira", "-p", "1", "--passphrase-file", secret], 3, /refused/);
    assertStringIncludes(Deno.readTextFileSync(`${keys(home, "ira")}/client_private_key.pem`), "ENCRYPTED");
    await fails(home, ["join", "-u", "ira", "-p", "1"], 1, /protected by a passphrase/);
    await fails(
      home,
      ["keygen", "-u", "ira", "--passphrase", "--old-passphrase-file", secret],
      2,
      /had a passphrase/,
    );
    await fails(home, ["keygen", "-u", "x", "--passphrase-file", secret, "--no-passphrase"], 2, /contradict/);
  },
);
e2e(
  "no key is ever lost: --force twice keeps both old ones, and a lost private key is not replaced in silence",
  async (home) => {
    const path = `${keys(home, "ira")}/client_private_key.pem`;
    const seen = [];
    for (let i = 0; i < 3; i++) {
      assertEquals((await home.run(["keygen", "-u", "ira", "--no-passphrase", "--force"])).code, 0);
      seen.push(Deno.readTextFileSync(path));
    }
    assertEquals([`${path}.bak`, `${path}.bak.1`].map((p) => Deno.readTextFileSync(p)), seen.slice(0, 2));
    Deno.removeSync(path);
    await fails(home, ["join", "-u", "ira", "-p", "1"], 1, /private key of "ira" is gone[^]*restore it/);
    await home.run(["keygen", "-u", "Bill", "--no-passphrase"]);
    await fails(home, ["join", "-u", "BI11", "-p", "1"], 1, /There is a profile "Bill"[^]*-u Bill/);
  },
);
e2e("a program is told by exit code 1 when one of its lines was not sent", async (home) => {
  const port = String(freePort());
  const server = home.start("serve", "-p", port);
  await server.shows("Invite");
  const result = await home.run(
    ["join", "-u", "ira", "-p", port],
    `good\n/etc/passwd changed\n${"x".repeat(16_385)}\nalso good\n`,
  );
  assertEquals(result.code, 1);
  assertMatch(result.out, /ira: good\n.*ira: also good\n$/);
  assertMatch(result.err, /error: 2 lines were not sent/);
});
e2e("a server whose output nobody reads goes on serving", async (home) => {
  const port = String(freePort());
  const command =
    `'${executable}' serve -p ${port} --data '${home.dir}/d' </dev/null 2>/dev/null & echo $!; sleep 0.1`;
  // head takes the first line (the process id) and goes: every later line of the server finds nobody.
  const { text } = await run("sh", [
    "-c",
    `(export HOME='${home.dir}' XDG_CACHE_HOME='${home.env.XDG_CACHE_HOME}'; ${command}) | head -1`,
  ]);
  try {
    let told = "";
    await until("it serves", async () => {
      const { code, err } = await home.run(["join", "-u", "ira", "-p", port, "-m", "still there"]);
      told = err;
      return code === 0;
    }, { timeoutMs: 60_000, everyMs: 250, instead: () => told });
  } finally {
    await run("sh", ["-c", `kill -9 ${Number(text.trim())}`]);
  }
}, Deno.build.os === "windows");

e2e(
  "property 24: no passphrase, token or text is in any output but the one that asked for it",
  async (home) => {
    const [passphrase, wrong, token, said] = [
      "canary-passphrase",
      "canary-wrong",
      "canary-token",
      "canary-text",
    ];
    const file = (name: string, text: string) => {
      Deno.writeTextFileSync(`${home.dir}/${name}`, `${text}\n`, { mode: 0o600 });
      return `${home.dir}/${name}`;
    };
    const port = String(freePort());
    const tokens = ["--token-file", file("token", token)];
    await home.run(["keygen", "--server", "--passphrase-file", file("pp", passphrase)]);
    const server = home.start("serve", "-p", port, "--passphrase-file", file("pp", passphrase), ...tokens);
    await server.shows("Invite");
    const outputs = [
      await home.run(["keygen", "-u", "ira", "--passphrase-file", file("pp", passphrase)]),
      await home.run(["join", "-u", "ira", "-p", port, "--passphrase-file", file("wrong", wrong), ...tokens]),
      await home.run([
        "join",
        "-u",
        "ira",
        "-p",
        port,
        "--passphrase-file",
        file("pp", passphrase),
        "--token-file",
        file("bad", wrong),
      ]),
      await home.run([
        "keygen",
        "--show",
        `${keys(home, "ira")}/client_private_key.pem`,
        "--passphrase-file",
        file("wrong", wrong),
      ]),
      await home.run([
        "join",
        "-u",
        "ira",
        "-p",
        port,
        "--passphrase-file",
        file("pp", passphrase),
        ...tokens,
        "-m",
        said,
      ]),
    ];
    assertEquals(outputs.map((o) => o.code), [0, 1, 5, 1, 0]);
    const told = outputs.map((o) => o.out + o.err).join("").replaceAll(`ira: ${said}`, "") + server.out +
      server.err;
    for (const secret of [passphrase, wrong, token, said]) assertEquals(told.includes(secret), false, secret);
  },
);
e2e("help and version go to stdout, with examples", async (home) => {
  for (const args of [["--help"], ["keygen", "--help"], ["serve", "-h"], ["join", "--help"]]) {
    const { code, out, err } = await home.run(args);
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, "chat join -u ira".slice(0, args.length === 1 ? 99 : 5));
  }
  assertMatch((await home.run(["--version"])).out, /^chat \d+\.\d+\.\d+\n$/);
  assertEquals((await home.run([])).code, 2);
});

e2e("two people talk in two terminals (tmux)", async (home) => {
  const port = freePort();
  const terminals = new Terminals(home);
  try {
    const server = await terminals.open(`${executable} serve -p ${port}`);
    await server.shows("[+] Invite:");
    const ira = await terminals.open(`${executable} join -u ira -p ${port}`);
    await ira.shows("lobby>");
    for (
      const line of [
        "[+] Connected successfully.",
        "[+] Exchange completed!",
        "[+] Now you can start to exchange messages",
      ]
    ) await ira.shows(line);
    const sam = await terminals.open(`${executable} join -u sahnawaz -p ${port}`);
    await sam.shows("lobby>");
    // A message that comes while a line is typed does not break it.
    await ira.type("half a line");
    await ira.shows("lobby> half a line");
    await sam.enter("Hello Ira");
    await ira.shows("sahnawaz: Hello Ira");
    await ira.shows("lobby> half a line");
    await ira.press("Enter");
    await sam.shows("ira: half a line");
    await sam.enter("EXIT");
    await sam.shows("code 0");
    await ira.press("C-d");
    await ira.shows("code 0");
    await server.enter("TERMINATE");
    await server.shows("[+] Server is shut down");
  } finally {
    await terminals.close();
  }
}, !hasTmux);

test("the unpacked executable is removed again", () => removeCache());
