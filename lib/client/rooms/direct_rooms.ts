/**
 * Direct rooms (protocol §7.5): a room of two, made by the first to write, also while the other is away. When
 * both begin at once the server's first commit wins, and the other's lines go into that room.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { type Bytes, compareBytes } from "../../crypto/bytes.ts";
import { seconds } from "../../clock.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import type { Card } from "../../protocol/identity/card.ts";
import { directRoomId } from "../../protocol/group/commit.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import { makeDirectGenesis } from "../../protocol/group/make_commit.ts";
import { MemberRoom } from "./member_room.ts";
import type { RoomContext } from "./room_context.ts";
import type { Named } from "../../protocol/identity/name.ts";
import { newRoomState } from "./room_state.ts";
import { Connection } from "../connection/connection.ts";
import { RoomStream } from "./room_stream.ts";
import { NobodyThere } from "./people.ts";

/** What direct rooms need of the chat. */
export interface DirectRoomsParts {
  /** Whether a file is to be sent there. */
  sendsFiles(room: MemberRoom): boolean;
  /** What all rooms share. @throws LinkLost before the first connection */
  context(): RoomContext;
  /** While there is one. */
  connection(): Connection | null;
  /** A room by id in hex. */
  room(key: string): RoomStream | undefined;
  /** Keeps a room. */
  addRoom(room: MemberRoom): void;
}

/** The rooms of two at one server. */
export class DirectRooms {
  #beginning = new Set<MemberRoom>();

  /** @param parts of the chat */
  constructor(private readonly parts: DirectRoomsParts) {}

  /** The direct room with somebody, known or new; {@link begin} makes a new one at the server. @throws ChatError */
  with(other: Named): MemberRoom {
    const context = this.parts.context();
    const id = directIdWith(context, other.id);
    const known = this.parts.room(encodeHex(id));
    if (known instanceof MemberRoom) {
      if (known.isDirect && !known.other) {
        Object.assign(known.state, { with: other.name, withId: other.id });
      }
      if (known.isDirect && known.other && equals(known.other.id, other.id)) return known;
      throw new ChatError(
        `The server shows another room in the place of the one of you and ${other.name}`,
        "nothing was sent; do not use this server for it, and ask its operator",
        exitCodes.trust,
      );
    }
    const room = new MemberRoom(context, { ...newRoomState(id, ""), with: other.name, withId: other.id });
    this.parts.addRoom(room);
    const connection = this.parts.connection();
    if (connection) room.connect(connection);
    return room;
  }

  /** Makes a room of two at the server, once there is something to say in it. @throws ChatError, LinkLost */
  async begin(room: MemberRoom): Promise<void> {
    const { other, state } = room;
    const connection = this.parts.connection();
    const isDue = state.status === "waiting" && other !== null &&
      (room.lines.unsent.length > 0 || this.parts.sendsFiles(room));
    if (!isDue || this.#beginning.has(room) || !connection) return;
    if (room.isReplaced) {
      for (const item of state.outbox) item.failed = true;
      throw new ChatError(
        `Another key is known for ${other.name} by now; the line to the old one is not sent`,
        `say it again: /msg ${other.name} TEXT`,
      );
    }
    this.#beginning.add(room);
    try {
      const { directory } = this.parts.context();
      await directory.fetchCards(connection, [other.id]);
      const card = directory.card(other.id);
      if (!card) throw new NobodyThere(other.name);
      await this.#make(room, card);
    } finally {
      this.#beginning.delete(room);
    }
  }

  /** Makes the room, unless it is there by now; its stream follows in either case. */
  async #make(room: MemberRoom, other: Card): Promise<void> {
    const { connection, state } = room;
    if (state.status !== "waiting" || !connection) return;
    const { directory, clock } = room.context;
    const prekey = (await directory.fetchPrekeys(connection, [other.id])).get(encodeHex(other.id));
    const author = { ...room.context, now: seconds(clock) };
    const genesis = prekey && await makeDirectGenesis(author, other, prekey);
    if (!genesis) throw new NoPrekey(other.name);
    if (room.state.status !== "waiting") return; // the other was faster meanwhile
    if (room.connection !== connection) throw new LinkLost();
    state.pendingCommit = genesis.pending;
    // If we lose the race, the answer comes after the winner's commit, which has begun the room.
    const made = await Promise.race([room.create([genesis.box]), connection.over.then(() => null)]);
    if (made === null) throw new LinkLost();
    if (!made && room.state.status === "waiting") {
      throw new ChatError(
        `The server does not let you begin a direct room with ${other.name} now`,
        "one of its limits is reached, of new rooms, of rooms you put people into, or of the disk: its operator knows; " +
          'your line is kept, "/retry" tries again',
      );
    }
  }
}

/** The id of the room of us and somebody. */
export function directIdWith({ site, card }: RoomContext, other: Uint8Array): Bytes {
  const [lo, hi] = [card.id, other].sort(compareBytes);
  return directRoomId(site, lo, hi);
}

/** Nothing can be sealed to somebody. */
class NoPrekey extends ChatError {
  /** @param name of whom */
  constructor(name: string) {
    super(
      `${name} has no key that something could be sealed to now, maybe by being away for a month`,
      `your line is kept; "/retry" tries again when ${name} has been connected`,
    );
  }
}
