/**
 * The RSA queue (protocol §12): decryption is the one costly thing that a stranger can ask for, so only a few
 * run at once, some wait, and the rest fail silently. Its length sets the puzzle.
 */

import { WorkQueue } from "./work_queue.ts";

/** A work queue that makes strangers pay as it fills. */
export class RsaQueue extends WorkQueue {
  /**
   * Puzzle bits to ask for now: 0 at rest; 14, 18, 20 at a quarter, half, three quarters of the queue.
   *
   * @param crowd how full the server is with strangers, from 0 to 1: counts half
   */
  puzzleBits(crowd = 0): number {
    const fill = Math.max(this.waiting / this.queued, crowd / 2);
    return fill >= 0.75 ? 20 : fill >= 0.5 ? 18 : fill >= 0.25 ? 14 : 0;
  }
}
