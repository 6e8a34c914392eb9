/** RoomOrder: the numbers by which a person switches between rooms; a room keeps its place in later runs. */

import { encodeHex } from "../../hex.ts";
import { ChatError } from "../../errors.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const file = "order.state";
const most = 1000;

/** The rooms of one server, in the order in which they were first entered. */
export class RoomOrder {
  #ids: string[];

  /** @param files the folder of one server */
  constructor(private readonly files: SealedFiles) {
    const bytes = files.read(file);
    this.#ids = bytes ? decodeState<string[]>(bytes) : [];
  }

  /** Rooms in their order; new ones come last. */
  sorted<Room extends { readonly state: { readonly id: Bytes } }>(rooms: readonly Room[]): Room[] {
    const ids = new Map(rooms.map((room) => [encodeHex(room.state.id), room]));
    const fresh = [...ids.keys()].filter((id) => !this.#ids.includes(id));
    if (fresh.length > 0) {
      this.#ids = [...this.#ids, ...fresh].slice(-most);
      try {
        this.files.write(file, encodeState(this.#ids));
      } catch (error) {
        if (!(error instanceof ChatError)) throw error; // the numbers hold for this run
      }
    }
    return this.#ids.flatMap((id) => ids.get(id) ?? []);
  }
}
