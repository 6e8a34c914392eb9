/** Peer: somebody who has proved an identity over a link, and what the server keeps for that link only. */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { Card } from "../../protocol/identity/card.ts";
import type { Link } from "../../protocol/channel/link.ts";
import { errorCodes, type LinkMessage } from "../../protocol/channel/link_messages.ts";
import { type Blobs, WantedChunks } from "../blobs/blobs.ts";
import { LimitNotices } from "../limit_notices.ts";
import type { AddressRates, Rates, UserRates } from "../user_rates.ts";
import { Work } from "../work_budget.ts";
import type { StreamPeer, Subscription } from "./subscription.ts";

/** Most boxes that wait for a link's next commit. */
export const maxBoxes = 512;

/** One linked identity. */
export class Peer implements StreamPeer {
  /** The id in hex, for maps. */
  readonly key: string;
  /** Streams of rooms, by room id in hex. */
  readonly subscriptions = new Map<string, Subscription>();
  /** Those of them that still read from the log. */
  readonly behind = new Set<Subscription>();
  /** Rooms, by id in hex, whose streams have begun on this link. */
  readonly opened = new Set<string>();
  /** Boxes for the next commit, by hash in hex. */
  boxes = new Map<string, Bytes>();
  /** What it has been told of limits. */
  readonly limitNotices: LimitNotices;
  /** What the user may ask for, by whatever link. */
  readonly rates: Rates;
  /** What all from the same address may ask for; null where many people share it by right. */
  readonly addressRates: AddressRates | null;
  /** What the user and the address may ask for in all. */
  readonly work: Work;

  /**
   * @param address the remote `host:port`, for `--show-addresses` and the console
   * @param from the same as limits count it
   * @param rates of all users
   */
  constructor(
    readonly card: Card,
    readonly link: Link,
    readonly address: string,
    readonly from: string,
    rates: UserRates,
    /** The link's name in logs. */
    readonly session: string,
    /** 16 bytes that tell this link of hers apart, where several servers share their rooms. */
    readonly claim: Bytes,
  ) {
    this.key = encodeHex(card.id);
    this.rates = rates.of(this.key);
    this.limitNotices = new LimitNotices(rates.clock);
    this.addressRates = rates.ofAddress(from);
    const { work, reserve } = this.rates;
    this.work = new Work(work, this.addressRates && { address: this.addressRates.work, reserve });
    link.onDrain = () => {
      this.#chunks?.pump();
      if (this.behind.size === 0) return;
      for (const subscription of [...this.behind]) subscription.pump();
    };
  }

  /** Whether its claim has been proposed. */
  isClaimed = false;
  /** Chunks of files that it has brought, and that are not written yet. */
  chunksComing = 0;
  /** Chunks of files that it wants. */
  chunksOf(blobs: Blobs): WantedChunks {
    return this.#chunks ??= new WantedChunks(this.link, blobs);
  }
  #chunks: WantedChunks | null = null;

  /** Sends one message. */
  send(message: LinkMessage): void {
    this.link.send(message);
  }

  /** Answers a request with an error code. */
  refuse(ref: number, code: keyof typeof errorCodes): void {
    this.send({ type: "ERROR", ref, code: errorCodes[code] });
  }
}
