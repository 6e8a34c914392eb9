/**
 * Transit frames (protocol §6): log entries of a busy room, encrypted once for all who have its stream, and
 * authenticated on each link by that link's own key.
 *
 *   wire   = u32 (0x8000 0000 | len) ‖ u32 key ‖ u64 c ‖ ct[len] ‖ tag[32]       1 ≤ len ≤ 65 536
 *   digest = H(head ‖ ct), head being the 16 bytes before ct;   tag: records.ts
 *
 * The key is known to everybody who gets the room's entries anyway, so it keeps them from the network and from
 * nobody else. What keeps a frame from being forged, dropped, repeated or moved is the tag, which counts frames and
 * records of a link together, and which no other member can make.
 */

import { type Bytes, concat, u32 } from "../../crypto/bytes.ts";
import { CfbDecryptor, CfbEncryptor } from "../../crypto/cfb.ts";
import { CounterIvs } from "../../crypto/counter_ivs.ts";
import { sha256 } from "../../crypto/hash.ts";
import { kdf } from "../../crypto/kdf.ts";
import { tagBytes } from "../../crypto/seal.ts";
import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { Malformed } from "../../errors.ts";
import { transitHeadBytes } from "./frames.ts";
import { decodeMessages, type LinkMessage, type MessageOf } from "./link_messages.ts";
import { entryKinds } from "../group/history.ts";
import { Writer } from "../codec/wire.ts";

/** Frames under one key; then there must be another. */
export const framesPerKey = 65_536;

/** What all receivers of a frame share. */
export interface TransitFrame {
  /** head ‖ ct. */
  readonly shared: Bytes;
  /** H(shared): what each link's tag is made of. */
  readonly digest: Bytes;
}

/** What both sides derive from a key: for the cipher, and for the IVs of its counter. */
function derive(room: Uint8Array, key: number, secret: Uint8Array): { ke: Bytes; ivs: CounterIvs } {
  const derived = kdf(secret, "transit", concat(room, u32(key)), 64);
  return { ke: derived.slice(0, 32), ivs: new CounterIvs(derived.slice(32)) };
}

/** The server's end of one key. */
export class TransitSealer {
  #ke: Bytes;
  #ivs: CounterIvs;
  #cfb: CfbEncryptor | null = null;
  #counter = 0;

  /**
   * Makes one.
   *
   * @param room id
   * @param key its number: no two keys of a server's run share one, and they only grow
   * @param secret 32 random bytes
   */
  constructor(readonly room: Bytes, readonly key: number, readonly secret: Bytes) {
    ({ ke: this.#ke, ivs: this.#ivs } = derive(room, key, secret));
  }

  /** What hands the key to a link. */
  get handover(): MessageOf<"TRANSIT"> {
    return { type: "TRANSIT", room: this.room, key: this.key, secret: this.secret };
  }

  /** Frames that it may still make. */
  get framesLeft(): number {
    return framesPerKey - this.#counter;
  }

  /** Gives the memory of its cipher back; it is made again when it is needed. */
  rest(): void {
    this.#cfb?.end();
    this.#cfb = null;
    this.#ivs.rest();
  }

  /** Seals ENTRY and HEAD messages of the room, 1 to 65 536 bytes, for all its receivers. */
  seal(entries: Bytes): TransitFrame {
    if (this.framesLeft === 0) throw new Error("a transit key has made all its frames");
    const counter = this.#counter++;
    this.#cfb ??= new CfbEncryptor(this.#ke);
    const ct = this.#cfb.encrypt(this.#ivs.iv(counter), entries);
    const shared = new Writer(transitHeadBytes + ct.length).u32((0x8000_0000 | ct.length) >>> 0)
      .u32(this.key).u64(counter).raw(ct).done();
    return { shared, digest: sha256(shared) };
  }
}

interface Known {
  readonly room: Bytes;
  readonly ivs: CounterIvs;
  readonly cfb: CfbDecryptor;
  /** The next counter that may come. */
  next: number;
}

/** More rooms than anybody is in: a server may not make a client keep keys without end. */
const maxRooms = 4096;

/** A client's keys: the newest of each room. */
export class TransitOpener {
  #keys = new Map<number, Known>();
  #ofRoom = new Map<string, number>();

  /** Takes a key over. @throws Malformed for a number that is not above the room's last, or another room's */
  take({ room, key, secret }: MessageOf<"TRANSIT">): void {
    const name = encodeHex(room);
    const last = this.#ofRoom.get(name) ?? -1;
    if (last < 0 && this.#ofRoom.size >= maxRooms) throw new Malformed("transit keys of too many rooms");
    // Keys of different rooms may arrive in any order.
    if (key <= last || this.#keys.has(key)) throw new Malformed("a transit key is not new");
    this.#keys.get(last)?.cfb.end();
    this.#keys.delete(last);
    const { ke, ivs } = derive(room, key, secret);
    this.#keys.set(key, { room, ivs, cfb: new CfbDecryptor(ke), next: 0 });
    this.#ofRoom.set(name, key);
  }

  /** Gives the memory of its ciphers back: it can do nothing more. */
  end(): void {
    for (const { cfb } of this.#keys.values()) cfb.end();
  }

  /**
   * Opens a frame whose tag holds.
   *
   * @throws Malformed for another key than the room's newest, a counter that does not grow, or anything but messages
   * of that room and heads
   */
  open(wire: Uint8Array): LinkMessage[] {
    const head = new DataView(wire.buffer, wire.byteOffset, transitHeadBytes);
    const known = this.#keys.get(head.getUint32(4));
    if (!known) throw new Malformed("a transit frame has an unknown key");
    const counter = Number(head.getBigUint64(8));
    if (counter < known.next || counter >= framesPerKey) {
      throw new Malformed("the counter of a transit frame does not grow");
    }
    known.next = counter + 1;
    const ct = wire.subarray(transitHeadBytes, wire.length - tagBytes);
    const messages = decodeMessages(known.cfb.decrypt(known.ivs.iv(counter), ct), "server");
    for (const message of messages) {
      const isOfLog = message.type === "HEAD" ||
        (message.type === "ENTRY" && message.kind === entryKinds.message);
      if (!isOfLog || !equals(message.room, known.room)) {
        throw new Malformed("a transit frame holds something else than messages of its room");
      }
    }
    return messages;
  }
}
