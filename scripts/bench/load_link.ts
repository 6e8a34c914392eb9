/**
 * LoadLink: one member's connection under load. While it is a witness it opens everything; afterwards it cuts frames
 * and tells how many plaintext bytes came, which costs little more than reading them.
 */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { closeQuietly, writeAll } from "../../lib/protocol/channel/conn.ts";
import {
  decodeMessages,
  encodeMessage,
  type LinkMessage,
  type MessageOf,
} from "../../lib/protocol/channel/link_messages.ts";
import { concat } from "../../lib/crypto/bytes.ts";
import { isTransit, transitHeadBytes } from "../../lib/protocol/channel/frames.ts";
import { TransitOpener } from "../../lib/protocol/channel/transit.ts";
import type { Shaken } from "./member.ts";

const bufferBytes = 32 * 1024;
const tagBytes = 32;

/** One connection; `run` reads until it ends. */
export class LoadLink {
  /** Told of what was opened, while this is a witness. */
  onMessage: (message: LinkMessage) => void = () => {};
  /** Told of the plaintext bytes of each record, afterwards. */
  onRecord: (plaintextBytes: number) => void = () => {};
  /** Whether everything is opened; once it is not, it stays so. */
  isWitness = true;
  /** Records and frames opened so far. */
  opened = 0;
  /** The newest key for transit frames. */
  transitKey: MessageOf<"TRANSIT"> | null = null;
  #buffer = new Uint8Array(bufferBytes);
  #filled = 0;
  #skip = 0;
  #writing: Promise<void> = Promise.resolve();

  /** @param shaken after its handshake */
  constructor(private readonly shaken: Shaken) {}

  /** Says something, in one record. */
  say(...messages: LinkMessage[]): void {
    this.sayEncoded(concat(...messages.map(encodeMessage)));
  }

  /** The same, encoded already. */
  sayEncoded(plaintext: Bytes): void {
    const wire = this.shaken.established.sealer.seal(plaintext);
    this.#writing = this.#writing.then(() => writeAll(this.shaken.conn, wire));
    this.#writing.catch(() => {}); // the reader sees the end
  }

  /** Reads until the connection ends. */
  async run(): Promise<void> {
    const { conn } = this.shaken;
    for (;;) {
      if (this.#filled === this.#buffer.length) this.#grow();
      const n = await conn.read(this.#buffer.subarray(this.#filled)).catch(() => null);
      if (n === null) return;
      this.#filled += n;
      this.#cut();
    }
  }

  #grow(): void {
    const larger = new Uint8Array(this.#buffer.length * 2);
    larger.set(this.#buffer);
    this.#buffer = larger;
  }

  #cut(): void {
    const b = this.#buffer;
    let at = Math.min(this.#skip, this.#filled);
    this.#skip -= at;
    if (this.#skip === 0 && this.#owed > 0) this.#count(this.#owed);
    while (this.#skip === 0 && this.#filled - at >= 4) {
      const length = (b[at] & 0x7f) << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3];
      const whole = (isTransit(b.subarray(at)) ? transitHeadBytes : 4) + length + tagBytes;
      const here = this.#filled - at;
      if (here >= whole) {
        if (this.isWitness) this.#open(b.slice(at, at + whole));
        else this.#count(length);
        at += whole;
      } else if (this.isWitness) {
        break;
      } else {
        this.#skip = whole - here;
        this.#owed = length; // counted with its last byte
        at = this.#filled;
      }
    }
    b.copyWithin(0, at, this.#filled);
    this.#filled -= at;
  }
  #owed = 0;
  #transit = new TransitOpener();

  #count(plaintextBytes: number): void {
    this.#owed = 0;
    this.onRecord(plaintextBytes);
  }

  #open(wire: Bytes): void {
    const { opener } = this.shaken.established;
    this.opened++;
    if (isTransit(wire)) opener.checkTransit(wire);
    const messages = isTransit(wire) ? this.#transit.open(wire) : decodeMessages(opener.open(wire), "server");
    for (const message of messages) {
      if (message.type !== "TRANSIT") {
        this.onMessage(message);
        continue;
      }
      this.transitKey = message;
      this.#transit.take(message);
    }
  }

  /** Its port on this side. */
  get localPort(): number {
    return this.shaken.conn.localAddr.port;
  }

  /** Ends it. */
  close(): void {
    closeQuietly(this.shaken.conn);
  }
}
