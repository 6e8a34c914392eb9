/** `/why`: who could read a message, with which keys it was sealed, and how its sender is known. */

import { decodeHex } from "@std/encoding/hex";
import { encodeHex } from "../../hex.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { ChatError } from "../../errors.ts";
import { timestamp } from "../../timestamp.ts";
import type { ChatApi } from "./chat_api.ts";
import { MemberRoom } from "../rooms/member_room.ts";
import type { MessageEvent, Readers } from "../room_events.ts";

const excerptCharacters = 60;

/** Tells of the last message in the room on the screen, or the n-th last. @throws ChatError when there is none */
export function why(chat: ChatApi, rest: string): string[] {
  const n = rest === "" ? 1 : Number(rest);
  if (!Number.isInteger(n) || n < 1) {
    throw new ChatError("Which message? /why, or /why N", "/why 2: the last but one");
  }
  const { room } = chat;
  const message = room ? chat.shown.nthLast(room.label, n) : undefined;
  if (!room || !message) {
    throw new ChatError(
      n === 1
        ? "Nothing was said here since you joined"
        : `Fewer than ${n} messages were shown since you joined`,
      "/why tells of messages of this run, up to 500",
    );
  }
  const { timeMs, from, text, action, readers, pos, answer } = message;
  const flat = text.replaceAll(/\s+/g, " ");
  const excerpt = flat.length > excerptCharacters ? `${flat.slice(0, excerptCharacters)}…` : flat;
  const said = action ? `* ${from} ${excerpt}` : `${from}: ${excerpt}`;
  // Marked, as all that is quoted: it must not be taken for a line that is said now.
  const lines = [`| ${timestamp(timeMs)} ${said}`, signedLine(chat, message)];
  if (answer) {
    return [
      ...lines,
      "  The server says this to you alone, with the key file: whoever holds it could read it.",
    ];
  }
  if (!readers) {
    return [...lines, "  Sealed with the key file alone: whoever holds it, now or later, could read it."];
  }
  return [
    ...lines,
    `  Sealed with the keys of epoch ${readers.epoch}, at position ${pos} of ${room.label}.`,
    ...readersLines(readers),
    confirmedLine(room, pos),
  ];
}

function readersLines({ names, unproven = [] }: Readers): string[] {
  const proven = names.filter((name) => !unproven.includes(name));
  const lines = [`  Could be read by: ${proven.join(", ")}; not by the server.`];
  if (unproven.length === 0) return lines;
  const who = unproven.length === 1 ? `${unproven[0]} has` : `${unproven.join(", ")} have`;
  return [...lines, `  ${who} not shown yet to have the key file: without it nobody can read it.`];
}

function signedLine(chat: ChatApi, { own, from, fromId }: MessageEvent): string {
  const print = fingerprint(decodeHex(fromId));
  if (own) return `  Signed by you, with the key ${print}.`;
  const { known, serverId } = chat.context;
  const pin = known.user(serverId, from);
  const how = pin?.verified && encodeHex(pin.id) === fromId
    ? "which you have verified"
    : `not verified; "/verify ${from}" compares digits`;
  return `  Signed with the key ${print}, ${how}.`;
}

function confirmedLine(room: object, pos: number): string {
  const confirmed = room instanceof MemberRoom ? room.state.confirmed : null;
  return room instanceof MemberRoom && confirmed && confirmed.pos >= pos
    ? `  ${room.nameOf(confirmed.by)} has confirmed to see the same up to there.`
    : "  Nobody else has confirmed yet to see the same up to there.";
}
