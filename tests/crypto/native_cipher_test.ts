/** The runtime frees a cipher's state only when it is ended: nothing that this program does may leave one behind. */

import { assertEquals, assertGreater } from "@std/assert";
import { decryptCfb, encryptCfb } from "../../lib/crypto/cfb.ts";
import { NativeCipher } from "../../lib/crypto/native_cipher.ts";
import { open, seal } from "../../lib/crypto/seal.ts";
import { RecordOpener, RecordSealer } from "../../lib/protocol/channel/records.ts";
import { test } from "../fakes/test.ts";
import { until } from "../fakes/until.ts";
import { inWorld } from "../fakes/world.ts";

const secret = new Uint8Array(32).fill(7), iv = new Uint8Array(16), text = new Uint8Array(100);

test("what is sealed and opened once leaves no cipher behind, nor do records", () => {
  const before = NativeCipher.live;
  decryptCfb(secret, iv, encryptCfb(secret, iv, text));
  open(secret, "label", iv, iv, seal(secret, "label", iv, iv, text));
  const [sealer, opener] = [new RecordSealer(secret), new RecordOpener(secret)];
  for (let n = 0; n < 70_000; n++) opener.open(sealer.seal(text));
  assertEquals(NativeCipher.live, before + 2);
  sealer.rest();
  opener.rest();
  assertEquals(NativeCipher.live, before);
});
test("a room of three and what they said leave no cipher behind, once they are gone", async () => {
  const before = NativeCipher.live;
  await inWorld(async (world) => {
    const [ira, sam, dana] = [
      await world.enter("ira"),
      await world.enter("sahnawaz"),
      await world.enter("dana"),
    ];
    for (const text of ["one", "two", "three"]) {
      ira.view.type(text);
      for (const { view } of [sam, dana]) await view.hears(`ira: ${text}`);
    }
    assertGreater(NativeCipher.live, before);
  }, { limits: { transitFrom: 3 } });
  await until("given back", () => NativeCipher.live === before);
});
