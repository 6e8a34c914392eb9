/**
 * GroupState: what a member derives from a room's log, and nothing else (protocol §7, §9).
 *
 * It is data, and it never changes in place: {@link process} makes the next one. No socket, file, clock or view is
 * known here; what a step needs from outside comes in as {@link Facts}, and what follows from it goes out as effects.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import type { Named } from "../identity/name.ts";
import type { Leave } from "./commit.ts";
import type { CardOf, RoomHead } from "./commit_rules.ts";
import type { VerifyingKey } from "../../crypto/ed25519.ts";
import { Seen } from "./seen.ts";
import type { Shown } from "./shown.ts";
import type { History } from "./history.ts";
import type { ProvedHead } from "./signed_head.ts";

/** One sender's chain in the current epoch. */
export interface Chain {
  /** Next chain key, 32 bytes; null in an epoch whose keys we do not have. */
  readonly key: Bytes | null;
  /** Next `n`. */
  readonly n: number;
}

/** A commit of ours on its way. */
export interface PendingCommit {
  /** As sent. */
  readonly bytes: Bytes;
  /** Its hash. */
  readonly hash: Bytes;
  /** Its epoch. */
  readonly epoch: number;
  /** E: lost with a crash it would leave its author a stranger. */
  readonly secret: Bytes;
}

/** Where a member stands in an ordinary or direct room. */
export interface GroupState {
  /** Room id. */
  readonly id: Bytes;
  /** Its name; empty for a direct room, and for one that nobody asked for before its first commit. */
  readonly name: string;
  /** `waiting`: not in it (yet). `in`: a member. `gone`: was one. */
  readonly status: "waiting" | "in" | "gone";
  /** The running hash; null before the room is entered. */
  readonly history: History | null;
  /** How far the server has signed it. */
  readonly proved?: ProvedHead | null;
  /** As the last valid commit left it; null before the first. */
  readonly head: RoomHead | null;
  /** While we are not in it: what we were shown, from which must follow what admits us. */
  readonly shown?: Shown | null;
  /** Seconds: the earlier of the commit's server time and its arrival. */
  readonly commitTime: number;
  /** Whether we hold the keys of this epoch. */
  readonly readable: boolean;
  /** The current epoch's commit, while its box was not opened: we were behind, and nothing was said in it yet. */
  readonly unopened?: Bytes | null;
  /** Chains by sender id in hex. */
  readonly chains: Readonly<Record<string, Chain>>;
  /** Messages in this epoch. */
  readonly epochMessages: number;
  /** `sender msg_id` in hex, of the epoch before and of this one. */
  readonly seen: readonly [Seen, Seen];
  /** On its way. */
  readonly pendingCommit: PendingCommit | null;
  /** Requests of members who want to go. */
  readonly leaves: readonly Leave[];
  /** We asked to go. */
  readonly leaving: boolean;
  /** Something points to a restored backup: a refresh must come before the next message. */
  readonly suspect: boolean;
  /** An invite named this person: until something of hers is seen, the room is not confirmed. */
  readonly inviter?: Bytes | null;
  /** Entries of this epoch that had expired: why numbers of senders are missing. */
  readonly expired?: number;
  /** The other person's id, in a direct room that we begin. */
  readonly withId?: Bytes;
}

/** The state of a room that is not entered yet. @param name as it was asked for; empty for a direct room */
export function newGroupState(id: Bytes, name: string): GroupState {
  return {
    id,
    name,
    status: "waiting",
    history: null,
    head: null,
    commitTime: 0,
    readable: false,
    chains: {},
    epochMessages: 0,
    seen: [new Seen(), new Seen()],
    pendingCommit: null,
    leaves: [],
    leaving: false,
    suspect: false,
  };
}

/** One entry of the log, as it came. */
export interface Entry {
  /** Its position. */
  readonly pos: number;
  /** Seconds, the server's clock. */
  readonly time: number;
  /** 1 commit, 2 message. */
  readonly kind: number;
  /** As signed. */
  readonly bytes: Bytes;
  /** Of an admission: L before it, the server's word until a head proves it. */
  readonly start?: Bytes | null;
}

/** An own message that waits to be stored. */
export interface Waiting {
  /** 16 bytes. */
  readonly msgId: Bytes;
  /** Content type. */
  readonly type: number;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** Content body. */
  readonly body: Bytes;
}

/** What a box has held; `withheld`: the server does not give it. */
export type Opened = Bytes | "withheld" | "does not open";

/** What a step may ask of the world outside: facts that do not change while it runs. */
export interface Facts {
  /** Our id. */
  readonly own: Bytes;
  /** Where its rooms are: 32 bytes. */
  readonly site: Bytes;
  /** The server's key. */
  readonly server: VerifyingKey;
  /** Cards that are here. */
  readonly cards: CardOf;
  /** 32 bytes of the room key file; zeros for none. */
  readonly roomKey: Bytes;
  /** Seconds since 1970. */
  readonly now: number;
  /** The room that is known by a name, which alone may be entered by it; null for any. */
  pinnedRoom(name: string): Bytes | null;
  /** Whether another key is known by the name. */
  conflicts(person: Named): boolean;
  /** Whether more of the log is to come: a box may stay closed, as the next commit may make it needless. */
  readonly isBehind: boolean;
  /** What the box with this hash has held; undefined before it was asked for. */
  opened(boxHash: Bytes): Opened | undefined;
  /** Our message that was sealed to just these bytes and is not known to be stored. */
  waiting(bytes: Bytes): Waiting | null;
}
