/** WantedRooms: the rooms that the person wants to be in, in this run, and the key files that were given for them. */

import { equals } from "@std/bytes/equals";
import { noKeyFile } from "../../protocol/group/epoch.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { ChatOptions } from "../chat_options.ts";
import type { NamedRoom } from "./room_set.ts";
import type { Wanted } from "./enter_room.ts";
import type { MemberRoom } from "./member_room.ts";

/** What is entered with each connection. */
export class WantedRooms {
  #rooms: Wanted[];

  /** @param named what the command line says of the room it names; a key-file room is entered in its own way */
  constructor({ room, roomKey, fernetKey, pins }: NamedRoom & Pick<ChatOptions, "roomKey" | "pins">) {
    this.#rooms = fernetKey ? [] : [{
      name: room,
      roomKey: roomKey ?? noKeyFile,
      inviter: pins?.inviterId ?? null,
      roomId: pins?.roomId ?? null,
    }];
  }

  /** All of them. */
  get all(): readonly Wanted[] {
    return this.#rooms;
  }

  /** By name, in any spelling. */
  find(name: string): Wanted | undefined {
    return this.#rooms.find((wanted) => skeleton(wanted.name) === skeleton(name));
  }

  /** Adds a room without a key file, unless it is wanted already. */
  add(name: string): Wanted {
    const wanted = this.find(name) ?? { name, roomKey: noKeyFile, inviter: null, roomId: null };
    if (!this.#rooms.includes(wanted)) this.#rooms.push(wanted);
    return wanted;
  }

  /** Removed members are not rejoined automatically. */
  drop(name: string): void {
    this.#rooms = this.#rooms.filter((wanted) => skeleton(wanted.name) !== skeleton(name));
  }

  /** The key files that the person has given are not kept: each run gives them anew. */
  giveRoomKey(room: MemberRoom): void {
    const wanted = this.find(room.state.name);
    if (!wanted) return;
    const mark = room.state.keyFile;
    const fits = mark ? equals(mark, room.keyFileMark(wanted.roomKey)) : room.state.status !== "in";
    if (fits) room.roomKey = wanted.roomKey;
  }
}
