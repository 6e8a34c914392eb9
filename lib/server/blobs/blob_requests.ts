/** BlobRequests: what the server does with BLOB_NEW, BLOB_PUT, BLOB_GET and BLOB_DROP (protocol §8.3, §11). */

import { equals } from "@std/bytes/equals";
import { Malformed } from "../../errors.ts";
import type { MessageOf } from "../../protocol/channel/link_messages.ts";
import { chunkOverheadBytes, isLastChunkBytes, plainBytes } from "../../protocol/file/file_chunk.ts";
import type { LimitReached } from "../limit_reached.ts";
import type { Peer } from "../rooms/peer.ts";
import type { Rooms } from "../rooms/rooms.ts";
import type { ErrorCode } from "../store/journal.ts";
import type { NewBlob, StoredBlob } from "../store/store.ts";
import { BlobsFailed } from "./blob_bytes.ts";
import { isWhole, weightOf } from "./blob_index.ts";
import { maxChunksOnTheirWay, Superseded } from "./blobs.ts";

/** How requests are answered (rooms/requests.ts). */
export interface Answers {
  /** An error code. */
  refuse(ref: number, code: ErrorCode): void;
  /** A limit was reached: tells which. */
  limited(limit: LimitReached): ErrorCode;
  /** The disk does not take it now. */
  undone(ref: number): void;
}

/** Begins a file, or tells how far it has come. */
export function onBlobNew(rooms: Rooms, peer: Peer, message: MessageOf<"BLOB_NEW">, answers: Answers): void {
  const { ref, room: id, file, chunks, lastBytes } = message;
  const { blobs } = rooms;
  if (chunks === 0 || !isLastChunkBytes(lastBytes, chunks)) throw new Malformed("no file has such chunks");
  const room = rooms.get(id);
  if (!room || room.isHiddenFrom(peer.card.id)) return answers.refuse(ref, "NO_ROOM");
  if (!blobs.isOn || room.isRetired || !room.hasMember(peer.card.id)) return answers.refuse(ref, "DENIED");
  const blob: NewBlob = { id: file, room: id, owner: peer.card.id, chunks, lastBytes };
  const known = blobs.index.get(file);
  if (known) {
    return isSame(known, blob) ? tellProgress(rooms, peer, ref, known) : answers.refuse(ref, "DENIED");
  }
  const limit = blobs.index.judge(blob) ?? rooms.addressFiles.reserve(peer, file, weightOf(blob));
  if (limit) return answers.refuse(ref, answers.limited(limit));
  rooms.proposeFor({ kind: "blob", blob }, { own: null }, (outcome) => {
    if (!blobs.index.get(file)) rooms.addressFiles.release(file);
    if (outcome.type === "undone") return answers.undone(ref);
    if (outcome.type === "refused") {
      return answers.refuse(ref, outcome.limit ? answers.limited(outcome.limit) : outcome.code);
    }
    const begun = blobs.index.get(file);
    if (begun) tellProgress(rooms, peer, ref, begun);
    else answers.refuse(ref, "NOT_FOUND");
  });
}

function isSame(known: StoredBlob, blob: NewBlob): boolean {
  return equals(known.owner, blob.owner) && equals(known.room, blob.room) && known.chunks === blob.chunks &&
    known.lastBytes === blob.lastBytes;
}

function tellProgress(rooms: Rooms, peer: Peer, ref: number, blob: StoredBlob): void {
  rooms.blobs.progress(blob).then(
    (next) => {
      const { until } = rooms.blobs.index.get(blob.id) ?? blob;
      peer.send({ type: "BLOB_AT", ref, next, until });
    },
    (error) => rooms.tellFault(error),
  );
}

/** Takes a chunk. */
export function onBlobPut(rooms: Rooms, peer: Peer, message: MessageOf<"BLOB_PUT">, answers: Answers): void {
  const { ref, file, index, chunk } = message;
  const { blobs } = rooms;
  const blob = blobs.index.get(file);
  if (!blob || !equals(blob.owner, peer.card.id) || isWhole(blob)) return answers.refuse(ref, "NOT_FOUND");
  if (!mayUse(rooms, peer, blob)) return answers.refuse(ref, "DENIED");
  const expected = plainBytes(index, blob.chunks, blob.lastBytes) + chunkOverheadBytes;
  if (index >= blob.chunks || chunk.length !== expected) throw new Malformed("a chunk has a wrong size");
  if (peer.chunksComing >= maxChunksOnTheirWay) return answers.refuse(ref, "LIMIT");
  const written = blobs.take(blob, index, chunk);
  if (!written) return answers.refuse(ref, "ORDER");
  peer.chunksComing++;
  written.then(
    () => peer.send({ type: "DONE", ref, info: 0 }),
    (error) => {
      if (error instanceof Superseded) return answers.refuse(ref, "ORDER");
      if (!(error instanceof BlobsFailed)) rooms.tellFault(error);
      else rooms.events.tell({ type: "files failed", error });
      answers.undone(ref);
    },
  ).finally(() => peer.chunksComing--);
}

/** Gives a chunk, as soon as the link has room for it. */
export function onBlobGet(rooms: Rooms, peer: Peer, message: MessageOf<"BLOB_GET">, answers: Answers): void {
  const { ref, file, index } = message;
  const isAllowed = () => {
    const blob = rooms.blobs.index.get(file);
    return blob !== undefined && isWhole(blob) && mayUse(rooms, peer, blob);
  };
  if (!isAllowed()) return answers.refuse(ref, "NOT_FOUND");
  const isTaken = peer.chunksOf(rooms.blobs).add({
    file,
    index,
    isAllowed,
    refused: (code) => peer.refuse(ref, code),
    came: (chunk) => peer.send({ type: "BLOB", ref, chunk }),
  });
  if (!isTaken) answers.refuse(ref, "LIMIT");
}

/** Takes a file away. */
export function onBlobDrop(
  rooms: Rooms,
  peer: Peer,
  message: MessageOf<"BLOB_DROP">,
  answers: Answers,
): void {
  const { ref, file } = message;
  const blob = rooms.blobs.index.get(file);
  if (!blob || !equals(blob.owner, peer.card.id)) return answers.refuse(ref, "NOT_FOUND");
  rooms.proposeFor({ kind: "blob drop", id: file }, { own: null }, (outcome) => {
    if (outcome.type === "undone") return answers.undone(ref);
    if (outcome.type === "refused") return answers.refuse(ref, outcome.code);
    peer.send({ type: "DONE", ref, info: 0 });
  });
}

/** Whether somebody is in the room of a file: who was put out gets nothing more, and brings nothing. */
function mayUse(rooms: Rooms, peer: Peer, { room: id }: StoredBlob): boolean {
  const room = rooms.get(id);
  return room !== undefined && !room.isRetired && room.hasMember(peer.card.id);
}
