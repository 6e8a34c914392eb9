/**
 * KeyFileRoom: a room of everybody who holds one key file, readable by Python's Fernet (protocol §8.1).
 *
 * No roster, no epochs, no attests: what stays is one history for all, a signature on each message, and numbers
 * that only grow, so that among those who hold the key nobody speaks as another and nothing is replayed.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { contentTypes } from "../../protocol/group/content.ts";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { openToken } from "../../crypto/fernet.ts";
import { ChatError, unlessRefused } from "../../errors.ts";
import type { Entry } from "../../protocol/group/group_state.ts";
import type { Card } from "../../protocol/identity/card.ts";
import { History } from "../../protocol/group/history.ts";
import { signedViewOf } from "../../protocol/group/signed_head.ts";
import { sealKeyFileMessage, signKeyFileMessage } from "../../protocol/group/key_file_message.ts";
import {
  type KeyFileEffect,
  type KeyFileFacts,
  type KeyFileFault,
  type KeyFileProcessed,
  processAnswer,
  processKeyFileEntry,
} from "../../protocol/group/process_key_file.ts";
import { type LinkMessage, type MessageOf, roomFlags } from "../../protocol/channel/link_messages.ts";
import type { Sealed } from "./outbox.ts";
import { faultInWords, notOurs } from "./message_fault.ts";
import { type RoomContext, ServerFault } from "./room_context.ts";
import type { OutboxItem, StreamState } from "./room_state.ts";
import { checkedText } from "./unsent.ts";
import { expiredText, RoomStream } from "./room_stream.ts";
import { shownTime } from "../../timestamp.ts";

/** Everything of a key-file room that must survive. */
export interface KeyFileRoomState extends StreamState {
  /** Next `n` of ours. */
  next: number;
  /** Last `n` of each sender, by id in hex. */
  last: Readonly<Record<string, number>>;
}

/** A key-file room that was never entered. */
export function newKeyFileRoomState(id: Bytes, name: string): KeyFileRoomState {
  return {
    id,
    name,
    status: "waiting",
    history: null,
    outbox: [],
    alarm: null,
    next: 0,
    last: {},
  };
}

/** One room without a roster. */
export class KeyFileRoom extends RoomStream<KeyFileRoomState> {
  protected override readonly hasRoster = false;
  protected override readonly fileKind = "key-file-room";
  #isReadByServer = false;
  #warnedOfKey = false;
  readonly #present = new Set<string>();
  #isPresenceKnown = false;

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
  /** 32 bytes of the file. */
  get fernetKey(): Bytes {
    return this.key;
  }
  /** Whether it is the room of this key. */
  hasKey(key: Uint8Array): boolean {
    return equals(this.key, key);
  }
  /** Those who have said something; who else holds the key, nobody can say. */
  get memberNames(): readonly string[] {
    const others = Object.keys(this.state.last).filter((id) => id !== encodeHex(this.context.card.id));
    const names = others.flatMap((id) => this.context.directory.cardByKey(id)?.name ?? []);
    return [this.context.card.name, ...names];
  }
  get worry(): string {
    if (this.trust.conflict) return `key changed: ${this.trust.conflict.name}`;
    if (this.alarm.isRaised) return "sending stopped";
    if (this.state.retired) return "ended by the operator";
    return this.#isReadByServer ? "the server reads this room" : "key file";
  }
  nameOf(id: Uint8Array): string {
    return this.context.directory.card(id)?.name ?? "somebody";
  }

  override disconnect(): void {
    super.disconnect();
    this.#present.clear();
    this.#isPresenceKnown = false;
  }

  /** @throws ChatError for an action too: a token holds bare text */
  override checkSayable(item: OutboxItem): void {
    super.checkSayable(item);
    if (item.isToken) this.#checkToken(item.body);
    if (item.type !== contentTypes.action) return;
    throw new ChatError(
      "/me is not possible in a key-file room: what is said there is bare text, as other programs read it",
      "say it as a line",
    );
  }

  #checkToken(token: Bytes): void {
    const opened = unlessRefused(() => openToken(this.key, token));
    if (!opened) {
      throw new ChatError(
        "The token does not open with the key file of this room",
        "make it with Fernet and the same key",
      );
    }
    checkedText(new TextDecoder().decode(opened.plaintext));
  }

  seal(item: OutboxItem): Sealed {
    const { card, clock, identity, random } = this.context;
    const { state } = this;
    // Numbers may have gaps: starting from the clock, even a lost state never reuses one.
    const n = state.next = Math.max(state.next, seconds(clock));
    state.next++;
    const header = { room: state.id, sender: card.id, n, view: signedViewOf(state) };
    const text = new TextDecoder().decode(item.body);
    const bytes = item.isToken
      ? signKeyFileMessage(header, item.body, identity.signing)
      : sealKeyFileMessage(header, text, this.key, seconds(clock), random(16), identity.signing);
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
    if (this.history) this.context.files.save(this.state, this.fileKind);
  }

  protected async handle(message: LinkMessage): Promise<void> {
    switch (message.type) {
      case "ROOM_INFO":
        return this.#onStream(message);
      case "HASHES":
        if (this.hashesFollow(message) === 0) throw new ServerFault("hashes out of place");
        return;
      case "ENTRY":
        return await this.entryFollows(message, message.address);
      case "STORED":
        return await this.messageStored(message);
      case "ERROR":
        return void this.messageRefused(message);
      case "HEAD":
        return this.headFollows(message);
      case "ANSWER":
        return this.#onAnswer(message);
      case "PRESENCE":
        return await this.#onPresence(message);
    }
  }

  #onStream(info: MessageOf<"ROOM_INFO">): void {
    const { state } = this;
    const here = this.history?.view;
    if (info.start === 0 && !equals(info.startHash, state.id)) {
      throw new ServerFault("a history that begins nowhere");
    }
    // We have seen nothing yet, so there is no history to continue: what has expired stays unseen.
    if (!here || (here.pos === 0 && info.start > 0)) {
      if (info.start > 0) this.news.notice(expiredText(info.start));
      // Our history begins where the server says; the first view of an older member confirms or refutes it.
      state.history = new History({ pos: info.start, hash: info.startHash });
      state.status = "in";
      if (info.last === 0) this.news.notice("Nothing has been said here with this file yet.");
      this.dirty = true;
    } else if (info.start === here.pos && !equals(info.startHash, here.hash)) {
      this.alarm.raise(
        "history lost",
        "The server has another history of this room than the one it showed you before. Nothing more is sent; " +
          '"/retry" goes on all the same.',
      );
    } else if (info.start > here.pos) {
      // The server gave the room up, as nobody had spoken for long, and made it anew; or it says so.
      this.alarm.raise(
        "history lost",
        `What was said since you were here is gone, and so is what could show that nothing was changed: ${
          expiredText(info.start - here.pos)
        } Nothing more is sent; "/retry" goes on all the same.`,
      );
      state.history = new History({ pos: info.start, hash: info.startHash });
      this.dirty = true;
    }
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

  /** Has the group core process one entry, gets what it needs, and carries out what follows. @throws LinkLost */
  protected async take(entry: Entry, address: string): Promise<void> {
    for (;;) {
      const result = processKeyFileEntry(this.state, entry, this.#facts());
      if (result.type === "fault") throw new ServerFault(result.why);
      if (result.type === "done") return this.#keep(result, entry.pos, address);
      const { need } = result;
      await (need.type === "cards" ? this.trust.needCards(need.ids) : this.trust.needPins(need.people));
    }
  }

  /** The server answers a message of ours (protocol §8.5). */
  #onAnswer({ pos, message }: MessageOf<"ANSWER">): void {
    const result = processAnswer(this.state, pos, message, this.#facts());
    if (result.type === "fault") throw new ServerFault(result.why);
    if (result.type === "done") this.#keep(result, null, "");
  }

  #facts(): KeyFileFacts {
    const { card, directory, known, serverId, site } = this.context;
    return {
      site,
      own: card,
      server: this.server,
      key: this.key,
      cards: directory.card,
      conflicts: ({ name, id }) => known.conflicts(serverId, name, id),
      waiting: (bytes) => this.#waiting(bytes)?.msgId ?? null,
    };
  }

  #waiting(bytes: Bytes): OutboxItem | undefined {
    return this.state.outbox.find((item) => item.sealed && equals(item.sealed.bytes, bytes));
  }

  /** @param pos of the entry; null for an answer, which is no part of the log */
  #keep({ state, effects }: Kept, pos: number | null, address: string): void {
    // What the new state rests on is kept first: if that fails, nothing has moved, and the entry comes again.
    if (pos !== null) {
      this.context.directory.save();
      for (const effect of effects) if (effect.type === "message") this.trust.keepPins([effect.sender]);
    }
    Object.assign(this.state, state);
    this.changed();
    for (const effect of effects) this.#carryOut(effect, pos, address);
  }

  #carryOut(effect: KeyFileEffect, pos: number | null, address: string): void {
    const { news } = this;
    switch (effect.type) {
      case "two histories":
        return this.splitBy(effect.view);
      case "false view":
        return this.alarm.liar(effect.author);
      case "hides":
        return this.alarm.hidden();
      case "refused":
        return news.warn(
          pos === null ? answerFault(effect.why) : faultInWords(effect.why, effect.sender?.name ?? ""),
        );
      case "not ours":
        return news.warnOnce(notOurs("message"));
      case "message": {
        const { sender, own, waited, n, text, token } = effect;
        if (waited) this.lines.stored(waited);
        const fromId = encodeHex(sender.id);
        const msgId = waited ? encodeHex(waited) : `${fromId.slice(0, 8)}-${n}`;
        const common = { room: this.label, from: sender.name, fromId, own, msgId, text, token, address };
        const shown = { ...common, timeMs: shownTime(effect.time * 1000), action: false, readers: null };
        return news.event(
          pos === null
            ? { type: "message", ...shown, pos: 0, answer: true }
            : { type: "message", ...shown, pos },
        );
      }
    }
  }

  /** Who has joined, as far as the server says; the first list is no news. */
  async #onPresence({ what, ids }: MessageOf<"PRESENCE">): Promise<void> {
    const { card: own, directory, known, serverId } = this.context;
    const here = what === 1;
    const changed = ids.filter((id) => !equals(id, own.id) && this.#present.has(encodeHex(id)) !== here);
    await this.trust.needCards(changed);
    for (const id of changed) {
      if (here) this.#present.add(encodeHex(id));
      else this.#present.delete(encodeHex(id));
      const card = directory.card(id);
      // A name with another key than the known one has not come: somebody else has.
      if (!card || !this.#isPresenceKnown || known.conflicts(serverId, card.name, id)) continue;
      this.news.event({ type: "presence", room: this.label, who: card.name, here, isClaim: true });
    }
    this.#isPresenceKnown = true;
  }

  protected settle(): Promise<void> {
    this.sendWaiting();
    return Promise.resolve();
  }
}

type Kept = Extract<KeyFileProcessed<KeyFileRoomState>, { readonly type: "done" }>;

function answerFault(why: KeyFileFault): string {
  return why === "out of order"
    ? "An answer was repeated, and is not shown."
    : "An answer of the server does not open with your key file.";
}
