/** WantedRooms: the rooms that people want to be in, in this run, and the key files that were given for them. */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { noKeyFile } from "../../protocol/group/epoch.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { Wanted } from "./enter_room.ts";
import { type MemberRoom } from "./member_room.ts";
import { WrongKeyFile } from "./room_context.ts";

/** A room of everybody who has a key file. */
export interface WantedKeyFileRoom {
  /** Its name. */
  readonly name: string;
  /** 32 bytes of the file. */
  readonly key: Bytes;
}

/** What is entered with each connection. */
export class WantedRooms {
  #rooms: Wanted[] = [];
  #keyFileRooms: WantedKeyFileRoom[] = [];

  /** Those with members. */
  get all(): readonly Wanted[] {
    return this.#rooms;
  }
  /** Those with a key file alone. */
  get keyFileRooms(): readonly WantedKeyFileRoom[] {
    return this.#keyFileRooms;
  }

  /** By name, in any spelling. */
  find(name: string): Wanted | undefined {
    return this.#rooms.find((wanted) => skeleton(wanted.name) === skeleton(name));
  }

  /** Adds a room, unless it is wanted already. @throws WrongKeyFile when it is, with another key file */
  add(name: string, said: Partial<Wanted> = {}): Wanted {
    const { roomKey = noKeyFile } = said;
    const before = this.find(name);
    if (before && !equals(roomKey, noKeyFile) && !equals(roomKey, before.roomKey)) {
      throw new WrongKeyFile(name);
    }
    if (before && (said.roomId ?? null) === null) return before;
    const wanted = {
      inviter: null,
      roomId: null,
      pass: null,
      ...before,
      ...said,
      name,
      roomKey: before?.roomKey ?? roomKey,
    };
    this.#rooms = [...this.#rooms.filter((each) => each !== before), wanted];
    return wanted;
  }

  /** Adds a room with a key file alone, unless it is wanted already. */
  addKeyFileRoom(name: string, key: Bytes): WantedKeyFileRoom {
    const before = this.#keyFileRooms.find((each) =>
      skeleton(each.name) === skeleton(name) && equals(each.key, key)
    );
    if (before) return before;
    const wanted = { name, key };
    this.#keyFileRooms.push(wanted);
    return wanted;
  }

  /** Nobody wants it any more. */
  dropKeyFileRoom(name: string, key: Bytes): void {
    this.#keyFileRooms = this.#keyFileRooms.filter((each) =>
      skeleton(each.name) !== skeleton(name) || !equals(each.key, key)
    );
  }

  /** Removed members are not rejoined automatically. */
  drop(name: string): void {
    this.#rooms = this.#rooms.filter((wanted) => skeleton(wanted.name) !== skeleton(name));
  }

  /**
   * An invite of an admin lets us in anew where the server hides something.
   *
   * @returns whether it is such a one, or none is needed
   */
  renew(room: MemberRoom): boolean {
    const { pass, roomId, inviter } = this.find(room.state.name) ?? {};
    return !pass || !inviter || !roomId || !equals(roomId, room.state.id) || room.renewBy(pass, inviter);
  }

  /** An invite has come to nothing: with the next connection the room is wanted without. */
  dropPass(name: string): void {
    this.#rooms = this.#rooms.map((each) =>
      skeleton(each.name) === skeleton(name) ? { ...each, pass: null } : each
    );
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
