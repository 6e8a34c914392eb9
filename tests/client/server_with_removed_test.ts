/**
 * Property 25: a server and a removed member together. The victim is away while dana is removed; the server hides that
 * commit from her, and dana helps with every key that she ever had. The victim must seal nothing that dana opens.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { sha256 } from "../../lib/crypto/hash.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { digestHash, entryHash, entryKinds, type History } from "../../lib/protocol/group/history.ts";
import { person } from "../fakes/people.ts";
import { signedBy } from "../fakes/site.ts";
import { benchTest, type StreamBench } from "../fakes/stream_bench.ts";

const [ira, dana] = await Promise.all(["ira", "dana"].map(person));

/** How the removal is given, and what the victim makes of it. */
const ways: [string, (bench: StreamBench, removal: Bytes) => { given: LinkMessage; e: Bytes }][] = [
  ["as the hash of a message that has expired", (bench, removal) => {
    const digest = sha256(removal);
    const given: LinkMessage = {
      type: "HASHES",
      room: bench.head.room,
      first: bench.last + 1,
      digests: [digest],
    };
    return { given, e: digestHash(entryKinds.message, digest) };
  }],
  ["as a commit of garbage", (bench) => {
    const bytes = systemRandom(300);
    return { given: bench.entry(bytes, entryKinds.commit), e: entryHash(entryKinds.commit, bytes) };
  }],
  ["as a message", (bench, removal) => {
    return { given: bench.entry(removal, entryKinds.message), e: entryHash(entryKinds.message, removal) };
  }],
];

/** What the room of the victim has sent since. */
const sealed = (bench: StreamBench) => bench.sent.filter(({ type }) => type === "SEND" || type === "COMMIT");

for (const [what, give] of ways) {
  for (const refreshes of [false, true]) {
    benchTest(
      `property 25: the removal is given ${what}${
        refreshes ? ", and the removed member makes new keys on the hidden branch" : ""
      }: nothing is sealed once something of the true room has come`,
      async (bench) => {
        bench.reload();
        const before = { head: bench.head, history: bench.history, chains: bench.chains };
        const roster = bench.head.roster.filter(({ name }) => name !== "dana");
        const removal = await bench.commit(ira, { roster });
        const { given, e } = give(bench, removal.commit.bytes);
        // What the server shows the victim, and signs for her.
        let shown: History = bench.history.after(e);
        const show = (message: LinkMessage, kind?: number, bytes?: Bytes) => {
          if (kind && bytes) shown = shown.after(entryHash(kind, bytes));
          bench.room.receive(message);
        };
        const sign = () => {
          const { pos, headSig: signature } = signedBy(bench.head.room, shown.view);
          bench.room.receive({ type: "HEAD", room: bench.head.room, pos, signature });
        };
        bench.room.receive(bench.info(bench.last + (refreshes ? 2 : 1)));
        bench.room.receive(given);
        if (refreshes) {
          // Dana commits after what the victim has, as if nothing had happened.
          Object.assign(bench, before);
          const view = signedBy(bench.head.room, before.history.view);
          const hidden = await bench.commit(dana, { view });
          const pos = before.history.view.pos + 2;
          show(
            bench.entry(hidden.commit.bytes, entryKinds.commit, pos),
            entryKinds.commit,
            hidden.commit.bytes,
          );
        }
        sign();
        await bench.idle();
        // The true room goes on: ira says something in the epoch that dana has no keys of.
        Object.assign(bench, before);
        bench.accept(removal);
        const said = bench.message(ira, "only for those who are in");
        const at = shown.view.pos + 1;
        show(bench.entry(said, entryKinds.message, at), entryKinds.message, said);
        sign();
        await bench.idle();
        assertMatch(bench.warnings.join(), /hides or changes/);
        bench.sent.length = 0;
        bench.room.lines.say("secret");
        await bench.idle();
        bench.room.retry();
        await bench.idle();
        assertEquals([sealed(bench), bench.room.alarm.isRaised], [[], true]);
        // Not even by starting again.
        bench.reload();
        bench.room.receive(bench.info(shown.view.pos));
        sign();
        await bench.idle();
        assertEquals(sealed(bench), []);
        assert(encodeHex(before.head.commitHash) !== encodeHex(bench.head.commitHash));
      },
    );
  }
}
