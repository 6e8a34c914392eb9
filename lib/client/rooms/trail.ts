/**
 * Trail: what a room's state rests on and is never written again: `e` of each position of the running hash, and which
 * messages were taken. Files of 1024 positions that only grow, NAME.trail-TRAIL-K; the old ones go as a whole.
 */

import { equals } from "@std/bytes/equals";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import { History, historyKept, type HistoryView, nextHistory } from "../../protocol/group/history.ts";
import { Seen } from "../../protocol/group/seen.ts";
import { FileTrouble } from "../../storage/file_trouble.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import type { SealedLog } from "../../storage/sealed_log.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const segment = 1024;
const hashBytes = 32;
/** Keys in one record. */
const maxKeys = 1000;
const nothing: Bytes = new Uint8Array(0);

/** Positions that follow one another, and keys of messages, by the number of their epoch here. */
export interface Piece {
  /** Position before the first. */
  readonly from: number;
  /** L there. */
  readonly hash: Bytes;
  /** `e` of each, joined. */
  readonly entries: Bytes;
  /** Keys that were taken; epochs are counted as they pass. */
  readonly seen: readonly { readonly epoch: number; readonly keys: readonly string[] }[];
}

/** What a trail must still hold, as its room's state says. */
export interface TrailEnds {
  /** Its number: another history of the room has another trail. */
  readonly trail: number;
  /** Where it stands. */
  readonly pos: number;
  /** How many epochs have passed, and in which files the keys of the last two begin. */
  readonly epoch: number;
  readonly epochFiles: readonly [number, number];
}

/** The trails of the rooms of one server. */
export class Trails {
  readonly #log: SealedLog;

  /** @param files the folder of one server (and run) */
  constructor(private readonly files: SealedFiles) {
    this.#log = files.log("history");
  }

  /** Adds pieces that follow one another, and waits until they are on disk. @throws FileTrouble */
  add(name: string, { trail }: TrailEnds, pieces: readonly Piece[]): void {
    if (pieces.length === 0) return;
    for (const piece of cut(joined(pieces))) {
      const file = fileOf(name, trail, fileNumber(piece.from));
      this.#log.append(file, encodeState(piece));
      this.#log.sync(file);
    }
  }

  /** The number of the next trail of a room. @param name of the room's files */
  next(name: string): number {
    return 1 + Math.max(0, ...this.#files(name).map(({ trail }) => trail));
  }

  /** Removes what is not needed any more. */
  trim(name: string, ends: TrailEnds): void {
    const oldest = oldestFile(ends);
    for (const { file, trail, number } of this.#files(name)) {
      if (trail !== ends.trail || number < oldest) this.files.remove(file);
    }
  }

  #files(name: string): { file: string; trail: number; number: number }[] {
    const pattern = new RegExp(`^${name}\\.trail-(\\d+)-(\\d+)$`);
    return this.files.names().flatMap((file) => {
      const found = pattern.exec(file);
      return found ? [{ file, trail: Number(found[1]), number: Number(found[2]) }] : [];
    });
  }

  /**
   * Reads one. Of a file that is gone nothing is known: the history begins after it.
   *
   * @param pieces what is to be added to it yet
   * @throws FileTrouble when a file was changed
   */
  read(name: string, ends: TrailEnds, view: HistoryView, pieces: readonly Piece[]): {
    history: History;
    seen: readonly [Seen, Seen];
  } {
    const entries = new Map<number, Bytes>(), hashes = new Map<number, Bytes>();
    const keys = [new Set<string>(), new Set<string>()];
    const take = ({ from, hash, entries: joined, seen }: Piece) => {
      hashes.set(from, hash);
      for (let at = 0; at < joined.length; at += hashBytes) {
        entries.set(from + 1 + at / hashBytes, joined.slice(at, at + hashBytes));
      }
      for (const { epoch, keys: some } of seen) {
        for (const key of some) keys[epoch - ends.epoch + 1]?.add(key);
      }
    };
    for (let k = oldestFile(ends); k <= fileNumber(ends.pos); k++) {
      for (const record of this.#log.records(fileOf(name, ends.trail, k))) {
        take(decodeState<Piece>(record.open()));
      }
    }
    for (const piece of pieces) take(piece);
    const seen = [new Seen([...keys[0]]), new Seen([...keys[1]])] as const;
    return { history: this.#history(name, view, entries, hashes), seen };
  }

  #history(
    name: string,
    { pos, hash }: HistoryView,
    entries: ReadonlyMap<number, Bytes>,
    hashes: ReadonlyMap<number, Bytes>,
  ): History {
    let from = pos;
    while (entries.has(from)) from--;
    // As far back as it is whole, from a place of which L is known.
    while (from < pos && !hashes.has(from)) from++;
    const start = from === pos ? hash : hashes.get(from)!;
    const following = Array.from({ length: pos - from }, (_, i) => entries.get(from + 1 + i)!);
    const history = new History({ pos: from, hash: start }, following);
    if (equals(history.view.hash, hash)) return history;
    throw new FileTrouble(
      `Cannot open "${this.files.dir}/${name}": it was changed or is damaged`,
      "restore it from a copy, or remove it to begin that room anew",
    );
  }
}

/** In which file a position after `from` stands. */
export function fileNumber(from: number): number {
  return Math.floor(from / segment);
}

/** The first file that is still needed: for the running hash, or for the messages of the last epoch. */
function oldestFile({ pos, epochFiles }: TrailEnds): number {
  return Math.min(fileNumber(Math.max(0, pos - historyKept - segment)), epochFiles[0]);
}

function fileOf(name: string, trail: number, number: number): string {
  return `${name}.trail-${trail}-${number}`;
}

/** One piece of those that follow one another. */
function joined(pieces: readonly Piece[]): Piece {
  const [first] = pieces;
  if (pieces.length === 1) return first;
  const keys = new Map<number, string[]>();
  for (const { seen } of pieces) {
    for (const { epoch, keys: some } of seen) keys.set(epoch, [...keys.get(epoch) ?? [], ...some]);
  }
  const seen = [...keys].map(([epoch, some]) => ({ epoch, keys: some }));
  return { ...first, entries: concat(...pieces.map(({ entries }) => entries)), seen };
}

/** Pieces as they are written: each of one file, and no longer than a record may be. */
function cut(piece: Piece): Piece[] {
  const { from, hash, entries, seen } = piece;
  const some = seen.flatMap(({ epoch, keys }) =>
    Array.from(
      { length: Math.ceil(keys.length / maxKeys) },
      (_, i) => ({ epoch, keys: keys.slice(i * maxKeys, (i + 1) * maxKeys) }),
    )
  );
  const ofKeys = some.map((part) => ({ from, hash, entries: nothing, seen: [part] }));
  return [...ofKeys, ...cutEntries(from, hash, entries)];
}

function cutEntries(from: number, hash: Bytes, entries: Bytes): Piece[] {
  if (entries.length === 0) return [];
  const end = (fileNumber(from) + 1) * segment;
  const [here, later] = [
    entries.slice(0, (end - from) * hashBytes),
    entries.slice((end - from) * hashBytes),
  ];
  const piece: Piece = { from, hash, entries: here, seen: [] };
  if (later.length === 0) return [piece];
  let next = hash;
  for (let at = 0; at < here.length; at += hashBytes) {
    next = nextHistory(next, here.subarray(at, at + hashBytes));
  }
  return [piece, ...cutEntries(end, next, later)];
}

/** A piece of a history. */
export function pieceOf(history: History, from: number, seen: Piece["seen"]): Piece {
  const entries = concat(...history.entries(from, history.view.pos));
  return { from, hash: history.at(from)!, entries, seen };
}
