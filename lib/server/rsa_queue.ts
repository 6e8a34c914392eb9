/**
 * The RSA queue (protocol §12): decryption is the one costly thing that a stranger can ask for, so only a few
 * run at once, some wait, and the rest fail silently. Its length sets the puzzle.
 */

import { WorkQueue } from "./work_queue.ts";

/** A work queue that makes strangers pay as it fills. */
export class RsaQueue extends WorkQueue {
  /** Puzzle bits to ask for now: 0 at rest; 14, 18, 20 at a quarter, half, three quarters of the queue. */
  puzzleBits(): number {
    const fill = this.waiting / this.queued;
    return fill >= 0.75 ? 20 : fill >= 0.5 ? 18 : fill >= 0.25 ? 14 : 0;
  }
}
