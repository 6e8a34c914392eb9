/**
 * Receiving a message (protocol §7.3), in the order of its checks: nothing moves before the signature
 * holds, and a message that fails is fed to the history all the same and changes nothing else.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError } from "../../errors.ts";
import { type Content, contentTypes } from "../../protocol/group/content.ts";
import { chainStep } from "../../protocol/group/epoch.ts";
import {
  isMessageSigned,
  maxChainWalk,
  type Message,
  messageKinds,
  openMessage,
  parseMessage,
} from "../../protocol/group/sealed_message.ts";
import { findMember } from "../../protocol/group/roster.ts";
import type { ClientRoom } from "./member_room.ts";
import { shownTime } from "../../timestamp.ts";
import { checkView } from "./view_check.ts";

/** Handles the message at `pos`; the caller feeds it to the history afterwards. */
export function receiveMessage(
  room: ClientRoom,
  pos: number,
  time: number,
  bytes: Bytes,
  address: string,
): void {
  const { state } = room;
  const head = state.head!;
  const message = parse(bytes);
  if (!message) return room.warn("The server sent an entry that is no message.");
  if (!equals(message.room, state.id) || message.kind !== messageKinds.ordinary) {
    return room.warn("The server put a message of another room here.");
  }
  if (message.epoch !== head.epoch) return room.warn("The server kept a message of another epoch.");
  const member = findMember(head.roster, message.sender);
  if (!member) return room.warn("The server kept a message of somebody who is not in this room.");

  const key = encodeHex(message.sender);
  const own = equals(message.sender, room.context.card.id);
  const known = own ? confirm(room, message) : null;
  const chain = state.chains[key];
  const next = chain?.n ?? room.unreadableNext.get(key) ?? 0;
  if (known === null && (message.n < next || message.n - next > maxChainWalk)) {
    return room.warn(`A message of ${member.name} was repeated or out of order, and is not shown.`);
  }
  const card = room.context.directory.card(message.sender)!;
  if (!isMessageSigned(message, head.commitHash, card.verifying)) {
    return room.warn(`A message said to be of ${member.name} is not signed by ${member.name}.`);
  }
  if (message.view.pos < head.commitPos) {
    return room.warn(`A message of ${member.name} claims an impossible view.`);
  }
  if (message.view.pos >= pos) {
    checkView(room, message.sender, message.view); // something was kept from us, or the author lies
    return room.warn(`A message of ${member.name} claims to follow what you were not shown.`);
  }
  if (checkView(room, message.sender, message.view)) room.confirmations.seen(message.sender, message.view);
  if (state.inviter && equals(message.sender, state.inviter)) confirmRoom(room);
  if (known !== null) {
    if (known.type !== contentTypes.attest) room.confirmations.needs(pos, message.sender, time * 1000);
    remember(room, message.sender, known.msgId);
    show(room, { message, pos, from: member.name, own, content: known, address: "" });
    return;
  }
  if (own) {
    state.suspect = true;
    room.warnOnce(
      "The server returned a message of yours that this machine does not know: its state was restored from " +
        "a backup, or somebody else holds your keys. New keys are made before you send.",
    );
  }
  state.epochMessages++;
  if (!chain) {
    room.unreadableNext.set(key, message.n + 1);
    room.confirmations.needs(pos, message.sender, time * 1000);
    return room.notice(`${member.name} said something that you have no key for.`);
  }
  let content: Content;
  let chainKey = chain.key;
  try {
    let n = chain.n;
    for (; n < message.n; n++) chainKey = chainStep(chainKey).next;
    const step = chainStep(chainKey);
    content = openMessage(message, step.messageKey, head.commitHash);
    chainKey = step.next;
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    return room.warn(`A message of ${member.name} does not open.`);
  }
  // Expired entries, told of already, explain missing numbers.
  if (message.n > chain.n && !state.expired) {
    room.notice(`${message.n - chain.n} messages of ${member.name} are missing.`);
  }
  if (content.type !== contentTypes.attest) room.confirmations.needs(pos, message.sender, time * 1000);
  chain.key = chainKey;
  chain.n = message.n + 1;
  if (!remember(room, message.sender, content.msgId)) return;
  show(room, { message, pos, from: member.name, own, content, address });
}

/** Whoever invited us speaks here: it is the room that was meant. */
export function confirmRoom(room: ClientRoom): void {
  const name = room.nameOf(room.state.inviter!);
  room.state.inviter = null;
  room.notice(`The room is confirmed: ${name}, who invited you, is in it.`);
}

function parse(bytes: Bytes): Message | null {
  try {
    return parseMessage(bytes);
  } catch (error) {
    if (error instanceof ChatError) return null;
    throw error;
  }
}

/** An own message that waits in the outbox, byte for byte: takes it out. */
function confirm(room: ClientRoom, message: Message) {
  const { outbox } = room.state;
  const at = outbox.findIndex((item) => item.sealed !== null && equals(item.sealed.bytes, message.bytes));
  if (at < 0) return null;
  const [item] = outbox.splice(at, 1);
  room.state.epochMessages++;
  return item;
}

/** @returns false when this (sender, msg_id) was there before */
function remember(room: ClientRoom, sender: Bytes, msgId: Bytes): boolean {
  const key = `${encodeHex(sender)} ${encodeHex(msgId)}`;
  const [before, now] = room.state.seen;
  if (before.includes(key) || now.includes(key)) return false;
  now.push(key);
  return true;
}

interface Opened {
  readonly message: Message;
  readonly pos: number;
  readonly from: string;
  readonly own: boolean;
  readonly content: Content;
  readonly address: string;
}

function show(room: ClientRoom, { message, pos, from, own, content, address }: Opened): void {
  switch (content.type) {
    case contentTypes.text:
    case contentTypes.action:
      return room.event({
        type: "message",
        room: room.label,
        from,
        fromId: encodeHex(message.sender),
        own,
        pos,
        readers: { epoch: message.epoch, names: room.memberNames },
        msgId: encodeHex(content.msgId),
        timeMs: shownTime(content.timeMs),
        text: new TextDecoder().decode(content.body),
        action: content.type === contentTypes.action,
        address,
      });
    case contentTypes.attest:
      return;
    case contentTypes.file:
      return room.notice(`${from} sent a file, which this version cannot receive.`);
    default:
      return room.notice(`${from} sent something that this version does not know.`);
  }
}
