/** config.toml: what a person wants every time. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { joinSpec } from "../../lib/cli/command_specs.ts";
import { configKeys, configOf, readConfig, withConfig } from "../../lib/cli/config_file.ts";
import { ChatError } from "../../lib/errors.ts";
import { configPath } from "../../lib/storage/home.ts";

test("every key of the file is the name of a flag of join", () => {
  for (const key of configKeys) assertEquals(joinSpec.options.some(({ name }) => name === key), true, key);
});
test("the file is read from beside the profiles; without one nothing is said", () => {
  const env = (name: string) => name === "HOME" ? "/h" : undefined;
  assertEquals(configPath(undefined, env, "linux"), "/h/.config/chat/config.toml");
  assertEquals(configPath("/x", env, "linux"), "/x/config.toml");
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  try {
    assertEquals(readConfig(dir, env), {});
    Deno.writeTextFileSync(`${dir}/config.toml`, '# mine\nuser = "ira"\nport = 9000\nbell = "off"\n');
    assertEquals(readConfig(dir, env), { user: "ira", port: "9000", bell: "off" });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
const wrong: [what: string, text: string, message: string, hint: string][] = [
  ["a key that is none", 'belll = "off"', "a key that means nothing: belll", "did you mean bell? "],
  ["a key that is nothing like one", 'zzz = "off"', "means nothing: zzz", "the keys are user, server"],
  ["a table", '[user]\nname = "ira"', "no text for user", 'user = "…"'],
  ["a value that is no text", "bell = true", "no text for bell", "in quotes"],
  ["a value that its flag refuses", 'bell = "xx"', 'bell: --bell cannot be "xx"', "mentions"],
  ["a port that is none", "port = 99999", 'port: "99999" is not a port', "65535"],
  ["a name that stands for one", 'user = "NAME"', 'user: "NAME" cannot be a name', "letters"],
  ["a time that is none", 'history = "7"', 'history: --history cannot be "7"', "30d"],
  ["what is no TOML", "bell off", "is not TOML", "a key and a value"],
];
for (const [what, text, message, hint] of wrong) {
  test(`${what} in the file is told, with the file and what to do`, () => {
    const error = assertThrows(() => configOf("/c.toml", text), ChatError, message);
    assertStringIncludes(error.message, "/c.toml");
    assertStringIncludes(error.hint, hint);
  });
}
test("a flag wins over the file; an invite, or another server, has its own place", () => {
  const config = { user: "ira", server: "a", port: "1", room: "dev", bell: "off" };
  assertEquals(withConfig({}, config, false), config);
  assertEquals(withConfig({ user: "sam" }, config, false).user, "sam");
  assertEquals(withConfig({ server: "b" }, config, false), {
    user: "ira",
    bell: "off",
    room: "dev",
    server: "b",
  });
  assertEquals(withConfig({}, config, true), { user: "ira", bell: "off" });
});
