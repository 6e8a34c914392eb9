/** Files of our state begin with the number of their format; what version 1 has left is moved aside. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { FileTrouble } from "../../lib/storage/file_trouble.ts";
import { exists } from "../../lib/storage/private_file.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { moveVersionOne } from "../../lib/storage/version_one.ts";
import { KnownKeys } from "../../lib/client/trust/known_keys.ts";
import { person } from "../fakes/people.ts";
import { test } from "../fakes/test.ts";
import { worldTest } from "../fakes/world.ts";

const write = (path: string, bytes: Uint8Array) => Deno.writeFileSync(path, bytes, { mode: 0o600 });

async function inProfile(act: (dir: string, files: SealedFiles) => void | Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "chat-format-" });
  try {
    await act(dir, await SealedFiles.open(`${dir}/state`, (await person("ira")).identity, systemRandom));
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

test("every file of the state begins with its format, and a newer one is refused by name", () =>
  inProfile(async (dir, files) => {
    files.write("a", new Uint8Array(5));
    files.folder("logs").log("history").append("b", new Uint8Array(5));
    new KnownKeys(dir).pinServer("host:1", new Uint8Array(32), 2);
    const open: [path: string, read: () => unknown][] = [
      [`${files.dir}/a`, () => files.read("a")],
      [`${files.dir}/logs/b`, () => files.folder("logs").log("history").records("b")],
    ];
    for (const [path, read] of open) {
      const bytes = Deno.readFileSync(path);
      assertEquals(bytes[0], 2);
      read();
      for (const [format, says] of [[3, "a newer version"], [1, "was changed or is damaged"]] as const) {
        bytes[0] = format;
        write(path, bytes);
        assertStringIncludes(assertThrows(read, FileTrouble).message, says);
        assertStringIncludes(assertThrows(read, FileTrouble).message, path);
      }
    }
    const key = `${files.dir}/storage.key`;
    write(key, Deno.readFileSync(key).with(0, 9));
    const { identity } = await person("ira");
    const refused = await SealedFiles.open(files.dir, identity, systemRandom).catch((error) => error);
    assertStringIncludes(refused.message, "a newer version");
    const known = Deno.readTextFileSync(`${dir}/known.jsonl`);
    assertEquals(known.split("\n")[0], '{"format":2}');
    write(`${dir}/known.jsonl`, new TextEncoder().encode(known.replace("2}", "3}")));
    assertStringIncludes(assertThrows(() => new KnownKeys(dir), FileTrouble).message, "a newer version");
  }));

test("what version 1 has left is moved aside whole, once; keys stay", () =>
  inProfile((dir) => {
    for (const name of ["card", "known.jsonl", "rooms.db", "client_private_key.pem"]) {
      write(`${dir}/${name}`, Uint8Array.of(1, 2, 3));
    }
    assertEquals(moveVersionOne(dir), `${dir}/v1`);
    const inside = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    assertEquals(inside(dir), ["client_private_key.pem", "v1"]);
    assertEquals(inside(`${dir}/v1`), ["card", "known.jsonl", "rooms.db", "state"]);
    assertEquals(moveVersionOne(dir), null);
  }));

worldTest("a profile of version 1 is opened with its keys, and begins anew", async (world) => {
  const first = await world.enter("ira");
  first.view.type("EXIT");
  await first.done;
  const dir = `${world.dir}/profiles/ira`;
  write(`${dir}/card`, Deno.readFileSync(`${dir}/card`).with(0, 1));
  const again = await world.enter("ira");
  assertEquals([exists(`${dir}/v1/state`), exists(`${dir}/v1/known.jsonl`)], [true, true]);
  again.view.type("here");
  await again.view.hears("ira: here");
});
