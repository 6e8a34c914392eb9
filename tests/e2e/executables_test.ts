/**
 * What is made for other machines is read, not started; and the self-extracting file runs only what it has unpacked
 * itself, into a folder that nobody else can write.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { unzipSync } from "fflate";
import config from "../../deno.json" with { type: "json" };
import { hasTool, run } from "../fakes/tools.ts";
import { test } from "../fakes/test.ts";
import { executable } from "./chat_process.ts";

const root = new URL("../../", import.meta.url).pathname;
const isSelfExtracting = Deno.build.os !== "windows" &&
  new TextDecoder().decode(Deno.readFileSync(executable).subarray(0, 2)) === "#!";
const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;

/** `deno task compile` for one machine, with the environment as given. */
async function compile(target: string, env: Record<string, string> = {}) {
  const set = Object.entries(env).map(([name, value]) => `${name}='${value}'`).join(" ");
  return await run("sh", ["-c", `cd '${root}' && ${set} scripts/deno task compile --target ${target}`]);
}
async function sha256(bytes: Uint8Array): Promise<string> {
  return encodeHex(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)));
}
function inDir(name: string, act: (dir: string) => Promise<void>, ignore = false): void {
  test({
    name,
    ignore,
    async fn() {
      const dir = Deno.makeTempDirSync({ prefix: "chat-e2e-" });
      try {
        await act(dir);
      } finally {
        await run("sh", ["-c", `umount '${dir}/noexec' 2>/dev/null; chmod -R u+w '${dir}'; rm -rf '${dir}'`]);
      }
    },
  });
}

test("deno compile of the bundle has the program and its permissions in it (with a stand-in for the stub)", async () => {
  const made = `${root}dist/chat-linux-arm64`;
  const { ok, text } = await compile("linux-arm64", { DENORT_BIN: Deno.execPath(), CHAT_STUB_STAND_IN: "1" });
  assert(ok, text);
  assertStringIncludes(text, "dist/chat-linux-arm64: compiled");
  const bytes = Deno.readFileSync(made);
  Deno.removeSync(made); // it is plain Deno with a tail, and must not lie about as chat
  const tail = bytes.subarray(Deno.statSync(Deno.execPath()).size);
  const content = new TextDecoder("latin1").decode(tail);
  const at = content.indexOf('{"argv":');
  const { permissions: granted, entrypoint_key } = JSON.parse(balanced(content, at));
  const { net, read, write, env, sys } = config.permissions.chat;
  assertEquals([net, read, write], [true, true, true]);
  assertEquals([granted.allow_net, granted.allow_read, granted.allow_write], [[], [], []]);
  assertEquals([granted.allow_env.toSorted(), granted.allow_sys], [env.toSorted(), sys]);
  assertEquals([granted.allow_run, granted.allow_ffi, granted.deny_import, granted.prompt], [
    null,
    null,
    [],
    false,
  ]);
  assertEquals(entrypoint_key, "app.js");
  for (const part of ["End-to-end-encrypted group chat", "chat2 box", "Password: "]) {
    assertStringIncludes(content, part);
  }
});
/** The JSON object that begins there. */
function balanced(text: string, at: number): string {
  let depth = 0, isText = false;
  for (let i = at; i < text.length; i++) {
    if (text[i] === '"' && text[i - 1] !== "\\") isText = !isText;
    if (isText) continue;
    if (text[i] === "{") depth++;
    if (text[i] === "}" && --depth === 0) return text.slice(at, i + 1);
  }
  throw new Error("the object does not end");
}
test("the Deno CLI as DENORT_BIN is refused: what it makes would run anything", async () => {
  const { ok, text } = await compile("linux-arm64", { DENORT_BIN: Deno.execPath() });
  assertEquals(ok, false);
  assertStringIncludes(text, "is the Deno CLI, not its runtime stub");
});
inDir("what is made for Windows and macOS without a stub holds their Deno and this program", async (dir) => {
  const nowhere = { DENORT_BIN: `${dir}/none` };
  for (const target of ["windows-x86_64", "macos-arm64"]) {
    const { ok, text } = await compile(target, nowhere);
    assert(ok, text);
  }
  const zip = unzipSync(Deno.readFileSync(`${root}dist/chat-windows-x86_64.zip`));
  assertEquals(Object.keys(zip).toSorted(), ["chat/app.js", "chat/chat.cmd", "chat/deno.exe"]);
  assertEquals(new TextDecoder().decode(zip["chat/deno.exe"].subarray(0, 2)), "MZ");
  const starter = new TextDecoder().decode(zip["chat/chat.cmd"]);
  assertMatch(
    starter,
    /^@echo off\r\n[\s\S]*"%~dp0deno.exe" run .*--no-prompt .*--allow-net .*"%~dp0app.js" %\*\r\n/,
  );
  assertEquals(/--allow-(run|ffi|all)|-A /.test(starter), false);

  const mac = `${root}dist/chat-macos-arm64`;
  const head = new TextDecoder().decode(Deno.readFileSync(mac).subarray(0, 8192));
  const value = (name: string) => new RegExp(`^${name}=(\\S+)$`, "m").exec(head)![1];
  await run("sh", ["-c", `tail -c +$(( ${value("skip")} + 1 )) '${mac}' | gzip -dc | tar -xf - -C '${dir}'`]);
  const [app, deno] = [Deno.readFileSync(`${dir}/app.js`), Deno.readFileSync(`${dir}/deno`)];
  assertEquals([await sha256(app), await sha256(deno)], [value("app_sum"), value("deno_sum")]);
  assertEquals([app.length, deno.length], [Number(value("app_size")), Number(value("deno_size"))]);
  assertEquals([...deno.subarray(0, 4)], [0xcf, 0xfa, 0xed, 0xfe], "Mach-O, 64 bits");
  assertEquals(await sha256(zip["chat/app.js"]), await sha256(app), "the same program");
  if (isSelfExtracting) {
    const own = new TextDecoder().decode(Deno.readFileSync(executable).subarray(0, 8192));
    assertStringIncludes(own, `app_sum=${value("app_sum")}`);
  }
}, !hasTool("npm"));

/** Starts the executable with its cache there. */
async function start(cache: string, ...args: string[]) {
  return await run("sh", ["-c", `XDG_CACHE_HOME='${cache}' exec '${executable}' ${args.join(" ")}`]);
}
const unpackedIn = (cache: string) => {
  const [{ name }] = [...Deno.readDirSync(`${cache}/chat`)].filter((e) => !e.name.startsWith("."));
  return `${cache}/chat/${name}`;
};
for (
  const [what, damage] of [
    ["an empty app.js", (at: string) => Deno.writeTextFileSync(`${at}/app.js`, "")],
    ["no app.js", (at: string) => Deno.removeSync(`${at}/app.js`)],
    ["half of Deno", (at: string) => Deno.truncateSync(`${at}/deno`, 1_000_000)],
    ["no Deno", (at: string) => Deno.removeSync(`${at}/deno`)],
    ["another app.js of the same size", (at: string) => {
      const bytes = Deno.readFileSync(`${at}/app.js`);
      bytes.fill(32, 0, 100);
      Deno.writeFileSync(`${at}/app.js`, bytes);
      Deno.utimeSync(`${at}/app.js`, new Date(), new Date(Date.now() + 60_000));
    }],
    ["another app.js, looked at a day ago", (at: string) => {
      Deno.writeTextFileSync(`${at}/app.js`, " ".repeat(Deno.statSync(`${at}/app.js`).size));
      const past = new Date(Date.now() - 3 * 86_400_000);
      for (const name of ["app.js", "deno", "checked"]) Deno.utimeSync(`${at}/${name}`, past, past);
    }],
  ] as const
) {
  inDir(`an unpacked copy with ${what} is replaced`, async (dir) => {
    assertEquals((await start(dir, "--version")).text, "chat 0.1.0\n");
    damage(unpackedIn(dir));
    const { ok, text } = await start(dir, "--version");
    assertEquals([ok, text], [true, "chat 0.1.0\n"]);
    assertEquals((await start(dir, "--version")).ok, true);
    assertEquals([...Deno.readDirSync(`${dir}/chat`)].length, 1, "nothing else is left");
  }, !isSelfExtracting);
}
inDir("a cache folder in which others can write is refused, each of the three", async (dir) => {
  await start(dir, "--version");
  for (const folder of [dir, `${dir}/chat`, unpackedIn(dir)]) {
    Deno.chmodSync(folder, 0o777);
    const { ok, text } = await start(dir, "--version");
    assertEquals(ok, false);
    assertMatch(text, /^error: Others can write in the folder .*\nhint: run "chmod go-w /);
    Deno.chmodSync(folder, 0o700);
  }
  Deno.chmodSync(dir, 0o1777); // as /tmp: nobody can exchange what is another's
  assertEquals((await start(dir, "--version")).ok, true);
}, !isSelfExtracting);
inDir("root runs nobody's code from a shared cache folder", async (dir) => {
  await start(dir, "--version");
  for (const folder of [`${dir}/chat`, unpackedIn(dir)]) {
    Deno.chownSync(folder, 12345, 12345);
    const { ok, text } = await start(dir, "--version");
    assertEquals(ok, false);
    assertMatch(text, /^error: The folder ".*" belongs to another user \(number 12345\)/);
    Deno.chownSync(folder, 0, 0);
  }
}, !isSelfExtracting || !isRoot);
inDir("a disk from which nothing can be started says so, with the way round", async (dir) => {
  Deno.mkdirSync(`${dir}/noexec`);
  const mounted = await run("mount", [
    "-t",
    "tmpfs",
    "-o",
    "noexec,size=200m,mode=700",
    "tmpfs",
    `${dir}/noexec`,
  ])
    .catch(() => ({ ok: false }));
  if (!mounted.ok) return; // no right to mount here
  const { ok, text } = await start(`${dir}/noexec`, "--version");
  assertEquals(ok, false);
  assertMatch(
    text,
    /^error: What is unpacked to .* cannot be started there: the disk is mounted noexec.*\nhint: set XDG_CACHE_HOME/,
  );
}, !isSelfExtracting || !isRoot);
