/**
 * File messages (protocol §8.3): what a message of content type 2 says of a file, and with it the key to its chunks.
 *
 *   file_id[16] ‖ u64 size ‖ fk[32] ‖ sha256[32] ‖ u64 until ‖ vec8 name ‖ vec16 words
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import { decodeUtf8 } from "../codec/layout.ts";
import { Reader, Writer } from "../codec/wire.ts";
import { maxFileBytes } from "./file_chunk.ts";

/** Most bytes of words that go with a file. */
export const maxWordsBytes = 16 * 1024;

/** A file, as it is told of. */
export interface FileMessage {
  /** 16 bytes: its name on the server. */
  readonly fileId: Bytes;
  /** In bytes. */
  readonly size: number;
  /** 32 bytes: opens its chunks. */
  readonly key: Bytes;
  /** 32 bytes: SHA-256 of the file itself, as `sha256sum` shows it. */
  readonly sha256: Bytes;
  /** Until when the server has said that it keeps it, seconds since 1970. */
  readonly until: number;
  /** As its sender calls it: anything may be in it. */
  readonly name: string;
  /** What its sender says of it. */
  readonly words: string;
}

/** The body of the content. */
export function encodeFileMessage(file: FileMessage): Bytes {
  const encode = (text: string) => new TextEncoder().encode(text) as Bytes;
  return new Writer(512).raw(file.fileId).u64(file.size).raw(file.key).raw(file.sha256).u64(file.until)
    .vec8(encode(file.name)).vec16(encode(file.words)).done();
}

/** Reads it. @throws Malformed */
export function decodeFileMessage(body: Bytes): FileMessage {
  const r = new Reader(body);
  const file = {
    fileId: r.take(16),
    size: r.u64(),
    key: r.take(32),
    sha256: r.take(32),
    until: r.u64(),
    name: decodeUtf8(r.vec8()),
    words: decodeUtf8(r.vec16()),
  };
  r.end();
  if (file.size > maxFileBytes) throw new Malformed("a file is too large");
  return file;
}
