/**
 * FairTurns: how what a link brings is handled so that no other link waits long for it (protocol §12): a bounded amount
 * of work in one turn of the event loop, and nothing more is read while its user or its address owes work.
 */

import { type Clock, sleep } from "../../clock.ts";
import type { RecordSize } from "../../protocol/channel/link.ts";
import type { LinkMessage } from "../../protocol/channel/link_messages.ts";
import { costOf, costOfRecord, isPutOff, refusedUs } from "../rooms/request_costs.ts";
import type { Work } from "../work_budget.ts";

/** Work that one link may have done before all others have had their turn. */
const turnUs = 2_000;
/** A link that is over is noticed so soon while nothing is read from it. */
const lookEveryMs = 100;

/** What all files may take of the server's time. */
export interface FilesWork {
  /** Takes microseconds of work. */
  spend(us: number): void;
  /** Milliseconds until nothing is owed. */
  readonly waitMs: number;
}

/** The turns of one link. */
export class FairTurns {
  #usedUs = 0;

  /**
   * @param work what the link's user and address may take
   * @param files what all files may take together: chunks are paid there
   * @param link whose turns they are
   * @param defer runs something in a later turn of the event loop
   */
  constructor(
    private readonly work: Work,
    private readonly files: FilesWork,
    private readonly link: { readonly isOver: boolean },
    private readonly clock: Clock,
    private readonly defer: (act: () => void) => void,
  ) {}

  /**
   * Handles the messages of one record, in their order.
   *
   * @param record what it cost: its bytes, and how many messages the link has answered by itself
   * @returns when the next record may be read; null for at once
   */
  take(
    messages: readonly LinkMessage[],
    record: RecordSize,
    handle: (message: LinkMessage) => void,
  ): Promise<void> | null {
    const cost = costOfRecord(record.bytes, record.answered);
    if (record.isCarried) this.#spendOnFiles(cost);
    else this.#spend(cost);
    for (let i = 0; i < messages.length; i++) {
      if (this.#usedUs >= turnUs) return this.#goOn(messages.slice(i), handle);
      this.#handle(messages[i], handle);
    }
    const isOver = this.#usedUs >= turnUs || this.work.waitMs > 0 ||
      record.isCarried === true && this.files.waitMs > 0;
    return isOver ? this.#goOn([], handle) : null;
  }

  async #goOn(messages: readonly LinkMessage[], handle: (message: LinkMessage) => void): Promise<void> {
    for (const message of messages) {
      if (this.#usedUs >= turnUs) await this.#nextTurn();
      if (this.link.isOver) return;
      this.#handle(message, handle);
    }
    await this.#nextTurn();
    await this.untilPaid();
  }

  /** Waits until nothing is owed, or the link is over. */
  async untilPaid(): Promise<void> {
    const owed = () => Math.max(this.work.waitMs, this.#movesFiles ? this.files.waitMs : 0);
    for (let waitMs; (waitMs = owed()) > 0 && !this.link.isOver;) {
      await sleep(this.clock, Math.min(waitMs, lookEveryMs));
    }
    this.#movesFiles = false;
  }

  #handle(message: LinkMessage, handle: (message: LinkMessage) => void): void {
    this.#spend(this.work.isOverdrawn && isPutOff(message) ? refusedUs : costOf(message));
    handle(message);
  }

  #movesFiles = false;
  #spendOnFiles(us: number): void {
    this.#movesFiles = true;
    this.#usedUs += us;
    this.files.spend(us);
  }

  #spend(us: number): void {
    this.#usedUs += us;
    this.work.spend(us);
  }

  #nextTurn(): Promise<void> {
    this.#usedUs = 0;
    return new Promise((resolve) => this.defer(resolve));
  }
}
