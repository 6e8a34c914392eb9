/**
 * Entrances: enters rooms. Each new connection enters every wanted room, again or for the first time; what goes wrong
 * in a room beside the main one is told, and ends nothing.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import { ChatError, inWords } from "../../errors.ts";
import { roomKinds } from "../../protocol/channel/link_messages.ts";
import { keyFileRoomId } from "../../protocol/group/key_file_message.ts";
import { BadName, isName, skeleton } from "../../protocol/identity/name.ts";
import type { Audience } from "../audience.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import { retryWhileLimited } from "../connection/retry_while_limited.ts";
import type { KeyClaims } from "../trust/key_claims.ts";
import type { DirectRooms } from "./direct_rooms.ts";
import { enterRoom, type Entrance, type Wanted } from "./enter_room.ts";
import { KeyFileRoom, type KeyFileRoomState, newKeyFileRoomState } from "./key_file_room.ts";
import type { MemberRoom } from "./member_room.ts";
import type { RoomSet } from "./room_set.ts";
import type { RoomStream } from "./room_stream.ts";
import type { ServerRooms } from "./server_rooms.ts";
import type { WantedKeyFileRoom, WantedRooms } from "./wanted_rooms.ts";

/** What entering needs of the chat. */
export interface EntrancesParts {
  /** Time. */
  readonly clock: Clock;
  /** Whom to tell. */
  readonly seats: Audience;
  /** Aborted when the person goes. */
  readonly signal: AbortSignal;
  /** Whether the person accepts another room by a name. */
  readonly claims: KeyClaims;
  /** All rooms. */
  readonly set: RoomSet;
  /** The server's. */
  readonly rooms: ServerRooms;
  /** Those that the person wants to be in. */
  readonly wanted: WantedRooms;
  /** Rooms of two. */
  readonly direct: DirectRooms;
  /** This is the room that was meant: lines go there as soon as they can. */
  take(room: RoomStream): void;
  /** A wanted room is not to be entered. */
  refused(name: string, fernetKey: Bytes | null, error: ChatError): void;
}

/** Enters the rooms of one server. */
export class Entrances {
  #watched = new Set<{ room: RoomStream; check: () => void }>();

  /** @param parts of the chat */
  constructor(private readonly parts: EntrancesParts) {}

  /** Enters all that are wanted. @throws LinkLost */
  async enterAll(connection: Connection): Promise<void> {
    const { wanted, set, direct } = this.parts;
    for (const each of [...wanted.keyFileRooms]) await this.#enterWantedKeyFileRoom(connection, each);
    for (const each of [...wanted.all]) await this.#enterWanted(connection, each);
    for (const room of set.withMembers) {
      if (room.state.status !== "waiting" || !room.isDirect) continue;
      await this.#telling(() => direct.begin(room), (error) => this.parts.seats.warning(inWords(error)));
    }
  }

  /** Enters one that is wanted. @throws LinkLost */
  async enterNamed(connection: Connection, name: string, fernetKey: Bytes | null): Promise<void> {
    const { wanted } = this.parts;
    if (fernetKey) await this.#enterWantedKeyFileRoom(connection, wanted.addKeyFileRoom(name, fernetKey));
    else await this.#enterWanted(connection, wanted.find(name)!);
  }

  #enterWanted(connection: Connection, each: Wanted): Promise<void> {
    return this.#telling(
      () => enterRoom(this.#entrance(), connection, each),
      (error) => this.parts.refused(each.name, null, error),
    );
  }
  #enterWantedKeyFileRoom(connection: Connection, each: WantedKeyFileRoom): Promise<void> {
    return this.#telling(
      () => this.#enterKeyFileRoom(connection, each),
      (error) => this.parts.refused(each.name, each.key, error),
    );
  }

  /** Enters a room by its name. @returns it; null when it is entered with the next connection @throws ChatError */
  async enter(name: string, connection: Connection | null): Promise<MemberRoom | null> {
    if (name === "") throw new ChatError("Which room? /join ROOM", "/rooms shows those you are in");
    if (!isName(name)) throw new BadName("room name", name);
    const { set, wanted, seats } = this.parts;
    const known = set.entered(name);
    if (known) return known;
    if (!connection) {
      wanted.add(name);
      seats.notice(`You are not connected now; ${name} is entered as soon as you are.`);
      return null;
    }
    const asked = { name, roomKey: new Uint8Array(32), inviter: null, roomId: null, pass: null };
    await enterRoom(this.#entrance(), connection, asked);
    wanted.add(name);
    const ofName = set.withMembers.filter((other) =>
      !other.isDirect && !other.state.retired && skeleton(other.state.name) === skeleton(name)
    );
    // One that we have left may have had the same name.
    return ofName.find(({ state }) => state.status !== "gone") ?? ofName[0] ?? null;
  }

  /** A job of a room is over: waiting entrances check again. */
  jobDone(room: RoomStream): void {
    for (const watched of [...this.#watched]) if (watched.room === room) watched.check();
  }

  /** Begins a room of two; cut off, it is begun with the next connection. */
  beginDirect(room: MemberRoom): void {
    const warn = (error: ChatError) => this.parts.seats.warning(inWords(error));
    this.#telling(() => this.parts.direct.begin(room), warn).catch((error) => {
      if (!(error instanceof LinkLost)) throw error;
    });
  }

  #entrance(): Entrance {
    const { set, rooms, seats: view, signal, claims, take } = this.parts;
    return {
      rooms: set.withMembers,
      context: rooms.context,
      view,
      signal,
      claims,
      addRoom: (room) => rooms.add(room),
      dropRoom: (room) => rooms.drop(room),
      take,
      refused: (name, error) => {
        this.parts.wanted.dropPass(name);
        this.parts.refused(name, null, error);
      },
      watch: (room, check) => {
        const watch = { room, check };
        this.#watched.add(watch);
        return () => void this.#watched.delete(watch);
      },
    };
  }

  /** A key-file room (protocol §8.1): a holder of the file is in. @throws LinkLost, RequestRefused, FileTrouble */
  async #enterKeyFileRoom(connection: Connection, { name, key }: WantedKeyFileRoom): Promise<void> {
    const { set, rooms, clock, signal, take } = this.parts;
    const { context } = rooms;
    const id = keyFileRoomId(key, context.site, name);
    const known = set.all.get(encodeHex(id));
    let room = known instanceof KeyFileRoom ? known : null;
    if (!room) {
      const state = context.files.loadKeyFileRoom<KeyFileRoomState>(id) ?? newKeyFileRoomState(id, name);
      room = rooms.add(new KeyFileRoom(context, state, key, connection.server));
    }
    room.connect(connection);
    take(room);
    const pos = room.history?.view.pos ?? 0;
    await retryWhileLimited(
      { clock, signal },
      () =>
        connection.request((ref) => ({ type: "JOIN", ref, room: id, kind: roomKinds.keyFile, pos }), "DONE"),
    );
  }

  /** @throws LinkLost, and what is no ChatError */
  async #telling(act: () => Promise<void>, tell: (error: ChatError) => void): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (error instanceof LinkLost || !(error instanceof ChatError)) throw error;
      tell(error);
    }
  }
}
