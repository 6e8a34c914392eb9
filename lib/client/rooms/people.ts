/**
 * People: who a name means (protocol §4.3, §8.2). The pin decides; a lookup by name is a server's claim, and
 * pins the name when it was not known.
 */

import { ChatError } from "../../errors.ts";
import type { Card } from "../../protocol/identity/card.ts";
import { typedName } from "../../sanitize.ts";
import { isName, skeleton } from "../../protocol/identity/name.ts";
import type { Connection } from "../connection/connection.ts";
import type { RoomContext } from "./room_context.ts";

/** The name means nobody. */
export class NobodyThere extends ChatError {
  /** @param name as the person typed it */
  constructor(name: string) {
    super(
      `There is nobody called "${typedName(name)}" on this server`,
      "check the spelling; /who shows who is in the room",
    );
  }
}

/**
 * The card of somebody else.
 *
 * @param connection null when there is none: only who is known can be found then
 * @throws NobodyThere, ChatError for oneself, LinkLost
 */
export async function findPerson(
  context: RoomContext,
  connection: Connection | null,
  name: string,
): Promise<Card> {
  const { known, directory, serverId, card: own } = context;
  if (!isName(name)) throw new NobodyThere(name);
  if (skeleton(name) === skeleton(own.name)) {
    throw new ChatError("That is you", "give the name of somebody else; /who shows who is in the room");
  }
  const pinned = known.user(serverId, name);
  if (pinned) {
    if (!directory.card(pinned.id) && connection) await directory.fetchCards(connection, [pinned.id]);
    const card = directory.card(pinned.id);
    if (card) return card;
  }
  if (!connection) {
    throw new ChatError(
      "You are not connected now, and that name is not known here",
      "type it again when you are",
    );
  }
  const found = pinned ? null : await directory.findByName(connection, name);
  if (!found || skeleton(found.name) !== skeleton(name)) throw new NobodyThere(name);
  known.pinUser(serverId, found.name, found.id);
  return found;
}
