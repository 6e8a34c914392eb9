/**
 * Processing in a key-file room (protocol §8.1, §8.5): an entry of its log, or an answer of the server, makes the next
 * state from the last. Pure, as {@link process} is for rooms with a roster: no socket, file, clock or view.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { unlessRefused } from "../../errors.ts";
import { type Card, roles } from "../identity/card.ts";
import { type Named, skeleton } from "../identity/name.ts";
import type { CardOf } from "./commit_rules.ts";
import type { Need } from "./effects.ts";
import { checkView, type ViewEffect } from "./fork_check.ts";
import type { Entry } from "./group_state.ts";
import { entryHash, entryKinds, type History, maxViewLag } from "./history.ts";
import { isHeadSigned, type ProvedHead } from "./signed_head.ts";
import { isKeyFileMessageSigned, openKeyFileMessage, parseKeyFileMessage } from "./key_file_message.ts";
import type { Message } from "./sealed_message.ts";

/** Where a holder of the file stands. */
export interface KeyFileState {
  /** Room id. */
  readonly id: Bytes;
  /** The running hash; null before the stream begins. */
  readonly history: History | null;
  /** How far the server has signed it. */
  readonly proved?: ProvedHead | null;
  /** Next `n` of ours. */
  readonly next: number;
  /** Last `n` of each sender, by id in hex. */
  readonly last: Readonly<Record<string, number>>;
}

/** What a step may ask of the world outside. */
export interface KeyFileFacts {
  /** Where the room is: 32 bytes. */
  readonly site: Bytes;
  /** Our card. */
  readonly own: Card;
  /** The server's, checked against the pin. */
  readonly server: Card;
  /** 32 bytes of the file. */
  readonly key: Bytes;
  /** Cards that are here. */
  readonly cards: CardOf;
  /** Whether another key is known by the name. */
  conflicts(person: Named): boolean;
  /** The id of our message that was sealed to just these bytes and is not known to be stored. */
  waiting(bytes: Bytes): Bytes | null;
}

/** Why something is fed to the history, if it is an entry, and changes nothing else. */
export type KeyFileFault =
  | "no message of this room"
  | "of the server"
  | "out of order"
  | "not signed"
  | "does not open with the file"
  | "our name"
  | "impossible view"
  | "view of what follows";

/** One thing to be done, in order, once the new state is stored. */
export type KeyFileEffect =
  /** A message. @param waited the id of ours that waited for it @param time seconds, as its author says */
  | {
    readonly type: "message";
    readonly sender: Named;
    readonly own: boolean;
    readonly waited: Bytes | null;
    readonly n: number;
    readonly time: number;
    readonly text: string;
    /** As it was sent: padded base64url. */
    readonly token: string;
  }
  /** It changes nothing; `sender` as far as it is known. */
  | { readonly type: "refused"; readonly why: KeyFileFault; readonly sender: Named | null }
  | Exclude<ViewEffect, { readonly type: "agrees" }>
  /** The server gave what no honest one stores: the alarm that only an admin's pass lifts. */
  | { readonly type: "hides" }
  /** The server returned something of ours that this machine does not know. */
  | { readonly type: "not ours" };

/** What an entry or an answer has come to. */
export type KeyFileProcessed<State> =
  | { readonly type: "done"; readonly state: State; readonly effects: readonly KeyFileEffect[] }
  /** Get it, then process the same again; nothing has changed. */
  | { readonly type: "need"; readonly need: Extract<Need, { readonly type: "cards" | "trust" }> }
  /** No honest server sends it: the connection must end. */
  | { readonly type: "fault"; readonly why: string };

/** The entry that follows `state`, in the order of protocol §7.3: nothing moves before the signature holds. */
export function processKeyFileEntry<State extends KeyFileState>(
  state: State,
  { pos, kind, bytes }: Entry,
  facts: KeyFileFacts,
): KeyFileProcessed<State> {
  const history = state.history!;
  const fed = { history: history.after(entryHash(kind, bytes)) };
  const effects: KeyFileEffect[] = [];
  const done = (change: Partial<KeyFileState> = {}): KeyFileProcessed<State> => {
    return { type: "done", state: { ...state, ...change, ...fed }, effects };
  };
  const refused = (why: KeyFileFault, sender: Named | null): KeyFileProcessed<State> => {
    effects.push({ type: "refused", why, sender });
    return done();
  };

  const message = kind === entryKinds.message ? parsed(bytes, state.id) : null;
  if (!message) {
    effects.push({ type: "hides" });
    return refused("no message of this room", null);
  }
  const card = facts.cards(message.sender);
  if (!card) return { type: "need", need: { type: "cards", ids: [message.sender] } };
  if (card.role !== roles.user) return refused("of the server", card);
  const key = encodeHex(card.id);
  if (message.n <= (state.last[key] ?? -1)) return refused("out of order", card);
  if (!isKeyFileMessageSigned(message, card.verifying)) return refused("not signed", card);
  // A message from somebody without the key counts as unsaid: it sets no pin, raises no alarm, claims no name.
  const opened = unlessRefused(() => openKeyFileMessage(message, facts.key));
  if (!opened) return refused("does not open with the file", card);
  const own = equals(card.id, facts.own.id);
  if (!own && skeleton(card.name) === skeleton(facts.own.name)) return refused("our name", card);
  if (facts.conflicts(card)) return { type: "need", need: { type: "trust", people: [card] } };
  if (message.view.pos >= pos || message.view.pos < pos - maxViewLag) {
    effects.push({ type: "hides" });
    return refused(message.view.pos >= pos ? "view of what follows" : "impossible view", card);
  }
  const place = { site: facts.site, room: state.id };
  const viewed = checkView(history, card.id, message.view, place, facts.server.verifying);
  if (viewed && viewed.type !== "agrees") effects.push(viewed);
  const waited = own ? facts.waiting(bytes) : null;
  if (own && !waited) effects.push({ type: "not ours" });
  effects.push({ type: "message", sender: card, own, waited, n: message.n, ...opened });
  const next = own ? Math.max(state.next, message.n + 1) : state.next;
  return done({ next, last: { ...state.last, [key]: message.n } });
}

/** The server answers a message of ours (protocol §8.5): no part of the log, for us alone. @param pos what it answers */
export function processAnswer<State extends KeyFileState>(
  state: State,
  pos: number,
  bytes: Bytes,
  { server, key, site }: Pick<KeyFileFacts, "server" | "key" | "site">,
): KeyFileProcessed<State> {
  const refused = (why: KeyFileFault): KeyFileProcessed<State> => {
    return { type: "done", state, effects: [{ type: "refused", why, sender: server }] };
  };
  const message = parsed(bytes, state.id);
  const isServers = message && equals(message.sender, server.id) && message.view.pos === pos &&
    isKeyFileMessageSigned(message, server.verifying);
  if (!isServers) return { type: "fault", why: "an answer that is not the server's" };
  const { view } = message;
  const place = { site, room: state.id };
  if (pos > 0 && !isHeadSigned(place, view, view.headSig, server.verifying)) {
    return { type: "fault", why: "an answer whose view is not signed" };
  }
  const id = encodeHex(server.id);
  if (message.n <= (state.last[id] ?? -1)) return refused("out of order");
  const there = state.history?.at(pos);
  if (there && !equals(there, message.view.hash)) {
    return { type: "fault", why: "an answer to another history" };
  }
  const opened = unlessRefused(() => openKeyFileMessage(message, key));
  if (!opened) return refused("does not open with the file");
  return {
    type: "done",
    state: { ...state, last: { ...state.last, [id]: message.n } },
    effects: [{ type: "message", sender: server, own: false, waited: null, n: message.n, ...opened }],
  };
}

function parsed(bytes: Bytes, room: Bytes): Message | null {
  const message = unlessRefused(() => parseKeyFileMessage(bytes));
  return message && equals(message.room, room) ? message : null;
}
