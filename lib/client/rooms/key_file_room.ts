/**
 * KeyFileRoom: a room of everybody who holds one key file, readable by Python's Fernet (protocol §8.1).
 *
 * No roster, no epochs, no attests: what stays is one history for all, a signature on each message, and numbers
 * that only grow, so that among those who hold the key nobody speaks as another and nothing is replayed.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import { contentTypes } from "../../protocol/group/content.ts";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError } from "../../errors.ts";
import { type Card, roles } from "../../protocol/identity/card.ts";
import { entryHash, entryKinds, History } from "../../protocol/group/history.ts";
import {
  isKeyFileMessageSigned,
  openKeyFileMessage,
  parseKeyFileMessage,
  sealKeyFileMessage,
} from "../../protocol/group/key_file_message.ts";
import type { Message } from "../../protocol/group/sealed_message.ts";
import { type LinkMessage, type MessageOf, roomFlags } from "../../protocol/channel/link_messages.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { Sealed } from "./outbox.ts";
import { type RoomContext, ServerFault } from "./room_context.ts";
import type { OutboxItem, StreamState } from "./room_state.ts";
import { expiredText, RoomStream } from "./room_stream.ts";
import { shownTime } from "../../timestamp.ts";

/** Everything of a key-file room that must survive. */
export interface KeyFileRoomState extends StreamState {
  /** Next `n` of ours. */
  next: number;
  /** Last `n` of each sender, by id in hex. */
  last: Record<string, number>;
}

/** A key-file room that was never entered. */
export function newKeyFileRoomState(id: Bytes, name: string): KeyFileRoomState {
  return {
    id,
    name,
    status: "waiting",
    history: null,
    outbox: [],
    ignoredViews: [],
    alarm: null,
    next: 0,
    last: {},
  };
}

/** One room without a roster. */
export class KeyFileRoom extends RoomStream<KeyFileRoomState> {
  protected override readonly hasRoster = false;
  #isReadByServer = false;
  #warnedOfKey = false;

  /**
   * @param key 32 bytes of the file
   * @param server whose answers are taken: its card, checked against the pin
   */
  constructor(
    context: RoomContext,
    state: KeyFileRoomState,
    private readonly key: Bytes,
    private readonly server: Card,
  ) {
    super(context, state);
  }

  get label(): string {
    return this.state.name;
  }
  /** Those who have said something; who else holds the key, nobody can say. */
  get memberNames(): readonly string[] {
    const others = Object.keys(this.state.last).filter((id) => id !== encodeHex(this.context.card.id));
    const names = others.flatMap((id) => this.context.directory.cardByKey(id)?.name ?? []);
    return [this.context.card.name, ...names];
  }
  get worry(): string {
    if (this.trust.conflict) return `key changed: ${this.trust.conflict.name}`;
    if (this.state.alarm) return "sending stopped";
    if (this.state.retired) return "ended by the operator";
    return this.#isReadByServer ? "the server reads this room" : "key file";
  }
  nameOf(id: Uint8Array): string {
    return this.context.directory.card(id)?.name ?? "somebody";
  }

  /** @throws ChatError for an action too: a token holds bare text */
  override checkSayable(item: OutboxItem): void {
    super.checkSayable(item);
    if (item.type !== contentTypes.action) return;
    throw new ChatError(
      "/me is not possible in a key-file room: what is said there is bare text, as other programs read it",
      "say it as a line",
    );
  }

  seal(item: OutboxItem): Sealed {
    const { card, clock, identity, random } = this.context;
    const { state } = this;
    // Gaps are allowed: with the clock in it, even a lost state does not begin below what was used before.
    const n = state.next = Math.max(state.next, seconds(clock));
    state.next++;
    const header = { room: state.id, sender: card.id, n, view: this.history!.view };
    const text = new TextDecoder().decode(item.body);
    const bytes = sealKeyFileMessage(header, text, this.key, seconds(clock), random(16), identity.signing);
    return { epoch: 0, n, bytes };
  }
  isCurrent(): boolean {
    return true;
  }
  /** Its number may be one that another copy of this profile has used: it is sealed anew under the next. */
  messageDenied(item: OutboxItem): void {
    item.sealed = null;
  }
  /** Another copy of this profile has used it: the log has told us by now how far. */
  numberRefused(item: OutboxItem): void {
    item.sealed = null;
  }

  protected save(): void {
    if (this.history) this.context.files.save(this.state, "key-file-room");
  }

  protected async handle(message: LinkMessage): Promise<void> {
    switch (message.type) {
      case "ROOM_INFO":
        return this.#onStream(message);
      case "HASHES":
        if (this.hashesFollow(message) === 0) throw new ServerFault("hashes out of place");
        return;
      case "ENTRY":
        return await this.entryFollows(
          message.pos,
          message.time,
          message.kind,
          message.bytes,
          message.address,
        );
      case "STORED":
        return await this.messageStored(message);
      case "ERROR":
        return void this.messageRefused(message);
      case "ANSWER":
        return this.#onAnswer(message);
    }
  }

  #onStream(info: MessageOf<"ROOM_INFO">): void {
    const { state } = this;
    const here = this.history?.view;
    if (info.start === 0 && !equals(info.startHash, state.id)) {
      throw new ServerFault("a history that begins nowhere");
    }
    // Position 0 has no history to go on from: what has expired since stays unseen.
    if (!here || (here.pos === 0 && info.start > 0)) {
      if (info.start > 0) this.news.notice(expiredText(info.start));
      // Her history begins at the server's claim; the first view of somebody who was there before tells.
      state.history = new History({ pos: info.start, hash: info.startHash });
      state.status = "in";
      if (info.last === 0) this.news.notice("Nothing has been said here with this file yet.");
      this.dirty = true;
    } else if (info.start === here.pos && !equals(info.startHash, here.hash)) {
      this.alarm.raiseAgainstServer(
        "The server has another history of this room than the one it showed you before. Nothing more is sent; " +
          '"/retry" goes on all the same.',
      );
    } else if (info.start > here.pos) throw new ServerFault("a room begins after what we have");
    this.#warnOfKey((info.flags & roomFlags.serverReads) !== 0);
    this.streamBegins(info);
  }

  #warnOfKey(serverReads: boolean): void {
    if (!this.#warnedOfKey) {
      this.news.notice("A key-file room: anyone with this file reads everything, past and future.");
    }
    if (serverReads && !this.#isReadByServer) {
      this.news.notice("The server reads this room: its operator holds the key file.");
    }
    this.#warnedOfKey = true;
    this.#isReadByServer = serverReads;
  }

  protected async take(
    pos: number,
    _time: number,
    kind: number,
    bytes: Bytes,
    address: string,
  ): Promise<void> {
    const message = kind === entryKinds.message ? this.#parse(bytes) : null;
    if (message) await this.#receive(message, pos, address);
    else this.news.warn("The server sent an entry that is no message of this room.");
    this.state.history = this.history!.after(entryHash(kind, bytes));
  }

  #parse(bytes: Bytes): Message | null {
    try {
      const message = parseKeyFileMessage(bytes);
      return equals(message.room, this.state.id) ? message : null;
    } catch (error) {
      if (error instanceof ChatError) return null;
      throw error;
    }
  }

  /** In the order of protocol §7.3: nothing moves before the signature holds. */
  async #receive(message: Message, pos: number, address: string): Promise<void> {
    const { state, context } = this;
    await this.trust.needCards([message.sender]);
    const card = context.directory.card(message.sender)!;
    const { name } = card;
    const key = encodeHex(message.sender);
    if (card.role !== roles.user) return this.news.warn("The server put words of its own into the room.");
    const own = equals(message.sender, context.card.id);
    const at = state.outbox.findIndex((item) => item.sealed && equals(item.sealed.bytes, message.bytes));
    if (message.n <= (state.last[key] ?? -1)) {
      return this.news.warn(`A message of ${name} was repeated or out of order, and is not shown.`);
    }
    if (!isKeyFileMessageSigned(message, card.verifying)) {
      return this.news.warn(`A message said to be of ${name} is not signed by ${name}.`);
    }
    // Who has not the key has said nothing here: no pin, no alarm, no name.
    const opened = this.#open(message);
    if (!opened) return this.news.warn(`A message of ${name} does not open with your key file.`);
    if (!own && skeleton(name) === skeleton(context.card.name)) {
      return this.news.warn(`Somebody with another key speaks as ${name}, which is you; it is not shown.`);
    }
    await this.trust.needPins([card]);
    if (message.view.pos >= pos) {
      this.alarm.check(message.sender, message.view); // something was kept from us, or the author lies
      return this.news.warn(`A message of ${name} claims to follow what you were not shown.`);
    }
    this.trust.keepPins([card]);
    this.alarm.check(message.sender, message.view);
    state.last[key] = message.n;
    let msgId = `${encodeHex(message.sender).slice(0, 8)}-${message.n}`;
    if (own) {
      state.next = Math.max(state.next, message.n + 1);
      if (at >= 0) msgId = encodeHex(state.outbox.splice(at, 1)[0].msgId);
      else {
        this.news.warnOnce(
          "The server returned a message of yours that this machine does not know: its state was restored from a " +
            "backup, or somebody else holds your keys.",
        );
      }
    }
    const { time, text } = opened;
    const common = { room: this.label, from: name, fromId: key, own, msgId, text, address, action: false };
    this.news.event({ type: "message", ...common, timeMs: shownTime(time * 1000), pos, readers: null });
  }

  #open(message: Message): { time: number; text: string } | null {
    try {
      return openKeyFileMessage(message, this.key);
    } catch (error) {
      if (error instanceof ChatError) return null;
      throw error;
    }
  }

  /** The server answers a message of ours (protocol §8.5): no part of the log, for us alone. */
  #onAnswer({ pos, message: bytes }: MessageOf<"ANSWER">): void {
    const { state, server } = this;
    const message = this.#parse(bytes);
    const key = encodeHex(server.id);
    const isServers = message && equals(message.sender, server.id) && message.view.pos === pos &&
      isKeyFileMessageSigned(message, server.verifying);
    if (!isServers) throw new ServerFault("an answer that is not the server's");
    if (message.n <= (state.last[key] ?? -1)) {
      return this.news.warn("An answer was repeated, and is not shown.");
    }
    const there = this.history?.at(pos);
    if (there && !equals(there, message.view.hash)) throw new ServerFault("an answer to another history");
    const opened = this.#open(message);
    if (!opened) return this.news.warn("An answer of the server does not open with your key file.");
    state.last[key] = message.n;
    this.dirty = true;
    const common = { room: this.label, from: server.name, own: false, text: opened.text, address: "" };
    this.news.event({
      type: "message",
      ...common,
      fromId: key,
      action: false,
      pos: 0,
      readers: null,
      answer: true,
      msgId: `${key.slice(0, 8)}-${message.n}`,
      timeMs: shownTime(opened.time * 1000),
    });
  }

  protected settle(): Promise<void> {
    this.sendWaiting();
    return Promise.resolve();
  }
}
