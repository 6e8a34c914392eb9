/**
 * RoomTrust: the cards and pins that a room's entries rest on. The room waits where one is missing, or where a name has
 * another key than the one that is known.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import type { Named } from "../../protocol/identity/name.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import type { RoomContext } from "./room_context.ts";

const retryCardsMs = 5_000;

/** What is needed of the room that waits. */
export interface TrustingRoom {
  /** Cards and pins. */
  readonly context: Pick<RoomContext, "directory" | "known" | "serverId">;
  /** Where cards are asked for. */
  readonly connection: Connection | null;
  /** Where the person is warned. */
  readonly news: { warnOnce(text: string): void };
  /** Stores, then shows what has happened so far. */
  flush(): void;
  /** Waits for so long, or until the room is told to go on. @param ms null: only until told @throws LinkLost */
  pause(ms: number | null): Promise<void>;
  /** The chat's chance to ask the person. */
  onJobDone(): void;
}

/** What one room rests on. */
export class RoomTrust {
  /** A changed key that the room waits for, until the person says which one to trust. */
  conflict: Named | null = null;

  /** @param room the one that waits */
  constructor(private readonly room: TrustingRoom) {}

  /** Waits until all these cards are here: what rests on them may not be judged without. @throws LinkLost */
  async needCards(ids: readonly Bytes[]): Promise<void> {
    const { room } = this;
    const { directory } = room.context;
    while (directory.missing(ids).length > 0) {
      if (!room.connection) throw new LinkLost();
      await directory.fetchCards(room.connection, ids);
      if (directory.missing(ids).length === 0) break;
      room.news.warnOnce("The server withholds the card of a member; the room waits for it.");
      room.flush(); // stored before it is shown, as ever
      await room.pause(retryCardsMs);
    }
    directory.save(); // what is about to rely on them must find them after a crash
  }

  /** Waits until no name conflicts with a pin. @throws LinkLost */
  async needPins(people: readonly Named[]): Promise<void> {
    const { room } = this;
    const { known, serverId } = room.context;
    for (;;) {
      const person = people.find((p) => known.conflicts(serverId, p.name, p.id));
      if (!person) return;
      this.conflict = { name: person.name, id: person.id };
      room.news.warnOnce(
        `The key of ${person.name} has changed from ${
          fingerprint(known.user(serverId, person.name)!.id)
        } to ${fingerprint(person.id)}. The room waits: "/verify ${person.name}" shows the digits to ` +
          `compare, "/trust ${person.name}" accepts the new key.`,
      );
      room.flush(); // stored before it is shown, as ever
      room.onJobDone();
      if (this.conflict) await room.pause(null);
    }
  }

  /** Pins the people who are new to us. @throws FileTrouble: nothing has moved yet, and it is done again */
  keepPins(people: readonly Named[]): void {
    const { known, serverId } = this.room.context;
    for (const { name, id } of people) if (!known.user(serverId, name)) known.pinUser(serverId, name, id);
  }
}
