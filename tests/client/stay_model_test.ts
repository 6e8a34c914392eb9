/**
 * Property 11 with real clients and a real server: over random sequences of joining, leaving, being put out,
 * sending, refreshing and restarting, everybody can open what was sealed during their stays and nothing else, with
 * every chain key they ever held and every box they can open.
 */

import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { ChatError } from "../../lib/errors.ts";
import { boxDecryptor, openBox } from "../../lib/protocol/group/box.ts";
import { type Commit, parseCommit } from "../../lib/protocol/group/commit.ts";
import { noKeyFile, senderChains } from "../../lib/protocol/group/epoch.ts";
import { parseMessage } from "../../lib/protocol/group/sealed_message.ts";
import type { PrekeySecrets } from "../../lib/protocol/identity/prekey.ts";
import { findMember } from "../../lib/protocol/group/roster.ts";
import { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { person } from "../fakes/people.ts";
import { type Client, headIn, inWorld, type World } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";
import { opensWith } from "../fakes/chain_reader.ts";
import fc from "fast-check";

const names = ["ira", "sahnawaz", "dana", "erin"];
const limits = { ...defaultLimits, commitEveryMs: 1, handshakeBurst: 1000 };
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(
      "toggle" as const,
      "kick" as const,
      "kick --return" as const,
      "send" as const,
      "send" as const,
      "rekey" as const,
      "restart" as const,
    ),
    who: fc.nat(3),
  }),
  { minLength: 4, maxLength: 9 },
);

test({
  name:
    "property 11: real members open what was sealed during their stays, and nothing else, with all they ever held",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    fc.assert(
      fc.asyncProperty(steps, (sequence) => inWorld((world) => new Model(world).run(sequence), { limits })),
      { numRuns: 20, endOnFailure: true },
    ),
});

/** What somebody ever held: chain keys by the commit they belong to, and prekeys that open boxes. */
interface Held {
  readonly chains: Map<string, Bytes>;
  readonly prekeys: Map<number, PrekeySecrets>;
}

class Model {
  #here = new Map<string, Client>();
  #held = new Map<string, Held>(names.map((name) => [name, { chains: new Map(), prekeys: new Map() }]));

  constructor(private readonly world: World) {}

  async run(sequence: readonly { kind: string; who: number }[]): Promise<void> {
    await this.#join("ira");
    for (const [i, { kind, who }] of sequence.entries()) await this.#step(kind, names[who], i);
    await this.#quiet();
    await this.#check();
  }

  async #step(kind: string, name: string, i: number): Promise<void> {
    const client = this.#here.get(name);
    if (kind === "toggle") return client ? await this.#leave(name) : await this.#join(name);
    if (!client) return;
    if (kind.startsWith("kick")) return await this.#kick(name, `/${kind} ${name}`);
    if (kind === "restart") {
      client.view.type("EXIT");
      await client.done;
      return await this.#join(name);
    }
    if (kind === "rekey") client.view.type("/rekey");
    else {
      client.view.type(`${i}`);
      await client.view.hears(`${name}: ${i}`);
    }
    this.#collect();
  }

  async #join(name: string): Promise<void> {
    const client = await this.world.join(name);
    const isOut = this.#here.size > 0 &&
      headIn([...this.#here.values()][0])!.bans.some((id) => equals(id, client.profile.card.id));
    if (isOut) {
      await until("told", () => client.view.notices.some((text) => text.includes("You were put out")));
      this.#admins()[0].view.type(`/invite ${name}`);
    }
    await client.view.until((event) => event.type === "entered");
    this.#here.set(name, client);
    await until("shown", () => client.chat.conversation.room !== null);
    const { room } = client.chat.conversation;
    const before = room!.onJobDone;
    room!.onJobDone = () => {
      this.#keep(name, client);
      before();
    };
    await this.#quiet();
  }

  async #leave(name: string): Promise<void> {
    if (this.#here.size < 2) return;
    const client = this.#here.get(name)!;
    client.view.type("/leave");
    await client.done;
    this.#here.delete(name);
    await this.#quiet();
  }

  #admins(): Client[] {
    return [...this.#here.values()].filter(({ chat }) => (chat.conversation.room as MemberRoom).isAdmin);
  }

  async #kick(name: string, command: string): Promise<void> {
    const admin = this.#admins().find(({ profile }) => profile.name !== name);
    if (!admin) return;
    admin.view.type(command);
    await this.#here.get(name)!.done;
    this.#here.delete(name);
    await this.#quiet();
  }

  /** All who are here see the same members. */
  async #quiet(): Promise<void> {
    const all = [...this.#here.values()];
    const expected = [...this.#here.keys()].sort().join();
    await until(
      "one roster",
      () =>
        all.every((client) => headIn(client)?.roster.map((m) => m.name).sort().join() === expected) &&
        new Set(all.map((client) => headIn(client)!.epoch)).size === 1,
    );
    this.#collect();
  }

  #collect(): void {
    for (const [name, client] of this.#here) this.#keep(name, client);
  }

  #keep(name: string, client: Client): void {
    const { chains, prekeys } = this.#held.get(name)!;
    const { room } = client.chat.conversation;
    if (!(room instanceof MemberRoom)) return;
    const { pendingCommit } = room.state;
    if (pendingCommit) {
      const { hash, roster } = parseCommit(pendingCommit.bytes);
      const ids = roster.map((m) => m.id);
      senderChains(pendingCommit.secret, noKeyFile, hash, ids)
        .forEach((key, i) => chains.set(`${encodeHex(hash)} ${encodeHex(ids[i])} ${encodeHex(key)}`, key));
    }
    if (!room.state.head) return;
    for (const [sender, { key }] of Object.entries(room.state.chains)) {
      if (key) chains.set(`${encodeHex(room.state.head.commitHash)} ${sender} ${encodeHex(key)}`, key);
    }
    for (const prekey of client.chat.conversation.context.prekeys.all) prekeys.set(prekey.prekeyId, prekey);
  }

  async #check(): Promise<void> {
    const [room] = this.world.server.rooms.all();
    let commit!: Commit;
    let openers = new Map<string, Map<string, Bytes[]>>();
    for (const entry of room.read(1, 1000)) {
      if (entry.kind === 1) {
        commit = parseCommit(entry.bytes!);
        openers = new Map();
        for (const name of names) openers.set(name, await this.#keysFor(name, commit));
        continue;
      }
      const message = parseMessage(entry.bytes!);
      const able = names.filter((name) =>
        (openers.get(name)!.get(encodeHex(message.sender)) ?? []).some((chain) =>
          opensWith(entry.bytes!, chain, commit.hash)
        )
      );
      const members = names.filter((name) => commit.roster.some((m) => m.name === name));
      assertEquals(able, members, `position ${entry.pos}`);
    }
  }

  /** Chain keys of each sender in a commit's epoch that somebody held, or can make from any box with all prekeys. */
  async #keysFor(name: string, commit: Commit): Promise<Map<string, Bytes[]>> {
    const { chains, prekeys } = this.#held.get(name)!;
    const keys = new Map<string, Bytes[]>();
    const add = (sender: string, key: Bytes) => keys.set(sender, [...keys.get(sender) ?? [], key]);
    for (const [place, key] of chains) {
      const [hash, sender] = place.split(" ");
      if (hash === encodeHex(commit.hash)) add(sender, key);
    }
    const { identity, card } = await person(name);
    for (const member of commit.roster) {
      const box = this.world.server.rooms.store.box(member.boxHash);
      if (!box) continue;
      try {
        const secret = await openBox(
          box,
          member.boxHash,
          commit,
          card.id,
          (id) => prekeys.get(id),
          boxDecryptor(identity.rsa),
        );
        const ids = commit.roster.map((m) => m.id);
        senderChains(secret, noKeyFile, commit.hash, ids).forEach((key, i) => add(encodeHex(ids[i]), key));
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
      }
    }
    // The author of a commit has drawn its secret: what it held is among its chains.
    if (findMember(commit.roster, card.id)) {
      assertEquals(keys.size > 0, true, `${name} holds keys of its own stay`);
    }
    return keys;
  }
}
