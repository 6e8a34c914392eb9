/**
 * Downloads: files that are fetched (protocol §8.3), because the person asked for them: checked chunk by chunk as they
 * come, gone on with after a cut and after a restart, and given their name once all of it is what its sender has signed.
 */

import { equals } from "@std/bytes/equals";
import { dirname } from "@std/path";
import { encodeHex } from "../../hex.ts";
import type { RandomSource } from "../../crypto/random.ts";
import type { Clock } from "../../clock.ts";
import { release } from "../../crypto/bytes.ts";
import { sleep } from "../../clock.ts";
import { TagMismatch } from "../../crypto/seal.ts";
import { ChatError, inOneSentence, Malformed } from "../../errors.ts";
import { errorCodes } from "../../protocol/channel/link_messages.ts";
import { chunkBytes, chunkCount, openChunk } from "../../protocol/file/file_chunk.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost, RequestRefused } from "../connection/connection_errors.ts";
import type { RoomEvent } from "../room_events.ts";
import type { MemberRoom } from "../rooms/member_room.ts";
import type { FileOffer } from "./file_offer.ts";
import { exists } from "../../storage/private_file.ts";
import { PartFile, removePart, savedBefore } from "./part_file.ts";
import { TransferProgress } from "./transfer_progress.ts";
import { TransferWindow } from "./transfer_window.ts";

const againMs = 1_000;

/** A file that cannot be had, or is not what was sent. */
class CannotGet extends ChatError {
  /** @param name of the file */
  constructor(name: string, why: string, hint: string) {
    super(`Cannot get "${name}": ${why}`, hint);
  }
}

/** What downloads need of the chat. */
export interface DownloadsParts {
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** While there is one. */
  connection(): Connection | null;
  /** Shows. */
  show(event: RoomEvent, room: MemberRoom): void;
  /** A fault of this program. */
  bug(error: unknown): void;
}

function keyOf(room: MemberRoom, id: string): string {
  return `${encodeHex(room.state.id)} ${id}`;
}

/** All downloads from one server. */
export class Downloads {
  /** Those that run, by room and message id in hex: an id is its sender's choice. */
  #running = new Map<string, AbortController>();
  /** How often all were asked to go on. */
  #resumed = 0;
  /** All of them share the link. */
  #window: TransferWindow;

  /** @param parts of the chat */
  constructor(private readonly parts: DownloadsParts) {
    this.#window = new TransferWindow(parts.clock);
  }

  /** How many run. */
  get count(): number {
    return this.#running.size;
  }

  /** Begins one, or goes on with it. @param id of its message in hex @throws ChatError */
  get(room: MemberRoom, id: string, dir: string): void {
    const offer = room.files[id];
    if (this.#running.has(keyOf(room, id))) {
      throw new ChatError(`"${offer.name}" is on its way already`, "/files shows it");
    }
    const { part, isStopped } = offer;
    // What was begun elsewhere, and failed there, begins where it is to be now.
    const goesOn = part !== undefined && !(isStopped && dirname(part) !== dir);
    if (part !== undefined && !goesOn) removePart(part);
    const place = goesOn ? part : PartFile.placeIn(dir, offer.name, encodeHex(this.parts.random(4)));
    const { isStopped: _, ...wanted } = offer;
    room.setFile(id, { ...wanted, part: place });
    this.#start(room, id, goesOn);
  }

  /** The server is there: what was wanted in these rooms goes on. */
  resume(rooms: readonly MemberRoom[]): void {
    this.#resumed++;
    for (const room of rooms) {
      for (const id of Object.keys(room.files)) {
        if (this.#isWanted(room, id) && !this.#running.has(keyOf(room, id))) this.#start(room, id, true);
      }
    }
  }

  #isWanted(room: MemberRoom, id: string): boolean {
    const offer = room.files[id];
    return offer?.part !== undefined && !offer.isStopped;
  }

  /** A room is over for us: nothing of what was wanted there goes on. */
  over(room: MemberRoom): void {
    for (const [id, { part, name }] of Object.entries(room.files)) {
      if (part === undefined) continue;
      const key = keyOf(room, id);
      const isRunning = this.#running.get(key);
      isRunning?.abort();
      this.#running.delete(key);
      if (isRunning) this.#failed(room, id, this.#goneWith(room, name));
      else this.cancel(room, id);
    }
  }

  #goneWith({ state }: MemberRoom, name: string): CannotGet {
    return state.retired
      ? new CannotGet(name, "the room has ended", "its files have gone with it")
      : new CannotGet(name, "you are not in that room any more", "");
  }

  /** Ends one; the file can still be had. @returns false when it was not wanted */
  cancel(room: MemberRoom, id: string): boolean {
    const offer = room.files[id];
    if (offer?.part === undefined) return false;
    this.#running.get(keyOf(room, id))?.abort();
    this.#running.delete(keyOf(room, id));
    removePart(offer.part);
    const { part: _, isStopped: __, ...rest } = offer;
    room.setFile(id, rest);
    return true;
  }

  #start(room: MemberRoom, id: string, isResumed: boolean): void {
    const control = new AbortController();
    const key = keyOf(room, id);
    const resumed = this.#resumed;
    let isCut = false;
    this.#running.set(key, control);
    this.#run(room, id, isResumed, control.signal).catch((error) => {
      isCut = error instanceof LinkLost; // the next connection goes on
      if (control.signal.aborted || isCut) return;
      if (error instanceof ChatError) return this.#failed(room, id, error);
      this.parts.bug(error);
      this.#failed(room, id, new ChatError("A fault of this program has ended it", "please report it"));
    }).finally(() => {
      if (this.#running.get(key) !== control) return;
      this.#running.delete(key);
      // The next connection was there before this one noticed.
      if (isCut && this.#resumed !== resumed && this.#isWanted(room, id)) this.#start(room, id, true);
    });
  }

  #failed(room: MemberRoom, id: string, error: ChatError): void {
    const offer = room.files[id];
    const name = offer?.name ?? "";
    this.parts.show(
      { type: "download failed", room: room.label, id, name, why: inOneSentence(error) },
      room,
    );
    if (!offer?.part) return;
    // What is there stays for the next /get, unless it is of no use; nothing goes on by itself.
    if (!(error instanceof CannotGet)) return room.setFile(id, { ...offer, isStopped: true });
    removePart(offer.part);
    const { part: _, ...rest } = offer;
    room.setFile(id, rest);
  }

  async #run(room: MemberRoom, id: string, isResumed: boolean, signal: AbortSignal): Promise<void> {
    await room.settled; // where its part is is written down before there is one
    const offer = room.files[id];
    if (offer?.part === undefined) return; // not wanted any more
    const saved = isResumed && !exists(offer.part) ? await savedBefore(offer.part, offer.name, offer) : null;
    if (saved !== null) return this.#saved(room, id, offer, saved);
    const part = await this.#part(offer);
    try {
      while (!await this.#fetch(room, id, offer, part, signal)) {
        await sleep(this.parts.clock, againMs, signal);
        signal.throwIfAborted();
      }
      if (!equals(part.digest(), offer.sha256)) {
        throw new CannotGet(offer.name, `it is not what ${offer.from} has sent`, "nothing of it was kept");
      }
      this.#saved(room, id, offer, await part.finish());
    } finally {
      part.close();
    }
  }

  #saved(room: MemberRoom, id: string, { name, size }: FileOffer, path: string): void {
    room.dropFile(id);
    this.parts.show({ type: "saved", room: room.label, id, name, path, size }, room);
  }

  async #part(offer: FileOffer): Promise<PartFile> {
    const known = await PartFile.resume(offer.part!, offer.name, offer.size);
    if (known) return known;
    return PartFile.begin(offer.part!, offer.name, offer.size);
  }

  /** @returns false when the server has too much to do now */
  async #fetch(
    room: MemberRoom,
    id: string,
    { fileId, key, size, name, from }: FileOffer,
    part: PartFile,
    signal: AbortSignal,
  ): Promise<boolean> {
    const connection = this.parts.connection();
    if (!connection) throw new LinkLost();
    const { clock } = this.parts;
    const chunks = chunkCount(size);
    const what = { room: room.label, id, way: "down", name, size } as const;
    const progress = new TransferProgress(what, clock, (event) => {
      if (!signal.aborted) this.parts.show(event, room); // chunks come after it was ended, too
    });
    const window = this.#window;
    progress.at(part.written);
    let failure: unknown = null;
    // Chunks are answered in their order: each is opened and written behind the one before it.
    let writing = Promise.resolve();
    for (let index = Math.floor(part.written / chunkBytes); index < chunks && failure === null; index++) {
      await window.take();
      if (failure !== null || signal.aborted) {
        window.giveBack();
        break;
      }
      const got = connection.request((ref) => ({ type: "BLOB_GET", ref, file: fileId, index }), "BLOB");
      const opened = got.then(({ chunk }) => {
        const plain = openChunk({ fileId, key, chunks }, index, chunk, size);
        release(chunk);
        return plain;
      });
      opened.catch(() => {});
      writing = writing.then(async () => {
        try {
          const plain = await opened;
          if (failure === null && !signal.aborted) await part.write(plain);
          release(plain);
          progress.at(part.written);
        } catch (error) {
          failure ??= error;
        } finally {
          window.answered();
        }
      });
    }
    await writing;
    signal.throwIfAborted();
    if (failure === null) return true;
    progress.waits();
    if (failure instanceof TagMismatch || failure instanceof Malformed) {
      throw new CannotGet(
        name,
        `what the server has given is not what ${from} has sent`,
        "nothing of it was kept",
      );
    }
    if (failure instanceof RequestRefused) {
      if (failure.code === errorCodes.LIMIT) return false;
      if (room.state.retired || room.state.status === "gone") throw this.#goneWith(room, name);
      throw new CannotGet(name, "the server does not give it any more", `ask ${from} to send it again`);
    }
    throw failure;
  }
}
