/**
 * Inviting: the command that joins a room, to hand on; with a pass (protocol §7.6) it lets one person in though nobody
 * is at home, until it is taken back.
 */

import { seconds } from "../../clock.ts";
import { signingKey } from "../../crypto/ed25519.ts";
import { isLoopback } from "../../loopback.ts";
import { ChatError } from "../../errors.ts";
import { command } from "../../program.ts";
import { formatInvite, type InvitePass } from "../../protocol/identity/invite.ts";
import { isName, skeleton } from "../../protocol/identity/name.ts";
import { basePolicy, findMember, includesId, keyFileFlag, policies } from "../../protocol/group/roster.ts";
import { typedName } from "../../sanitize.ts";
import { shownTime, timestamp } from "../../timestamp.ts";
import type { ChatApi } from "./chat_api.ts";
import { namedRoom, needAdmin } from "./administration.ts";
import { findPerson, NobodyThere } from "../rooms/people.ts";
import type { MemberRoom } from "../rooms/member_room.ts";

const passSeconds = 7 * 86_400;

/** `/invite`: the link that pins server, room and us; `/invite NAME`: lets somebody in; and passes. */
export async function invite(chat: ChatApi, rest: string): Promise<void> {
  const room = namedRoom(chat);
  const words = rest.split(/\s+/).filter((word) => word !== "");
  const name = words.filter((word) => !word.startsWith("--")).join(" ");
  if (words.includes("--revoke")) return revoke(chat, room, name);
  if (words.includes("--list")) return chat.view.answer(listed(room));
  if (words.includes("--pass")) return makePass(chat, room, name);
  const option = words.find((word) => word.startsWith("--"));
  if (option) {
    throw new ChatError(
      `/invite has no option "${typedName(option)}"`,
      "/help invite shows those that it has",
    );
  }
  if (name === "") return chat.view.answer(linkTo(chat, room, null, "NAME"));
  await letIn(chat, room, name);
}

async function letIn(chat: ChatApi, room: MemberRoom, name: string): Promise<void> {
  const { policy, roster, bans } = room.state.head!;
  if (basePolicy(policy) === policies.closed) needAdmin(room, "let anyone in");
  const card = await findPerson(chat.context, chat.connection, name).catch((error) => {
    if (!(error instanceof NobodyThere) || !isName(name) || !room.isAdmin || hasKeyFile(room)) throw error;
    return null; // who has never been here can be let in beforehand
  });
  if (!card) {
    chat.view.notice(`Nobody called ${name} has been here yet: an invite for that name is made.`);
    return makePass(chat, room, name);
  }
  if (findMember(roster, card.id)) {
    throw new ChatError(`${card.name} is in ${room.label} already`, "/who shows all members");
  }
  if (includesId(bans, card.id)) needAdmin(room, `let ${card.name} in again`);
  room.change({ add: [card] });
  chat.view.notice(`${card.name} is let in to ${room.label} as soon as the server has taken it.`);
}

/** The command that joins, and how it is reached. */
function linkTo(chat: ChatApi, room: MemberRoom, pass: InvitePass | null, name: string): string[] {
  const { host, port, others, tls } = chat.target;
  const pins = { roomId: room.state.id, inviterId: chat.context.card.id, pass };
  const said = chat.connection?.publicPlace ?? null;
  // Never from TLS to none: who listens on the way would see who talks.
  const told = said && (said.tls || !tls) ? said : null;
  // Nobody else reaches this machine by such a name.
  const isOnlyHere = told === null && isLoopback(host);
  const place = told ?? (isOnlyHere ? { host: "HOST", port, others: [], tls } : { host, port, others, tls });
  const invited = { ...place, room: room.state.name, serverId: chat.context.serverId, pins };
  const reach = isOnlyHere
    ? [`Put the server's name or address in place of HOST; on this machine it is ${host}.`]
    : place.host !== host && !isLoopback(host)
    ? [`The operator says that others reach it there; you are at ${host}.`]
    : [];
  return [command(`join -u ${name} '${formatInvite(invited)}'`), ...reach];
}

/** Lists a pass, and shows the invite once it is listed: before that it lets nobody in. */
function makePass(chat: ChatApi, room: MemberRoom, name: string): void {
  needAdmin(room, "make an invite that lets somebody in by itself");
  if (name !== "" && !isName(name)) {
    throw new ChatError(
      `"${typedName(name)}" is no name`,
      "/invite --pass NAME, or /invite --pass for anybody",
    );
  }
  if (hasKeyFile(room)) {
    throw new ChatError(
      `${room.label} has a key file: nobody comes in there by an invite alone`,
      "/invite alone gives the command that asks to be let in",
    );
  }
  const { random, clock } = chat.context;
  const seed = random(32);
  const until = seconds(clock) + passSeconds;
  const { view } = chat;
  room.listPass({ key: signingKey(seed).publicKey, until, name }, (epoch) => {
    const whom = name === "" ? "Whoever has this comes" : `With this ${name}, and nobody else, comes`;
    view.answer([
      `${whom} in to ${room.label}, once, until ${endOf(until)}, though nobody is here:`,
      ...linkTo(chat, room, { seed, epoch }, name === "" ? "NAME" : name),
    ]);
  });
  view.notice("The invite is shown as soon as the server has taken it.");
}

/** The last minute of a pass, in the time of this machine. */
function endOf(until: number): string {
  return timestamp(shownTime(until * 1000)).slice(0, -":00".length);
}

/** The invites that let somebody in by themselves. */
function listed(room: MemberRoom): string[] {
  const { passes } = room.state.head!;
  if (passes.length === 0) return [`No invite to ${room.label} lets anybody in by itself.`];
  return [
    `Invites to ${room.label} that let somebody in by themselves, once:`,
    ...passes.map(({ name, until }) => `  ${name === "" ? "whoever has it" : name}, until ${endOf(until)}`),
  ];
}

/** Invites that were made by passes, for one name or all, let nobody in any more. */
function revoke(chat: ChatApi, room: MemberRoom, name: string): void {
  needAdmin(room, "take an invite back");
  const { passes } = room.state.head!;
  const some = name === "" ? passes : passes.filter((pass) => skeleton(pass.name) === skeleton(name));
  if (some.length === 0) {
    throw new ChatError(
      name === ""
        ? `No invite to ${room.label} lets anybody in by itself`
        : `No invite to ${room.label} is for "${typedName(name)}"`,
      "/invite --pass makes one; /close keeps out whoever has another",
    );
  }
  room.change({ add: [], revoke: some.map(({ key }) => key) });
  const what = some.length === 1 ? "One invite lets" : `${some.length} invites let`;
  chat.view.notice(`${what} nobody in to ${room.label} any more, as soon as the server has taken it.`);
}

function hasKeyFile(room: MemberRoom): boolean {
  return (room.state.head!.policy & keyFileFlag) !== 0;
}
