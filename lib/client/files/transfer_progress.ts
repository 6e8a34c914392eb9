/** TransferProgress: how a transfer is getting on, told once a second at most: how much, how fast, how long yet. */

import type { Clock } from "../../clock.ts";
import type { RoomEvent } from "../room_events.ts";

const everyMs = 1_000;
/** The rate is that of the last few seconds, … */
const rateMs = 5_000;
/** … looked at as often: a chunk may come each millisecond. */
const sampleMs = 250;

/** What is told of it. */
export interface ToldTransfer {
  /** The room's label. */
  readonly room: string;
  /** In hex: the message's id on the way up, the file's on the way down. */
  readonly id: string;
  /** Which way. */
  readonly way: "up" | "down";
  /** As it is shown. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
}

/** The progress of one transfer. */
export class TransferProgress {
  #told = -Infinity;
  #done = 0;
  #samples: [ms: number, done: number][] = [];

  /** @param show tells */
  constructor(
    private readonly what: ToldTransfer,
    private readonly clock: Pick<Clock, "now">,
    private readonly show: (event: RoomEvent) => void,
  ) {}

  /** It does not go on now: there is no connection, or the server has too much to do. */
  waits(): void {
    this.#samples = [];
    this.at(this.#done, true);
  }

  /** So many bytes are there. @param isWaiting it does not go on now */
  at(done: number, isWaiting = false): void {
    this.#done = done;
    const now = this.clock.now();
    const last = this.#samples.at(-1)?.[0] ?? -Infinity;
    if (Math.abs(now - last) >= sampleMs) {
      this.#samples = [...this.#samples.filter(([ms]) => now - ms <= rateMs && ms <= now), [now, done]];
    }
    if (Math.abs(now - this.#told) < everyMs && !isWaiting) return;
    this.#told = now;
    const [from, begun] = this.#samples[0];
    const rate = now > from ? Math.round((done - begun) * 1000 / (now - from)) : 0;
    this.show({
      type: "progress",
      ...this.what,
      done,
      rate,
      leftMs: rate > 0 ? Math.round((this.what.size - done) * 1000 / rate) : null,
      isWaiting,
    });
  }
}
