/** Rooms for tests of the rules: people, a genesis, and successors that can be bent in one place. */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { encodeHex } from "@std/encoding/hex";
import type { Card } from "../../lib/protocol/identity/card.ts";
import {
  type Commit,
  type CommitBody,
  makeCommit,
  parseCommit,
  roomId,
} from "../../lib/protocol/group/commit.ts";
import { headAfter, type RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { viewOfNothing } from "../../lib/protocol/group/signed_head.ts";
import type { Member } from "../../lib/protocol/group/roster.ts";
import { type Person, person } from "./people.ts";
import { testSite, unsigned } from "./site.ts";

export const zeros: Bytes = new Uint8Array(32);

export const member = (p: Person, since = 0, role = 0): Member => ({
  id: p.card.id,
  role,
  since,
  name: p.name,
  boxHash: zeros,
});

/** All cards that any test may ask for. */
export async function cardBook(): Promise<(id: Uint8Array) => Card | undefined> {
  const people = await Promise.all(["ira", "sahnawaz", "dana", "erin", "mallory", "server"].map(person));
  const cards = new Map(people.map((p) => [encodeHex(p.card.id), p.card]));
  return (id) => cards.get(encodeHex(id));
}

export function genesis(author: Person, bend: Partial<CommitBody> = {}, signer = author): Commit {
  const prev = new Uint8Array(32).fill(9);
  const room = roomId(author.card.id, "lobby", prev);
  const body: CommitBody = {
    room,
    epoch: 0,
    prev,
    author: author.card.id,
    time: 1_700_000_000,
    view: viewOfNothing(room),
    policy: 0,
    roomName: "lobby",
    roster: [member(author, 0, 1)],
    leaves: [],
    how: 0,
    use: null,
    passes: [],
    bans: [],
    check: zeros,
    ...bend,
  };
  return parseCommit(makeCommit(body, testSite, signer.identity.signing));
}

export { headAfter as headOf };

export function successor(
  head: RoomHead,
  author: Person,
  bend: Partial<CommitBody> = {},
  signer = author,
): Commit {
  const body: CommitBody = {
    room: head.room,
    epoch: head.epoch + 1,
    prev: head.commitHash,
    author: author.card.id,
    time: 1_700_000_100,
    view: unsigned(head.commitPos, zeros),
    policy: head.policy,
    roomName: head.roomName,
    roster: head.roster,
    leaves: [],
    how: 0,
    use: null,
    passes: head.passes,
    bans: head.bans,
    check: zeros,
    ...bend,
  };
  return parseCommit(makeCommit(body, testSite, signer.identity.signing));
}
