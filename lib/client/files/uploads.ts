/**
 * Uploads: files on their way to the server (protocol §8.3): hashed, sealed chunk by chunk, gone on with after a cut and
 * after a restart. When all of one is there, the message that tells of it goes through the room's outbox; so what is
 * true of a line is true of a file.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { type Clock, sleep } from "../../clock.ts";
import { type Bytes, release } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError, inOneSentence, inWords } from "../../errors.ts";
import { errorCodes } from "../../protocol/channel/link_messages.ts";
import { chunkBytes, chunkCount, lastChunkBytes, sealChunk } from "../../protocol/file/file_chunk.ts";
import { encodeFileMessage } from "../../protocol/file/file_message.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost, RequestRefused } from "../connection/connection_errors.ts";
import type { RoomEvent } from "../room_events.ts";
import type { MemberRoom } from "../rooms/member_room.ts";
import { CannotSend, FileSource, type FileStamp, stampOf } from "./file_source.ts";
import { removePart } from "./part_file.ts";
import { TransferProgress } from "./transfer_progress.ts";
import { TransferWindow } from "./transfer_window.ts";

const sealsAhead = 3;
const firstAgainMs = 500;
const maxAgainMs = 30_000;
/** So often one may begin anew, since its file has changed. */
const maxAnew = 3;

/** A file that is being sent, as it is kept. */
export interface Upload extends FileStamp {
  /** 16 bytes: of the message that will tell of it. */
  readonly msgId: Bytes;
  /** Where to. */
  readonly room: Bytes;
  /** Absolute. */
  readonly path: string;
  /** A copy of ours, which goes with it. */
  readonly isSpooled: boolean;
  /** As it is told. */
  readonly name: string;
  readonly words: string;
  /** 16 bytes. */
  readonly fileId: Bytes;
  /** 32 bytes. */
  readonly key: Bytes;
  /** Of the whole file; null until it is known. */
  readonly sha256: Bytes | null;
}

/** Where uploads are kept. */
export interface UploadFile {
  /** All of them. */
  load(): readonly Upload[];
  /** Keeps these. @throws FileTrouble */
  save(uploads: readonly Upload[]): void;
}

/** What uploads need of the chat. */
export interface UploadsParts {
  /** Where they are kept; null before the first connection, when nobody knows with whom. */
  file(): UploadFile | null;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** While there is one. */
  connection(): Connection | null;
  /** A room that we are in. */
  room(id: Bytes): MemberRoom | undefined;
  /** Why the server has refused a file last; empty for nothing. */
  serverSaid(): string;
  /** Shows. */
  show(event: RoomEvent, room: MemberRoom | undefined): void;
  /** A fault of this program. */
  bug(error: unknown): void;
}

/** The room of two is not there yet. */
class NotBegun extends Error {}

/** The file is not what it was when its sending began. */
class Changed extends Error {}

/** One that runs. */
interface Running {
  readonly control: AbortController;
  /** When it came on last, by the clock. */
  movedMs: number;
}

/** All uploads to one server. */
export class Uploads {
  #uploads: Upload[] | null = null;
  /** Those that run, by message id in hex. */
  #running = new Map<string, Running>();
  /** How often all were asked to go on. */
  #resumed = 0;
  /** All of them share the link. */
  #window: TransferWindow;

  /** @param parts of the chat */
  constructor(private readonly parts: UploadsParts) {
    this.#window = new TransferWindow(parts.clock);
  }

  get #all(): readonly Upload[] {
    if (this.#uploads) return this.#uploads;
    const file = this.parts.file();
    return file ? this.#uploads = [...file.load()] : [];
  }
  #keep(uploads: readonly Upload[]): void {
    const file = this.parts.file();
    if (!file) throw new LinkLost();
    file.save(uploads);
    this.#uploads = [...uploads];
  }
  #replace(upload: Upload): Upload {
    this.#keep(this.#all.map((other) => equals(other.msgId, upload.msgId) ? upload : other));
    return upload;
  }

  /** How many are not there yet. */
  get count(): number {
    return this.#all.length;
  }
  /** Whether one of these has come on of late. @param ids of messages in hex */
  hasMoved(ids: ReadonlySet<string>, withinMs: number): boolean {
    if (this.parts.connection() === null) return false;
    const now = this.parts.clock.now();
    return [...this.#running].some(([id, { movedMs }]) => ids.has(id) && Math.abs(now - movedMs) <= withinMs);
  }
  #moved(id: string): void {
    const running = this.#running.get(id);
    if (running) running.movedMs = this.parts.clock.now();
  }
  /** Names and ids in hex of those into a room. */
  of(room: Bytes): { readonly id: string; readonly name: string }[] {
    return this.#all.filter((upload) => equals(upload.room, room))
      .map(({ msgId, name }) => ({ id: encodeHex(msgId), name }));
  }

  /**
   * Begins one.
   *
   * @param path absolute
   * @param msgId under which it is sent; what was sent under it is not sent again
   * @returns the message's id in hex
   * @throws CannotSend, FileTrouble
   */
  send(
    room: MemberRoom,
    path: string,
    { name, words, isSpooled = false, msgId = this.parts.random(16) }: {
      readonly name: string;
      readonly words: string;
      readonly isSpooled?: boolean;
      readonly msgId?: Bytes;
    },
  ): string {
    const id = encodeHex(msgId);
    const known = this.#all.find((each) => equals(each.msgId, msgId));
    if (known || room.lines.wasStored(id)) {
      if (isSpooled && known?.path !== path) removePart(path); // there is a copy, or need of none
      return id;
    }
    const { random } = this.parts;
    const upload: Upload = {
      ...stampOf(path),
      msgId,
      room: room.state.id,
      path,
      isSpooled,
      name,
      words,
      fileId: random(16),
      key: random(32),
      sha256: null,
    };
    this.#keep([...this.#all, upload]);
    this.#start(upload);
    return id;
  }

  /** A connection is there, and rooms are entered: what waits goes on. */
  resume(): void {
    this.#resumed++;
    for (const upload of this.#all) if (!this.#running.has(encodeHex(upload.msgId))) this.#start(upload);
  }

  /** Ends one. @param id of its message in hex @returns the room that it was for; null when there is none */
  cancel(id: string): Bytes | null {
    const upload = this.#find(id);
    if (!upload) return null;
    this.#forget(upload);
    void this.#drop(upload); // nobody waits for a server that is slow with files
    return upload.room;
  }

  #forget(upload: Upload): void {
    const id = encodeHex(upload.msgId);
    this.#running.get(id)?.control.abort();
    this.#running.delete(id);
    this.#keep(this.#all.filter((other) => !equals(other.msgId, upload.msgId)));
    if (upload.isSpooled) removePart(upload.path);
  }

  /** What the server has of it is of no use. */
  async #drop({ fileId }: Upload): Promise<void> {
    const drop = (ref: number) => ({ type: "BLOB_DROP", ref, file: fileId }) as const;
    await this.parts.connection()?.request(drop, "DONE").catch(() => {}); // it goes by itself in a day
  }

  #start(upload: Upload): void {
    const id = encodeHex(upload.msgId);
    const control = new AbortController();
    const resumed = this.#resumed;
    let isCut = false;
    this.#running.set(id, { control, movedMs: -Infinity });
    this.#run(upload, control.signal).catch((error) => {
      if (control.signal.aborted) return;
      isCut = error instanceof LinkLost; // the next connection goes on
      if (isCut) return;
      if (error instanceof ChatError) return this.#failed(id, error);
      this.parts.bug(error);
      this.#failed(id, new ChatError("A fault of this program has ended it", "please report it"));
    }).catch((error) => this.#trouble(error, upload)).finally(() => {
      if (this.#running.get(id)?.control !== control) return;
      this.#running.delete(id);
      // The next connection was there before this one noticed.
      const now = this.#find(id);
      if (isCut && now && this.#resumed !== resumed) this.#start(now);
    });
  }

  #find(id: string): Upload | undefined {
    return this.#all.find(({ msgId }) => encodeHex(msgId) === id);
  }

  /** What is on its way could not be written down: it is told, and tried again with the next start. */
  #trouble(error: unknown, upload: Upload): void {
    if (!(error instanceof ChatError)) return this.parts.bug(error);
    const room = this.parts.room(upload.room);
    this.parts.show({ type: "warning", room: room?.label ?? "", text: inWords(error) }, room);
  }

  #failed(id: string, error: ChatError): void {
    const upload = this.#find(id);
    if (!upload) return;
    this.#forget(upload);
    void this.#drop(upload);
    const room = this.parts.room(upload.room);
    this.parts.show({
      type: "failed",
      room: room?.label ?? "",
      msgId: id,
      why: inOneSentence(error),
      file: upload.name,
    }, room);
  }

  /** @throws LinkLost when it is to be gone on with later; ChatError when it cannot be */
  async #run(begun: Upload, signal: AbortSignal): Promise<void> {
    let upload = begun;
    let anew = 0;
    let waitMs = firstAgainMs;
    const moved = () => {
      waitMs = firstAgainMs / 2;
      this.#moved(encodeHex(begun.msgId));
    };
    for (;; waitMs = Math.min(maxAgainMs, waitMs * 2)) {
      const room = this.parts.room(upload.room);
      if (!room || room.state.status === "gone") {
        throw new CannotSend(upload.name, "you are not in that room any more", "");
      }
      if (room.state.retired) throw new CannotSend(upload.name, "the room has ended", "");
      try {
        upload = await this.#hashed(upload, signal, moved);
        if (room.state.status === "waiting") throw new NotBegun();
        const until = await this.#bring(upload, room, signal, moved);
        return this.#tell(upload, room, until);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Changed) {
          if (++anew > maxAnew) {
            throw new CannotSend(upload.name, "it changes while it is sent", "send a copy of it");
          }
          upload = await this.#begunAnew(upload, room);
          continue;
        }
        if (!isPassing(error)) throw this.#inWords(error, upload);
      }
      await sleep(this.parts.clock, waitMs, signal);
      if (signal.aborted) return;
      if (!this.parts.connection()) throw new LinkLost();
    }
  }

  /** New keys for what the file is now. */
  async #begunAnew(upload: Upload, room: MemberRoom): Promise<Upload> {
    room.news.notice(`${upload.name} has changed while it was sent: it is sent from the beginning.`);
    room.schedule();
    await this.#drop(upload);
    const { random } = this.parts;
    const anew = { ...stampOf(upload.path), fileId: random(16), key: random(32), sha256: null };
    return this.#replace({ ...upload, ...anew });
  }

  async #hashed(upload: Upload, signal: AbortSignal, moved: () => void): Promise<Upload> {
    const now = stampOf(upload.path);
    const isSame = now.size === upload.size && now.mtimeMs === upload.mtimeMs;
    if (upload.sha256 && isSame) return upload;
    if (upload.sha256) throw new Changed();
    if (!isSame) return await this.#hashed({ ...upload, ...now }, signal, moved);
    const source = await FileSource.open(upload.path);
    try {
      await source.skipTo(upload.size, () => {
        moved();
        return !signal.aborted;
      });
      signal.throwIfAborted();
      return this.#replace({ ...upload, sha256: source.digest() });
    } finally {
      source.close();
    }
  }

  #progressOf({ msgId, name, size }: Upload, room: MemberRoom, signal: AbortSignal): TransferProgress {
    const what = { room: room.label, id: encodeHex(msgId), way: "up", name, size } as const;
    return new TransferProgress(what, this.parts.clock, (event) => {
      if (!signal.aborted) this.parts.show(event, room); // answers come after it was ended, too
    });
  }

  /** Brings what the server does not have yet. @returns until when it keeps the file, seconds since 1970 */
  async #bring(upload: Upload, room: MemberRoom, signal: AbortSignal, moved: () => void): Promise<number> {
    const connection = this.parts.connection();
    if (!connection) throw new LinkLost();
    const { fileId, key, size } = upload;
    const chunks = chunkCount(size), lastBytes = lastChunkBytes(size);
    const begin = () =>
      connection.request(
        (ref) => ({ type: "BLOB_NEW", ref, room: upload.room, file: fileId, chunks, lastBytes }),
        "BLOB_AT",
      );
    const { next, until } = await begin();
    if (next === chunks) return until;
    const progress = this.#progressOf(upload, room, signal);
    progress.at(Math.min(size, next * chunkBytes));
    const source = await FileSource.open(upload.path);
    const seals: Promise<Bytes>[] = [];
    const window = this.#window;
    let open = 0;
    let failure: unknown = null;
    try {
      await source.skipTo(next * chunkBytes, () => !signal.aborted);
      let reading = next;
      // One more than are being sealed: what is read must not change until it is.
      const ring = Array.from({ length: Math.min(chunks, sealsAhead + 1) }, () => new Uint8Array(chunkBytes));
      const readAhead = async () => {
        while (reading < chunks && seals.length < sealsAhead) {
          const index = reading++;
          const isLast = index === chunks - 1;
          const plain = isLast ? new Uint8Array(lastBytes) : ring[index % ring.length];
          const expected = Math.min(chunkBytes, size - index * chunkBytes);
          const n = await source.read(plain.subarray(0, expected));
          if (n < expected) throw new Changed();
          if (isLast && !equals(source.digest(), upload.sha256!)) throw new Changed();
          const sealed = sealChunk({ fileId, key, chunks }, index, plain, this.parts.random);
          sealed.catch(() => {});
          seals.push(sealed);
        }
      };
      for (let index = next; index < chunks && failure === null; index++) {
        await readAhead();
        const chunk = await seals.shift()!;
        await window.take();
        if (signal.aborted || failure !== null) {
          window.giveBack();
          break;
        }
        open++;
        const put = connection.request(
          (ref) => ({ type: "BLOB_PUT", ref, file: fileId, index, chunk }),
          "DONE",
        );
        release(chunk); // it stands in its frame by now
        put.then(() => {
          moved();
          progress.at(Math.min(size, (index + 1) * chunkBytes));
        }, (error) => failure ??= error).finally(() => {
          open--;
          window.answered();
        });
      }
      while (open > 0) await window.next();
    } catch (error) {
      if (error instanceof LinkLost) progress.waits();
      throw error;
    } finally {
      source.close();
    }
    if (failure !== null) {
      progress.waits();
      throw failure;
    }
    signal.throwIfAborted();
    return (await begin()).until;
  }

  /** What the server's refusal means for a file. */
  #inWords(error: unknown, { name }: Upload): unknown {
    if (!(error instanceof RequestRefused)) return error;
    const said = this.parts.serverSaid();
    switch (error.code) {
      case errorCodes.FULL:
        return new CannotSend(
          name,
          /--files?-/.test(said) ? said.replace(/\.$/, "") : "the server takes no more files now",
          "/send it again later",
        );
      case errorCodes.DENIED:
      case errorCodes.NO_ROOM:
        return new CannotSend(name, "the server does not take it in this room", "");
      default:
        return error;
    }
  }

  /** All of it is there: the room is told, and from here on it is a message like all others. */
  #tell(upload: Upload, room: MemberRoom, until: number): void {
    const { msgId, fileId, size, key, sha256, name, words } = upload;
    room.lines.sayFile(msgId, encodeFileMessage({ fileId, size, key, sha256: sha256!, until, name, words }));
    void room.settled.then(() => this.#forget(upload)).catch((error) => this.#trouble(error, upload));
  }
}

/** Whether waiting mends it: the server has no room for a chunk now, or has another idea of which one is next. */
function isPassing(error: unknown): boolean {
  if (error instanceof NotBegun) return true;
  const { LIMIT, ORDER, NOT_FOUND } = errorCodes;
  return error instanceof RequestRefused && [LIMIT, ORDER, NOT_FOUND].some((code) => code === error.code);
}
