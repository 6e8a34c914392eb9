/** Answers: what the program tells of rooms and people when it is asked. */

import { encodeHex } from "../../hex.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { ChatError } from "../../errors.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { basePolicy, findMember, isAdmin, keyFileFlag, policies } from "../../protocol/group/roster.ts";
import { timestamp } from "../../timestamp.ts";
import type { ChatApi } from "./chat_api.ts";
import { KeyFileRoom } from "../rooms/key_file_room.ts";
import { findPerson } from "../rooms/people.ts";
import { MemberRoom } from "../rooms/member_room.ts";
import type { RoomStream } from "../rooms/room_stream.ts";

/** `/who`: the members of the room on the screen, and how far they have confirmed what we see. */
export function who(chat: ChatApi): string[] {
  const { room } = chat;
  if (room instanceof KeyFileRoom) {
    return [
      ...room.memberNames.map((name, i) =>
        i === 0 ? `${name.padEnd(24)} you` : `${name.padEnd(24)} has said something`
      ),
      "Who else holds the key file, nobody can say.",
    ];
  }
  if (!(room instanceof MemberRoom) || !room.state.head) return ["You are in no room yet."];
  const lines = room.state.head.roster.map((member) => {
    const own = member.name === chat.profile.card.name;
    const here = own || room.present.has(encodeHex(member.id));
    const role = isAdmin(member) ? ", admin" : "";
    const verified = chat.isVerified(member.name) ? "verified" : "not verified";
    const presence = room.connection ? here ? "here" : "away" : "(not connected)";
    return `${member.name.padEnd(24)} ${presence}${role}${own ? ", you" : `, ${verified}`}`;
  });
  return [...lines, confirmedLine(room)];
}

/** Whether the others have seen the same (protocol §9). */
function confirmedLine(room: MemberRoom): string {
  const { confirmed, head } = room.state;
  if (head!.roster.length === 1) return "Nobody else is in the room who could confirm what you see.";
  if (!confirmed) return "No other member has confirmed yet that they see the same.";
  const time = timestamp(confirmed.timeMs);
  return `${room.nameOf(confirmed.by)} has confirmed to see the same up to ${time.slice(11, 16)} (${
    time.slice(0, 10)
  }).`;
}

/** `/whois NAME`: the key behind a name, how it was checked, and where it is seen. */
export async function whois(chat: ChatApi, name: string): Promise<string[]> {
  if (name === "") throw new ChatError("Whom? /whois NAME", "/who shows all members");
  const { context } = chat;
  if (skeleton(name) === skeleton(context.card.name)) {
    return [`${context.card.name}: you`, `  fingerprint  ${fingerprint(context.card.id)}`];
  }
  const card = await findPerson(context, chat.connection, name);
  const pinned = context.known.user(context.serverId, name);
  const how = pinned?.verified
    ? `yes${pinned.verifiedAt ? `, on ${timestamp(pinned.verifiedAt * 1000).slice(0, 10)}` : ""}`
    : `no; "/verify ${card.name}" compares digits`;
  const rooms = [...chat.rooms.values()].flatMap((room) => {
    if (!(room instanceof MemberRoom) || room.state.status !== "in") return [];
    const member = findMember(room.state.head!.roster, card.id);
    if (!member) return [];
    const here = room.present.has(encodeHex(card.id)) ? "here" : "away";
    return [
      `  in ${room.label}: ${here}, ${isAdmin(member) ? "admin" : "member"} since epoch ${member.since}`,
    ];
  });
  return [
    `${card.name}`,
    `  fingerprint  ${fingerprint(card.id)}`,
    `  verified     ${how}`,
    `  known since  ${pinned?.at ? timestamp(pinned.at * 1000) : "now"}`,
    ...(rooms.length > 0 ? rooms : ["  in no room of yours"]),
  ];
}

/** `/rooms`: where we are. */
export function rooms(chat: ChatApi): string[] {
  const all = [...chat.rooms.values()].filter((room) => room.state.status !== "gone");
  if (all.length === 0) return ["You are in no room yet."];
  const { numbered } = chat;
  return [...numbered, ...all.filter((room) => !numbered.includes(room))].map((room) => {
    const number = numbered.indexOf(room) + 1;
    const unread = room.news.unread === 0 ? "" : `, ${room.news.unread} new`;
    return `${room === chat.room ? "*" : " "} ${number === 0 ? " " : number} ${room.label.padEnd(26)} ${
      describe(room)
    }${unread}`;
  });
}

function describe(room: RoomStream): string {
  const worry = room.worry === "" ? "" : `, ${room.worry}`;
  if (room instanceof KeyFileRoom) return `key-file room${worry}`;
  if (!(room instanceof MemberRoom) || !room.state.head) return room.worry;
  const { policy, roster } = room.state.head;
  const kind = policy === policies.direct
    ? "you two alone"
    : `${basePolicy(policy) === policies.closed ? "closed" : "open"}, ${
      roster.length === 1 ? "1 member" : `${roster.length} members`
    }`;
  return `${kind}${(policy & keyFileFlag) !== 0 ? ", with a key file" : ""}${worry}`;
}
