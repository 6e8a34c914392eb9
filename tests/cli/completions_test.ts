/** Completions and the manual page: from the tables, checked by the shells themselves where they are here. */

import { test } from "../fakes/test.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { commands, help } from "../../lib/client/commands/commands.ts";
import { completions } from "../../lib/cli/completions/completions.ts";
import { bashCompletions } from "../../lib/cli/completions/completions_bash.ts";
import { manPage } from "../../lib/cli/completions/man_page.ts";
import { completionsSpec, shells, specs } from "../../lib/cli/command_specs.ts";
import { parseOptions, UsageError } from "../../lib/cli/options.ts";
import type { Process } from "../../lib/cli/process.ts";
import { keyHelp } from "../../lib/ui/terminal/key_help.ts";
import { hasTool, run } from "../fakes/tools.ts";

function printed(shell: string): string {
  let out = "";
  const process = { out: (text: string) => void (out += text) } as Process;
  assertEquals(completions(parseOptions(completionsSpec, [shell]), process), 0);
  return out;
}

for (const shell of shells) {
  test(`completions for ${shell} name every flag of every command`, () => {
    const text = printed(shell).replaceAll("\\-", "-");
    for (const spec of specs) {
      assertStringIncludes(text, spec.name);
      for (const { name } of spec.options) {
        assertStringIncludes(text, shell === "fish" ? `-l ${name}` : `--${name}`);
      }
    }
  });
}
for (const args of [[], ["tcsh"]]) {
  test(`completions for ${args[0] ?? "nothing"} are refused, naming the shells`, () => {
    const error = assertThrows(
      () => completions(parseOptions(completionsSpec, args), {} as Process),
      UsageError,
    );
    assertStringIncludes(error.hint, "bash, zsh, fish, man");
  });
}

const completed: [line: string[], words: string[]][] = [
  [["chat", ""], ["keygen", "serve", "join", "completions", "help", "--help", "--version"]],
  [["chat", "ke"], ["keygen"]],
  [["chat", "join", "--us"], ["--user"]],
  [["chat", "join", "--bell", ""], ["off", "mentions", "all"]],
  [["chat", "join", "--bell", "=", "m"], ["mentions"]],
  [["chat", "join", "--bell", "="], ["off", "mentions", "all"]],
  [["chat", "serve", "--registration", "c"], ["closed"]],
  [["chat", "completions", "z"], ["zsh"]],
  [["chat", "help", "jo"], ["join"]],
  [["chat", "join", "-u", ""], []],
  [["chat", "join", "--key", "deno.js"], ["deno.json"]],
  [["chat", "serve", "--data", "scri"], ["scripts"]],
  [["chat", "nonsense", "--"], []],
];
for (const [line, words] of completed) {
  test(`bash completes "${line.join(" ")}" to ${words.join(", ") || "nothing"}`, async () => {
    const script = `${bashCompletions(specs)}
COMP_WORDS=(${line.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${line.length - 1}; COMPREPLY=()
_chat; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { text, ok } = await run("sh", ["-c", `exec bash --norc -c "$0"`, script]);
    assert(ok, text);
    assertEquals(text.split("\n").filter((word) => word !== ""), words);
  });
}
for (const [shell, flags] of [["bash", "-n"], ["zsh", "-n"], ["fish", "-n"]]) {
  test({
    name: `${shell} reads its completions without a complaint`,
    ignore: !hasTool(shell),
    async fn() {
      const path = Deno.makeTempFileSync();
      Deno.writeTextFileSync(path, printed(shell));
      const { text, ok } = await run("sh", ["-c", `${shell} ${flags} ${path} 2>&1`]);
      Deno.removeSync(path);
      assertEquals([ok, text], [true, ""]);
    },
  });
}
test({
  name: "fish completes flags, choices and commands",
  ignore: !hasTool("fish"),
  async fn() {
    const path = Deno.makeTempFileSync();
    Deno.writeTextFileSync(path, printed("fish"));
    const ask = (line: string) => `complete -C '${line}'`;
    const script = `source ${path}; ${
      [
        "chat ke",
        "chat join --us",
        "chat join --bell m",
        "chat join -u serve --ans",
        "chat join -u help --us",
      ].map(ask).join("; ")
    }`;
    const { text } = await run("sh", ["-c", `fish -N -c "$0"`, script]);
    Deno.removeSync(path);
    assertEquals(text.trim().split("\n").map((line) => line.split("\t")[0]), [
      "keygen",
      "--user",
      "mentions",
      "--user",
    ]);
  },
});
test({
  name: "the manual page is well-formed, and has every command of a room and every exit code",
  ignore: !hasTool("groff"),
  async fn() {
    const path = Deno.makeTempFileSync();
    Deno.writeTextFileSync(path, manPage(specs));
    const warnings = await run("sh", ["-c", `groff -man -Tutf8 -ww -z ${path} 2>&1`]);
    assertEquals(warnings.text, "");
    const { text } = await run("sh", ["-c", `GROFF_NO_SGR=1 groff -man -Tascii -P-c -P-b -P-u ${path}`]);
    Deno.removeSync(path);
    for (const { name } of commands) assertStringIncludes(text, `/${name}`);
    for (const code of ["0", "1", "2", "3", "4", "5", "130"]) {
      assert(new RegExp(`^ +${code} `, "m").test(text), code);
    }
  },
});
test("the pages have the table of commands as /help shows it, every key and every flag", () => {
  const page = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
  const client = page("lib/client/README.md");
  const all = client + page("lib/server/README.md") + page("lib/server/cluster/README.md");
  assert(client.includes(`\`\`\`\n${help("").join("\n")}\n\`\`\``), "the table of commands");
  for (const [keys, does] of keyHelp) assert(client.includes(`${keys.padEnd(36)} ${does}\n`), keys);
  for (const { name } of specs.flatMap(({ options }) => options)) assert(all.includes(`--${name}`), name);
});
