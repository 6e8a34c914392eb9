/** RoomSet: all rooms at the server, and how a person tells them apart. */

import { encodeHex } from "../../hex.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { ChatError } from "../../errors.ts";
import { MemberRoom } from "./member_room.ts";
import type { RoomStream } from "./room_stream.ts";

/** All rooms of one run. */
export class RoomSet {
  /** By id in hex. */
  readonly all = new Map<string, RoomStream>();

  /** Adds one. */
  add<Room extends RoomStream>(room: Room): Room {
    this.all.set(encodeHex(room.state.id), room);
    return room;
  }

  /** Whether it is one of them. */
  has(room: RoomStream): boolean {
    return this.all.get(encodeHex(room.state.id)) === room;
  }

  /** Those with members. */
  get withMembers(): MemberRoom[] {
    return [...this.all.values()].filter((room) => room instanceof MemberRoom);
  }

  /** Whether a person can call it to the screen: not one that is left, nor a room of two with an old key. */
  canBeShown(room: RoomStream): boolean {
    return room.state.status !== "gone" && !(room instanceof MemberRoom && room.isReplaced);
  }

  /** The room that a person calls by this label. */
  called(label: string): RoomStream | undefined {
    const said = label.replace(/^@/, "");
    const some = [...this.all.values()].filter((room) => this.canBeShown(room) && room.isEntered);
    return some.find((room) => room.label === label) ??
      some.find((room) => skeleton(room.label.replace(/^@/, "")) === skeleton(said));
  }

  /** The same. @throws ChatError when there is none */
  known(label: string): RoomStream {
    const room = label === "" ? undefined : this.called(label);
    if (room) return room;
    throw new ChatError(`You are in no room called "${label}"`, "/rooms shows all; /join ROOM enters one");
  }

  /** An ordinary room that we are in, by its name in any spelling. */
  entered(name: string): MemberRoom | undefined {
    return this.withMembers.find((room) =>
      !room.isDirect && room.state.status === "in" && !room.state.retired &&
      skeleton(room.state.name) === skeleton(name)
    );
  }
}
