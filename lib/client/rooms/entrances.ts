/**
 * Entrances: enters rooms. Each new connection enters every wanted room, again or for the first time; what goes wrong
 * in a room beside the main one is told, and ends nothing.
 */

import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, inWords } from "../../errors.ts";
import { roomKinds } from "../../protocol/channel/link_messages.ts";
import { keyFileRoomId } from "../../protocol/group/key_file_message.ts";
import { BadName, isName, skeleton } from "../../protocol/identity/name.ts";
import type { ChatOutput } from "../chat_view.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import { retryWhileLimited } from "../connection/retry_while_limited.ts";
import type { KeyClaims } from "../trust/key_claims.ts";
import type { DirectRooms } from "./direct_rooms.ts";
import { enterRoom, type Entrance } from "./enter_room.ts";
import { KeyFileRoom, type KeyFileRoomState, newKeyFileRoomState } from "./key_file_room.ts";
import type { MemberRoom } from "./member_room.ts";
import type { RoomSet } from "./room_set.ts";
import type { RoomStream } from "./room_stream.ts";
import type { ServerRooms } from "./server_rooms.ts";
import type { WantedRooms } from "./wanted_rooms.ts";

/** What entering needs of the chat. */
export interface EntrancesParts {
  /** The room that the command line names. */
  readonly main: string;
  /** 32 bytes of the key file that makes it a key-file room, or null. */
  readonly fernetKey: Bytes | null;
  /** Time. */
  readonly clock: Clock;
  /** Shows news and warnings. */
  readonly view: ChatOutput;
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
  take(room: RoomStream, isMain: boolean): void;
}

/** Enters the rooms of one server. */
export class Entrances {
  #watched = new Set<{ room: RoomStream; check: () => void }>();

  /** @param parts of the chat */
  constructor(private readonly parts: EntrancesParts) {}

  /** Enters all that are wanted. @throws ChatError when the main room is not to be entered; LinkLost */
  async enterAll(connection: Connection): Promise<void> {
    const { main, fernetKey, wanted, set, direct } = this.parts;
    if (fernetKey) await this.#enterKeyFileRoom(connection, fernetKey);
    for (const each of [...wanted.all]) {
      const isMain = !fernetKey && skeleton(each.name) === skeleton(main);
      await this.#tell(isMain, () => enterRoom(this.#entrance(isMain), connection, each));
    }
    for (const room of set.withMembers) {
      if (room.state.status !== "waiting" || !room.isDirect) continue;
      await this.#tell(false, () => direct.begin(room));
    }
  }

  /** Enters a room by its name. @returns it; null when it is entered with the next connection @throws ChatError */
  async enter(name: string, connection: Connection | null): Promise<MemberRoom | null> {
    if (name === "") throw new ChatError("Which room? /join ROOM", "/rooms shows those you are in");
    if (!isName(name)) throw new BadName("room name", name);
    const { set, wanted, view } = this.parts;
    const known = set.entered(name);
    if (known) return known;
    if (!connection) {
      wanted.add(name);
      view.notice(`You are not connected now; ${name} is entered as soon as you are.`);
      return null;
    }
    const asked = { name, roomKey: new Uint8Array(32), inviter: null, roomId: null };
    await enterRoom(this.#entrance(false), connection, asked);
    wanted.add(name);
    return set.withMembers.find((other) =>
      !other.isDirect && !other.state.retired && skeleton(other.state.name) === skeleton(name)
    ) ?? null;
  }

  /** A job of a room is over: waiting entrances check again. */
  jobDone(room: RoomStream): void {
    for (const watched of [...this.#watched]) if (watched.room === room) watched.check();
  }

  /** Begins a room of two; cut off, it is begun with the next connection. */
  beginDirect(room: MemberRoom): void {
    this.#tell(false, () => this.parts.direct.begin(room)).catch((error) => {
      if (!(error instanceof LinkLost)) throw error;
    });
  }

  #entrance(isMain: boolean): Entrance {
    const { set, rooms, view, signal, claims, take } = this.parts;
    return {
      rooms: set.withMembers,
      context: rooms.context,
      view,
      signal,
      claims,
      addRoom: (room) => rooms.add(room),
      dropRoom: (room) => rooms.drop(room),
      take: (room) => take(room, isMain),
      watch: (room, check) => {
        const watch = { room, check };
        this.#watched.add(watch);
        return () => void this.#watched.delete(watch);
      },
    };
  }

  /** A key-file room (protocol §8.1): a holder of the file is in. @throws LinkLost, RequestRefused, FileTrouble */
  async #enterKeyFileRoom(connection: Connection, key: Bytes): Promise<void> {
    const { main, set, rooms, clock, signal, take } = this.parts;
    const { context } = rooms;
    let room = set.main instanceof KeyFileRoom ? set.main : null;
    if (!room) {
      const id = keyFileRoomId(key, connection.server.id, main);
      const state = context.files.loadKeyFileRoom<KeyFileRoomState>(id) ?? newKeyFileRoomState(id, main);
      room = rooms.add(new KeyFileRoom(context, state, key, connection.server));
    }
    room.connect(connection);
    take(room, true);
    const pos = room.history?.view.pos ?? 0;
    const { id } = room.state;
    await retryWhileLimited(
      { clock, signal },
      () =>
        connection.request((ref) => ({ type: "JOIN", ref, room: id, kind: roomKinds.keyFile, pos }), "DONE"),
    );
  }

  async #tell(isMain: boolean, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (isMain || error instanceof LinkLost || !(error instanceof ChatError)) throw error;
      this.parts.view.warning(inWords(error));
    }
  }
}
