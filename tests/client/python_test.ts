/** Property 21: key-file rooms and Python's `cryptography.fernet`, in both directions, with Python really run. */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { decodeRoomKey, encodeRoomKey } from "../../lib/crypto/room_key.ts";
import { openToken, sealToken } from "../../lib/crypto/fernet.ts";
import {
  keyFileRoomId,
  parseKeyFileMessage,
  signKeyFileMessage,
} from "../../lib/protocol/group/key_file_message.ts";
import { person } from "../fakes/people.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { run } from "../fakes/tools.ts";
import { worldTest } from "../fakes/world.ts";
import { unsigned } from "../fakes/site.ts";

const python = "/usr/bin/python3";
const hasFernet = await run(python, ["-c", "import cryptography.fernet"]).then(({ ok }) => ok).catch(() =>
  false
);
if (!hasFernet && Deno.env.get("CI") === "true") {
  throw new Error("python3-cryptography is missing: run deno task setup");
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const ascii = (line: string) => new TextEncoder().encode(line);

/** A line of Python, with what it needs as arguments; what it prints. */
async function py(code: string, ...args: string[]): Promise<string> {
  const { ok, text } = await run(python, [
    "-c",
    `import sys\nfrom cryptography.fernet import Fernet\n${code}`,
    ...args,
  ]);
  if (!ok) throw new Error(text);
  return text;
}
const decrypt = "sys.stdout.buffer.write(Fernet(sys.argv[1]).decrypt(sys.argv[2].encode()))";
const encrypt = "print(Fernet(sys.argv[1]).encrypt(sys.argv[2].encode()).decode(), end='')";

const words = [
  "hello",
  "",
  "Grüße, 世界 👪",
  "a".repeat(15),
  "b".repeat(16),
  "line one\nline two",
  "x".repeat(5000),
];

for (const word of words) {
  const shown = JSON.stringify(word.slice(0, 20));
  test({
    name: `a token of ours opens in Python, and Python's opens here: ${shown}`,
    ignore: !hasFernet,
    async fn() {
      const key = systemRandom(32);
      const line = encodeRoomKey(key).trim();
      const token = text(sealToken(key, Math.floor(Date.now() / 1000), systemRandom(16), ascii(word)));
      assertEquals(await py(decrypt, line, token), word);
      assertEquals(text(openToken(key, ascii(await py(encrypt, line, word))).plaintext), word);
    },
  });
}

test({
  name: "a key that Python generated is read here, as a file, and one of ours is a key to Python",
  ignore: !hasFernet,
  async fn() {
    const file = await py("print(Fernet.generate_key().decode(), end='')");
    const key = decodeRoomKey(ascii(file));
    assertEquals(encodeRoomKey(key).trim(), file);
    assertEquals(
      await py(
        "print(len(Fernet(sys.argv[1]).encrypt(b'')), end='')",
        encodeRoomKey(systemRandom(32)).trim(),
      ),
      "100",
    );
  },
});

worldTest(
  "what is said in a key-file room is read by Python from the server's log, and Python's token is read in the room",
  async (world) => {
    const key = systemRandom(32);
    const line = encodeRoomKey(key).trim();
    const ira = await world.enter("ira", { fernetKey: key });
    ira.view.type("read me, Python");
    await ira.view.hears("ira: read me, Python");
    const [room] = world.server.rooms.keyFileRooms();
    const { sealed } = parseKeyFileMessage(room.read(1, 1)[0].bytes!);
    assertEquals(await py(decrypt, line, text(sealed)), "read me, Python");

    // A program in Python seals; a link of ours carries it, signed by its holder.
    const sam = await RawClient.open(world.port, "sahnawaz");
    const { identity, card } = await person("sahnawaz");
    const id = keyFileRoomId(key, world.server.rooms.site, "lobby");
    await sam.ask((ref) => ({ type: "JOIN", ref, room: id, kind: 2, pos: 0 }), "DONE");
    const token = ascii(await py(encrypt, line, "read me, Ira"));
    const header = { room: id, sender: card.id, n: 0, view: unsigned(0, id) };
    const message = signKeyFileMessage(header, token, identity.signing);
    assertEquals(await sam.inStream((ref) => ({ type: "SEND", ref, message })), "STORED 2");
    await ira.view.hears("sahnawaz: read me, Ira");
    assertEquals(ira.view.warnings, []);
    sam.close();
  },
  {},
  !hasFernet,
);
