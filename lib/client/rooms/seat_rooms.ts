/** SeatRooms: what one person or program looks at: the room on the screen, and the one that its command line names. */

import { ChatError } from "../../errors.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { KeyFileRoom } from "./key_file_room.ts";
import { MemberRoom } from "./member_room.ts";
import type { RoomOrder } from "./room_order.ts";
import type { RoomSet } from "./room_set.ts";
import type { RoomStream } from "./room_stream.ts";

/** Which room a command line names. */
export interface NamedRoom {
  /** Its name; null for none: somebody is written to alone. */
  readonly room: string | null;
  /** A key-file room, if there is a key. */
  readonly fernetKey: Uint8Array | null;
}

/** The rooms of one seat. */
export class SeatRooms {
  /** The room on the screen, in which lines are said; null before one is entered. */
  shown: RoomStream | null = null;
  /** The room that the command line names, once it is entered. */
  main: RoomStream | null = null;
  /** The room on the screen was replaced automatically: a line may have been begun for the one before. */
  isDisplaced = false;

  /** @param named by the command line @param set all rooms at the server */
  constructor(readonly named: NamedRoom, private readonly set: RoomSet) {}

  /** The rooms have begun anew. */
  clear(): void {
    this.shown = this.main = null;
  }

  /** Whether it is the room that the command line names, entered or not. */
  isNamed(room: RoomStream): boolean {
    // One that ended at its door has given its name back.
    if (this.main && this.set.has(this.main)) return room === this.main;
    const { fernetKey, room: name } = this.named;
    if (name === null) return false;
    if (fernetKey) {
      return room instanceof KeyFileRoom && skeleton(room.state.name) === skeleton(name) &&
        room.hasKey(fernetKey);
    }
    return room instanceof MemberRoom && !room.isDirect && skeleton(room.state.name) === skeleton(name);
  }

  /** Whether it is on the screen, or will be. */
  isHere(room: RoomStream): boolean {
    return this.shown ? room === this.shown : this.isNamed(room);
  }

  /** The rooms that can be shown, as a person counts them; a room keeps its number in later runs. */
  numbered(order: RoomOrder): RoomStream[] {
    const some = [...this.set.all.values()].filter((room) =>
      this.set.canBeShown(room) && (room.state.status === "in" || room === this.shown)
    );
    // The room of the command line also comes before new rooms.
    return order.sorted(some.toSorted((a, b) => Number(this.isNamed(b)) - Number(this.isNamed(a))));
  }

  /** The room on the screen, if it has members and admins. @throws ChatError */
  get membersRoom(): MemberRoom {
    if (this.shown instanceof MemberRoom && this.shown.state.head) return this.shown;
    throw new ChatError(
      this.shown ? "That is for rooms with members; this one has only a key file" : "You are in no room yet",
      "/rooms shows where you are",
    );
  }

  /** The room to show when the one on the screen is gone: ordinary rooms before direct ones. */
  next(): RoomStream | undefined {
    const some = [...this.set.all.values()].filter(({ state }) => state.status === "in" && !state.retired);
    const isDirect = (room: RoomStream) => room instanceof MemberRoom && room.isDirect;
    return some.find((room) => room === this.main) ?? some.find((room) => !isDirect(room)) ?? some[0];
  }
}
