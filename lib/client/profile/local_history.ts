/**
 * LocalHistory: what was said, kept on this machine when asked for (`--history`): sealed like all state, in
 * segments, so that a new line rewrites little.
 */

import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../crypto/bytes.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import type { MessageEvent, RoomEvent } from "../room_events.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const segmentLines = 128;
const segmentCharacters = 64 * 1024;
const folder = "history";

/** One line of it. */
export type KeptMessage = Pick<
  MessageEvent,
  "room" | "from" | "fromId" | "msgId" | "timeMs" | "text" | "action"
>;

/** The lines of all rooms at one server. */
export class LocalHistory {
  #files: SealedFiles;
  #open = new Map<string, { number: number; lines: KeptMessage[] }>();
  #seen = new Map<string, Set<string>>();

  /** @param parent the folder of one server @param isOn whether new lines are kept */
  constructor(private readonly parent: SealedFiles, readonly isOn: boolean) {
    this.#files = parent.folder(folder);
  }

  /** Keeps what was said in a room; what is kept already is not kept twice. @throws FileTrouble */
  record(room: Bytes, events: readonly RoomEvent[]): void {
    if (!this.isOn) return;
    const said = events.flatMap((e) =>
      e.type === "held" ? [e.message] : e.type === "message" && !e.late ? [e] : []
    );
    if (said.length === 0) return;
    const id = encodeHex(room);
    let segment = this.#segment(id);
    const first = segment.number;
    const before = this.#seen.get(id) ?? this.#lately(id, first);
    const seen = new Set<string>(); // counts only once it is written: what fails comes again
    for (const { room, from, fromId, msgId, timeMs, text, action } of said) {
      const key = `${fromId} ${msgId}`;
      if (before.has(key) || seen.has(key)) continue;
      seen.add(key);
      if (isFull(segment.lines)) {
        this.#write(id, segment);
        segment = { number: segment.number + 1, lines: [] };
      }
      segment.lines = [...segment.lines, { room, from, fromId, msgId, timeMs, text, action }];
    }
    this.#write(id, segment);
    this.#open.set(id, segment);
    for (const key of seen) before.add(key);
    // A new segment: what is older than the one before it is forgotten.
    this.#seen.set(id, segment.number === first ? before : this.#lately(id, segment.number));
  }

  /** The last `n` lines of a room, oldest first. @throws FileTrouble */
  last(room: Bytes, n: number): KeptMessage[] {
    const id = encodeHex(room);
    let lines: KeptMessage[] = [];
    for (const number of this.#numbers(id).toReversed()) {
      if (lines.length >= n) break;
      lines = [...this.#read(id, number), ...lines];
    }
    return lines.slice(-n);
  }

  /** The last `most` lines of all rooms in which all words occur, in any letter case; oldest first. */
  search(words: readonly string[], most: number): KeptMessage[] {
    const wanted = words.map((word) => word.toLowerCase());
    const found = this.#ids().flatMap((id) =>
      this.#numbers(id).flatMap((number) =>
        this.#read(id, number).filter(({ from, text }) => {
          const line = `${from}: ${text}`.toLowerCase();
          return wanted.every((word) => line.includes(word));
        })
      )
    );
    return found.toSorted((a, b) => a.timeMs - b.timeMs).slice(-most);
  }

  /** Removes all of it from the disk. @throws FileTrouble */
  forget(): void {
    this.parent.removeFolder(folder);
    this.#files = this.parent.folder(folder);
    this.#open.clear();
    this.#seen.clear();
  }

  /** Lines of the last segments: what comes a second time after a crash is one of them. */
  #lately(id: string, number: number): Set<string> {
    const lines = [number - 1, number].flatMap((each) => this.#read(id, each));
    return new Set(lines.map(({ fromId, msgId }) => `${fromId} ${msgId}`));
  }

  #segment(id: string): { number: number; lines: KeptMessage[] } {
    const open = this.#open.get(id);
    if (open) return { ...open };
    const number = this.#numbers(id).at(-1) ?? 0;
    return { number, lines: this.#read(id, number) };
  }

  #write(id: string, { number, lines }: { number: number; lines: KeptMessage[] }): void {
    this.#files.write(nameOf(id, number), encodeState(lines));
  }
  #read(id: string, number: number): KeptMessage[] {
    const bytes = this.#files.read(nameOf(id, number));
    return bytes ? decodeState<KeptMessage[]>(bytes) : [];
  }
  #ids(): string[] {
    return [...new Set(this.#files.names().map((name) => name.slice(0, 64)))];
  }
  #numbers(id: string): number[] {
    const names = this.#files.names().filter((name) => name.startsWith(`${id}-`));
    return names.map((name) => Number(name.slice(65))).toSorted((a, b) => a - b);
  }
}

function nameOf(id: string, number: number): string {
  return `${id}-${number}`;
}

function isFull(lines: readonly KeptMessage[]): boolean {
  return lines.length >= segmentLines ||
    lines.reduce((sum, { text }) => sum + text.length, 0) >= segmentCharacters;
}
