/**
 * RoomState: what a client keeps of a room across restarts, and the files it is kept in.
 *
 * The file is written once at the end of each job, before any of what the job did is acknowledged, shown
 * or sent (protocol §7.3). Old values of the running hash go into files of their own, written once.
 */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { type GroupState, newGroupState, type Waiting } from "../../protocol/group/group_state.ts";
import type { ProvedHead } from "../../protocol/group/signed_head.ts";
import { History, historyKept, type HistoryView, type SignedView } from "../../protocol/group/history.ts";
import type { MessageEvent } from "../room_events.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

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

const segment = 1024;

/** A piece of a history: where it begins, and `e` of what follows. */
interface Piece {
  start: HistoryView;
  entries: Bytes[];
}

interface Stored<State> {
  state: State;
  /** The end of its history. */
  tail: Piece;
  /** First position there is. */
  historyFirst: number;
}

/** Loads and saves the rooms of one server. */
export class RoomFiles {
  #written = new Map<string, number>();

  /** @param files the folder of one server (and run) */
  constructor(private readonly files: SealedFiles) {}

  /** Writes a room; old hashes first, so that the room's file never refers to what is not there. */
  save({ history: known, ...state }: StreamState, kind: "room" | "key-file-room" = "room"): void {
    const history = known ?? new History({ pos: 0, hash: state.id });
    const name = `${kind}-${encodeHex(state.id)}`;
    const { pos } = history.view;
    const tailFirst = Math.max(history.first, pos - pos % segment);
    const piece = (from: number, to: number): Piece => {
      return { start: { pos: from, hash: history.at(from)! }, entries: history.entries(from, to) };
    };
    let next = Math.max(this.#written.get(name) ?? 0, Math.floor(history.first / segment));
    for (; (next + 1) * segment <= tailFirst; next++) {
      const from = Math.max(next * segment, history.first);
      this.files.write(`${name}.history-${next}`, encodeState(piece(from, (next + 1) * segment)));
      this.files.remove(`${name}.history-${next - historyKept / segment - 1}`);
    }
    this.#written.set(name, next);
    const stored: Stored<Omit<StreamState, "history">> = {
      state,
      tail: piece(tailFirst, pos),
      historyFirst: history.first,
    };
    this.files.write(`${name}.state`, encodeState(stored));
  }

  /** All ordinary and direct rooms. @throws FileTrouble when a file was changed */
  load(): RoomState[] {
    return this.files.names().filter((name) => /^room-[0-9a-f]{64}\.state$/.test(name))
      .map((name) => this.#read<RoomState>(name.slice(0, -6))!);
  }

  /** A key-file room, if it was entered before. @throws FileTrouble when a file was changed */
  loadKeyFileRoom<State extends StreamState>(id: Bytes): State | null {
    return this.#read<State>(`key-file-room-${encodeHex(id)}`);
  }

  #read<State extends StreamState>(name: string): State | null {
    const bytes = this.files.read(`${name}.state`);
    if (!bytes) return null;
    const stored = decodeState<Stored<State>>(bytes);
    const { state } = stored;
    state.history = state.status === "waiting" ? null : this.#history(name, stored);
    return state;
  }

  #history(name: string, { tail, historyFirst }: Stored<unknown>): History {
    let { start, entries } = tail;
    for (let k = Math.floor((start.pos - 1) / segment); start.pos > historyFirst && k >= 0; k--) {
      const bytes = this.files.read(`${name}.history-${k}`);
      if (!bytes) break;
      const part = decodeState<Piece>(bytes);
      entries = [...part.entries, ...entries];
      start = part.start;
    }
    return new History(start, entries);
  }

  /** Forgets a room. */
  remove(id: Bytes): void {
    const name = `room-${encodeHex(id)}`;
    for (const file of this.files.names()) if (file.startsWith(name)) this.files.remove(file);
    this.#written.delete(name);
  }
}
