/**
 * Property 8 over whole conversations: no (key, IV) pair is ever used twice, by links, boxes, messages or
 * stored state, with rekeying, restarts and reconnecting in between.
 *
 * A pair is known by the first block of its keystream, E(key, IV): two equal ones are one pair.
 */

import { assertEquals, assertGreater } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { CfbEncryptor } from "../../lib/crypto/cfb.ts";
import { worldTest } from "../fakes/world.ts";

worldTest(
  "property 8: a conversation with rekeys, restarts and reconnects uses no pair of key and IV twice",
  async (world) => {
    const { encrypt } = CfbEncryptor.prototype;
    const seen = new Map<string, number>();
    CfbEncryptor.prototype.encrypt = function (iv, plaintext) {
      const ciphertext = encrypt.call(this, iv, plaintext);
      if (plaintext.length >= 16) {
        const block = encodeHex(ciphertext.slice(0, 16).map((byte, i) => byte ^ plaintext[i]));
        seen.set(block, (seen.get(block) ?? 0) + 1);
      }
      return ciphertext;
    };
    try {
      const ira = await world.enter("ira");
      let sam = await world.enter("sahnawaz");
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 5; i++) {
          ira.view.type(`the same text`, `i ${round} ${i}`);
          sam.view.type(`the same text`);
        }
        await sam.view.hears(`ira: i ${round} 4`);
        ira.view.type("/rekey", `after ${round}`);
        await sam.view.hears(`ira: after ${round}`);
        await world.server.stop();
        ira.view.type(`meanwhile ${round}`);
        await world.startServer();
        await sam.view.hears(`ira: meanwhile ${round}`);
        sam.view.type("EXIT");
        await sam.done;
        sam = await world.enter("sahnawaz");
      }
    } finally {
      CfbEncryptor.prototype.encrypt = encrypt;
    }
    assertGreater(seen.size, 300);
    assertEquals([...seen.values()].filter((uses) => uses > 1).length, 0);
  },
);
