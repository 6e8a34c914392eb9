/**
 * LocalHistory: what was said, kept on this machine, sealed to the own key: a growing file a room and day, so that a
 * line costs the same whenever it is said, and old days are removed whole.
 *
 * Forward secrecy ends at these files: who has them and the key reads what they hold.
 */

import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import { maxContentBytes, type SealedLog } from "../../storage/sealed_log.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";
import type { KeptMessage, RoomEvent } from "../room_events.ts";
import type { KeptDays } from "./history_choice.ts";
import { oldSegments } from "./old_segments.ts";

const folder = "history";
const dayMs = 24 * 3600 * 1000;
// JSON may write one character as six bytes.
const maxRecordCharacters = maxContentBytes.history / 8;
/** What may come a second time after a crash is one of these. */
const maxRepeated = 1000;
const dayFile = /^([0-9a-f]{64})-(\d{4}-\d\d-\d\d)$/;

interface OpenRoom {
  /** Position of the last line that is kept. */
  lastPos: number;
  /** Who said what lately; null until it is needed. */
  lately: Set<string> | null;
}

/** The lines of all rooms at one server. */
export class LocalHistory {
  #files: SealedFiles;
  #log: SealedLog;
  #rooms = new Map<string, OpenRoom>();
  #preparedDay = "";

  /** @param parent the folder of one server @param days how long new lines are kept */
  constructor(
    private readonly parent: SealedFiles,
    private readonly days: KeptDays,
    private readonly clock: Clock,
  ) {
    this.#files = parent.folder(folder);
    this.#log = this.#files.log("history");
  }

  /** Whether new lines are kept. */
  get isOn(): boolean {
    return this.days > 0;
  }

  /** Keeps what was said in a room; what is kept already is not kept twice. @throws FileTrouble */
  record(room: Bytes, events: readonly RoomEvent[]): void {
    if (!this.isOn) return;
    const said = events.flatMap((e) =>
      e.type === "held" ? [e.message] : e.type === "message" && !e.late ? [e] : []
    );
    if (said.length === 0) return;
    this.#prepare();
    this.#add(
      encodeHex(room),
      this.#today(),
      said.map(({ room, from, fromId, msgId, timeMs, text, action, pos, file }) => (
        { room, from, fromId, msgId, timeMs, text, action, pos, ...(file ? { file } : {}) }
      )),
    );
  }

  #add(id: string, day: string, lines: readonly KeptMessage[]): void {
    const room = this.#open(id);
    const isKept = (line: KeptMessage) => {
      if (line.pos > room.lastPos) return false;
      room.lately ??= new Set(this.#last(id, maxRepeated).map(keyOf));
      return room.lately.has(keyOf(line));
    };
    let part: KeptMessage[] = [], characters = 0;
    const flush = () => {
      if (part.length === 0) return;
      this.#log.append(`${id}-${day}`, encodeState(part));
      // Counts only once it is written: what fails comes again.
      room.lastPos = Math.max(room.lastPos, ...part.map(({ pos }) => pos));
      for (const line of part) room.lately?.add(keyOf(line));
      part = [];
      characters = 0;
    };
    for (const line of lines) {
      if (isKept(line) || part.some((other) => keyOf(other) === keyOf(line))) continue;
      if (characters + line.text.length > maxRecordCharacters) flush();
      part.push(line);
      characters += line.text.length;
    }
    flush();
  }

  #open(id: string): OpenRoom {
    let room = this.#rooms.get(id);
    if (!room) {
      room = { lastPos: this.#last(id, 1).at(-1)?.pos ?? 0, lately: null };
      this.#rooms.set(id, room);
    }
    return room;
  }

  /** The last `n` lines of a room, oldest first. @throws FileTrouble */
  last(room: Bytes, n: number): KeptMessage[] {
    this.#prepare();
    return this.#last(encodeHex(room), n);
  }

  #last(id: string, n: number): KeptMessage[] {
    const parts: KeptMessage[][] = [];
    let count = 0;
    for (const name of this.#names(id).toReversed()) {
      for (const record of this.#log.records(name).toReversed()) {
        if (count >= n) break;
        const lines = decodeState<KeptMessage[]>(record.open());
        parts.push(lines);
        count += lines.length;
      }
    }
    return parts.toReversed().flat().slice(-n);
  }

  /** The last `most` lines of all rooms in which all words occur, in any letter case; oldest first. */
  search(words: readonly string[], most: number): KeptMessage[] {
    this.#prepare();
    const wanted = words.map((word) => word.toLowerCase());
    const found = this.#names().flatMap((name) =>
      this.#log.records(name).flatMap((record) =>
        decodeState<KeptMessage[]>(record.open()).filter(({ from, text }) => {
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
    this.#log = this.#files.log("history");
    this.#rooms.clear();
  }

  /** Once a day: what is too old goes, and what an earlier version has kept is taken over. */
  #prepare(): void {
    const today = this.#today();
    if (this.#preparedDay === today) return;
    for (const { id, day, lines, remove } of oldSegments(this.#files)) {
      this.#add(id, day, lines);
      remove();
    }
    if (this.isOn && this.days < Infinity) {
      const oldest = dayOf(this.clock.now() - this.days * dayMs);
      for (const name of this.#names()) if (name.slice(65) < oldest) this.#files.remove(name);
    }
    this.#preparedDay = today;
  }

  /** Files by day, the oldest first. @param id of one room */
  #names(id?: string): string[] {
    return this.#files.names().filter((name) =>
      dayFile.exec(name) && (id === undefined || name.startsWith(id))
    )
      .toSorted((a, b) => a.slice(65) < b.slice(65) ? -1 : 1);
  }
  #today(): string {
    return dayOf(this.clock.now());
  }
}

/** As `2026-11-21`, in UTC, so that days do not change places with the time zone. */
function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

function keyOf({ fromId, msgId }: KeptMessage): string {
  return `${fromId} ${msgId}`;
}
