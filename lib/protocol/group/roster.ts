/** Roster: who is in a room, as a commit states it (protocol §7.1). */

import type { Bytes } from "../../crypto/bytes.ts";
import { equals } from "@std/bytes/equals";

/** Most members of a room. */
export const maxMembers = 256;

/** Roles in a room. */
export const memberRoles = { member: 0, admin: 1 } as const;

/** Policies of a room; `keyFileFlag` is added where a room key file is required. */
export const policies = { open: 0, closed: 1, direct: 2 } as const;
/** Set in a policy when the room's keys also need a room key file. */
export const keyFileFlag = 0x80;

/** One line of a roster. */
export interface Member {
  /** 32 bytes. */
  readonly id: Bytes;
  /** 0 member, 1 admin. */
  readonly role: number;
  /** Epoch of joining. */
  readonly since: number;
  /** As on the card. */
  readonly name: string;
  /** Hash of the member's box for this epoch; zeros when there is none. */
  readonly boxHash: Bytes;
}

const indexFrom = 8;
const indexes = new WeakMap<readonly Member[], ReadonlyMap<number, readonly Member[]>>();

/** The member with this id; the first, should there be two. A roster is never changed once it is made. */
export function findMember(roster: readonly Member[], id: Uint8Array): Member | undefined {
  if (roster.length < indexFrom) return roster.find((member) => equals(member.id, id));
  let index = indexes.get(roster);
  if (!index) indexes.set(roster, index = Map.groupBy(roster, (member) => prefix(member.id)));
  return index.get(prefix(id))?.find((member) => equals(member.id, id));
}

/** 48 bits of an id: whoever makes two ids alike in these gains a comparison. */
function prefix(id: Uint8Array): number {
  return (id[0] << 16 | id[1] << 8 | id[2]) * 0x1000000 + (id[3] << 16 | id[4] << 8 | id[5]);
}

/** Whether an id is among others. */
export function includesId(ids: readonly Bytes[], id: Uint8Array): boolean {
  return ids.some((other) => equals(other, id));
}

/** Whether a member may let others in to a closed room, remove members and change the policy. */
export function isAdmin(member: Member | undefined): boolean {
  return member?.role === memberRoles.admin;
}

/** The policy of a room without the flag of its key file: one of {@link policies}. */
export function basePolicy(policy: number): number {
  return policy & ~keyFileFlag;
}
