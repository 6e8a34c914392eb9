/**
 * Property 11: over random sequences of joining, leaving and sending, everybody opens exactly what was sealed
 * during their stays, with every key that they ever held.
 */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { generateX25519 } from "../../lib/crypto/x25519.ts";
import { boxDecryptor, boxHash, BoxUnreadable, openBox, sealBox } from "../../lib/protocol/group/box.ts";
import { chainStep, epochCheck, noKeyFile, senderChains } from "../../lib/protocol/group/epoch.ts";
import { sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import { makePrekey, parsePrekey } from "../../lib/protocol/identity/prekey.ts";
import { opensWith } from "../fakes/chain_reader.ts";
import { person } from "../fakes/people.ts";
import { unsigned } from "../fakes/site.ts";

const people = await Promise.all(["ira", "sahnawaz", "dana", "erin"].map(person));
const prekeys = await Promise.all(
  people.map((p) => makePrekey(p.identity.id, p.identity.signing, 0, 1_700_000_000)),
);
type Step = { kind: "toggle" | "send"; who: number };
const steps = fc.array(
  fc.record({ kind: fc.constantFrom<"toggle" | "send">("toggle", "send"), who: fc.nat(3) }),
  { minLength: 4, maxLength: 10 },
);

test("property 11: everybody opens what was sealed during their stays, and nothing else", async () => {
  await fc.assert(fc.asyncProperty(steps, runModel), { numRuns: 15 });
});

async function runModel(sequence: Step[]): Promise<void> {
  const room = systemRandom(32);
  const members = new Set([0]);
  /** Every chain key that a person ever derived, walked no further than it was given out. */
  const held = people.map(() => [] as { chains: Bytes[]; commitHash: Bytes }[]);
  const log: { bytes: Bytes; commitHash: Bytes; readers: number[] }[] = [];
  let epoch = -1;
  let prev: Bytes = systemRandom(32);
  let current: { ids: number[]; chains: Map<number, Bytes>; commitHash: Bytes };

  async function commit(): Promise<void> {
    epoch++;
    const author = [...members][0];
    const context = { room, epoch, prev, author: people[author].card.id };
    const secret = systemRandom(32);
    const commitHash = systemRandom(32); // stands for the hash of the signed commit
    const check = epochCheck(secret, noKeyFile, context);
    const ids = [...members];
    const ephemeral = await generateX25519();
    for (const member of ids) {
      const prekey = parsePrekey(prekeys[member].published);
      const box = await sealBox(
        secret,
        context,
        ephemeral,
        prekey,
        people[member].secrets.rsaSpki,
        systemRandom,
      );
      // Everybody sees every box; each tries every one with all keys of their own.
      for (const [reader, own] of people.entries()) {
        try {
          const opened = await openBox(
            box,
            boxHash(box),
            context,
            own.card.id,
            (id) => id === prekeys[reader].prekeyId ? prekeys[reader] : undefined,
            boxDecryptor(own.identity.rsa),
          );
          assertEquals(epochCheck(opened, noKeyFile, context), check);
          held[reader].push({
            chains: senderChains(opened, noKeyFile, commitHash, ids.map((i) => people[i].card.id)),
            commitHash,
          });
        } catch (error) {
          if (!(error instanceof BoxUnreadable)) throw error;
        }
      }
    }
    const chains = senderChains(secret, noKeyFile, commitHash, ids.map((i) => people[i].card.id));
    current = { ids, chains: new Map(ids.map((id, i) => [id, chains[i]])), commitHash };
    prev = commitHash;
  }

  function send(who: number): void {
    const chain = current.chains.get(who)!;
    const { messageKey, next } = chainStep(chain);
    current.chains.set(who, next);
    const content = {
      type: 1,
      msgId: systemRandom(16),
      timeMs: 1,
      body: new TextEncoder().encode("x") as Bytes,
    };
    const header = {
      kind: 1,
      room,
      epoch,
      commit: current.commitHash.slice(0, 16),
      sender: people[who].card.id,
      n: log.length,
      view: unsigned(0, room),
      salt: systemRandom(16),
    };
    const bytes = sealMessage(header, content, messageKey, current.commitHash, people[who].identity.signing);
    log.push({ bytes, commitHash: current.commitHash, readers: [...members] });
  }

  await commit();
  for (const { kind, who } of sequence) {
    if (kind === "send") {
      if (members.has(who)) send(who);
    } else if (!members.has(who)) {
      members.add(who);
      await commit();
    } else if (members.size > 1) {
      members.delete(who);
      await commit();
    }
  }
  for (const { bytes, readers } of log) {
    const able = people.flatMap((_, reader) => opens(bytes, held[reader]) ? [reader] : []);
    assertEquals(able, readers.sort(), encodeHex(bytes.slice(0, 4)));
  }
}

/** Whether any key that follows from what was ever held opens the message. */
function opens(bytes: Bytes, held: { chains: Bytes[]; commitHash: Bytes }[]): boolean {
  return held.some(({ chains, commitHash }) => chains.some((chain) => opensWith(bytes, chain, commitHash)));
}
