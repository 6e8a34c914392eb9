/** PeopleHere: who is in the room on the screen and how far they are known, for views that show them beside it. */

import { encodeHex } from "../../hex.ts";
import { isAdmin } from "../../protocol/group/roster.ts";
import { MemberRoom } from "../rooms/member_room.ts";
import type { ChatApi } from "./chat_api.ts";

/** Somebody in a room. */
export interface PersonHere {
  /** On the card. */
  readonly name: string;
  /** Of the key, in hex; empty where nobody can say. */
  readonly id: string;
  /** It is us. */
  readonly own: boolean;
  readonly isAdmin: boolean;
  /** We have compared digits. */
  readonly isVerified: boolean;
  /** Linked, as the server says; null while we are not. */
  readonly isHere: boolean | null;
}

/** All of a room. */
export interface RoomPeople {
  /** Its label; empty for no room. */
  readonly room: string;
  /** Whose key has changed, so that the room waits; null for nobody's. */
  readonly changed: string | null;
  readonly people: readonly PersonHere[];
}

/** Those of the room on the screen. */
export function peopleHere(chat: ChatApi): RoomPeople {
  const { room } = chat;
  if (!room) return { room: "", changed: null, people: [] };
  const shared = { room: room.label, changed: room.trust.conflict?.name ?? null };
  const own = chat.profile.card.name;
  if (!(room instanceof MemberRoom) || !room.state.head) {
    const people = [...room.memberNames].map((name) => ({
      name,
      id: "",
      own: name === own,
      isAdmin: false,
      isVerified: chat.isVerified(name),
      isHere: null,
    }));
    return { ...shared, people };
  }
  const people = room.state.head.roster.map((member) => {
    const id = encodeHex(member.id);
    return {
      name: member.name,
      id,
      own: member.name === own,
      isAdmin: isAdmin(member),
      isVerified: chat.isVerified(member.name),
      isHere: room.connection ? member.name === own || room.present.has(id) : null,
    };
  });
  return { ...shared, people };
}
