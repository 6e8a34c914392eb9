/**
 * Administration of a room (protocol §7.1): putting out, keeping out, closing and opening. Each is a commit that we
 * sign, so all members see whose act it was.
 */

import { fingerprint } from "../../crypto/identity.ts";
import { ChatError } from "../../errors.ts";
import { maxBans } from "../../protocol/group/commit.ts";
import { type Named, skeleton } from "../../protocol/identity/name.ts";
import { typedName } from "../../sanitize.ts";
import { basePolicy, includesId, isAdmin, policies } from "../../protocol/group/roster.ts";
import type { ChatApi } from "./chat_api.ts";
import { findPerson } from "../rooms/people.ts";
import type { MemberRoom } from "../rooms/member_room.ts";

/** `/kick NAME`: puts a member out, for good; with `--return` the same key may come back. */
export function kick(chat: ChatApi, rest: string): void {
  const room = namedRoom(chat);
  const words = rest.split(/\s+/);
  const mayReturn = words.includes("--return");
  const name = words.filter((word) => word !== "--return").join(" ");
  if (name === "") throw new ChatError("Whom? /kick NAME", "/who shows all members");
  const member = room.state.head!.roster.find((m) => skeleton(m.name) === skeleton(name));
  if (!member) throw new ChatError(`"${name}" is no member of ${room.label}`, "/who shows all members");
  if (skeleton(name) === skeleton(chat.context.card.name)) throw new ChatError("That is you", "/leave goes");
  needAdmin(room, "put anyone out");
  putOut(chat, room, member, mayReturn);
}

function putOut({ view }: ChatApi, room: MemberRoom, { id, name }: Named, mayReturn: boolean): void {
  room.change({ add: [], remove: [id], ban: mayReturn ? [] : [id] });
  view.notice(`${name} is put out of ${room.label} as soon as the server has taken it.`);
  if (!mayReturn) tellIfFull(room, view);
  const open = room.state.head!.passes.length;
  if (open === 0) return;
  view.notice(
    `${
      open === 1 ? "One invite still lets" : `${open} invites still let`
    } somebody in by itself, whoever has it: ` +
      "/invite --list shows them, /invite --revoke takes them back.",
  );
}

/** `/ban NAME`: keeps somebody out, who may be a member now; alone: who is kept out. */
export async function ban(chat: ChatApi, name: string): Promise<void> {
  const room = namedRoom(chat);
  const { roster, bans } = room.state.head!;
  if (name === "") return chat.view.answer(await keptOut(chat, room));
  const member = roster.find((m) => skeleton(m.name) === skeleton(name));
  needAdmin(room, "keep anyone out");
  if (member && skeleton(name) !== skeleton(chat.context.card.name)) return putOut(chat, room, member, false);
  const card = await findPerson(chat.context, chat.connection, name);
  if (includesId(bans, card.id)) {
    throw new ChatError(`${card.name} is kept out of ${room.label} already`, "/ban shows who is");
  }
  room.change({ add: [], ban: [card.id] });
  chat.view.notice(`${card.name} is kept out of ${room.label} as soon as the server has taken it.`);
  tellIfFull(room, chat.view);
}

/** `/unban NAME`: whoever was put out may come in again. */
export async function unban(chat: ChatApi, name: string): Promise<void> {
  const room = namedRoom(chat);
  if (name === "") throw new ChatError("Whom? /unban NAME", "/ban shows who is kept out");
  needAdmin(room, "let anyone back in");
  const people = await barred(chat, room);
  const same = people.filter((p) => skeleton(p.name) === skeleton(name));
  if (same.length === 0) {
    throw new ChatError(`"${typedName(name)}" is not kept out of ${room.label}`, "/ban shows who is");
  }
  room.change({ add: [], unban: same.map((p) => p.id) });
  chat.view.notice(`${same[0].name} may come in to ${room.label} as soon as the server has taken it.`);
}

async function keptOut(chat: ChatApi, room: MemberRoom): Promise<string[]> {
  const people = await barred(chat, room);
  if (people.length === 0) return [`Nobody is kept out of ${room.label}.`];
  return [
    `Kept out of ${room.label}, until an admin says /unban NAME:`,
    ...people.map(({ id, name }) => `  ${name} (${fingerprint(id)})`),
  ];
}

/** Who is kept out; a name that cannot be had is the key's fingerprint. */
async function barred(chat: ChatApi, room: MemberRoom): Promise<Named[]> {
  const { directory } = chat.context;
  const { bans } = room.state.head!;
  if (chat.connection) await directory.fetchCards(chat.connection, bans);
  return bans.map((id) => ({ id, name: directory.card(id)?.name ?? fingerprint(id) }));
}

function tellIfFull(room: MemberRoom, view: ChatApi["view"]): void {
  if (room.state.head!.bans.length < maxBans) return;
  view.notice(
    `A room keeps ${maxBans} people out: whoever was put out first may come in again. Only /close keeps strangers out.`,
  );
}

/** `/close`: only admins let others in. */
export function close(chat: ChatApi): void {
  setPolicy(chat, policies.closed, "closed");
}

/** `/open`: anyone may come in. */
export function open(chat: ChatApi): void {
  setPolicy(chat, policies.open, "open");
}

function setPolicy(chat: ChatApi, policy: number, word: string): void {
  const room = namedRoom(chat);
  if (basePolicy(room.state.head!.policy) === policy) {
    throw new ChatError(`${room.label} is ${word} already`, "/rooms shows all");
  }
  needAdmin(room, policy === policies.closed ? "close it" : "open it");
  room.change({ add: [], policy });
  chat.view.notice(`${room.label} is ${word} as soon as the server has taken it.`);
}

/** The room on the screen, which is none of two. @throws ChatError */
export function namedRoom(chat: ChatApi): MemberRoom {
  const room = chat.membersRoom;
  if (!room.isDirect) return room;
  throw new ChatError("That is not possible in a room of two", "/switch ROOM goes to another room first");
}

/** What is for admins alone. @throws ChatError for others */
export function needAdmin(room: MemberRoom, what: string): void {
  if (room.isAdmin) return;
  const admins = room.state.head!.roster.filter((m) => isAdmin(m)).map((m) => m.name);
  throw new ChatError(`Only an admin of ${room.label} can ${what}`, `ask ${admins.join(" or ")}`);
}
