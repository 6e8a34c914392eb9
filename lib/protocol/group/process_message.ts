/**
 * Processing a message (protocol §7.3), in the order of its checks: nothing moves before the signature holds, and a
 * message that fails is fed to the history all the same and changes nothing else.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { unlessRefused } from "../../errors.ts";
import type { Named } from "../identity/name.ts";
import { type Content, contentTypes } from "./content.ts";
import type { Effect, MessageFault, Processed } from "./effects.ts";
import { chainStep } from "./epoch.ts";
import { checkView } from "./fork_check.ts";
import type { Chain, Entry, Facts, GroupState } from "./group_state.ts";
import { entryHash } from "./history.ts";
import { checkMessageView, checkPlace, type Misplaced } from "./message_rules.ts";
import { openEpoch } from "./process_commit.ts";
import { findMember } from "./roster.ts";
import { isMessageSigned, maxChainWalk, type Message, openMessage, parseMessage } from "./sealed_message.ts";

const misplaced: Record<Misplaced, MessageFault> = {
  "another room": "another room",
  "past epoch": "another epoch",
  "future epoch": "another epoch",
  "another commit": "another commit",
  "no member": "no member",
};

/** A message in a room that we are in. The cards of all members are here since the commit that added them. */
export function processMessage<State extends GroupState>(
  state: State,
  entry: Entry,
  facts: Facts,
): Processed<State> {
  const { pos, time, kind, bytes } = entry;
  const head = state.head!;
  const fed = { history: state.history!.after(entryHash(kind, bytes)) };
  const effects: Effect[] = [];
  const done = (change: Partial<GroupState> = {}): Processed<State> => {
    return { type: "done", state: { ...state, ...change, ...fed }, effects };
  };
  const refused = (why: MessageFault, sender: Named | null): Processed<State> => {
    effects.push({ type: "message refused", why, sender });
    return done();
  };
  const neverStored = (why: MessageFault, sender: Named | null = null): Processed<State> => {
    effects.push({ type: "hides" });
    return refused(why, sender);
  };

  const message = unlessRefused(() => parseMessage(bytes));
  if (!message) return neverStored("no message");
  const wrong = checkPlace(message, head);
  if (wrong) return neverStored(misplaced[wrong]);
  const sender = findMember(head.roster, message.sender)!;
  const key = encodeHex(message.sender);
  const own = equals(message.sender, facts.own);
  const waiting = own ? facts.waiting(bytes) : null;
  const chain = state.chains[key] ?? { key: null, n: 0 };
  if (waiting === null && (message.n < chain.n || message.n - chain.n > maxChainWalk)) {
    return refused("out of order", sender);
  }
  const card = facts.cards(message.sender)!;
  if (!isMessageSigned(message, head.commitHash, card.verifying)) return refused("not signed", sender);
  const badView = checkMessageView(message.view, head, pos);
  if (badView) return neverStored(badView === "past" ? "impossible view" : "view of what follows", sender);
  // What a view claims never decides whether its message counts: that would split the room.
  const place = { site: facts.site, room: state.id };
  const viewed = checkView(state.history!, message.sender, message.view, place, facts.server);
  if (viewed) effects.push(viewed);

  let { inviter } = state;
  if (inviter && equals(message.sender, inviter)) {
    effects.push({ type: "inviter seen", inviter });
    inviter = null;
  }
  const counted = { inviter, epochMessages: state.epochMessages + 1 };
  const uncovered = { type: "uncovered", pos, author: message.sender, timeMs: time * 1000 } as const;
  const shown = (content: Content): Effect => {
    return { type: "message", pos, sender, own, epoch: message.epoch, content };
  };

  if (waiting !== null) {
    effects.push({ type: "stored", msgId: waiting.msgId });
    if (waiting.type !== contentTypes.attest) effects.push(uncovered);
    effects.push(shown(waiting));
    return done({ ...counted, seen: remembered(state.seen, message.sender, waiting.msgId) ?? state.seen });
  }
  if (own) effects.push({ type: "not ours", what: "message" });
  const suspect = state.suspect || own;
  if (state.unopened) return openedFirst(state, entry, facts);
  if (chain.key === null) {
    effects.push(uncovered, { type: "unreadable", sender });
    return done({ ...counted, suspect, chains: { ...state.chains, [key]: { key: null, n: message.n + 1 } } });
  }
  const opened = open(message, { key: chain.key, n: chain.n }, head.commitHash);
  if (!opened) {
    effects.push({ type: "message refused", why: "does not open", sender });
    return done({ ...counted, suspect });
  }
  // If entries have expired, which was told, their numbers are missing for that reason.
  if (message.n > chain.n && !state.expired) {
    effects.push({ type: "missing", sender, count: message.n - chain.n });
  }
  if (opened.content.type !== contentTypes.attest) effects.push(uncovered);
  const seen = remembered(state.seen, message.sender, opened.content.msgId);
  if (seen) effects.push(shown(opened.content));
  return done({
    ...counted,
    suspect,
    chains: { ...state.chains, [key]: opened.chain },
    seen: seen ?? state.seen,
  });
}

/** Something valid was said in an epoch whose box was left closed. */
function openedFirst<State extends GroupState>(state: State, entry: Entry, facts: Facts): Processed<State> {
  const opening = openEpoch(state, facts);
  if (opening.type !== "done") return opening;
  const result = processMessage(opening.state, entry, facts);
  return result.type === "done" ? { ...result, effects: [...opening.effects, ...result.effects] } : result;
}

/** Walks the chain to the message and opens it. @returns null when it does not open: then no chain moves */
function open(
  message: Message,
  chain: Chain & { readonly key: Bytes },
  commitHash: Bytes,
): { content: Content; chain: Chain } | null {
  let { key } = chain;
  for (let n = chain.n; n < message.n; n++) key = chainStep(key).next;
  const { messageKey, next } = chainStep(key);
  const content = unlessRefused(() => openMessage(message, messageKey, commitHash));
  return content && { content, chain: { key: next, n: message.n + 1 } };
}

/** What was seen, with this message. @returns null when (sender, msg_id) was there before: a resend is shown once */
function remembered(
  [before, now]: GroupState["seen"],
  sender: Bytes,
  msgId: Bytes,
): GroupState["seen"] | null {
  const key = `${encodeHex(sender)} ${encodeHex(msgId)}`;
  return before.has(key) || now.has(key) ? null : [before, now.with(key)];
}
