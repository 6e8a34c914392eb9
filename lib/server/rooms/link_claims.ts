/**
 * LinkClaims: which link of an identity is the one, where several servers share their rooms. Whoever comes in claims that
 * with a record; the link before, at whatever server, is over once the new one is seen to be in: a record alone may be of
 * a link that was over before it came to the log. One server needs no record for it.
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { encodeHex } from "../../hex.ts";
import { closeReasons } from "../../protocol/channel/link_messages.ts";
import type { Others } from "../others.ts";
import type { LogRecord, Outcome } from "../store/journal.ts";
import type { Peer } from "./peer.ts";

/** What claims need of their server. */
export interface ClaimHost {
  /** Everybody who is linked, by id in hex. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** Servers that share its rooms. */
  readonly others: Others;
  /** Proposes a change. */
  propose(record: LogRecord): Promise<Outcome>;
}

/** See above. */
export class LinkClaims {
  /** Links of each identity that are here or on their way in, and the claim of the newest one anywhere; by id in hex. */
  #links = new Map<string, { count: number; newest: Bytes }>();
  /** Ids in hex of those who have come in elsewhere, or again. */
  #replaced = new Set<string>();

  /** @param host the server */
  constructor(private readonly host: ClaimHost) {}

  /** An identity comes in. @returns whether it can be recorded now */
  async claim(peer: Peer): Promise<boolean> {
    if (this.host.others.isAlone) return true;
    const links = this.#links.get(peer.key) ?? { count: 0, newest: peer.claim };
    this.#links.set(peer.key, { count: links.count + 1, newest: peer.claim });
    peer.isClaimed = true;
    const { card: { id }, claim } = peer;
    return (await this.host.propose({ kind: "link", id, link: claim })).type === "done";
  }

  /** An identity has another link now, at whatever server. Called by the journal's follower only. */
  apply(id: Bytes, link: Bytes): void {
    const key = encodeHex(id);
    const links = this.#links.get(key);
    if (!links) return; // nobody of that id is here, or on her way in
    links.newest = link;
    this.#replaced.add(key);
  }

  /** What was applied is on disk: links that it has replaced are over. */
  flushed(): void {
    for (const key of this.#replaced) this.endIfReplaced(key);
    this.#replaced.clear();
  }

  /** Ends a link once the one that was recorded after it is seen to be in elsewhere. @param key id in hex */
  endIfReplaced(key: string): void {
    const { peers, others } = this.host;
    const [peer, links] = [peers.get(key), this.#links.get(key)];
    if (!peer || !links || equals(links.newest, peer.claim)) return;
    if (others.hasLink(key, links.newest)) peer.link.close(closeReasons.replaced);
  }

  /** A link is over that was, or wanted to be, in. */
  forget(peer: Peer): void {
    const links = peer.isClaimed ? this.#links.get(peer.key) : undefined;
    if (links && --links.count === 0) this.#links.delete(peer.key);
  }
}
