/**
 * Answering: the server takes part in the key-file rooms of a key that its operator gave it (protocol §8.5).
 *
 * What is said there is shown to the operator, and each sender can be answered; an answer goes to the asker's
 * link alone and is no part of the log. The rooms are marked for their members: the server reads them.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { type Clock, seconds } from "../../clock.ts";
import { labelledHash } from "../../crypto/hash.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { Identity } from "../../crypto/identity.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { unlessRefused } from "../../errors.ts";
import { maxTextBytes } from "../../protocol/group/content.ts";
import {
  isKeyFileMessageSigned,
  keyFileRoomId,
  openKeyFileMessage,
  parseKeyFileMessage,
  sealKeyFileMessage,
} from "../../protocol/group/key_file_message.ts";
import { viewOfNothing } from "../../protocol/group/signed_head.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { KeyFileLog } from "./key_file_log.ts";
import type { Peer } from "./peer.ts";
import type { Rooms } from "./rooms.ts";
import { typedName } from "../../sanitize.ts";

/** What an answering server is made of. */
export interface AnsweringParts {
  /** 32 bytes of the room key file. */
  readonly key: Bytes;
  /** The server's keys. */
  readonly identity: Identity;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Answers every message by itself: nobody is at the console. */
  readonly acknowledge: boolean;
  /** Shows what was said. */
  heard(name: string, timeMs: number, text: string): void;
  /** Whom a plain line would answer now; null for nobody. */
  partner(name: string | null): void;
}

interface Asked {
  readonly name: string;
  readonly peer: Peer;
  readonly room: KeyFileLog;
  /** Position of the message, until it is answered. */
  pos: number | null;
}

/** The operator's part in key-file rooms. */
export class Answering {
  #rooms: Rooms | null = null;
  /** The last message of each sender, by skeleton of the name; the last one to speak is the last. */
  #asked = new Map<string, Asked>();
  #n = 0;
  #reserved = 0;
  #sending = Promise.resolve();
  /** Ids in hex of rooms whose names we know. */
  #known = new Set<string>();
  #names = new Set<string>();

  /** @param parts keys, clock, and where to show */
  constructor(private readonly parts: AnsweringParts) {}

  /** Takes part from now on. */
  begin(rooms: Rooms): void {
    this.#rooms = rooms;
    rooms.onKeyFileMessage = (room, pos, peer) => this.#hear(room, pos, peer);
    rooms.onLeft = (peer) => this.#left(peer);
    rooms.onKeyFileRoom = (room) => this.#recognise(room);
    rooms.keyFileRooms().forEach((room) => this.#recognise(room));
  }

  /** Whether the key is that of a room: by the names we know, by what was noted, else by its last messages. */
  #recognise(room: KeyFileLog): void {
    for (const name of ["lobby", ...this.#rooms!.all().map((other) => other.name)]) {
      if (name === "" || this.#names.has(skeleton(name))) continue;
      this.#names.add(skeleton(name));
      this.#known.add(encodeHex(keyFileRoomId(this.parts.key, this.#rooms!.site, name)));
    }
    const noted = this.#rooms!.store.note(noteOf(room));
    const isNoted = noted !== null && equals(noted, this.#mark(room));
    room.isReadByServer = this.#known.has(room.key) || isNoted || this.#opensAny(room);
  }

  /** Tells keys apart without giving one away. */
  #mark(room: KeyFileLog): Bytes {
    return labelledHash("chat2 answer mark", this.parts.key, room.id);
  }

  #opensAny(room: KeyFileLog): boolean {
    for (let pos = room.last; pos > Math.max(0, room.last - lastTried); pos--) {
      if (this.#open(room, pos) !== null) return true;
    }
    return false;
  }

  #open(room: KeyFileLog, pos: number): { time: number; text: string } | null {
    const [entry] = room.read(pos, 1);
    const card = entry && this.#rooms!.cards(entry.sender);
    if (!entry?.bytes || !card) return null;
    const { bytes } = entry;
    return unlessRefused(() => {
      const message = parseKeyFileMessage(bytes);
      return isKeyFileMessageSigned(message, card.verifying)
        ? openKeyFileMessage(message, this.parts.key)
        : null;
    });
  }

  #hear(room: KeyFileLog, pos: number, peer: Peer): void {
    const opened = this.#open(room, pos);
    if (!opened) return;
    if (!room.isReadByServer) {
      room.isReadByServer = true;
      void this.#rooms!.propose({ kind: "note", key: noteOf(room), value: this.#mark(room) });
      room.announce(); // its members shall know as soon as we do
    }
    const { name } = peer.card;
    const asked: Asked = { name, peer, room, pos };
    this.#asked.delete(skeleton(name)); // so that the last speaker is last in the map
    this.#asked.set(skeleton(name), asked);
    this.parts.heard(name, opened.time * 1000, opened.text);
    if (this.parts.acknowledge) this.#send(asked, cut(`Server received: ${opened.text}`));
    this.parts.partner(this.#partner()?.name ?? null);
  }

  /** Nobody is there to be answered any more. */
  #left(peer: Peer): void {
    for (const [name, asked] of this.#asked) if (asked.peer === peer) this.#asked.delete(name);
    this.parts.partner(this.#partner()?.name ?? null);
  }

  #partner(): Asked | undefined {
    return [...this.#asked.values()].at(-1);
  }

  /** Whom a plain line would answer. */
  get partner(): string | null {
    return this.#partner()?.name ?? null;
  }

  /**
   * Answers somebody.
   *
   * @param name null for the last speaker
   * @returns lines for the console
   */
  answer(name: string | null, text: string): string[] {
    if (text.trim() === "") return ["error: There is no text to send", "hint: write @NAME TEXT"];
    if (new TextEncoder().encode(text).length > maxTextBytes) {
      return [`error: That is too long to be sent`, `hint: an answer holds at most ${maxTextBytes} bytes`];
    }
    const asked = name === null ? this.#partner() : this.#asked.get(skeleton(name));
    if (!asked) {
      const shown = typedName(name ?? "");
      const who = name === null
        ? "Nobody who has said something is here"
        : this.#rooms!.peerNamed(name)
        ? `"${shown}" is here, but has said nothing to be answered yet`
        : `"${shown}" is not here`;
      return [`error: ${who}`, "hint: WHO shows who is connected; an answer goes to who has spoken"];
    }
    this.#send(asked, text);
    return [`[+] Answered ${asked.name}`];
  }

  /** Only grows, over restarts too: what may have been used is on disk before it is. */
  async #nextNumber(now: number): Promise<number> {
    const rooms = this.#rooms!;
    if (this.#reserved === 0) {
      const noted = rooms.store.note(counter);
      this.#n = Math.max(noted ? new DataView(noted.buffer, noted.byteOffset).getUint32(0) : 0, now);
      this.#reserved = this.#n;
    }
    const n = ++this.#n;
    if (n > this.#reserved) {
      this.#reserved = n + reserveNumbers;
      const value = new Uint8Array(4);
      new DataView(value.buffer).setUint32(0, this.#reserved);
      await rooms.propose({ kind: "note", key: counter, value });
    }
    return n;
  }

  /** Each message is answered once; what follows stands by itself, and answers no position. */
  #send(asked: Asked, text: string): void {
    const pos = asked.pos ?? 0;
    asked.pos = null;
    // One at a time, also while a message number is being flushed to disk.
    this.#sending = this.#sending.then(() => this.#sendNow(asked, pos, text))
      .catch((error) => this.#rooms!.events.tell({ type: "bug", error }));
  }

  async #sendNow({ room, peer }: Asked, pos: number, text: string): Promise<void> {
    const { key, identity, clock, random } = this.parts;
    const now = seconds(clock);
    const n = await this.#nextNumber(now);
    const there = { pos, hash: this.#rooms!.store.historyAt(room.id, pos)! };
    const view = pos === 0
      ? viewOfNothing(room.id)
      : { ...there, headSig: this.#rooms!.signHead(room.id, there) };
    const header = { room: room.id, sender: identity.id, n, view };
    const message = sealKeyFileMessage(header, text, key, now, random(16), identity.signing);
    const answer = { type: "ANSWER", room: room.id, pos, message } as const;
    const subscription = peer.subscriptions.get(room.key);
    if (subscription) subscription.answer(pos, answer); // behind what it answers
    else peer.send(answer);
  }
}

const counter = "answers";
const reserveNumbers = 1000;
const lastTried = 32;
const noteOf = (room: KeyFileLog) => `read ${room.key}`;

function cut(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= maxTextBytes) return text;
  return new TextDecoder().decode(bytes.slice(0, maxTextBytes - 3)).replace(/\ufffd+$/, "");
}
