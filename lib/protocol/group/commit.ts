/**
 * Commits (protocol §7.1): a signed statement of a room's complete member list. Codec and hash; what
 * makes one valid is commit_rules.ts.
 */

import { type Bytes, concat } from "../../crypto/bytes.ts";
import {
  signatureBytes,
  type SigningKey,
  signLabelled,
  type VerifyingKey,
  verifyLabelled,
} from "../../crypto/ed25519.ts";
import { labelledHash } from "../../crypto/hash.ts";
import { Malformed } from "../../errors.ts";
import { type Pass, type PassUse, readPasses, readUse, writePasses, writeUse } from "./pass.ts";
import type { SignedView } from "./history.ts";
import { readView, writeView } from "./signed_head.ts";
import { decodeName, encodeName } from "../identity/name.ts";
import { basePolicy, keyFileFlag, maxMembers, type Member, policies } from "./roster.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** Most leaves in one commit. */
export const maxLeaves = 16;
/** Most ids that a room keeps out. */
export const maxBans = 64;

/** A member's signed wish to go. */
export interface Leave {
  /** Who. */
  readonly id: Bytes;
  /** The epoch it names. */
  readonly epoch: number;
  /** `Sign(id, "chat2 leave", room ‖ u32 e)`. */
  readonly signature: Bytes;
}

/** How its author came to sign a commit. */
export const commitHow = { member: 0, ownEntry: 1, pass: 2 } as const;

/** Everything that a commit states; `check` proves the epoch secret to those who open their box. */
export interface CommitBody {
  /** One of {@link commitHow}: by a member, or by somebody who enters by herself. */
  readonly how: number;
  /** Room id. */
  readonly room: Bytes;
  /** Counts from 0. */
  readonly epoch: number;
  /** Hash of the commit before; random (zeros in a direct room) in epoch 0. */
  readonly prev: Bytes;
  /** Who signs it. */
  readonly author: Bytes;
  /** Seconds since 1970, the author's word. */
  readonly time: number;
  /** Where the author stood. */
  readonly view: SignedView;
  /** 0 open, 1 closed, 2 direct, with 0x80 where a key file is required. */
  readonly policy: number;
  /** Empty for a direct room. */
  readonly roomName: string;
  /** Members in order of joining. */
  readonly roster: readonly Member[];
  /** Leave requests that this commit carries out. */
  readonly leaves: readonly Leave[];
  /** Keys that let somebody in whom no member is there to add. */
  readonly passes: readonly Pass[];
  /** Ids that an admin has put out, oldest first: nobody lets them in again but an admin. */
  readonly bans: readonly Bytes[];
  /** The pass by which its author enters. */
  readonly use: PassUse | null;
  /** 32 bytes from the epoch secret. */
  readonly check: Bytes;
}

/** A parsed commit. */
export interface Commit extends CommitBody {
  /** As received, signature included. */
  readonly bytes: Bytes;
  /** `Hash("chat2 commit", commit)`. */
  readonly hash: Bytes;
}

/** Encodes and signs, over `site ‖ body`. @param site 32 bytes: where its room is */
export function makeCommit(body: CommitBody, site: Uint8Array, signing: SigningKey): Bytes {
  const w = new Writer(4096).u8(2).u8(body.how).raw(body.room).u32(body.epoch).raw(body.prev);
  writeView(w.raw(body.author).u64(body.time), body.view).u8(body.policy).vec8(encodeName(body.roomName))
    .u16(body.roster.length);
  for (const m of body.roster) {
    w.raw(m.id).u8(m.role).u32(m.since).vec8(encodeName(m.name)).raw(m.boxHash);
  }
  w.u8(body.leaves.length);
  for (const leave of body.leaves) w.raw(leave.id).u32(leave.epoch).raw(leave.signature);
  writePasses(w, body.passes);
  w.u8(body.bans.length);
  for (const id of body.bans) w.raw(id);
  writeUse(w, body.use);
  const bytes = w.raw(body.check).done();
  return concat(bytes, signLabelled(signing, "chat2 commit", concat(site, bytes)));
}

/** Reads a commit; its signature is not checked here. @throws Malformed */
export function parseCommit(bytes: Uint8Array): Commit {
  const r = new Reader(bytes);
  if (r.u8() !== 2) throw new Malformed("a commit has an unknown version");
  const how = r.u8();
  if (how > commitHow.pass) throw new Malformed("a commit is made in an unknown way");
  const room = r.take(32);
  const epoch = r.u32();
  const prev = r.take(32);
  const author = r.take(32);
  const time = r.u64();
  const view = readView(r);
  const policy = r.u8();
  if (basePolicy(policy) > policies.direct || policy === (keyFileFlag | policies.direct)) {
    throw new Malformed("a commit has an unknown policy");
  }
  const nameBytes = r.vec8();
  const direct = policy === policies.direct;
  if (direct !== (nameBytes.length === 0)) throw new Malformed("a commit has a wrong room name");
  const roomName = direct ? "" : decodeName(nameBytes);
  const n = r.u16();
  if (n < 1 || n > maxMembers) throw new Malformed("a commit has a wrong number of members");
  const roster = Array.from({ length: n }, () => readMember(r));
  const m = r.u8();
  if (m > maxLeaves) throw new Malformed("a commit has too many leaves");
  const leaves = Array.from({ length: m }, () => ({
    id: r.take(32),
    epoch: r.u32(),
    signature: r.take(signatureBytes),
  }));
  const passes = readPasses(r);
  const b = r.u8();
  if (b > maxBans) throw new Malformed("a commit keeps too many out");
  const bans = Array.from({ length: b }, () => r.take(32));
  const use = readUse(r);
  if ((use !== null) !== (how === commitHow.pass)) throw new Malformed("a commit has a wrong use of a pass");
  const check = r.take(32);
  r.take(signatureBytes);
  r.end();
  return {
    how,
    room,
    epoch,
    prev,
    author,
    time,
    view,
    policy,
    roomName,
    roster,
    leaves,
    passes,
    bans,
    use,
    check,
    bytes: bytes.slice() as Bytes,
    hash: labelledHash("chat2 commit", bytes),
  };
}

function readMember(r: Reader): Member {
  const id = r.take(32);
  const role = r.u8();
  if (role > 1) throw new Malformed("a member has an unknown role");
  return { id, role, since: r.u32(), name: decodeName(r.vec8()), boxHash: r.take(32) };
}

/** Whether the commit is signed by this key, for this place. @param site 32 bytes */
export function isCommitSigned(commit: Commit, site: Uint8Array, author: VerifyingKey): boolean {
  const body = commit.bytes.subarray(0, commit.bytes.length - signatureBytes);
  return verifyLabelled(author, "chat2 commit", concat(site, body), commit.bytes.subarray(-signatureBytes));
}

/** Signs the wish to leave a room in the named epoch. */
export function makeLeave(id: Bytes, room: Uint8Array, epoch: number, signing: SigningKey): Leave {
  return { id, epoch, signature: signLabelled(signing, "chat2 leave", leaveText(room, epoch)) };
}

/** Whether a leave is signed by its owner for this room. */
export function isLeaveSigned(leave: Leave, room: Uint8Array, owner: VerifyingKey): boolean {
  return verifyLabelled(owner, "chat2 leave", leaveText(room, leave.epoch), leave.signature);
}

function leaveText(room: Uint8Array, epoch: number): Bytes {
  return new Writer(36).raw(room).u32(epoch).done();
}

/** `room = Hash("chat2 room", author, room_name, prev)`: an id fixes creator and name. */
export function roomId(author: Uint8Array, name: string, prev: Uint8Array): Bytes {
  return labelledHash("chat2 room", author, encodeName(name), prev);
}

/** `room = Hash("chat2 direct", site, lo, hi)`; lo and hi in byte order. */
export function directRoomId(site: Uint8Array, lo: Uint8Array, hi: Uint8Array): Bytes {
  return labelledHash("chat2 direct", site, lo, hi);
}
