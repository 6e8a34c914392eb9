/**
 * A hostile member: a real client that has been let in, and then says what no honest one would, with its own keys
 * and through its own link. It can do all that a member can, and nothing more.
 */

import { encodeHex } from "@std/encoding/hex";
import { seconds, systemClock } from "../../lib/clock.ts";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { generateX25519 } from "../../lib/crypto/x25519.ts";
import { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import { boxHash, sealBox } from "../../lib/protocol/group/box.ts";
import { type CommitBody, makeCommit } from "../../lib/protocol/group/commit.ts";
import { chainStep, epochCheck } from "../../lib/protocol/group/epoch.ts";
import { type MessageHeader, sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import type { Member } from "../../lib/protocol/group/roster.ts";
import type { Client } from "./world.ts";
import { signedViewOf } from "../../lib/protocol/group/signed_head.ts";

export class HostileMember {
  constructor(readonly client: Client) {}

  get room(): MemberRoom {
    return this.client.chat.conversation.room as MemberRoom;
  }

  /** Seals a text with the next key of its chain; `bend` changes the header, `spoil` what is sealed. */
  message(text: string, bend: Partial<MessageHeader> = {}, spoil: (bytes: Bytes) => Bytes = (b) => b): Bytes {
    const { state, context } = this.room;
    const head = state.head!;
    const chain = state.chains[encodeHex(context.card.id)];
    const { messageKey, next } = chainStep(chain.key!);
    const header = {
      kind: 1,
      room: state.id,
      epoch: head.epoch,
      commit: head.commitHash.slice(0, 16),
      sender: context.card.id,
      n: chain.n,
      view: signedViewOf(state),
      salt: systemRandom(16),
      ...bend,
    };
    state.chains = { ...state.chains, [encodeHex(context.card.id)]: { key: next, n: chain.n + 1 } };
    const content = {
      type: 1,
      msgId: systemRandom(16),
      timeMs: systemClock.now(),
      body: new TextEncoder().encode(text) as Bytes,
    };
    return sealMessage(header, content, spoil(messageKey), head.commitHash, context.identity.signing);
  }

  /** Sends a message as it stands; its answer comes in the stream, to a client that does not know of it. */
  send(message: Bytes): void {
    this.client.chat.conversation.connection!.sendInStream(
      this.room.state.id,
      (ref) => ({ type: "SEND", ref, message }),
    );
  }

  /**
   * Commits, with boxes for the others; `bend` changes what is signed, `box` what they hold.
   *
   * @param box `other secret`: it opens and does not fit; `garbage`: it does not open; `none`: nobody gets one
   */
  async commit(bend: Partial<CommitBody> = {}, box: "good" | "other secret" | "garbage" | "none" = "good") {
    const { state, context } = this.room;
    const head = state.head!;
    const secret = systemRandom(32);
    const place = { room: state.id, epoch: head.epoch + 1, prev: head.commitHash, author: context.card.id };
    const members: readonly Member[] = bend.roster ?? head.roster;
    const others = members.filter((m) => String(m.id) !== String(context.card.id));
    const connection = this.client.chat.conversation.connection!;
    const prekeys = await context.directory.fetchPrekeys(connection, others.map((m) => m.id));
    const ephemeral = await generateX25519();
    const hashes = new Map<string, Bytes>();
    for (const member of others) {
      const key = encodeHex(member.id);
      if (box === "none" || !prekeys.has(key)) continue;
      const inside = box === "other secret" ? systemRandom(32) : secret;
      const { rsaSpki } = context.directory.card(member.id)!;
      const made = await sealBox(inside, place, ephemeral, prekeys.get(key)!, rsaSpki, systemRandom);
      if (box === "garbage") made.fill(7, -80);
      await connection.request((ref) => ({ type: "BOX_PUT", ref, box: made }), "DONE");
      hashes.set(key, boxHash(made));
    }
    const none = new Uint8Array(32);
    const body: CommitBody = {
      ...place,
      time: seconds(systemClock),
      view: signedViewOf(state),
      policy: head.policy,
      roomName: head.roomName,
      leaves: [],
      how: 0,
      use: null,
      passes: head.passes,
      bans: head.bans,
      check: epochCheck(secret, this.room.roomKey, place),
      ...bend,
      roster: members.map((m) => ({ ...m, boxHash: hashes.get(encodeHex(m.id)) ?? none })),
    };
    const commit = makeCommit(body, context.site, context.identity.signing);
    connection.sendInStream(state.id, (ref) => ({ type: "COMMIT", ref, commit }));
  }
}
