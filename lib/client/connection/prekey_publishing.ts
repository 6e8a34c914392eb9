/**
 * PrekeyPublishing: our newest prekey at the server, after every WELCOME and once a day (protocol §4.4); old private
 * parts go once every room has caught up.
 */

import { equals } from "@std/bytes/equals";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, inWords } from "../../errors.ts";
import { isWrongClock, keysRefused } from "./clock_difference.ts";
import type { Connection } from "./connection.ts";
import { RequestRefused } from "./connection_errors.ts";
import type { OwnPrekeys } from "./own_prekeys.ts";

const checkMs = 3600 * 1000;

/** What publishing needs of the chat. */
export interface PrekeyHolder {
  /** Time. */
  readonly clock: Clock;
  /** Our private prekeys at this server. */
  prekeys(): OwnPrekeys;
  /** Retries while the server answers LIMIT. @throws LinkLost, RequestRefused */
  retryWhileLimited<T>(request: () => Promise<T>): Promise<T>;
  /** Whether nothing sealed to an old prekey is still to be opened. */
  allCaughtUp(): boolean;
  /** Tells the person. */
  warn(text: string): void;
}

/** Keeps the server's copy fresh. */
export class PrekeyPublishing {
  #published: Bytes | null = null;
  #eraseDue = false;
  #clockDifference: number | null = null;

  /** @param holder whose prekeys they are */
  constructor(private readonly holder: PrekeyHolder) {}

  /** Looks once an hour whether there is a new one to publish. @returns stops it */
  keepFresh(connection: Connection): () => void {
    let cancel = () => {};
    const again = () => {
      this.#publish(connection).catch((error) => {
        if (!(error instanceof ChatError)) throw error;
      });
      this.#eraseDue = true;
      cancel = this.holder.clock.after(checkMs, again);
    };
    cancel = this.holder.clock.after(checkMs, again);
    return () => cancel();
  }

  /**
   * Publishes the newest, whatever was published before: the server may have forgotten it.
   *
   * @throws LinkLost; ChatError when our clock makes our keys worthless
   */
  async begin(connection: Connection): Promise<void> {
    this.#published = null;
    this.#clockDifference = connection.clockDifference;
    await this.#publish(connection);
  }

  async #publish(connection: Connection): Promise<void> {
    const prekeys = this.holder.prekeys();
    const newest = await prekeys.newest();
    if (this.#published && equals(this.#published, newest.published)) return;
    try {
      await this.holder.retryWhileLimited(() =>
        connection.request((ref) => ({ type: "PREKEY_PUT", ref, prekey: newest.published }), "DONE")
      );
      this.#published = newest.published;
      prekeys.confirmed();
      this.#eraseDue = true;
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error;
      const refusal = keysRefused(this.#clockDifference);
      // Nobody could let us in with such keys: better said now than after a minute at the door.
      if (!this.#published && isWrongClock(this.#clockDifference)) throw refusal;
      this.holder.warn(inWords(refusal));
    }
  }

  /** Erases what is past its time, once every room has caught up. @throws FileTrouble */
  eraseWhenDue(): void {
    if (!this.#eraseDue || !this.holder.allCaughtUp()) return;
    this.#eraseDue = false;
    this.holder.prekeys().erase();
  }
}
