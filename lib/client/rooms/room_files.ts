/**
 * RoomFiles: the files that the rooms of one server are kept in (protocol §10), so that a line costs the same however
 * much was said before.
 *
 *   NAME.log        what the state is, and how it has changed since: a sealed log whose first record is the whole
 *   NAME.trail-N-K  the running hash and the messages that were taken (trail.ts)
 *
 * A room is written at the end of each job, before any of what the job did is acknowledged, shown or sent (protocol
 * §7.3). The whole is written anew with each epoch, when the changes have become more than four times as long, and once
 * a room is quiet: keys and lines that are over leave the disk with that.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { History, type HistoryView } from "../../protocol/group/history.ts";
import { Seen } from "../../protocol/group/seen.ts";
import { FileTrouble } from "../../storage/file_trouble.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import type { SealedLog } from "../../storage/sealed_log.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";
import type { RoomState, StreamState } from "./room_state.ts";
import { applyDelta, deltaOf, type StateDelta, stateOf, type Written, written } from "./state_delta.ts";
import { fileNumber, type Piece, pieceOf, type TrailEnds, Trails } from "./trail.ts";

/** Which rooms a file is of. */
export type RoomKind = "room" | "key-file-room";

/** The first record of a log. */
interface Whole {
  readonly state: Record<string, unknown>;
  readonly view: HistoryView;
  readonly ends: TrailEnds;
}

/** What follows. */
interface Change {
  readonly delta: StateDelta;
  readonly view: HistoryView;
  readonly ends: TrailEnds;
  readonly piece: Piece | null;
}

/** A room as it is on disk. */
interface OnDisk {
  readonly written: Written;
  readonly view: HistoryView;
  readonly ends: TrailEnds;
  readonly seen: readonly [Seen, Seen];
  /** Pieces that are in changes only, and not in the trail. */
  readonly pieces: Piece[];
  readonly wholeBytes: number;
  readonly changeBytes: number;
}

const noSeen = [new Seen(), new Seen()] as const;
/** Changes are fewer bytes than these, or than four times the whole. */
const leastChangeBytes = 65_536;

/** Loads and saves the rooms of one server. */
export class RoomFiles {
  readonly #log: SealedLog;
  readonly #trails: Trails;
  readonly #onDisk = new Map<string, OnDisk>();

  /** @param files the folder of one server (and run) */
  constructor(private readonly files: SealedFiles) {
    this.#log = files.log("state");
    this.#trails = new Trails(files);
  }

  /** Writes what has changed of a room. @throws FileTrouble; it is as it was before then */
  save(state: StreamState, kind: RoomKind = "room"): void {
    const name = nameOf(state.id, kind);
    const now = snapshotOf(state);
    const before = this.#onDisk.get(name);
    const head = (fields: Written["fields"]) => fields.head;
    const goesOn = before !== undefined && head(before.written.fields) === head(now.written.fields) &&
      continues(now.history, before.view);
    if (!goesOn || before.changeBytes > Math.max(leastChangeBytes, 4 * before.wholeBytes)) {
      return this.#saveWhole(name, before, now);
    }
    const { ends, piece } = follow(before, now);
    const delta = deltaOf(before.written, now.written);
    if (piece === null && Object.keys(delta).length === 0) return;
    const change: Change = { delta, view: now.history.view, ends, piece };
    const bytes = this.#log.append(`${name}.log`, encodeState(change));
    this.#onDisk.set(name, {
      written: now.written,
      view: now.history.view,
      ends,
      seen: now.seen,
      pieces: piece ? [...before.pieces, piece] : before.pieces,
      wholeBytes: before.wholeBytes,
      changeBytes: before.changeBytes + bytes,
    });
  }

  /** Writes a room whole as it is on disk, if there are changes: what they have replaced leaves it. @throws FileTrouble */
  settle(id: Bytes, kind: RoomKind = "room"): void {
    const name = nameOf(id, kind);
    const room = this.#onDisk.get(name);
    if (room && room.changeBytes > 0) this.#begin(name, room, room.pieces);
  }

  #saveWhole(name: string, before: OnDisk | undefined, now: Snapshot): void {
    const { history, seen, written } = now;
    const goesOn = before !== undefined && continues(history, before.view);
    const { ends, piece } = goesOn ? follow(before, now) : begin(now, this.#trails.next(name));
    const pieces = [...goesOn ? before.pieces : [], ...piece ? [piece] : []];
    this.#begin(name, { written, view: history.view, ends, seen }, pieces);
    const isFileNew = !goesOn || fileNumber(ends.pos) !== fileNumber(before.ends.pos);
    if (isFileNew) this.#trails.trim(name, ends);
  }

  #begin(
    name: string,
    room: Pick<OnDisk, "written" | "view" | "ends" | "seen">,
    pieces: readonly Piece[],
  ): void {
    const { written, view, ends, seen } = room;
    this.#trails.add(name, ends, pieces);
    const whole: Whole = { state: stateOf(written), view, ends };
    const wholeBytes = this.#log.begin(`${name}.log`, encodeState(whole));
    this.#onDisk.set(name, { written, view, ends, seen, pieces: [], wholeBytes, changeBytes: 0 });
  }

  /** All ordinary and direct rooms. @throws FileTrouble when a file was changed */
  load(): RoomState[] {
    const names = this.files.names();
    const old = names.find((name) => /^(key-file-)?room-[0-9a-f]{64}\.state$/.test(name));
    if (old) {
      throw new FileTrouble(
        `Cannot read "${this.files.dir}/${old}": an earlier version of this program has written it`,
        `use that version, or move "${this.files.dir}" away to enter its rooms anew`,
      );
    }
    return names.filter((name) => /^room-[0-9a-f]{64}\.log$/.test(name))
      .map((name) => this.#read<RoomState>(name.slice(0, -4))!);
  }

  /** A key-file room, if it was entered before. @throws FileTrouble when a file was changed */
  loadKeyFileRoom<State extends StreamState>(id: Bytes): State | null {
    return this.#read<State>(nameOf(id, "key-file-room"));
  }

  #read<State extends StreamState>(name: string): State | null {
    const records = this.#log.records(`${name}.log`);
    if (records.length === 0) return null;
    const [first, ...later] = records.map((record) => record.open());
    let { state, view, ends } = decodeState<Whole>(first);
    const pieces: Piece[] = [];
    for (const record of later) {
      const change = decodeState<Change>(record);
      applyDelta(state, change.delta);
      ({ view, ends } = change);
      if (change.piece) pieces.push(change.piece);
    }
    const { history, seen } = this.#trails.read(name, ends, view, pieces);
    const read = { ...state } as Record<string, unknown>;
    read.history = state.status === "waiting" ? null : history;
    if (/^room-/.test(name)) read.seen = seen;
    const whole = read as unknown as State;
    this.#onDisk.set(name, {
      written: snapshotOf(whole).written,
      view,
      ends,
      seen,
      pieces,
      wholeBytes: first.length,
      changeBytes: later.reduce((sum, { length }) => sum + length, 0),
    });
    return whole;
  }

  /** Forgets a room. */
  remove(id: Bytes): void {
    const name = nameOf(id, "room");
    for (const file of this.files.names()) if (file.startsWith(`${name}.`)) this.files.remove(file);
    this.#onDisk.delete(name);
    this.#log.forget();
  }
}

/** A state that is to be written. */
interface Snapshot {
  readonly written: Written;
  readonly history: History;
  readonly seen: readonly [Seen, Seen];
}

function snapshotOf(state: StreamState): Snapshot {
  const { history, seen = noSeen, ...fields } = state as StreamState & Partial<Pick<RoomState, "seen">>;
  return {
    written: written(fields),
    history: history ?? new History({ pos: 0, hash: state.id }),
    seen,
  };
}

/** Whether it is the same history, further on. */
function continues(history: History, { pos, hash }: HistoryView): boolean {
  const there = history.at(pos);
  return there !== null && equals(there, hash);
}

/** What has come since. */
function follow(before: OnDisk, { history, seen }: Snapshot): { ends: TrailEnds; piece: Piece | null } {
  const from = before.view.pos;
  const [, was] = before.seen;
  const [last, now] = seen;
  const file = fileNumber(before.pieces[0]?.from ?? from); // where keys go that are joined with those before
  let { epoch, epochFiles } = before.ends;
  const added: { epoch: number; keys: string[] }[] = [];
  if (now.follows(was)) added.push({ epoch, keys: now.keys(was.length) });
  else if (last.follows(was)) {
    added.push({ epoch, keys: last.keys(was.length) }, { epoch: ++epoch, keys: now.keys() });
    epochFiles = [epochFiles[1], file];
  } else {
    epoch += 2;
    added.push({ epoch: epoch - 1, keys: last.keys() }, { epoch, keys: now.keys() });
    epochFiles = [file, file];
  }
  const ends = { ...before.ends, pos: history.view.pos, epoch, epochFiles };
  const taken = added.filter(({ keys }) => keys.length > 0);
  const isSame = history.view.pos === from && taken.length === 0;
  return { ends, piece: isSame ? null : pieceOf(history, from, taken) };
}

function begin({ history, seen }: Snapshot, trail: number): { ends: TrailEnds; piece: Piece } {
  const { first } = history;
  const file = fileNumber(first);
  const ends = { trail, pos: history.view.pos, epoch: 2, epochFiles: [file, file] as const };
  const keys = seen.map((each, i) => ({ epoch: i + 1, keys: each.keys() }));
  return { ends, piece: pieceOf(history, first, keys) };
}

function nameOf(id: Bytes, kind: RoomKind): string {
  return `${kind}-${encodeHex(id)}`;
}
