/**
 * Backlog: what has come of all rooms at a server and is not handled yet. It is bounded in all: rooms may wait for the
 * person, or for a card, while a server goes on sending.
 */

import type { LinkMessage } from "../../protocol/channel/link_messages.ts";

const mostBytes = 64 * 1024 * 1024;
/** About what a message takes in memory beside its bytes. */
const messageBytes = 256;

/** One server's. */
export class Backlog {
  #bytes = 0;

  /** @param most bytes in all */
  constructor(private readonly most = mostBytes) {}

  /**
   * Takes a message in, if there is room for it: no room may hold more than is left for the others.
   *
   * @param held bytes that its room holds already
   */
  take(message: LinkMessage, held: number): boolean {
    const bytes = weightOf(message);
    if (held + bytes > this.most - this.#bytes) return false;
    this.#bytes += bytes;
    return true;
  }

  /** It is handled, or given up. */
  release(message: LinkMessage): void {
    this.#bytes -= weightOf(message);
  }
}

/** What a message takes in memory, about. */
export function weightOf(message: LinkMessage): number {
  if (message.type === "ENTRY") return messageBytes + message.bytes.length;
  return message.type === "HASHES" ? messageBytes + 64 * message.digests.length : messageBytes;
}
