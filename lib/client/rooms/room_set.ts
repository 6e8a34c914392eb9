/** RoomSet: all rooms at the server, which of them is on the screen, and how a person tells them apart. */

import { encodeHex } from "@std/encoding/hex";
import { skeleton } from "../../protocol/identity/name.ts";
import { ChatError } from "../../errors.ts";
import { KeyFileRoom } from "./key_file_room.ts";
import { MemberRoom } from "./member_room.ts";
import type { RoomOrder } from "./room_order.ts";
import type { RoomStream } from "./room_stream.ts";

/** Which room the command line names. */
export interface NamedRoom {
  /** Its name. */
  readonly room: string;
  /** A key-file room, if there is a key. */
  readonly fernetKey: Uint8Array | null;
}

/** All rooms of one run. */
export class RoomSet {
  /** By id in hex. */
  readonly all = new Map<string, RoomStream>();
  /** The room on the screen, in which lines are said; null before one is entered. */
  shown: RoomStream | null = null;
  /** The room that the command line names, once it is entered. */
  main: RoomStream | null = null;
  /** The room on the screen was replaced automatically: a line may have been begun for the one before. */
  isDisplaced = false;

  /** @param named by the command line */
  constructor(private readonly named: NamedRoom) {}

  /** Begins anew. */
  clear(): void {
    this.all.clear();
    this.shown = this.main = null;
  }

  /** Adds one. */
  add<Room extends RoomStream>(room: Room): Room {
    this.all.set(encodeHex(room.state.id), room);
    return room;
  }

  /** Those with members. */
  get withMembers(): MemberRoom[] {
    return [...this.all.values()].filter((room) => room instanceof MemberRoom);
  }

  /** Whether it is the room that the command line names, entered or not. */
  isNamed(room: RoomStream): boolean {
    if (this.main) return room === this.main;
    const { fernetKey, room: name } = this.named;
    if (fernetKey) return room instanceof KeyFileRoom;
    return room instanceof MemberRoom && !room.isDirect && skeleton(room.state.name) === skeleton(name);
  }

  /** Whether it can be called to the screen, and is not there, nor will be. */
  isElsewhere(room: RoomStream): boolean {
    return this.canBeShown(room) && (this.shown ? room !== this.shown : !this.isNamed(room));
  }

  /** Whether a person can call it to the screen: not one that is left, nor a room of two with an old key. */
  canBeShown(room: RoomStream): boolean {
    return room.state.status !== "gone" && !(room instanceof MemberRoom && room.isReplaced);
  }

  /** The rooms that can be shown, as a person counts them; a room keeps its number in later runs. */
  numbered(order: RoomOrder): RoomStream[] {
    const some = [...this.all.values()].filter((room) =>
      this.canBeShown(room) && (room.state.status === "in" || room === this.shown)
    );
    // The room of the command line also comes before new rooms.
    return order.sorted(some.toSorted((a, b) => Number(this.isNamed(b)) - Number(this.isNamed(a))));
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
    const some = [...this.all.values()].filter(({ state }) => state.status === "in" && !state.retired);
    const isDirect = (room: RoomStream) => room instanceof MemberRoom && room.isDirect;
    return some.find((room) => room === this.main) ?? some.find((room) => !isDirect(room)) ?? some[0];
  }

  /** An ordinary room that we are in, by its name in any spelling. */
  entered(name: string): MemberRoom | undefined {
    return this.withMembers.find((room) =>
      !room.isDirect && room.state.status === "in" && !room.state.retired &&
      skeleton(room.state.name) === skeleton(name)
    );
  }
}
