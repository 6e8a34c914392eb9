/**
 * Content (protocol §7.3): what is inside a message once it is open, padded so that the server sees sizes
 * in steps only.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import { decodeUtf8 } from "../codec/layout.ts";
import { Reader, Writer } from "../codec/wire.ts";

/** Types of content. */
export const contentTypes = { text: 1, file: 2, attest: 3, action: 4 } as const;

/** Longest text in bytes of UTF-8. */
export const maxTextBytes = 16 * 1024;

const smallest = 128;
const largest = 32 * 1024;
const headBytes = 1 + 16 + 8 + 4;

/** One opened message. */
export interface Content {
  /** One of {@link contentTypes}; others are shown as unknown. */
  readonly type: number;
  /** 16 bytes, the sender's choice: a repeated one is ignored. */
  readonly msgId: Bytes;
  /** The sender's clock, milliseconds since 1970. */
  readonly timeMs: number;
  /** UTF-8 for text and action, empty for attest. */
  readonly body: Bytes;
}

/** Encodes with the smallest padding that fits: 128, 256, … 32 768 bytes. */
export function encodeContent(content: Content): Bytes {
  const length = headBytes + content.body.length;
  let padded = smallest;
  while (padded < length) padded *= 2;
  if (padded > largest) throw new Error("the content is too long");
  return new Writer(padded).u8(content.type).raw(content.msgId).u64(content.timeMs).vec32(content.body)
    .padTo(padded).done();
}

/** Reads content of any of the padded sizes. @throws Malformed */
export function decodeContent(bytes: Uint8Array): Content {
  const n = bytes.length;
  if (n < smallest || n > largest || (n & (n - 1)) !== 0) throw new Malformed("a content has a wrong size");
  const r = new Reader(bytes);
  const content = { type: r.u8(), msgId: r.take(16), timeMs: r.u64(), body: r.vec32() };
  r.zeros();
  if (content.type === contentTypes.text || content.type === contentTypes.action) {
    if (content.body.length > maxTextBytes) throw new Malformed("a text is too long");
    decodeUtf8(content.body);
  }
  if (content.type === contentTypes.attest && content.body.length > 0) {
    throw new Malformed("an attest has a body");
  }
  return content;
}
