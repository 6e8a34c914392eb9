/**
 * Confirmations (protocol §9): how far others have seen the same history as we.
 *
 * Every message and commit carries its author's view. What has gone a minute or two without the view of anybody
 * but its own author is covered by an `attest` of the first client whose timer fires; the others then stay quiet. An attest
 * needs no covering itself, or they would never end.
 */

import { equals } from "@std/bytes/equals";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import type { HistoryView } from "../../protocol/group/history.ts";
import type { RoomState } from "./room_state.ts";

const quietMs = 60_000;
const kept = 512;

/** What confirmations need of their room. */
export interface ConfirmedRoom {
  /** Clock, randomness, and who we are. */
  readonly context: {
    readonly clock: Clock;
    readonly random: RandomSource;
    readonly card: { readonly id: Bytes };
  };
  /** Where what is confirmed is kept. */
  readonly state: Pick<RoomState, "confirmed">;
  /** Whether a message could be sealed and sent now. */
  readonly canSpeak: boolean;
  /** Sends an attest. */
  attest(): void;
}

interface Uncovered {
  readonly pos: number;
  readonly author: Bytes;
}

/** Whose views cover what, in one room. */
export class Confirmations {
  #uncovered: Uncovered[] = [];
  #times: { pos: number; timeMs: number }[] = [];
  #cancel: () => void = () => {};
  #scheduled = false;

  /** @param room whose they are */
  constructor(private readonly room: ConfirmedRoom) {}

  /** The connection is over: nobody attests until it is back. */
  reset(): void {
    this.#cancel();
    this.#scheduled = false;
  }

  /** A view that fits our history: its author has seen what we have, up to there. */
  seen(author: Bytes, { pos }: HistoryView): void {
    this.#uncovered = this.#uncovered.filter((entry) => entry.pos > pos || equals(entry.author, author));
    if (this.#mine(author)) return;
    const { state } = this.room;
    const last = this.#times.findLast((entry) => entry.pos <= pos);
    if (last && pos > (state.confirmed?.pos ?? 0)) {
      state.confirmed = { pos, timeMs: last.timeMs, by: author };
    }
  }

  /** A commit, text, file or action at `pos` waits for somebody else's view. @param timeMs when it was stored */
  needs(pos: number, author: Bytes, timeMs: number): void {
    this.#uncovered.push({ pos, author });
    this.#times.push({ pos, timeMs });
    if (this.#uncovered.length > kept) this.#uncovered.shift();
    if (this.#times.length > kept) this.#times.shift();
    this.schedule();
  }

  /** Looks after one to two minutes whether something is still uncovered. */
  schedule(): void {
    if (this.#scheduled || !this.#uncovered.some(({ author }) => !this.#mine(author))) return;
    this.#scheduled = true;
    const { clock, random } = this.room.context;
    const [a, b] = random(2);
    const waitMs = quietMs + (a * 256 + b) * quietMs / 65_536;
    const due = this.#uncovered.at(-1)!.pos;
    this.#cancel = clock.after(waitMs, () => {
      this.#scheduled = false;
      const waiting = this.#uncovered.some(({ pos, author }) => pos <= due && !this.#mine(author));
      if (waiting && this.room.canSpeak) {
        this.room.attest();
        // Our own view covers them once it is stored; until then it must not be sent twice.
        this.#uncovered = this.#uncovered.filter(({ author }) => this.#mine(author));
      }
      this.schedule();
    });
  }

  #mine(id: Uint8Array): boolean {
    return equals(id, this.room.context.card.id);
  }
}
