/** Files: what is sent and fetched at one server, and what may be. */

import { dirname, join } from "@std/path";
import { encodeHex } from "../../hex.ts";
import { type Clock, seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError } from "../../errors.ts";
import type { MessageOf } from "../../protocol/channel/link_messages.ts";
import { maxWordsBytes } from "../../protocol/file/file_message.ts";
import { exists } from "../../storage/private_file.ts";
import { sizeInWords } from "../../size_in_words.ts";
import type { Connection } from "../connection/connection.ts";
import type { RoomEvent } from "../room_events.ts";
import { MemberRoom } from "../rooms/member_room.ts";
import type { RoomSet } from "../rooms/room_set.ts";
import type { RoomStream } from "../rooms/room_stream.ts";
import { Downloads } from "./downloads.ts";
import { safeFileName } from "./file_name.ts";
import { CannotSend, stampOf } from "./file_source.ts";
import { type UploadFile, Uploads } from "./uploads.ts";

/** What files need of the chat. */
export interface FilesParts {
  /** Where uploads are kept; null before the first connection. */
  uploadFile(): UploadFile | null;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** All rooms. */
  readonly set: RoomSet;
  /** While there is one. */
  connection(): Connection | null;
  /** What the server has said last; empty for nothing. */
  serverSaid(): string;
  /** Shows. */
  show(event: RoomEvent, room: RoomStream | null): void;
  /** A fault of this program. */
  bug(error: unknown): void;
}

/** A file that is to be sent. */
export interface FileToSend {
  /** Absolute. */
  readonly path: string;
  /** What is said of it. */
  readonly words?: string;
  /** As it is called, if not as its path ends. */
  readonly name?: string;
  /** A copy of ours, which goes with it. */
  readonly isSpooled?: boolean;
  /** 16 bytes under which it is sent. */
  readonly msgId?: Bytes;
}

/** One that is on its way. */
export interface MovingFile {
  /** Of its message, in hex. */
  readonly id: string;
  readonly name: string;
  readonly way: "up" | "down";
}

/** The files of one chat. */
export class Files {
  readonly #uploads: Uploads;
  readonly #downloads: Downloads;
  /** Most bytes that the server takes; null before it has said so. */
  #most: number | null = null;

  /** @param parts of the chat */
  constructor(private readonly parts: FilesParts) {
    const { clock, random, set, connection, serverSaid, show, bug } = parts;
    const rooms = (id: Bytes) => {
      const room = set.all.get(encodeHex(id));
      return room instanceof MemberRoom ? room : undefined;
    };
    this.#uploads = new Uploads({
      file: () => parts.uploadFile(),
      clock,
      random,
      connection,
      room: rooms,
      serverSaid,
      bug,
      show: (event, room) => show(event, room ?? null),
    });
    this.#downloads = new Downloads({ clock, random, connection, show, bug });
  }

  /** WELCOME. */
  welcome({ fileBytes }: MessageOf<"WELCOME">): void {
    this.#most = fileBytes;
  }

  /** Rooms are entered: what waits goes on. */
  resume(): void {
    this.#uploads.resume();
    this.#downloads.resume(this.parts.set.withMembers);
  }

  /** A job of a room is over: we may be in it no more. */
  jobDone(room: RoomStream): void {
    const isOver = room.state.status === "gone" || room.state.retired === true;
    if (isOver && room instanceof MemberRoom) this.#downloads.over(room);
  }

  /** How many are not sent yet. */
  get unsent(): number {
    return this.#uploads.count;
  }

  /** Whether one of these has come on of late. @param ids of messages in hex */
  hasMoved(ids: ReadonlySet<string>, withinMs: number): boolean {
    return this.#uploads.hasMoved(ids, withinMs);
  }

  /** Whether something is being fetched. */
  get isFetching(): boolean {
    return this.#downloads.count > 0;
  }

  /** Sends a file into a room. @returns the message's id in hex @throws ChatError */
  send(room: RoomStream, { path, words = "", name = path, isSpooled, msgId }: FileToSend): string {
    if (!(room instanceof MemberRoom)) {
      throw new CannotSend(
        name,
        "a room of a key file has no members whom it could be sealed for",
        "send it in an ordinary room",
      );
    }
    if (new TextEncoder().encode(words).length > maxWordsBytes) {
      throw new CannotSend(name, "too much is said of it", "say it in a line of its own");
    }
    room.checkFile();
    if (isSpooled && !exists(path)) {
      throw new CannotSend(name, "no copy of it could be made", "see to the disk that your keys are on");
    }
    const { size } = stampOf(path);
    if (this.#most === 0) {
      throw new CannotSend(name, "this server takes no files", "its operator may change that");
    }
    if (this.#most !== null && size > this.#most) {
      throw new CannotSend(
        name,
        `it has ${sizeInWords(size)}, and this server takes ${sizeInWords(this.#most)}`,
        "its operator may change that with --file-bytes",
      );
    }
    return this.#uploads.send(room, path, { name: safeFileName(name), words, isSpooled, msgId });
  }

  /** Fetches a file. @param id of its message in hex @throws ChatError */
  get(room: MemberRoom, id: string, dir: string): void {
    this.#downloads.get(room, id, dir);
  }

  /** Fetches it if it is small enough, for a service. @param most bytes of it, and of all in the folder */
  take(
    room: MemberRoom,
    id: string,
    dir: string,
    { each, total }: { each: number; total: number },
  ): string | null {
    const { size, name, until } = room.files[id];
    if (until <= seconds(this.parts.clock)) return null; // gone, with whoever would be told of it
    if (size > each) return `${name} was not taken: ${sizeInWords(size)} are more than --take allows`;
    if (size + bytesIn(dir) + this.#wantedIn(dir) > total) {
      return `${name} was not taken: with it the folder would have more than --take-total`;
    }
    this.#downloads.get(room, id, dir);
    return null;
  }

  /** What is to come into a folder. */
  #wantedIn(dir: string): number {
    const all = this.parts.set.withMembers.flatMap(({ files }) => Object.values(files));
    return all.reduce(
      (sum, { size, part }) => sum + (part !== undefined && dirname(part) === dir ? size : 0),
      0,
    );
  }

  /** What is on its way in a room. */
  moving(room: RoomStream): MovingFile[] {
    if (!(room instanceof MemberRoom)) return [];
    const up = this.#uploads.of(room.state.id).map((each) => ({ ...each, way: "up" as const }));
    const down = Object.entries(room.files).filter(([, { part }]) => part !== undefined)
      .map(([id, { name }]) => ({ id, name, way: "down" as const }));
    return [...up, ...down];
  }

  /** Ends what is on its way under an id. @throws ChatError when nothing is */
  cancel(id: string): void {
    const { show, set } = this.parts;
    const into = this.#uploads.cancel(id);
    if (into) {
      const room = set.all.get(encodeHex(into)) ?? null;
      return show({ type: "cancelled", room: room?.label ?? "", id }, room);
    }
    for (const room of set.withMembers) {
      if (id in room.files && this.#downloads.cancel(room, id)) {
        return show({ type: "cancelled", room: room.label, id }, room);
      }
    }
    throw new ChatError("No such file is on its way", "/files shows what is");
  }

  /** The one room that has a file. @param id of its message in hex @throws ChatError */
  roomOf(id: string): MemberRoom {
    const rooms = this.parts.set.withMembers.filter(({ files }) => id in files);
    if (rooms.length === 1) return rooms[0];
    if (rooms.length > 1) {
      throw new ChatError(
        `Files of ${rooms.length} rooms have that id`,
        "/switch to the room, and /get it there",
      );
    }
    throw new ChatError("There is no such file", "it was saved already, or has expired");
  }
}

/** What the files of a folder have in all. */
function bytesIn(dir: string): number {
  let sum = 0;
  try {
    for (const { isFile, name } of Deno.readDirSync(dir)) {
      if (isFile && !name.endsWith(".part")) sum += Deno.lstatSync(join(dir, name)).size;
    }
  } catch {
    return sum; // it is not there yet
  }
  return sum;
}
