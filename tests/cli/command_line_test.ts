/** What people type on a command line, what they meant, and what they are told. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { joinSpec, keygenSpec, serveSpec, specs } from "../../lib/cli/command_specs.ts";
import { parseOptions, UsageError, withHome } from "../../lib/cli/options.ts";
import { optionsOf } from "../../lib/cli/join_options.ts";
import type { Process } from "../../lib/cli/process.ts";
import { ChatError } from "../../lib/errors.ts";
import { canonicalHost } from "../../lib/canonical_host.ts";
import { nearest } from "../../lib/nearest.ts";
import { command, startedAs } from "../../lib/program.ts";
import { BadInvite, formatInvite, parseInvite } from "../../lib/protocol/identity/invite.ts";
import { commands, parseLine } from "../../lib/client/commands/commands.ts";

const valued = specs.flatMap((spec) =>
  spec.options.flatMap((o) => o.value === undefined ? [] : [{ spec, o }])
);
for (const value of ["-5 degrees", "--help", "--", "-m", "--json", "a=b", "-", "two\nlines", "-é"]) {
  test(`"${value.replace("\n", "\\n")}" after a flag that takes a value is its value, for every such flag`, () => {
    for (const { spec, o } of valued) {
      for (
        const flag of [`--${o.name}`, ...o.alias ? [`--${o.alias}`] : [], ...o.short ? [`-${o.short}`] : []]
      ) {
        const { values, switches } = parseOptions(spec, [flag, value]);
        assertEquals([values[o.name], switches.size], [value, 0], `${spec.name} ${flag}`);
        if (flag.startsWith("--")) {
          assertEquals(parseOptions(spec, [`${flag}=${value}`]).values[o.name], value);
        } else if (!value.startsWith("=")) {
          assertEquals(parseOptions(spec, [`${flag}${value}`]).values[o.name], value);
        }
      }
    }
  });
}
test("a flag at the end, or with nothing after =, needs its value", () => {
  for (const args of [["-m"], ["-qm"], ["--message"], ["--message="], ["-m", ""], ["-m", " \n"]]) {
    assertStringIncludes(
      assertThrows(() => parseOptions(joinSpec, args), UsageError).message,
      "needs a value: TEXT",
    );
  }
});
test("switches may stand before a flag with a value, in one word", () => {
  for (const args of [["-qm", "-5 degrees"], ["-qm-5 degrees"], ["-q", "-m", "-5 degrees"]]) {
    const { values, switches } = parseOptions(joinSpec, args);
    assertEquals([values.message, [...switches]], ["-5 degrees", ["quiet"]]);
  }
});
test("what comes after -- is no flag", () => {
  assertEquals(parseOptions(joinSpec, ["-u", "ira", "--", "-x"]).positionals, ["-x"]);
});
test("NAME that was copied along gives way to one's own name, wherever it stands", () => {
  assertEquals(parseOptions(joinSpec, ["-u", "ira", "-u", "NAME"]).values.user, "ira");
  assertEquals(parseOptions(joinSpec, ["-u", "NAME"]).values.user, "NAME");
  assertThrows(() => parseOptions(joinSpec, ["-u", "ira", "-u", "sam"]), UsageError, "2 times");
});
test("~ is the home directory in every path, also after =, and nowhere else", () => {
  const at = (spec: typeof joinSpec, ...args: string[]) =>
    withHome(spec, parseOptions(spec, args), "/h").values;
  assertEquals(at(joinSpec, "--home=~/x").home, "/h/x");
  assertEquals(at(serveSpec, "--data=~", "--accounts", "sqlite:~/a.db"), {
    data: "/h",
    accounts: "sqlite:/h/a.db",
  });
  assertEquals(at(keygenSpec, "--show", "~root/x").show, "~root/x");
  assertEquals(at(joinSpec, "-m", "~/x").message, "~/x");
});

const near: [typed: string, known: string[], expected: string | null][] = [
  ["prot", ["port", "room"], "port"],
  ["sreve", ["serve", "join"], "serve"],
  ["whosi", ["whois", "who"], "whois"],
  ["acc", ["accounts", "data"], "accounts"],
  ["quit", ["serve", "join", "keygen"], null],
  ["x", ["home"], null],
  ["color", ["bell", "port", "plain"], null],
];
for (const [typed, known, expected] of near) {
  test(`the nearest to "${typed}" is ${expected ?? "nothing"}`, () =>
    assertEquals(nearest(typed, known), expected));
}

const id = (n: number) => new Uint8Array(32).fill(n);
const whole = {
  host: "chat.example.org",
  port: 9443,
  others: [],
  tls: false,
  room: "lobby",
  serverId: id(7),
};
const invite = { ...whole, pins: { roomId: id(9), inviterId: id(8), pass: null } };
const link = formatInvite(invite);
const passing = { ...whole, pins: { ...invite.pins, pass: { seed: id(7), epoch: 66_000 } } };
test("an invite with a pass is read as it was written, and one with a part of it is not whole", () => {
  const text = formatInvite(passing);
  assertEquals(parseInvite(text), passing);
  assertThrows(() => parseInvite(text.slice(0, -1)), BadInvite);
  assertThrows(() => parseInvite(`${text}.${text.split(".").at(-1)}`), BadInvite);
});
const short = formatInvite({ ...whole, pins: null });
const survived: [how: string, text: string][] = [
  ["as it is", link],
  ["with the command in front", `chat join -u NAME '${link}'`],
  ["as a whole sentence", `Join with: scripts/deno task join -u ira ${link}. See you!`],
  ["broken by a mail program", `${link.slice(0, 60)}\n${link.slice(60, 120)}\r\n   ${link.slice(120)}`],
  ["broken at each dot", link.replaceAll(".", ".\n")],
  ["as a mail's source has it", `${link.slice(0, 70)}=\r\n${link.slice(70)}`],
  ["from the source of a page", `<a href="${link}">join</a>`],
  ["quoted in an answer", `> ${link.slice(0, 70)}\n> ${link.slice(70)}\n`],
  ["with a full stop, a comma, quotes and brackets behind", `("<${link}>").,”`],
  ["with blanks within", link.replace("#", "# ").replace("//", "// ")],
  ["with the scheme and host in capitals", link.replace("chat://chat.example", "CHAT://Chat.Example")],
];
for (const [how, text] of survived) {
  test(`an invite is read ${how}`, () => assertEquals(parseInvite(text), invite));
}
test("an invite with one id is not mixed up with what stands behind it", () => {
  for (const behind of [" ", ".", " thanks", "\n-- \nira"]) {
    assertEquals(parseInvite(short + behind), { ...whole, pins: null });
  }
});
test("an invite that lacks its end says so, at every length; HOST says whose name belongs there", () => {
  for (let n = "chat://c".length; n < link.length; n++) {
    if (link[n] === "." && n > short.length - 1) continue; // a whole one with one id
    const told = () => parseInvite(link.slice(0, n));
    if (n >= short.length && link.slice(0, n).replace(/[.]$/, "").length === short.length) continue;
    assert(assertThrows(told, BadInvite).hint.startsWith("copy all of it") || n < short.length);
  }
  assertThrows(() => parseInvite(link.replace("chat.example.org", "HOST")), BadInvite, "HOST in the invite");
});

const hosts: [typed: string, canonical: string | null][] = [
  ["VM", "vm"],
  ["Chat.Example.ORG.", "chat.example.org"],
  ["BÜCHER.example", "xn--bcher-kva.example"],
  ["ＶＭ", "vm"],
  ["::1", "::1"],
  ["[::1]", "::1"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1%eth0"],
  ["127.1", "127.0.0.1"],
  ["under_score", "under_score"],
  ["", null],
  ["a b", null],
  ["h:9443", null],
  ["u@h", null],
  ["h/p", null],
  ["a..b", null],
  [".", null],
  ["x';reboot;'", null],
  ["fe80::1%a'b", null],
];
for (const [typed, canonical] of hosts) {
  test(`the host "${typed}" is ${canonical ?? "none"}`, () => assertEquals(canonicalHost(typed), canonical));
}

const meant: [args: string[], message: string, hint: string][] = [
  [["-s", "HOST"], "HOST stands for", "in its place"],
  [["--to", "NAME"], "NAME stands for", "in its place"],
  [["--room", "ROOM"], "ROOM stands for", "in its place"],
  [["-s", "h:99999"], '"99999" is not a port', "1 to 65535"],
  [["-s", "h,h:9443"], "names one address twice", "each once"],
  [["-s", "a,,b"], "is not a host name or address", "with commas between"],
  [["-s", "a,b,c,d,e,f,g,h,i"], "9 addresses", "at most 8"],
  [["localhost:9443", "-m", "x"], "is not an invite", "join -s localhost -p 9443"],
  [["-m", "hi", "there"], "does not belong to what is said", '-m "hi there"'],
  [["-m", "x", "http://h/lobby#x"], "That is not an invite", "chat://HOST"],
  [["--history", "-u", "zed", "-m", "x"], '--history cannot be "-u"', "30d"],
  [["--colours", "xx", "-m", "x"], '--colours cannot be "xx"', "auto"],
  [["--bell", "xx", "-m", "x"], '--bell cannot be "xx"', "mentions"],
  [["--tls-ca", "/dev/null"], "--tls-ca is for a server behind TLS", "add --tls"],
];
for (const [args, message, hint] of meant) {
  test(`join ${args.join(" ")}: what is wrong is said, and what was meant`, () => {
    const process = { inputIsTerminal: false, outputIsTerminal: false, env: () => undefined };
    const told = () => optionsOf(parseOptions(joinSpec, args), process as unknown as Process);
    const error = assertThrows(told, ChatError);
    assertStringIncludes(error.message, message);
    assertStringIncludes(error.hint, hint);
    assertEquals(error.exitCode, 2);
  });
}

test("a command that is printed is one that this person has", () => {
  const cases: [path: string, isTask: boolean, PATH: string[], join: string, keygen: string][] = [
    ["chat", false, [], "chat join -u x", "chat keygen"],
    ["/usr/local/bin/chat", false, ["/bin", "/usr/local/bin"], "chat join -u x", "chat keygen"],
    ["dist/chat", false, ["/bin"], "dist/chat join -u x", "dist/chat keygen"],
    ["/my files/chat", false, [], "'/my files/chat' join -u x", "'/my files/chat' keygen"],
    ["scripts/deno task", true, [], "scripts/deno task join -u x", "scripts/deno task chat keygen"],
  ];
  try {
    for (const [path, isTask, searched, join, keygen] of cases) {
      startedAs({ path, isTask }, searched);
      assertEquals([command("join -u x"), command("keygen")], [join, keygen]);
    }
  } finally {
    startedAs({ path: "chat", isTask: false });
  }
});
test("no text of the program has a command that only some people have", () => {
  const found: string[] = [];
  const walk = (dir: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(dir)) {
      const path = `${dir}/${name}`;
      if (isDirectory) walk(path);
      else if (name.endsWith(".ts")) {
        // The tables are shown through command(); completions and the manual are for what is installed.
        if (/command_specs|completions\//.test(path)) continue;
        for (const line of Deno.readTextFileSync(path).split("\n")) {
          if (/^\s*(\*|\/\*|\/\/)/.test(line)) continue;
          if (/["'`][^"'`]*\bchat (join|serve|keygen|completions|help)\b/.test(line)) {
            found.push(`${path}: ${line}`);
          }
        }
      }
    }
  };
  walk(new URL("../../lib", import.meta.url).pathname);
  assertEquals(found, []);
});

test("words of other programs: /exit leaves; quit alone is asked about; an unknown one gets a near one or none", () => {
  for (const line of ["/exit", "/bye", "/QUIT"]) {
    const meaning = parseLine(line);
    assertEquals(meaning.kind === "command" && meaning.command.name, "quit");
  }
  for (const line of ["quit", ":q", " QUIT "]) assertEquals(parseLine(line).kind, "maybe quit");
  for (const line of ["quit smoking", "I quit"]) assertEquals(parseLine(line).kind, "say");
  assertEquals(parseLine("/zzzz"), { kind: "unknown", word: "zzzz", nearest: null });
  assert(commands.every(({ name }) => parseLine(`/${name}`).kind === "command"));
});
