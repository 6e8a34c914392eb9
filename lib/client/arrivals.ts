/**
 * Arrivals: whoever sits down at a chat, at its beginning or while it is on: what others have entered is there at once, and
 * what was said between one holder of the profile and the next is shown.
 */

import { equals } from "@std/bytes/equals";
import type { ChatOptions } from "./chat_options.ts";
import type { Connection } from "./connection/connection.ts";
import { LinkLost } from "./connection/connection_errors.ts";
import type { Bytes } from "../crypto/bytes.ts";
import type { ChatError } from "../errors.ts";
import { skeleton } from "../protocol/identity/name.ts";
import type { Entrances } from "./rooms/entrances.ts";
import type { RoomSet } from "./rooms/room_set.ts";
import type { RoomStream } from "./rooms/room_stream.ts";
import type { ServerRooms } from "./rooms/server_rooms.ts";
import type { WantedRooms } from "./rooms/wanted_rooms.ts";
import type { Seat } from "./seat.ts";
import type { Seats } from "./seats.ts";
import type { KeyClaims } from "./trust/key_claims.ts";
import { InviteMismatch } from "./trust/known_keys.ts";

/** What arriving needs of the chat. */
export interface ArrivalsParts {
  /** Where it is, as people write it. */
  readonly place: string;
  /** Who is there. */
  readonly seats: Seats;
  /** All rooms. */
  readonly set: RoomSet;
  /** The server's. */
  readonly rooms: ServerRooms;
  /** Those that people want to be in. */
  readonly wanted: WantedRooms;
  /** Enters rooms. */
  entrances(): Entrances;
  /** Keys that stand against known ones. */
  readonly claims: KeyClaims;
  /** A fault of this program, in words. */
  fault(error: unknown): ChatError;
}

/** Those who sit down at one chat. */
export class Arrivals {
  /** @param parts of the chat */
  constructor(private readonly parts: ArrivalsParts) {}

  /** The room that somebody names is wanted. @throws WrongKeyFile when it is, with another key file */
  want({ room, to, roomKey, fernetKey, pins }: ChatOptions): void {
    const { wanted } = this.parts;
    if (to !== null) return;
    if (fernetKey) return void wanted.addKeyFileRoom(room, fernetKey);
    const said = pins ? { inviter: pins.inviterId, roomId: pins.roomId, pass: pins.pass } : {};
    wanted.add(room, { ...said, ...(roomKey ? { roomKey } : {}) });
  }

  /** Somebody has gone before the room was entered: unless others want it, nobody does. */
  wantNoMore({ room, to, fernetKey }: ChatOptions): void {
    const { wanted, seats, set } = this.parts;
    const isSame = (other: ChatOptions) =>
      other.to === null && skeleton(other.room) === skeleton(room) && isSameKey(other.fernetKey, fernetKey);
    if (to !== null || [...seats].some(({ options }) => isSame(options))) return;
    if (fernetKey) wanted.dropKeyFileRoom(room, fernetKey);
    else if (!set.entered(room)) wanted.drop(room);
  }

  /** A server that an invite names is that one, whenever the connection comes. */
  checkServer(seat: Seat, id: Bytes): void {
    const { expectServer } = seat.options;
    if (expectServer && !equals(expectServer, id)) {
      seat.fail(new InviteMismatch(this.parts.place, expectServer, id));
    }
  }

  /** Somebody has sat down while the chat is on. */
  joins(seat: Seat, connection: Connection): void {
    const { set, rooms, entrances, fault } = this.parts;
    const { room: name, to, fernetKey, login, trust } = seat.options;
    this.checkServer(seat, connection.server.id);
    if (seat.isOver) return;
    seat.isGuest = true;
    if (login.register) seat.view.notice("You are in already; nothing was registered.");
    if (trust !== null) this.#trust(trust);
    rooms.wishes();
    this.#catchUp(seat);
    seat.showStatus();
    if (to !== null) return seat.entered();
    const there = [...set.all.values()].find((room) => seat.rooms.isNamed(room) && room.isCaughtUp);
    if (there) {
      seat.take(there, true);
      seat.jobDone(there);
      return seat.event(there.enteredEvent, there, false);
    }
    entrances().enterNamed(connection, name, fernetKey).catch((error) => {
      if (!(error instanceof LinkLost)) seat.fail(fault(error)); // else with the next connection
    });
  }

  /** The program that held the profile before may have been killed before it showed what it had stored. */
  takeOver(): void {
    const { set, seats } = this.parts;
    for (const { state } of set.all.values()) {
      if (state.tail) seats.remember(state.tail);
      delete state.tail;
    }
    for (const seat of seats) this.#catchUp(seat);
  }

  /** Shows what was said while somebody went from one holder of the profile to the next. */
  #catchUp(seat: Seat): void {
    const { seats, set } = this.parts;
    for (const event of seats.recent) {
      const room = set.called(event.room);
      if (room && event.pos > (seat.before.seen[event.room] ?? Infinity)) seat.event(event, room, false);
    }
  }

  /** `--trust` of somebody who sits down while the chat is on. */
  #trust(word: string): void {
    const { claims, set } = this.parts;
    claims.say(word);
    for (const room of set.all.values()) this.acceptIfMeant(room);
  }

  /** A changed key that `--trust` names is accepted. */
  acceptIfMeant({ trust: { conflict } }: RoomStream): void {
    const { claims, seats } = this.parts;
    if (!conflict) return;
    claims.note(conflict);
    if (claims.names(conflict.name)) [...seats][0]?.conversation.acceptKey(conflict);
  }
}

/** Whether two command lines name the same kind of room, with the same key file alone or with none. */
export function isSameKey(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : equals(one, other);
}
