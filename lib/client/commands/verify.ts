/**
 * Verifying (protocol §4.3): digits that two people compare over another way, then a mark on the pin. A
 * comparison is worth what the other way is worth: a voice that is known, a meeting.
 */

import { roomDigits, safetyDigits } from "../../crypto/digits.ts";
import { fingerprint } from "../../crypto/identity.ts";
import type { ChatApi } from "./chat_api.ts";
import { findPerson } from "../rooms/people.ts";
import { MemberRoom } from "../rooms/member_room.ts";

/** `/verify`: the digits of the room, the server and ourselves. */
function allDigits(chat: ChatApi): string[] {
  const { context, room } = chat;
  const lines = [
    `Your key     ${fingerprint(context.card.id)}`,
    `The server   ${fingerprint(context.serverId)}`,
  ];
  if (!(room instanceof MemberRoom) || !room.state.head) return lines;
  return [
    ...lines,
    `This room    ${roomDigits(room.state.head.commitHash)}`,
    "The room's digits change with its members and keys: all who see the same ones are in the same room now.",
  ];
}

/** `/verify NAME`: shows the digits that both see, and marks the pin once the person says that they match. */
export async function verify(chat: ChatApi, name: string): Promise<void> {
  const { context, view } = chat;
  if (name === "") return view.answer(allDigits(chat));
  const claims = chat.claimsTo(name);
  const known = context.known.user(context.serverId, name);
  if (claims.length > 0 && known) {
    const several = claims.length > 1;
    return view.answer([
      `The key of ${claims[0].name} has changed. With the known key, both of you see`,
      `  ${safetyDigits(context.card.id, known.id)}`,
      ...claims.flatMap(({ id }) => ["with the new one", `  ${safetyDigits(context.card.id, id)}`]),
      several
        ? `At most one of the new ones is true. "/trust ${name} 12345" accepts the one whose digits begin so.`
        : `If ${claims[0].name} sees the second, "/trust ${claims[0].name}" accepts it.`,
    ]);
  }
  const card = await findPerson(context, chat.connection, name);
  view.answer([
    `When ${card.name} types /verify ${context.card.name}, the same digits must stand there:`,
    `  ${safetyDigits(context.card.id, card.id)}`,
    "Compare them by a way that the server cannot change: aloud, or side by side.",
  ]);
  if (!view.interactive) return;
  if (!await chat.questions.ask("Are they the same?")) {
    return view.notice(`${card.name} is not marked as verified.`);
  }
  context.known.pinUser(context.serverId, card.name, card.id, true);
  view.notice(`${card.name} is verified.`);
}
