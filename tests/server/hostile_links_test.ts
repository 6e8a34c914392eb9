/** Property 23 on a running server: whatever a proved but hostile client says, the server goes on. */

import { assertEquals } from "@std/assert";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { prekeyBytes } from "../../lib/protocol/identity/prekey.ts";
import { boxBytes } from "../../lib/protocol/group/box.ts";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { RawClient } from "../fakes/raw_client.ts";
import { until } from "../fakes/until.ts";
import { worldTest } from "../fakes/world.ts";
import fc from "fast-check";

const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n }).map((b) => b as Bytes);
const some = fc.uint8Array({ maxLength: 400 }).map((b) => b as Bytes);
const short = fc.uint8Array({ maxLength: 30 }).map((b) => b as Bytes);
const kind = fc.constantFrom(1, 2);
const pos = fc.maxSafeNat();
const ids = fc.array(bytes(32), { maxLength: 3 });
const u32 = fc.integer({ min: 1, max: 0xffff_ffff });

type Unnumbered = LinkMessage extends infer M ? M extends { ref: number } ? Omit<M, "ref"> : never : never;
const requests: fc.Arbitrary<Unnumbered>[] = [
  fc.record({ type: fc.constant("CARD_GET" as const), ids }),
  fc.record({ type: fc.constant("PREKEY_GET" as const), ids }),
  fc.record({ type: fc.constant("PREKEY_PUT" as const), prekey: bytes(prekeyBytes) }),
  fc.record({ type: fc.constant("NAME_GET" as const), name: short }),
  fc.record({ type: fc.constant("ROOM_FIND" as const), name: short }),
  fc.record({ type: fc.constant("JOIN" as const), room: bytes(32), kind, pos }),
  fc.record({ type: fc.constant("LEAVE" as const), room: bytes(32), epoch: u32, signature: bytes(64) }),
  fc.record({ type: fc.constant("BOX_PUT" as const), box: bytes(boxBytes) }),
  fc.record({ type: fc.constant("BOX_GET" as const), hash: bytes(32) }),
  fc.record({ type: fc.constant("COMMIT" as const), commit: some }),
  fc.record({ type: fc.constant("SEND" as const), message: some }),
  fc.record({ type: fc.constant("REGISTER" as const), name: short, password: short, token: short }),
];

worldTest(
  "a client that says anything at all is answered or cut off; the others never notice",
  async (world) => {
    const ira = await world.enter("ira");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(...requests), { minLength: 1, maxLength: 6 }), async (messages) => {
        const client = await RawClient.open(world.port, "mallory");
        for (const message of messages) {
          client.connection.sendInStream(new Uint8Array(32), (ref) => ({ ...message, ref }) as LinkMessage);
        }
        client.connection.send({ type: "PING", any: 1 });
        await until("answered or cut", () => client.ended || client.received.length > messages.length);
        client.close();
      }),
      { numRuns: 60 },
    );
    ira.view.type("still here");
    await ira.view.hears("ira: still here");
    assertEquals(world.log.filter((line) => line.includes("fault of this program")), []);
    assertEquals(ira.view.warnings, []);
  },
);
