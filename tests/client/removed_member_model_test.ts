/**
 * Property 25 as a model: a server and a removed member together, over random interleavings. Dana is removed while the
 * victim is away. The server gives the victim what it likes, in any order, and signs whatever it has shown; dana makes
 * commits and messages on a branch of her own, and has every key that she ever held. Once the victim has taken
 * anything that was made under the removal, she seals nothing that dana opens.
 */

import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { sha256 } from "../../lib/crypto/hash.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { parseCommit } from "../../lib/protocol/group/commit.ts";
import { noKeyFile, senderChains } from "../../lib/protocol/group/epoch.ts";
import { digestHash, entryHash, entryKinds, type History } from "../../lib/protocol/group/history.ts";
import { opensWith } from "../fakes/chain_reader.ts";
import { person } from "../fakes/people.ts";
import { signedBy } from "../fakes/site.ts";
import { StreamBench } from "../fakes/stream_bench.ts";
import { test } from "../fakes/test.ts";

const [ira, dana] = await Promise.all(["ira", "dana"].map(person));

/** What the server may do next; after each the victim has its head, and types something. */
const moves = [
  "true entry", // the next of the true room, as it is
  "true entry as a hash",
  "true entry as a message",
  "garbage commit",
  "garbage message",
  "hidden refresh", // dana's, after what the victim has
  "hidden line",
  "true commit", // the next one, with all before it as hashes
  "no head", // of what is given next
  "retry", // by the victim
  "restart", // of the victim, with the server's word of where the room ends
] as const;

type Move = typeof moves[number];
/** What hides a removal best comes more often than the rest. */
const anyMove = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<Move>("true entry", "true entry as a hash", "hidden refresh") },
  { weight: 2, arbitrary: fc.constantFrom<Move>(...moves) },
);
/** The attack as it was shown: the removal passes for an expired message, and dana goes on in its place. */
const shownAttack: [number, Move[]] = [3, [
  "true entry as a hash",
  "hidden refresh",
  "true entry",
  "true entry",
]];

test("property 25, model: with all that a removed member ever held, and any interleaving that a server chooses", async () => {
  const seen = { crossed: 0, opened: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.nat(4),
      fc.array(anyMove, { minLength: 3, maxLength: 9 }),
      async (promised, sequence) => await new Model(seen, promised).run(sequence),
    ),
    { numRuns: 120, examples: [shownAttack] },
  );
  // Else the model would hold of a victim who takes nothing, or of a dana who opens nothing at all.
  assert(seen.crossed > 5 && seen.opened > 5, JSON.stringify(seen));
});

type Branch = Pick<StreamBench, "head" | "history" | "chains">;

class Model {
  #bench!: StreamBench;
  /** The true room, and what is left of it to be shown. */
  #true!: Branch;
  #ahead: { kind: number; bytes: Bytes }[] = [];
  /** Dana's branch: the room as she would have it. */
  #hidden!: Branch;
  /** What the victim was shown. */
  #shown!: History;
  /** Chains by commit, of all epochs whose secret dana has known. */
  #danas: { chains: Bytes[]; commitHash: Bytes }[] = [];
  #isHeadHeld = false;
  /** Something made under the removal was taken in. */
  #isCrossed = false;

  /** @param promised how many entries the server says that there are more, when the victim comes back */
  constructor(
    private readonly seen: { crossed: number; opened: number },
    private readonly promised: number,
  ) {}

  async run(sequence: readonly Move[]): Promise<void> {
    const bench = this.#bench = await StreamBench.open();
    try {
      await bench.admitVictim();
      this.#shown = bench.history;
      this.#hidden = this.#keep();
      this.#learn(bench.chains, bench.head.commitHash);
      const roster = bench.head.roster.filter(({ name }) => name !== "dana");
      const removal = await bench.commit(ira, { roster, bans: [dana.card.id] });
      bench.accept(removal);
      this.#ahead.push({ kind: entryKinds.commit, bytes: removal.commit.bytes });
      for (const text of ["one", "two"]) {
        const bytes = bench.message(ira, text);
        bench.append(bytes);
        this.#ahead.push({ kind: entryKinds.message, bytes });
      }
      const refresh = await bench.commit(ira, { bans: [dana.card.id] });
      bench.accept(refresh);
      this.#ahead.push({ kind: entryKinds.commit, bytes: refresh.commit.bytes });
      this.#true = this.#keep();
      await this.#step("restart");
      for (const move of sequence) {
        await this.#step(move);
        await bench.idle();
        if (bench.faults.length > 0) await this.#step("restart"); // the link ends
        if (move !== "no head" && !this.#isHeadHeld) this.#sign();
        this.#isHeadHeld = move === "no head";
        await bench.idle();
        bench.room.lines.say("secret");
        await bench.idle();
        this.#judge();
      }
    } finally {
      bench.close();
    }
  }

  #keep(): Branch {
    const { head, history, chains } = this.#bench;
    const copies = [...chains].map(([id, chain]) => [id, { ...chain }] as const);
    return { head, history, chains: new Map(copies) };
  }

  #learn(chains: StreamBench["chains"], commitHash: Bytes): void {
    this.#danas.push({ chains: [...chains.values()].map(({ key }) => key), commitHash });
  }

  #sign(): void {
    const { pos, headSig: signature } = signedBy(this.#bench.head.room, this.#shown.view);
    this.#bench.room.receive({ type: "HEAD", room: this.#bench.head.room, pos, signature });
  }

  #give(kind: number, bytes: Bytes): void {
    this.#bench.room.receive(this.#bench.entry(bytes, kind, this.#shown.view.pos + 1));
    this.#shown = this.#shown.after(entryHash(kind, bytes));
  }

  /** Whether the victim's room has really taken what stands at the end of what was shown. */
  get #isTaken(): boolean {
    return this.#bench.room.state.history?.view.pos === this.#shown.view.pos;
  }

  async #step(move: Move): Promise<void> {
    const bench = this.#bench;
    const next = this.#ahead[0];
    switch (move) {
      case "true entry":
        if (!next) return;
        this.#ahead.shift();
        this.#give(next.kind, next.bytes);
        await bench.idle();
        this.#isCrossed ||= this.#isTaken;
        return;
      case "true entry as a hash": {
        if (!next) return;
        this.#ahead.shift();
        const [digest, first] = [sha256(next.bytes), this.#shown.view.pos + 1];
        bench.room.receive({ type: "HASHES", room: bench.head.room, first, digests: [digest] });
        this.#shown = this.#shown.after(digestHash(entryKinds.message, digest));
        return;
      }
      case "true entry as a message":
        if (!next || next.kind === entryKinds.message) return;
        this.#ahead.shift();
        return this.#give(entryKinds.message, next.bytes);
      case "garbage commit":
        return this.#give(entryKinds.commit, systemRandom(300));
      case "garbage message":
        return this.#give(entryKinds.message, systemRandom(300));
      case "hidden refresh": {
        Object.assign(bench, this.#hidden);
        const made = await bench.commit(dana, { view: signedBy(bench.head.room, this.#shown.view) });
        bench.accept(made);
        this.#hidden = this.#keep();
        const ids = made.commit.roster.map(({ id }) => id);
        const chains = senderChains(made.secret, noKeyFile, made.commit.hash, ids);
        this.#danas.push({ chains, commitHash: made.commit.hash });
        return this.#give(entryKinds.commit, made.commit.bytes);
      }
      case "hidden line": {
        Object.assign(bench, this.#hidden);
        const bytes = bench.message(dana, "trust me", { view: signedBy(bench.head.room, this.#shown.view) });
        this.#hidden = this.#keep();
        return this.#give(entryKinds.message, bytes);
      }
      case "true commit":
        while (this.#ahead.length > 0 && this.#ahead[0].kind !== entryKinds.commit) {
          await this.#step("true entry as a hash");
        }
        return await this.#step("true entry");
      case "no head":
        return;
      case "retry":
        return bench.room.retry();
      case "restart": {
        Object.assign(bench, this.#true);
        bench.reload();
        this.#shown = bench.room.state.history!;
        bench.faults.length = 0;
        bench.room.receive(bench.info(this.#shown.view.pos + this.promised));
      }
    }
  }

  /** Looks at what the victim has sent since. */
  #judge(): void {
    for (const message of this.#bench.sent.splice(0)) {
      const open = message.type === "SEND"
        ? this.#danas.some(({ chains, commitHash }) =>
          chains.some((chain) => opensWith(message.message, chain, commitHash))
        )
        : message.type === "COMMIT" &&
          parseCommit(message.commit).roster.some(({ id }) => encodeHex(id) === encodeHex(dana.card.id));
      if (open) this.seen.opened++;
      assertEquals([open, this.#isCrossed], [open, open ? false : this.#isCrossed], message.type);
    }
    if (this.#isCrossed) this.seen.crossed++;
  }
}
