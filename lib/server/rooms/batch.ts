/**
 * Batch: entries of one room that reached the disk together, encoded at most once for all who get them, and sealed at
 * most once for all who hold the room's transit key (protocol §6).
 */

import { type Bytes, concat } from "../../crypto/bytes.ts";
import { maxRecordBytes } from "../../protocol/channel/records.ts";
import type { TransitFrame, TransitSealer } from "../../protocol/channel/transit.ts";
import type { StoredEntry } from "../store/store.ts";

/** Entries that follow one another. */
export class Batch {
  #encoded: Bytes[] | null = null;
  #frames: TransitFrame[] | null = null;

  /**
   * @param entries at least one, without holes, with their bytes
   * @param encode makes the ENTRY message of one
   * @param headAt makes the HEAD message of a position
   */
  constructor(
    readonly entries: readonly StoredEntry[],
    private readonly encode: (entry: StoredEntry) => Bytes,
    private readonly headAt: (pos: number) => Bytes,
  ) {}

  /** The position after the last. */
  get end(): number {
    return this.entries[this.entries.length - 1].pos + 1;
  }

  /** Bytes of its entries. */
  get bytes(): number {
    return this.#bytes ??= this.entries.reduce((sum, { bytes }) => sum + bytes!.length, 0);
  }
  #bytes: number | null = null;

  /** The ENTRY messages. */
  get encoded(): readonly Bytes[] {
    return this.#encoded ??= this.entries.map(this.encode);
  }

  /** HEAD of its last position. */
  get head(): Bytes {
    return this.headAt(this.end - 1);
  }

  /** The same, with the head, as frames under the room's key, as few as can be; always asked for with one key. */
  frames(key: TransitSealer): readonly TransitFrame[] {
    return this.#frames ??= cut([...this.encoded, this.head]).map((plaintext) => key.seal(plaintext));
  }

  /** How many frames it takes at most. */
  get maxFrames(): number {
    return this.entries.length + 1;
  }
}

/** Joins messages into as few plaintexts as hold them. */
function cut(messages: readonly Bytes[]): Bytes[] {
  const plaintexts: Bytes[] = [];
  let from = 0, length = 0;
  for (const [i, message] of messages.entries()) {
    if (length + message.length > maxRecordBytes) {
      plaintexts.push(concat(...messages.slice(from, i)));
      from = i;
      length = 0;
    }
    length += message.length;
  }
  plaintexts.push(from === 0 && messages.length === 1 ? messages[0] : concat(...messages.slice(from)));
  return plaintexts;
}
