/** Entering a key-file room (protocol §8.1): whoever has the file is in. */

import type { Bytes } from "../../crypto/bytes.ts";
import type { Card } from "../../protocol/identity/card.ts";
import { keyFileRoomId } from "../../protocol/group/key_file_message.ts";
import { roomKinds } from "../../protocol/channel/link_messages.ts";
import type { Connection } from "../connection/connection.ts";
import { retryWhileLimited } from "./enter_room.ts";
import { KeyFileRoom, type KeyFileRoomState, newKeyFileRoomState } from "./key_file_room.ts";
import type { RoomContext } from "./room_context.ts";

/** What entering needs of the chat. */
export interface KeyFileEntrance {
  /** What all rooms share. */
  readonly context: RoomContext;
  /** Aborted when the person goes. */
  readonly signal: AbortSignal;
  /** The room, if it was entered in this run. */
  readonly room: KeyFileRoom | null;
  /** Keeps it, as the room in which lines are said. */
  take(room: KeyFileRoom): void;
}

/**
 * Asks for the room's stream from where we stand.
 *
 * @param key 32 bytes of the file @param server its card, checked against the pin
 * @throws LinkLost, RequestRefused, FileTrouble
 */
export async function enterKeyFileRoom(
  entrance: KeyFileEntrance,
  connection: Connection,
  name: string,
  key: Bytes,
  server: Card,
): Promise<void> {
  const room = entrance.room ?? open(entrance.context, name, key, server);
  room.connect(connection);
  entrance.take(room);
  const pos = room.history?.view.pos ?? 0;
  const { id } = room.state;
  const join = () =>
    connection.request((ref) => ({ type: "JOIN", ref, room: id, kind: roomKinds.keyFile, pos }), "DONE");
  await retryWhileLimited(entrance, join);
}

function open(context: RoomContext, name: string, key: Bytes, server: Card): KeyFileRoom {
  const id = keyFileRoomId(key, server.id, name);
  const known = context.files.loadKeyFileRoom<KeyFileRoomState>(id);
  return new KeyFileRoom(
    context,
    known ?? newKeyFileRoomState(id, name),
    key,
    server,
  );
}
