/** RoomState: what a client keeps of a room across restarts; how, is room_files.ts. */

import type { Bytes } from "../../crypto/bytes.ts";
import { type GroupState, newGroupState, type Waiting } from "../../protocol/group/group_state.ts";
import type { ProvedHead } from "../../protocol/group/signed_head.ts";
import type { History, SignedView } from "../../protocol/group/history.ts";
import type { FileOffers } from "../files/file_offer.ts";
import type { MessageEvent } from "../room_events.ts";

/** A message that the server has not confirmed. */
export interface OutboxItem extends Waiting {
  /** As it was sealed for the current epoch; null while it still has to be. */
  sealed: { epoch: number; n: number; bytes: Bytes } | null;
  /** The body is a Fernet token that another program has made, and is sent as it is. */
  readonly isToken?: boolean;
  /** The server refused it for good. */
  failed: boolean;
}

/** What the state of every kind of room has. */
export interface StreamState {
  /** Room id. */
  readonly id: Bytes;
  /** Its name; empty for a direct room. */
  name: string;
  /** `waiting`: not in it (yet). `in`: a member. `gone`: was one. */
  status: "waiting" | "in" | "gone";
  /** The running hash; null before the room is entered. */
  history: History | null;
  /** How far the server has signed it. */
  proved?: ProvedHead | null;
  /** Heads of the server that did not fit it. */
  badHeads?: number;
  /** Not confirmed yet, oldest first. */
  outbox: OutboxItem[];
  /** What was said in the last job, while others look on through this program: for whoever takes over from it. */
  tail?: MessageEvent[];
  /** Message ids in hex of our last lines that were stored. */
  said?: string[];
  /** What the server has done: sending stops until the person says so, and for what it hides for good. */
  alarm: "hides" | "two histories" | "history lost" | "server lost" | null;
  /** What the server has signed for another member, until a head of ours convicts it. */
  split?: SignedView | null;
  /** The person goes on though the server has signed two histories. */
  isSplitKnown?: boolean;
  /** What convicts the server is in a file: one is enough. */
  isConvicted?: boolean;
  /** Ids in hex of those who have claimed what no server has signed: they are named once. */
  liars?: string[];
  /** Others have put us there, and the person has not looked at it. */
  unasked?: boolean;
  /** Ended by the operator, or given up. */
  retired?: boolean;
  /** Files that can be had, by the id in hex of the message that told of each. */
  files?: FileOffers;
  /** What others said while another room was on the screen: to be shown yet. */
  held?: MessageEvent[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Everything of an ordinary or direct room that must survive: what its log says, and what is ours alone. */
export interface RoomState extends StreamState, Omit<Writable<GroupState>, keyof StreamState> {
  /** The other person's name, in a direct room that we begin. */
  with?: string;
  /** Which key file the room was entered with: a hash that tells another one, and nothing else. */
  keyFile?: Bytes | null;
  /** In a room with a key file, ids in hex of those who have shown that they have it. */
  fileHolders?: string[];
  /** We do not trust what we were shown of it, and come in anew by an admin's pass. */
  isGivenUp?: boolean;
  /** How far others have confirmed what we see: a position, when its entry was made in milliseconds, and by whom. */
  confirmed?: { pos: number; timeMs: number; by: Bytes } | null;
}

/** A room that is not entered yet. */
export function newRoomState(id: Bytes, name: string): RoomState {
  return { ...newGroupState(id, name), outbox: [], alarm: null };
}
