import { test } from "../fakes/test.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { BadInvite, formatInvite, parseInvite } from "../../lib/protocol/identity/invite.ts";
import type { Process } from "../../lib/cli/process.ts";
import { topics } from "../../lib/cli/pages/topics.ts";
import { help, helpOf } from "../../lib/cli/help.ts";
import { joinSpec, keygenSpec, serveSpec, specs } from "../../lib/cli/command_specs.ts";
import { parseOptions, parsePort, UsageError } from "../../lib/cli/options.ts";
import { report } from "../../lib/cli/report.ts";
import { userName } from "../../lib/cli/user_name.ts";
import { BadName } from "../../lib/protocol/identity/name.ts";
import { ChatError } from "../../lib/errors.ts";
import { profilesDir, serverDir } from "../../lib/storage/home.ts";
import { parseLine } from "../../lib/client/commands/commands.ts";

test("flags are read in every form", () => {
  for (
    const args of [["-u", "ira", "-p", "1", "-s", "h"], ["--user=ira", "--port=1", "--host=h"], [
      "--user",
      "ira",
      "-p1",
      "--server",
      "h",
    ]]
  ) {
    const { values } = parseOptions(joinSpec, args);
    assertEquals([values.user, values.port, values.server], ["ira", "1", "h"]);
  }
  assertEquals([...parseOptions(keygenSpec, ["--no-passphrase", "--force"]).switches].sort(), [
    "force",
    "no-passphrase",
  ]);
});
const wrong: [string, () => unknown, string][] = [
  ["an unknown flag", () => parseOptions(serveSpec, ["--prot", "1"]), "--port"],
  ["an unknown letter", () => parseOptions(serveSpec, ["-x"]), "--help"],
  ["a missing value", () => parseOptions(serveSpec, ["--port"]), "--help"],
  ["a flag given twice", () => parseOptions(serveSpec, ["-p", "1", "--port", "2"]), "once"],
  ["an argument too many", () => parseOptions(serveSpec, ["now"]), "--help"],
  ["a port of 0", () => parsePort("0"), "65535"],
  ["a port of 65536", () => parsePort("65536"), "65535"],
  ["a port in words", () => parsePort("http"), "65535"],
];
for (const [what, act, hint] of wrong) {
  test(`${what} is refused, with a hint`, () =>
    assertStringIncludes(assertThrows(act, UsageError).hint, hint));
}
test("every flag is in its command's help", () => {
  for (const spec of specs) {
    for (const option of spec.options) assertStringIncludes(helpOf(spec), `--${option.name}`);
  }
});

const serverId = new Uint8Array(32).fill(7);
test("an invite says host, port, room and server, also for IPv6", () => {
  for (const host of ["chat.example.org", "127.0.0.1", "::1", "2001:db8::1"]) {
    for (
      const pins of [null, {
        roomId: new Uint8Array(32).fill(9),
        inviterId: new Uint8Array(32).fill(8),
        pass: null,
      }]
    ) {
      for (const others of [[], [{ host: "::2", port: 1 }, { host: "b.example.org", port: 65_535 }]]) {
        const invite = { host, port: 9443, others, tls: pins !== null, room: "lobby", serverId, pins };
        assertEquals(parseInvite(formatInvite(invite)), invite);
      }
    }
  }
  assertEquals(
    parseInvite(`chat://h/lobby#${"A".repeat(43)}.${"A".repeat(43)}.${"A".repeat(43)}`).port,
    9443,
  );
});
for (
  const bad of [
    "",
    "http://h/lobby#x",
    `chat://h/lobby#${"A".repeat(42)}`,
    "chat://h/lobby",
    `chat://h/bad%name#${"A".repeat(43)}`,
    `chat://h/lobby#${"A".repeat(43)}.${"A".repeat(43)}`,
    `chat://::1/lobby#${"A".repeat(43)}`,
    `chat://h:0/lobby#${"A".repeat(43)}`,
  ]
) {
  test(`"${bad.slice(0, 30)}" is not an invite`, () => void assertThrows(() => parseInvite(bad), BadInvite));
}
test("the name is the given one, else the login name, if it can be a name", () => {
  assertEquals(userName("Ira", () => "x"), "Ira");
  assertEquals(userName(undefined, (n) => n === "USER" ? "sam" : undefined), "sam");
  assertThrows(() => userName("a b", () => ""), BadName);
  assertThrows(() => userName(undefined, (n) => n === "USER" ? "jörg" : undefined), UsageError);
});
test("files live where the platform keeps them, CHAT_HOME and --home first", () => {
  const env = (values: Record<string, string>) => (name: string) => values[name];
  const linux = env({ HOME: "/h", USERPROFILE: "x" });
  assertEquals([profilesDir(undefined, linux, "linux"), serverDir(undefined, linux, "linux")], [
    "/h/.config/chat/profiles",
    "/h/.local/share/chat/server",
  ]);
  assertEquals(
    profilesDir(undefined, env({ HOME: "/h", XDG_CONFIG_HOME: "/c" }), "linux"),
    "/c/chat/profiles",
  );
  assertEquals(profilesDir(undefined, env({ HOME: "/h", CHAT_HOME: "/x" }), "linux"), "/x/profiles");
  assertEquals(serverDir("/y", env({ CHAT_HOME: "/x" }), "linux"), "/y/server");
  assertEquals(profilesDir(undefined, linux, "darwin"), "/h/Library/Application Support/chat/profiles");
  assertThrows(() => profilesDir(undefined, env({}), "linux"), ChatError);
});
test("an error is one sentence and a hint, without control characters, and a fault of ours shows no stack", () => {
  const told: string[] = [];
  assertEquals(report(new ChatError("bad \x1b[2Jthing", "do this", 4), (t) => told.push(t), false), 4);
  assertEquals(told, ["error: bad \ufffd[2Jthing\n", "hint: do this\n"]);
  told.length = 0;
  assertEquals(report(new TypeError("secret detail"), (t) => told.push(t), false), 1);
  assertEquals(told.join("").includes("secret detail"), false);
  report(new TypeError("detail"), (t) => told.push(t), true);
  assertStringIncludes(told.join(""), "detail");
});
test("a typed line is text, a command, a way out, or an error; never a command sent as text", () => {
  assertEquals(parseLine("hello").kind, "say");
  assertEquals(parseLine("//etc/passwd"), { kind: "say", text: "/etc/passwd" });
  for (const line of ["EXIT", "exit", " EXIT "]) assertEquals(parseLine(line).kind, "quit");
  assertEquals(parseLine("Exit the room").kind, "say");
  for (const line of ["", "   "]) assertEquals(parseLine(line).kind, "nothing");
  assertEquals(parseLine("/wh"), { kind: "unknown", word: "wh", nearest: "who" });
  const me = parseLine("/me waves  twice");
  assertEquals(me.kind === "command" && [me.command.name, me.rest], ["me", "waves  twice"]);
});
test("every way to run the program gives it the permissions of the executable, and no more", async () => {
  const { permissions, runtimeFlags } = await import("../../scripts/permissions.ts");
  const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
  const { tasks } = JSON.parse(read("deno.json")) as { tasks: Record<string, { command: string }> };
  const programs = Object.values(tasks).filter(({ command }) => command.includes("main.ts "));
  const run = `run -q -P=chat ${runtimeFlags[0]} main.ts`;
  for (const name of ["chat", "serve", "join"]) assertStringIncludes(tasks[name].command, run);
  assertEquals(programs.filter(({ command }) => command.startsWith("deno run")).length, 2);
  const script = read("scripts/deno").match(/run -q -P=chat .*/g)!;
  assertEquals(script.length, 2);
  for (const line of script) assertStringIncludes(line, `${runtimeFlags[0]} "$root/main.ts"`);
  assertEquals(permissions.map((flag) => flag.split("=")[0]), [
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-sys",
  ]);
  assertStringIncludes(permissions.join(" "), "--allow-sys=uid");
  for (const { command } of Object.values(tasks)) {
    assertEquals(/(^| )(-A|--allow-all)( |$)/.test(command), false, command);
  }
});

test("every part of the pages that is not of the code is in a topic, and chat help prints all of a topic", () => {
  for (const page of new Set(topics.map((topic) => topic.page))) {
    const parts = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    const told = topics.filter((topic) => topic.page === page).flatMap(({ headings }) => headings);
    assertEquals(told.toSorted(), parts.toSorted());
  }
  for (const { name, headings } of topics) {
    let text = "";
    const process = { out: (some: string) => void (text += some), outputIsTerminal: false } as Process;
    assertEquals(help(name, process), 0);
    if (headings.length > 1) {
      for (const heading of headings) assertStringIncludes(text, heading.toUpperCase());
    }
    assertEquals(/<!--|```|\]\(/.test(text), false, text);
  }
});
